# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the command line suites."""

import pytest

from Support.server import Account
from Support.verbs import Verbs


@pytest.fixture
def verbs(server, tmp_path):
    """Verbs with the credentials of the shared service's first account."""
    return Verbs(server, tmp_path)


@pytest.fixture
def account(server, tmp_path):
    """Verbs with the credentials of an account that no other test uses."""
    made = server.admin("account", "create")
    return Verbs(server, tmp_path, Account(made["accountId"], made["accessKeyId"], made["secretAccessKey"]))
