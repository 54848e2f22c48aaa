# SPDX-License-Identifier: Apache-2.0
"""`coldvault vault tag|policy|lock|notifications`, `capacity` and `retrieval-policy` against the real service."""

import json

import pytest

from Support.verbs import ACCESS, GENERAL, NOT_FOUND, USAGE

RETENTION = "NumericLessThan"


def arn(verbs, vault):
    return f"arn:aws:glacier:{verbs.server.region}:{verbs.account.number}:vaults/{vault}"


def access_policy(verbs, vault, effect="Allow", action="glacier:DescribeVault", principal="*", **more):
    statement = {
        "Sid": "one",
        "Effect": effect,
        "Principal": principal,
        "Action": action,
        "Resource": arn(verbs, vault),
        **more,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def retention_policy(verbs, vault):
    condition = {RETENTION: {"glacier:ArchiveAgeInDays": "365"}}
    return access_policy(verbs, vault, "Deny", "glacier:DeleteArchive", Condition=condition)


# -- tags --


def test_tags_are_added_changed_listed_and_removed(verbs, vault):
    assert verbs.json("vault", "tags", vault) == {"Tags": {}}
    pairs = [argument for i in range(12) for argument in ("--tag", f"key{i}=value={i}")]
    verbs.run("vault", "tag", vault, *pairs)
    verbs.run("vault", "tag", vault, "--tag", "key0=", "--tag", "Größe=drei Meter")
    tags = verbs.json("vault", "tags", "--vault", vault)["Tags"]
    assert len(tags) == 13 and tags["key0"] == "" and tags["key7"] == "value=7" and tags["Größe"] == "drei Meter"
    assert "value=7" in verbs.run("vault", "tags", vault)
    verbs.run("vault", "untag", vault, "--key", "key0", "--key", "never there")
    assert "key0" not in verbs.json("vault", "tags", vault)["Tags"]


def test_tags_are_what_the_aws_cli_sees(verbs, vault, aws):
    verbs.run("vault", "tag", vault, "--tag", "a=1")
    assert aws("list-tags-for-vault", "--account-id", "-", "--vault-name", vault)["Tags"] == {"a": "1"}


def test_too_many_tags_and_bad_ones_are_refused(verbs, vault):
    verbs.run("vault", "tag", vault, *(a for i in range(50) for a in ("--tag", f"k{i}=v")))
    verbs.run("vault", "tag", vault, "--tag", "k50=v", expect=GENERAL)
    assert "LimitExceededException" in verbs.stderr
    verbs.run("vault", "tag", vault, "--tag", "aws:x=v", expect=GENERAL)
    for arguments in ([], ["--tag", "novalue"], ["--tag", "=v"], ["--tag", "a=1", "--tag", "a=2"]):
        verbs.run("vault", "tag", vault, *arguments, expect=USAGE)
    verbs.run("vault", "untag", vault, expect=USAGE)
    verbs.run("vault", "tags", "never-made", expect=NOT_FOUND)


# -- access policies --


def test_an_access_policy_is_kept_as_it_was_set(verbs, vault):
    verbs.run("vault", "policy", "get", vault, expect=NOT_FOUND)
    text = json.dumps(access_policy(verbs, vault), indent=3) + "\n"
    path = verbs.file("policy.json", text)
    verbs.run("vault", "policy", "set", vault, "--file", path)
    assert verbs.json("vault", "policy", "get", vault) == {"Policy": text}
    assert verbs.run("vault", "policy", "get", vault) == text + "\n"
    verbs.run("vault", "policy", "delete", vault)
    verbs.run("vault", "policy", "delete", vault)
    verbs.run("vault", "policy", "get", vault, expect=NOT_FOUND)


@pytest.mark.parametrize("text", ["{", '{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps"}]}', "[]"])
def test_a_policy_that_is_none_is_refused_by_the_service(verbs, vault, text):
    verbs.run("vault", "policy", "set", vault, "--file", verbs.file("policy.json", text), expect=GENERAL)
    assert "InvalidParameterValueException" in verbs.stderr
    verbs.run("vault", "policy", "get", vault, expect=NOT_FOUND)


def test_a_policy_file_that_cannot_be_one_is_refused_before_anything_is_sent(verbs, vault):
    verbs.run("vault", "policy", "set", vault, "--file", verbs.home / "absent", expect=GENERAL)
    assert "absent" in verbs.stderr
    verbs.run("vault", "policy", "set", vault, "--file", verbs.file("empty", ""), expect=USAGE)
    verbs.run("vault", "policy", "set", vault, "--file", verbs.file("large", "x" * 70000), expect=USAGE)


# -- locks --


def test_a_lock_is_tried_aborted_and_completed(verbs, vault):
    path = verbs.file("lock.json", retention_policy(verbs, vault))
    verbs.run("vault", "lock", "get", vault, expect=NOT_FOUND)
    first = verbs.json("vault", "lock", "initiate", vault, "--file", path)["LockId"]
    lock = verbs.json("vault", "lock", "get", vault)
    assert (
        lock["State"] == "InProgress"
        and lock["ExpirationDate"]
        and json.loads(lock["Policy"]) == json.loads(path.read_text())
    )
    verbs.run("vault", "lock", "initiate", vault, "--file", path, expect=ACCESS)
    verbs.run("vault", "lock", "abort", vault)
    verbs.run("vault", "lock", "get", vault, expect=NOT_FOUND)
    verbs.run("vault", "lock", "complete", vault, f"--lock-id={first}", expect=NOT_FOUND)

    said = verbs.run("vault", "lock", "initiate", vault, "--file", path)
    second = verbs.json("vault", "lock", "get", vault) and said.split()[2]
    verbs.run("vault", "lock", "complete", vault, f"--lock-id={first}", expect=GENERAL)
    verbs.run("vault", "lock", "complete", vault, f"--lock-id={second}")
    verbs.run("vault", "lock", "complete", vault, f"--lock-id={second}")
    assert verbs.json("vault", "lock", "get", vault)["State"] == "Locked"
    assert "never" in verbs.run("vault", "lock", "get", vault)
    verbs.run("vault", "lock", "abort", vault, expect=ACCESS)


def test_a_locked_vault_keeps_its_archives(verbs, vault):
    archive = verbs.json("archive", "upload", verbs.file("f", "x" * 100), "--vault", vault)["ArchiveId"]
    path = verbs.file("lock.json", retention_policy(verbs, vault))
    verbs.run("vault", "lock", "initiate", vault, "--file", path)
    verbs.run("archive", "delete", "--vault", vault, f"--archive-id={archive}", expect=ACCESS)
    verbs.run("vault", "lock", "abort", vault)
    verbs.run("archive", "delete", "--vault", vault, f"--archive-id={archive}")


# -- notifications --


def test_notifications_are_set_shown_and_deleted(verbs, vault):
    topic = f"arn:aws:sns:{verbs.server.region}:{verbs.account.number}:ready"
    verbs.run("vault", "notifications", "get", vault, expect=NOT_FOUND)
    both = ["ArchiveRetrievalCompleted", "InventoryRetrievalCompleted"]
    verbs.run("vault", "notifications", "set", vault, "--topic", topic)
    assert verbs.json("vault", "notifications", "get", vault) == {"Events": both, "SNSTopic": topic}
    verbs.run("vault", "notifications", "set", vault, "--topic", topic, "--event", both[1])
    assert verbs.json("vault", "notifications", "get", vault) == {"Events": both[1:], "SNSTopic": topic}
    assert topic in verbs.run("vault", "notifications", "get", vault)
    verbs.run("vault", "notifications", "set", vault, "--topic", "ready", expect=GENERAL)
    verbs.run("vault", "notifications", "set", vault, "--topic", topic, "--event", "Fire", expect=USAGE)
    verbs.run("vault", "notifications", "delete", vault)
    verbs.run("vault", "notifications", "get", vault, expect=NOT_FOUND)


# -- the account's retrievals --


def test_capacity_is_purchased_up_to_two_units(account):
    assert account.json("capacity", "list") == {"ProvisionedCapacityList": []}
    made = {account.json("capacity", "purchase")["CapacityId"] for _ in range(2)}
    listed = account.json("capacity", "list")["ProvisionedCapacityList"]
    assert {unit["CapacityId"] for unit in listed} == made and len(made) == 2
    assert all(unit["StartDate"] < unit["ExpirationDate"] for unit in listed)
    account.run("capacity", "purchase", expect=GENERAL)
    assert "LimitExceededException" in account.stderr
    table = account.run("capacity", "list")
    assert all(unit in table for unit in made)


def test_the_retrieval_policy_is_set_and_shown(account):
    def rules():
        return account.json("retrieval-policy", "get")["Policy"]["Rules"]

    assert rules()[0]["Strategy"] == "None"
    account.run("retrieval-policy", "set", "--strategy", "BytesPerHour", "--bytes-per-hour", "10GiB")
    assert rules() == [{"BytesPerHour": 10 << 30, "Strategy": "BytesPerHour"}]
    assert str(10 << 30) in account.run("retrieval-policy", "get")
    account.run("retrieval-policy", "set", "--strategy", "FreeTier")
    assert rules()[0]["Strategy"] == "FreeTier"
    account.run("retrieval-policy", "set", "--strategy", "None")
    assert account.run("retrieval-policy", "get") == "No limit.\n"
    account.run("retrieval-policy", "set", "--strategy", "BytesPerHour", expect=USAGE)
    account.run("retrieval-policy", "set", "--strategy", "None", "--bytes-per-hour", "1", expect=USAGE)
