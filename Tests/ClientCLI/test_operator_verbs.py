# SPDX-License-Identifier: Apache-2.0
"""`coldvault user|policy|session|topic|clock` against the running service, and what they change for clients."""

import datetime
import json
import sys
import time

import boto3
import botocore.config
import pytest

from Support.server import binary
from Support.verbs import ACCESS, GENERAL, NOT_FOUND, USAGE

ALLOW_DESCRIBE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "describe",
            "Effect": "Allow",
            "Action": ["glacier:DescribeVault", "glacier:ListVaults"],
            "Resource": "*",
        }
    ],
}
ONLY_FROM_HOME = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "glacier:*",
            "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
        }
    ],
}


@pytest.fixture
def anna(account):
    """A user with an access key, of an account of the test's own; she may do nothing yet. `account` acts as the root."""
    account.run("vault", "create", "v")
    account.run("user", "create", "anna", "--account-id", account.account.number)
    key = account.json("access-key", "create", "--account-id", account.account.number, "--user", "anna")
    assert key["user"] == "anna"
    return account.acting_as(key["accessKeyId"], key["secretAccessKey"])


def put(account, name, document, expect=0):
    path = account.file(f"{name}.json", document)
    return account.run(
        "policy",
        "put",
        "--account-id",
        account.account.number,
        "--user",
        "anna",
        "--name",
        name,
        "--file",
        path,
        expect=expect,
    )


# -- users and their policies --


def test_a_user_may_do_what_its_policies_say_and_nothing_before(account, anna):
    anna.run("vault", "describe", "v", expect=ACCESS)
    put(account, "describe", ALLOW_DESCRIBE)
    anna.run("vault", "describe", "v")
    anna.run("vault", "delete", "v", expect=ACCESS)
    account.run("policy", "delete", "--account-id", account.account.number, "--user", "anna", "--name", "describe")
    anna.run("vault", "describe", "v", expect=ACCESS)


def test_users_are_listed_disabled_enabled_and_deleted_with_their_keys(account, anna):
    number = account.account.number
    put(account, "describe", ALLOW_DESCRIBE)
    listed = account.json("user", "list", "--account-id", number)
    assert [(user["user"], user["state"], user["policies"]) for user in listed] == [("anna", "active", ["describe"])]
    assert listed[0]["arn"] == f"arn:aws:iam::{number}:user/anna"
    assert "describe" in account.run("user", "list", "--account-id", number)
    account.run("user", "disable", "anna", "--account-id", number)
    anna.run("vault", "list", expect=ACCESS)
    account.run("user", "enable", "anna", "--account-id", number)
    anna.run("vault", "list")
    keys = account.json("access-key", "list", "--account-id", number)
    assert sorted(str(key["user"]) for key in keys) == ["None", "anna"]
    account.run("user", "delete", "anna", "--account-id", number)
    anna.run("vault", "list", expect=ACCESS)
    assert account.json("user", "list", "--account-id", number) == []
    assert len(account.json("access-key", "list", "--account-id", number)) == 1


def test_what_is_not_there_or_there_already_is_said_so(account, anna):
    number = account.account.number
    account.run("user", "create", "anna", "--account-id", number, expect=GENERAL)
    for verb in ("disable", "enable", "delete"):
        account.run("user", verb, "berta", "--account-id", number, expect=NOT_FOUND)
    account.run("user", "create", "no spaces", "--account-id", number, expect=USAGE)
    account.run("access-key", "create", "--account-id", number, "--user", "berta", expect=NOT_FOUND)
    account.run("policy", "show", "--account-id", number, "--user", "anna", "--name", "none", expect=NOT_FOUND)
    account.run("policy", "list", "--account-id", number, "--user", "berta", expect=NOT_FOUND)


def test_policies_are_kept_as_they_were_put(account, anna):
    number = account.account.number
    text = json.dumps(ALLOW_DESCRIBE, indent=5) + "\n"
    put(account, "describe", text)
    shown = account.json("policy", "show", "--account-id", number, "--user", "anna", "--name", "describe")
    assert shown == {"document": text, "name": "describe"}
    assert account.run("policy", "show", "--account-id", number, "--user", "anna", "--name", "describe") == text + "\n"
    assert "describe" in account.run("policy", "list", "--account-id", number, "--user", "anna")


