# SPDX-License-Identifier: Apache-2.0
"""Accounts, users and temporary credentials, made as an operator makes them."""

import json

from .server import Account


def create_account(server):
    answer = server.admin("account", "create")
    return Account(answer["accountId"], answer["accessKeyId"], answer["secretAccessKey"])


def create_user(server, name, *policies, account=None):
    """A user with the given identity policies (documents) and one access key."""
    number = (account or server.account).number
    server.admin("user", "create", name, "--account-id", number)
    for index, policy in enumerate(policies):
        put_policy(server, name, policy, name_of_policy=f"policy{index}", account=account)
    answer = server.admin("access-key", "create", "--account-id", number, "--user", name)
    return Account(number, answer["accessKeyId"], answer["secretAccessKey"])


def put_policy(server, user, policy, name_of_policy="policy", account=None, check=True):
    file = server.folder / f"{user}-{name_of_policy}.json"
    file.write_text(policy if isinstance(policy, str) else json.dumps(policy))
    number = (account or server.account).number
    arguments = ["--account-id", number, "--user", user, "--name", name_of_policy, "--file", str(file)]
    return server.admin("policy", "put", *arguments, check=check)


def create_session(server, user=None, policy=None, duration="15m", account=None):
    number = (account or server.account).number
    arguments = ["session", "create", "--account-id", number, "--duration", duration]
    if user:
        arguments += ["--user", user]
    if policy:
        file = server.folder / "session-policy.json"
        file.write_text(json.dumps(policy))
        arguments += ["--policy", str(file)]
    answer = server.admin(*arguments)
    return Account(number, answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action="glacier:*", resource="*", **members):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **members}


def deny(action="glacier:*", resource="*", **members):
    return {"Effect": "Deny", "Action": action, "Resource": resource, **members}
