# SPDX-License-Identifier: Apache-2.0
"""The vault lock: its state table, what it forbids, and that no way leads around it."""

import datetime
import json

import pytest

from Support.checks import MILLISECOND_DATE, assert_created, assert_document, assert_error, assert_no_content, vault_arn

ME = ("--account-id", "-")


def lock_policy(server, vault, days="365", action="glacier:DeleteArchive"):
    """Nobody deletes an archive that is younger than so many days: the documented example."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "deny-based-on-archive-age",
                    "Principal": "*",
                    "Effect": "Deny",
                    "Action": action,
                    "Resource": [vault_arn(server, vault)],
                    "Condition": {"NumericLessThan": {"glacier:ArchiveAgeInDays": days}},
                }
            ],
        }
    )


class Lock:
    """The four operations on one vault."""

    def __init__(self, wire, vault):
        self.wire, self.vault = wire, vault
        self.path = f"/-/vaults/{vault}/lock-policy"
        self.policy = lock_policy(wire.server, vault)

    def initiate(self, policy=None):
        body = json.dumps({"Policy": policy or self.policy}).encode()
        return self.wire.request("POST", self.path, body=body)

    def initiated(self):
        answer = self.initiate()
        assert_created(answer)
        return answer.header("x-amz-lock-id")

    def complete(self, lock):
        return self.wire.request("POST", f"{self.path}/{lock}")

    def abort(self):
        return self.wire.request("DELETE", self.path)

    def get(self):
        return self.wire.request("GET", self.path)


@pytest.fixture
def lock(wire, vault):
    return Lock(wire, vault)


def denied(answer):
    assert_error(answer, 403, "AccessDeniedException")


# The state table


def test_without_a_lock(lock):
    assert_error(lock.get(), 404, "ResourceNotFoundException")
    assert_error(lock.complete("no-such-lock"), 404, "ResourceNotFoundException")
    assert_no_content(lock.abort())


def test_in_progress(lock, server):
    location = f"/{server.account.number}/vaults/{lock.vault}/lock-policy"
    answer = lock.initiate()
    assert_created(answer)
    identifier = answer.header("x-amz-lock-id")
    assert identifier and location in (answer.header("Location") or location)
    shown = assert_document(lock.get(), ["Policy", "State", "ExpirationDate", "CreationDate"])
    assert (shown["State"], shown["Policy"]) == ("InProgress", lock.policy)
    assert MILLISECOND_DATE.fullmatch(shown["CreationDate"]) and MILLISECOND_DATE.fullmatch(shown["ExpirationDate"])
    created, expires = (
        datetime.datetime.fromisoformat(shown[key].rstrip("Z")) for key in ("CreationDate", "ExpirationDate")
    )
    assert expires - created == datetime.timedelta(hours=24)
    denied(lock.initiate())
    assert_error(lock.complete("wrong" + identifier), 400, "InvalidParameterValueException")
    assert_no_content(lock.abort())
    assert_error(lock.get(), 404, "ResourceNotFoundException")
    assert lock.initiated() != identifier


def test_locked(lock):
    identifier = lock.initiated()
    for _ in range(2):
        assert_no_content(lock.complete(identifier))
    shown = assert_document(lock.get(), ["Policy", "State", "ExpirationDate", "CreationDate"])
    assert (shown["State"], shown["Policy"], shown["ExpirationDate"]) == ("Locked", lock.policy, None)
    denied(lock.initiate())
    denied(lock.complete("wrong" + identifier))
    denied(lock.abort())
    assert lock.get().json == shown


@pytest.mark.parametrize("policy", ["nothing", "{}", "[]", '{"Version":"2012-10-17","Statement":[]}', "x" * 30_000])
def test_an_unusable_lock_policy_is_refused(lock, policy):
    answer = lock.initiate(policy)
    assert answer.status == 400, answer
    assert answer.json["code"] == "InvalidParameterValueException", answer
    assert_error(lock.get(), 404, "ResourceNotFoundException")


def test_a_lock_policy_is_about_its_own_vault(lock, server):
    answer = lock.initiate(lock_policy(server, "another"))
    assert answer.status == 400 and answer.json["code"] == "InvalidParameterValueException", answer


# What a lock forbids


def test_a_lock_in_progress_is_enforced_and_ends_with_its_abortion(lock, wire):
    archive = wire.upload_archive(lock.vault, b"kept")
    lock.initiated()
    denied(wire.request("DELETE", f"/-/vaults/{lock.vault}/archives/{archive}"))
    assert_no_content(lock.abort())
    assert_no_content(wire.request("DELETE", f"/-/vaults/{lock.vault}/archives/{archive}"))


def test_nobody_deletes_a_young_archive_from_a_locked_vault(lock, wire, server):
    archive = wire.upload_archive(lock.vault, b"kept")
    assert_no_content(lock.complete(lock.initiated()))
    later = wire.upload_archive(lock.vault, b"kept as well")
    allow = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "glacier:*", "Resource": vault_arn(server, lock.vault)}
        ],
    }
    body = json.dumps({"Policy": json.dumps(allow)}).encode()
    assert_no_content(wire.request("PUT", f"/-/vaults/{lock.vault}/access-policy", body=body))
    for identifier in (archive, later):
        answer = wire.request("DELETE", f"/-/vaults/{lock.vault}/archives/{identifier}")
        denied(answer)
        assert "glacier:DeleteArchive" in answer.message, answer
    assert wire.request("DELETE", f"/-/vaults/{lock.vault}").status == 400
    assert wire.retrieve(lock.vault, archive) == b"kept"
    assert wire.request("GET", f"/-/vaults/{lock.vault}").json["NumberOfArchives"] == 2


def test_an_archive_of_the_age_the_lock_asks_for_can_be_deleted(wire, server, vault):
    lock = Lock(wire, vault)
    lock.policy = lock_policy(server, vault, days="0")
    archive = wire.upload_archive(vault, b"old enough")
    assert_no_content(lock.complete(lock.initiated()))
    assert_no_content(wire.request("DELETE", f"/-/vaults/{vault}/archives/{archive}"))


def test_an_empty_locked_vault_can_be_deleted_and_its_name_used_again(lock, wire):
    assert_no_content(lock.complete(lock.initiated()))
    assert_no_content(wire.request("DELETE", f"/-/vaults/{lock.vault}"))
    wire.create_vault(lock.vault)
    assert_error(lock.get(), 404, "ResourceNotFoundException")


def test_a_legal_hold_by_tag(wire, server, vault):
    policy = json.loads(lock_policy(server, vault))
    statement = policy["Statement"][0]
    statement["Condition"] = {"StringLike": {"glacier:ResourceTag/LegalHold": ["true", ""]}}
    lock = Lock(wire, vault)
    lock.policy = json.dumps(policy)
    assert_no_content(lock.complete(lock.initiated()))
    archive = wire.upload_archive(vault, b"evidence")
    add = f"/-/vaults/{vault}/tags?operation=add"
    assert_no_content(wire.request("POST", add, body=b'{"Tags":{"LegalHold":"true"}}'))
    denied(wire.request("DELETE", f"/-/vaults/{vault}/archives/{archive}"))
    assert_no_content(wire.request("POST", add, body=b'{"Tags":{"LegalHold":"false"}}'))
    assert_no_content(wire.request("DELETE", f"/-/vaults/{vault}/archives/{archive}"))


def test_a_lock_survives_a_kill_and_rotations_of_keys(make_server):
    from Support.wire import Wire

    server = make_server("locked")
    wire = Wire(server)
    wire.create_vault("v")
    lock = Lock(wire, "v")
    archive = wire.upload_archive("v", b"kept")
    identifier = lock.initiated()
    server.kill()
    server.start()
    assert_no_content(lock.complete(identifier))
    server.kill()
    server.start()
    server.admin("key", "rotate")
    server.admin("key", "rotate", "--vault", "v", "--account-id", server.account.number, "--region", server.region)
    server.restart()
    assert lock.get().json["State"] == "Locked"
    denied(wire.request("DELETE", f"/-/vaults/v/archives/{archive}"))
    denied(lock.abort())


def test_an_older_catalog_does_not_forget_a_lock(make_server, tmp_path):
    """The catalog copy from before the lock is put back: the vault's record remembers."""
    from Support.wire import Wire

    server = make_server("restored")
    wire = Wire(server)
    wire.create_vault("v")
    archive = wire.upload_archive("v", b"kept")
    report = server.admin("backup", "create", "--output-dir", str(tmp_path))
    lock = Lock(wire, "v")
    assert_no_content(lock.complete(lock.initiated()))
    server.stop()
    server.restore(report["catalogPath"], "--allow-older")
    server.start()
    assert lock.get().json["State"] == "Locked"
    denied(wire.request("DELETE", f"/-/vaults/v/archives/{archive}"))


