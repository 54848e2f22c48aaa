# SPDX-License-Identifier: Apache-2.0
"""The executable's verbs as people run them against a live service: the operator's and the client's."""

import json

from .server import Account

GENERAL, USAGE, NOT_FOUND, ACCESS, NETWORK = 1, 2, 3, 4, 8


class Verbs:
    """Runs `coldvault …` as one client (credentials and endpoint from the environment) or as the operator."""

    def __init__(self, server, home, account=None, token=None):
        self.server, self.home = server, home
        self.account = account or server.account
        self.token = token

    def run(self, *arguments, expect=0, text=None):
        """Standard output. The result that came is kept in `stderr`; secrets are nowhere in it."""
        environment = {
            "AWS_ACCESS_KEY_ID": self.account.access_key,
            "AWS_SECRET_ACCESS_KEY": self.account.secret,
            "AWS_REGION": self.server.region,
            "AWS_ENDPOINT_URL_GLACIER": self.server.url,
            "COLDVAULT_DATA_DIR": str(self.server.data_dir),
            "HOME": str(self.home),
        }
        if self.token:
            environment["AWS_SESSION_TOKEN"] = self.token
        result = self.server.command([*map(str, arguments)], check=False, timeout=120, environment=environment)
        assert (
            result.returncode == expect
        ), f"exit {result.returncode}, expected {expect}: {arguments}\n{result.stdout}{result.stderr}"
        assert self.account.secret not in result.stdout + result.stderr
        self.stderr = result.stderr
        return result.stdout

    def json(self, *arguments, expect=0):
        output = self.run(*arguments, "--output", "json", expect=expect)
        return json.loads(output) if output.strip() else None

    def file(self, name, content):
        """A file with that text, or that document as JSON."""
        path = self.home / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def acting_as(self, access_key, secret, number=None, token=None):
        """The same verbs with other credentials."""
        return Verbs(self.server, self.home, Account(number or self.account.number, access_key, secret), token)