def test_a_refused_policy_names_the_place(account, anna):
    wrong = json.loads(json.dumps(ALLOW_DESCRIBE))
    wrong["Statement"].append({"Effect": "Allow", "Action": "glacier:Fly", "Resource": "*"})
    put(account, "wrong", wrong, expect=GENERAL)
    assert "Statement[1]" in account.stderr
    assert account.json("policy", "list", "--account-id", account.account.number, "--user", "anna") == []


# -- policies without a service --


def test_policies_are_checked_without_a_service(verbs):
    good = verbs.file("good.json", ALLOW_DESCRIBE)
    assert verbs.run("policy", "check", "--file", good, "--kind", "identity") == "The policy can be set.\n"
    assert verbs.json("policy", "check", "--file", good, "--kind", "session") == {
        "place": None,
        "reason": None,
        "valid": True,
    }
    arn = "arn:aws:glacier:us-east-1:111122223333:vaults/v"
    refused = verbs.json("policy", "check", "--file", good, "--kind", "vault", "--vault-arn", arn, expect=GENERAL)
    assert refused["valid"] is False and "Statement[0]" in refused["place"] and refused["reason"]
    statement = {"Effect": "Deny", "Principal": "*", "Action": "glacier:DeleteArchive", "Resource": arn}
    lock = verbs.file("lock.json", {"Version": "2012-10-17", "Statement": [statement]})
    verbs.run("policy", "check", "--file", lock, "--kind", "lock", "--vault-arn", arn)
    verbs.run("policy", "check", "--file", lock, "--kind", "lock", "--vault-arn", arn + "x", expect=GENERAL)
    assert "would be refused" in verbs.stderr
    verbs.run("policy", "check", "--file", lock, "--kind", "lock", expect=USAGE)
    verbs.run("policy", "check", "--file", lock, "--kind", "identity", "--vault-arn", arn, expect=USAGE)
    verbs.run("policy", "check", "--file", verbs.home / "absent", "--kind", "identity", expect=GENERAL)


# -- simulations --


def simulate(account, *arguments, expect=0):
    number = account.account.number
    return account.json(
        "policy", "simulate", "--principal", f"arn:aws:iam::{number}:user/anna", *arguments, expect=expect
    )


def test_a_simulation_tells_the_verdict_and_the_statement(account, anna):
    denied = simulate(account, "--action", "DescribeVault", "--vault", "v", expect=GENERAL)
    assert denied["allowed"] is False and denied["statement"] is None
    put(account, "describe", ALLOW_DESCRIBE)
    allowed = simulate(account, "--action", "glacier:DescribeVault", "--vault", "v")
    assert (allowed["allowed"], allowed["policy"], allowed["statement"]) == (
        True,
        "identity policy describe",
        "describe",
    )
    assert simulate(account, "--action", "ListVaults")["allowed"]
    root = account.json(
        "policy", "simulate", "--principal", account.account.number, "--action", "DeleteVault", "--vault", "v"
    )
    assert root["reason"] == "rootOfTheAccount"
    account.run("policy", "simulate", "--principal", "anna", "--action", "ListVaults", expect=USAGE)
    simulate(account, "--action", "Fly", "--vault", "v", expect=USAGE)
    simulate(account, "--action", "DescribeVault", expect=USAGE)
    simulate(account, "--action", "ListVaults", "--vault", "v", expect=USAGE)


def test_a_simulation_takes_circumstances_into_account(account, anna):
    put(account, "home", ONLY_FROM_HOME)
    question = ("--action", "DescribeVault", "--vault", "v")
    assert simulate(account, *question, "--source-ip", "192.0.2.77")["allowed"]
    assert not simulate(account, *question, "--source-ip", "198.51.100.1", expect=GENERAL)["allowed"]
    assert not simulate(account, *question, expect=GENERAL)["allowed"]
    session = account.file("session.json", ALLOW_DESCRIBE)
    home = ("--source-ip", "192.0.2.77", "--session-policy", session)
    assert simulate(account, *question, *home)["allowed"]
    assert not simulate(account, "--action", "DeleteVault", "--vault", "v", *home, expect=GENERAL)["allowed"]


