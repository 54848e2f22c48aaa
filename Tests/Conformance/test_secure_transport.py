# SPDX-License-Identifier: Apache-2.0
"""`aws:SecureTransport` and `aws:SourceIp` where they come from: a socket with TLS, and one without."""

import json

import pytest

from Support.checks import vault_arn
from Support.identity import allow, create_user, deny, policy
from Support.wire import Wire

OVER_TLS = {"Bool": {"aws:SecureTransport": "true"}}
IN_PLAIN = {"Bool": {"aws:SecureTransport": "false"}}


@pytest.fixture(params=[False, True], ids=["http", "https"])
def secured(request, make_server, certificate):
    """A service whose vault `safe` nobody may use in plain, and whose vault `open` a user may use over TLS only."""
    server = make_server("secured", tls=certificate if request.param else None)
    server.user = create_user(server, "alice", policy(allow("glacier:DescribeVault", Condition=OVER_TLS)))
    server.is_secure = request.param
    return server


def set_policy(server, vault, *statements):
    wire = Wire(server)
    assert wire.request("PUT", f"/-/vaults/{vault}").status == 201
    body = json.dumps({"Policy": json.dumps(policy(*statements))}).encode()
    assert wire.request("PUT", f"/-/vaults/{vault}/access-policy", body=body).status == 204


def test_a_vault_that_wants_tls_is_used_over_tls_only(secured):
    arn = vault_arn(secured, "safe")
    set_policy(secured, "safe", deny("glacier:ListJobs", arn, Principal="*", Condition=IN_PLAIN))
    assert Wire(secured).request("GET", "/-/vaults/safe/jobs").status == (200 if secured.is_secure else 403)
    assert Wire(secured).request("GET", "/-/vaults/safe").status == 200


def test_a_grant_for_tls_counts_over_tls_only(secured):
    assert Wire(secured).request("PUT", "/-/vaults/open").status == 201
    answer = Wire(secured, account=secured.user).request("GET", "/-/vaults/open")
    assert answer.status == (200 if secured.is_secure else 403)


def test_what_a_client_says_about_its_way_counts_for_nothing(secured):
    headers = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-For", "203.0.113.9"),
        ("Forwarded", "proto=https;for=203.0.113.9"),
    ]
    arn = vault_arn(secured, "said")
    elsewhere = {"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    set_policy(
        secured,
        "said",
        deny("glacier:ListJobs", arn, Principal="*", Condition=IN_PLAIN),
        deny("glacier:ListTagsForVault", arn, Principal="*", Condition=elsewhere),
    )
    answer = Wire(secured).request("GET", "/-/vaults/said/jobs", headers=headers)
    assert answer.status == (200 if secured.is_secure else 403)
    assert Wire(secured).request("GET", "/-/vaults/said/tags", headers=headers).status == 200