# Real clients


def test_the_lock_by_boto3(glacier, server, vault):
    text = lock_policy(server, vault)
    identifier = glacier.initiate_vault_lock(vaultName=vault, policy={"Policy": text})["lockId"]
    shown = glacier.get_vault_lock(vaultName=vault)
    assert (shown["State"], shown["Policy"]) == ("InProgress", text)
    glacier.abort_vault_lock(vaultName=vault)
    with pytest.raises(glacier.exceptions.ResourceNotFoundException):
        glacier.get_vault_lock(vaultName=vault)
    identifier = glacier.initiate_vault_lock(vaultName=vault, policy={"Policy": text})["lockId"]
    glacier.complete_vault_lock(vaultName=vault, lockId=identifier)
    assert glacier.get_vault_lock(vaultName=vault)["State"] == "Locked"


def test_the_lock_by_the_aws_cli(aws, server, vault):
    document = json.dumps({"Policy": lock_policy(server, vault)})
    made = aws("initiate-vault-lock", *ME, "--vault-name", vault, "--policy", document)
    assert aws("get-vault-lock", *ME, "--vault-name", vault)["State"] == "InProgress"
    assert aws("complete-vault-lock", *ME, "--vault-name", vault, f"--lock-id={made['lockId']}") is None
    assert aws("get-vault-lock", *ME, "--vault-name", vault)["State"] == "Locked"
    refused = aws.run("abort-vault-lock", *ME, "--vault-name", vault, check=False)
    assert refused.returncode != 0 and "AccessDeniedException" in refused.stderr