def test_a_simulation_sees_the_lock_that_binds_even_the_root(account, anna):
    number, region = account.account.number, account.server.region
    archive = account.json("archive", "upload", account.file("f", "x" * 10), "--vault", "v")["ArchiveId"]
    statement = {
        "Sid": "a-year",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "glacier:DeleteArchive",
        "Resource": f"arn:aws:glacier:{region}:{number}:vaults/v",
        "Condition": {"NumericLessThan": {"glacier:ArchiveAgeInDays": "365"}},
    }
    account.run(
        "vault",
        "lock",
        "initiate",
        "v",
        "--file",
        account.file("lock.json", {"Version": "2012-10-17", "Statement": [statement]}),
    )
    question = (
        "policy",
        "simulate",
        "--principal",
        number,
        "--action",
        "DeleteArchive",
        "--vault",
        "v",
        f"--archive-id={archive}",
    )
    verdict = account.json(*question, expect=GENERAL)
    assert (verdict["reason"], verdict["policy"], verdict["statement"]) == ("explicitDeny", "lock policy", "a-year")
    assert "a-year" in account.run(*question, expect=GENERAL)
    account.run("vault", "lock", "abort", "v")


# -- sessions --


def session_of(account, *arguments):
    document = account.json("session", "create", "--account-id", account.account.number, *arguments)
    assert sorted(document) == ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken", "Version"]
    assert document["Version"] == 1
    return document, account.acting_as(
        document["AccessKeyId"], document["SecretAccessKey"], token=document["SessionToken"]
    )


