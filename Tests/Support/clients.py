# SPDX-License-Identifier: Apache-2.0
"""The clients people have: boto3 in both its forms and the AWS CLI, configured by nothing but an endpoint."""

import json
import shutil
import subprocess
import sys

import boto3
import botocore.config


def _session(server, account, region):
    account = account or server.account
    return boto3.session.Session(
        aws_access_key_id=account.access_key,
        aws_secret_access_key=account.secret,
        aws_session_token=account.session_token,
        region_name=region or server.region,
    )


def _options(server):
    return {
        "endpoint_url": server.url.replace("127.0.0.1", "localhost") if server.tls else server.url,
        "verify": str(server.tls.certificate) if server.tls else None,
        "config": botocore.config.Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=60),
    }


def boto_client(server, account=None, region=None):
    return _session(server, account, region).client("glacier", **_options(server))


def boto_resource(server, account=None, region=None):
    return _session(server, account, region).resource("glacier", **_options(server))


class AwsCli:
    """`aws glacier …` with an empty home, so that nothing of this machine's configuration is seen."""

    def __init__(self, server, folder, account=None):
        self.server = server
        self.folder = folder
        self.account = account or server.account

    def run(self, *arguments, check=True):
        command = shutil.which("aws")
        prefix = [command] if command else [sys.executable, "-m", "awscli"]
        environment = {
            **self.server.environment(),
            "AWS_ACCESS_KEY_ID": self.account.access_key,
            "AWS_SECRET_ACCESS_KEY": self.account.secret,
            "AWS_REGION": self.server.region,
            "AWS_DEFAULT_REGION": self.server.region,
            "AWS_ENDPOINT_URL_GLACIER": self.server.url,
            "AWS_CONFIG_FILE": str(self.folder / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "no-credentials"),
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }
        result = subprocess.run(
            [*prefix, "glacier", *map(str, arguments), "--output", "json"],
            capture_output=True,
            text=True,
            timeout=120,
            env=environment,
            cwd=self.folder,
        )
        if check and result.returncode != 0:
            raise AssertionError(
                f"aws glacier {' '.join(map(str, arguments))} exited {result.returncode}:\n"
                f"{result.stdout}{result.stderr}"
            )
        return result

    def __call__(self, *arguments):
        """The parsed JSON answer, or None when the operation answers nothing."""
        output = self.run(*arguments).stdout
        return json.loads(output) if output.strip() else None