def test_a_session_acts_as_its_user_within_its_policy(account, anna):
    put(
        account,
        "all",
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "glacier:*", "Resource": "*"}]},
    )
    document, session = session_of(account, "--user", "anna", "--duration", "15m")
    expires = datetime.datetime.fromisoformat(document["Expiration"].replace("Z", "+00:00"))
    left = (expires - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    assert 800 < left <= 901
    session.run("vault", "create", "w")
    policy = account.file("session.json", ALLOW_DESCRIBE)
    _, narrow = session_of(account, "--user", "anna", "--policy", policy)
    narrow.run("vault", "describe", "w")
    narrow.run("vault", "delete", "w", expect=ACCESS)
    account.run("user", "disable", "anna", "--account-id", account.account.number)
    session.run("vault", "list", expect=ACCESS)


def test_a_session_needs_its_token_unchanged(account):
    document, session = session_of(account)
    session.run("vault", "list")
    session.token = None
    session.run("vault", "list", expect=ACCESS)
    token = document["SessionToken"]
    session.token = token[:-8] + ("A" if token[-8] != "A" else "B") + token[-7:]
    session.run("vault", "list", expect=ACCESS)


def test_impossible_sessions_are_refused(account):
    number = account.account.number
    account.run("session", "create", "--account-id", number, "--duration", "1s", expect=GENERAL)
    account.run("session", "create", "--account-id", number, "--duration", "1000h", expect=GENERAL)
    account.run("session", "create", "--account-id", number, "--duration", "long", expect=USAGE)
    account.run("session", "create", "--account-id", number, "--user", "berta", expect=NOT_FOUND)
    policy = account.file("p.json", "{}")
    account.run("session", "create", "--account-id", number, "--policy", policy, expect=GENERAL)


def test_boto3_takes_sessions_by_credential_process(account, tmp_path, monkeypatch):
    who = f"--data-dir {account.server.data_dir} --account-id {account.account.number}"
    command = f"{binary()} session create {who} --output json"
    config = account.file(
        "config", f"[profile cold]\nregion = {account.server.region}\ncredential_process = {command}\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    account.run("vault", "create", "v")
    glacier = boto3.session.Session(profile_name="cold").client(
        "glacier", endpoint_url=account.server.url, config=botocore.config.Config(retries={"max_attempts": 0})
    )
    assert [vault["VaultName"] for vault in glacier.list_vaults()["VaultList"]] == ["v"]


# -- topics --


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


def test_a_topic_is_created_tested_listed_and_deleted(account, tmp_path):
    topic = f"arn:aws:sns:{account.server.region}:{account.account.number}:ready"
    spool = tmp_path / "spool"
    spool.mkdir()
    made = account.json("topic", "create", topic, "--directory", spool)
    assert made["topic"] == topic and len(made["signingSecret"]) == 64
    account.run("topic", "test", topic)
    assert len(list(spool.glob("*.json"))) == 1
    listed = account.run("topic", "list", "--account-id", account.account.number, "--output", "json")
    assert [entry["target"] for entry in json.loads(listed)] == [{"directory": str(spool)}]
    assert made["signingSecret"] not in listed
    assert topic in account.run("topic", "list")
    account.run("topic", "delete", topic)
    assert account.json("topic", "list", "--account-id", account.account.number) == []
    account.run("topic", "test", topic, expect=NOT_FOUND)
    account.run("topic", "delete", topic, expect=NOT_FOUND)


def test_a_command_gets_its_arguments(account, tmp_path):
    topic = f"arn:aws:sns:{account.server.region}:{account.account.number}:tell"
    target = tmp_path / "said"
    script = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    account.run(
        "topic",
        "create",
        topic,
        "--command",
        sys.executable,
        "--argument",
        "-c",
        "--argument",
        script,
        "--argument",
        target,
    )
    account.run("topic", "test", topic)
    assert json.loads(target.read_text())["TopicArn"] == topic


def test_impossible_topics_are_refused(account, tmp_path):
    topic = f"arn:aws:sns:{account.server.region}:{account.account.number}:bad"
    account.run("topic", "create", topic, expect=USAGE)
    account.run("topic", "create", topic, "--webhook", "https://a", "--directory", "/tmp", expect=USAGE)
    account.run("topic", "create", "bad", "--directory", tmp_path, expect=USAGE)
    account.run("topic", "create", topic, "--directory", tmp_path, "--argument", "x", expect=USAGE)
    for target in (
        ("--webhook", "ftp://host/x"),
        ("--directory", tmp_path / "absent"),
        ("--command", tmp_path / "absent"),
    ):
        account.run("topic", "create", topic, *target, expect=GENERAL)


def test_a_message_that_did_not_arrive_is_sent_again_or_dropped(account, tmp_path):
    number = account.account.number
    topic = f"arn:aws:sns:{account.server.region}:{number}:later"
    account.run("vault", "create", "v")
    account.run("vault", "notifications", "set", "v", "--topic", topic)
    for _ in range(2):
        account.run("inventory", "--vault", "v", "--output", "json")
    dead = wait_until(
        lambda: (found := account.json("topic", "messages", "--account-id", number)) and len(found) == 2 and found
    )
    assert all(message["topic"] == topic and message["state"] == "dead" and message["lastFailure"] for message in dead)
    assert dead[0]["messageId"] in account.run("topic", "messages")
    spool = tmp_path / "spool"
    spool.mkdir()
    account.run("topic", "create", topic, "--directory", spool)
    account.run("topic", "resend", dead[0]["messageId"])
    (path,) = wait_until(lambda: list(spool.glob("*.json")))
    assert json.loads(json.loads(path.read_text())["Message"])["Action"] == "InventoryRetrieval"
    account.run("topic", "drop", dead[1]["messageId"])
    wait_until(lambda: account.json("topic", "messages", "--account-id", number) == [])
    wait_until(lambda: account.json("topic", "messages", "--account-id", number, "--state", "waiting") == [])
    account.run("topic", "drop", dead[1]["messageId"], expect=NOT_FOUND)
    account.run("topic", "resend", "0" * 32, expect=NOT_FOUND)
    account.run("topic", "resend", "0", expect=USAGE)


# -- the clock --


def test_the_clock_is_shown_and_confirmed(verbs):
    status = verbs.json("clock", "status")
    assert status["trusted"] is True and sorted(status) == ["expected", "highest", "now", "trusted"]
    assert "trusted" in verbs.run("clock", "status")
    assert verbs.json("clock", "confirm")["trusted"] is True
