# SPDX-License-Identifier: Apache-2.0
"""The audit log from outside: every class of act is entered, and nothing in it can be changed, removed or moved unseen."""

import json
import shutil
import sqlite3
import time

import pytest

from Support.identity import allow, create_account, create_user, policy
from Support.server import Server
from Support.wire import Wire

REGION = "us-east-1"


def until(what, probe, seconds=120):
    end = time.monotonic() + seconds
    while not (value := probe()):
        assert time.monotonic() < end, f"{what} did not come within {seconds} s"
        time.sleep(0.2)
    return value


def entries(server, *more):
    result = server.command(
        ["audit", "show", "--limit", "100000", *more, "--data-dir", str(server.data_dir), "--output", "json"])
    found = [json.loads(line) for line in result.stdout.splitlines()]
    return [json.loads(entry["document"]) for entry in found]


def actions(server):
    return {entry["action"] for entry in entries(server)}


@pytest.fixture
def acted(make_server, tmp_path):
    """A service on which one act of each class was done."""
    server = make_server("audited")
    wire = Wire(server)
    wire.create_vault("v")
    wire.create_vault("locked")
    kept = wire.upload_archive("v", b"kept")
    gone = wire.upload_archive("v", b"gone")
    assert wire.request("DELETE", f"/-/vaults/v/archives/{gone}").status == 204
    server.admin("archive", "purge", "--vault", "v", "--region", REGION, "--archive-id", gone)
    text = json.dumps({"Policy": json.dumps({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "s", "Effect": "Deny", "Principal": "*", "Action": "glacier:DeleteArchive",
            "Resource": f"arn:aws:glacier:{REGION}:{server.account.number}:vaults/locked",
            "Condition": {"NumericLessThan": {"glacier:ArchiveAgeInDays": "1"}}}]})}).encode()
    assert wire.request("PUT", "/-/vaults/v/access-policy", body=text.replace(b"vaults/locked", b"vaults/v")).status == 204
    assert wire.request("POST", "/-/vaults/locked/lock-policy", body=text).status == 201
    create_account(server)
    user = create_user(server, "maria", policy(allow("glacier:DescribeVault")))
    server.admin("access-key", "create", "--account-id", server.account.number, "--user", "maria")
    # Denied, and not even known: a wrong secret, an unknown key.
    assert Wire(server, user).request("DELETE", "/-/vaults/v").status == 403
    assert wire.request("GET", "/-/vaults", secret="w" * 40).status == 403
    assert wire.request("GET", "/-/vaults", access_key="CVAKUNKNOWNUNKNOWN00").status == 400
    server.admin("key", "rotate", "--vault", "v", "--region", REGION, "--account-id", server.account.number)
    server.admin("key", "rotate")
    server.admin("key", "rewrap")
    backups = tmp_path / "backups"
    backups.mkdir(mode=0o700)
    server.backups = backups
    server.admin("backup", "create", "--output-dir", str(backups))
    server.admin("scrub", "start")
    wanted = {"key:EndRewrap", "scrub:EndPass", "glacier:ListVaults"}
    until("the end of re-wrap and scrub", lambda: wanted <= actions(server))
    server.kept = kept
    return server


def test_one_act_of_each_class_is_entered(acted):
    found = entries(acted)
    missing = {
        "glacier:CreateVault", "glacier:UploadArchive", "glacier:DeleteArchive", "archive:Purge", "archive:RemoveBytes",
        "glacier:SetVaultAccessPolicy", "glacier:InitiateVaultLock", "account:CreateAccount", "account:CreateUser",
        "key:RotateVaultKey", "key:RotateMasterKey", "key:BeginRewrap", "key:EndRewrap", "key:Certify", "backup:Create",
        "backup:WriteCatalog", "backup:WriteKeyring", "scrub:Start", "scrub:BeginPass", "scrub:EndPass",
    } - {entry["action"] for entry in found}
    assert not missing, sorted({entry["action"] for entry in found})
    assert any("AccessKey" in entry["action"] for entry in found)
    denied = [entry for entry in found if entry["kind"] == "denial"]
    assert any(entry["action"] == "glacier:DeleteVault" and entry["actor"]["kind"] == "caller" for entry in denied)
    strangers = {entry["statement"]: entry for entry in denied if entry["actor"]["kind"] == "stranger"}
    assert {"invalid signature", "unknown access key"} <= set(strangers)
    assert strangers["unknown access key"]["actor"]["accessKeyId"] == "CVAKUNKNOWNUNKNOWN00"
    assert strangers["unknown access key"]["actor"]["sourceAddress"] == "127.0.0.1"
    text = json.dumps(found)
    assert acted.account.secret not in text and "w" * 40 not in text
    assert acted.admin("audit", "verify")["whole"]


def export(server, path):
    server.command(["audit", "export", "--file", str(path), "--data-dir", str(server.data_dir)])
    return path.read_text().splitlines()


def check(server, path, lines):
    path.write_text("\n".join(lines) + "\n")
    result = server.command(
        ["audit", "verify", "--file", str(path), "--public-key", server.signing_key, "--output", "json"], check=False)
    return result.returncode, json.loads(result.stdout)


def test_an_outside_copy_proves_itself_and_any_change_is_found(acted, tmp_path):
    acted.stop()
    acted.start()
    until("a checkpoint", lambda: len(acted.admin("checkpoint", "list")["checkpoints"]) >= 3)
    lines = export(acted, tmp_path / "log.jsonl")
    copy = tmp_path / "copy.jsonl"
    code, found = check(acted, copy, lines)
    assert code == 0 and found["whole"] and found["coveredByCheckpoint"] > 20 and found["checkpoints"] >= 3
    # Of what was done, not of denials: the text of the outcome is edited below.
    at = [n for n, line in enumerate(lines) if line.startswith('{"entry"') and '\\"outcome\\":\\"done\\"' in line]
    for number in (at[0], at[len(at) // 2]):
        assert check(acted, copy, lines[:number] + lines[number + 1:])[0] == 5
        swapped = list(lines)
        swapped[number], swapped[number + 1] = swapped[number + 1], swapped[number]
        assert check(acted, copy, swapped)[0] == 5
        edited = list(lines)
        edited[number] = edited[number].replace('\\"outcome\\":\\"done\\"', '\\"outcome\\":\\"gone\\"')
        assert edited != lines and check(acted, copy, edited)[0] == 5
    # A checkpoint that was kept outside is still one of this history.
    statement = acted.admin("checkpoint", "list")["checkpoints"][0]["statement"]
    outside = tmp_path / "statement.json"
    outside.write_text(statement if isinstance(statement, str) else json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    acted.command(["checkpoint", "verify", "--file", str(outside), "--data-dir", str(acted.data_dir)])


def tampered(server, folder, change):
    """What `audit verify` of a service says that was started over a changed copy of the catalog."""
    shutil.copytree(server.data_dir, folder / "data", ignore=shutil.ignore_patterns("admin.sock", "lock"))
    with sqlite3.connect(folder / "data" / "catalog.sqlite") as catalog:
        change(catalog)
    catalog.close()
    other = Server(folder, data_dir=folder / "data")
    other.root_key_file = server.root_key_file
    other.account = server.account
    other.start()
    try:
        result = other.admin("audit", "verify", check=False)
        return result.returncode, json.loads(result.stdout)["faults"]
    finally:
        other.stop()


def test_whoever_writes_into_the_stopped_catalog_is_found(acted, tmp_path):
    acted.stop()

    def edit(catalog):
        catalog.execute("UPDATE audit SET sealed = zeroblob(length(sealed)) WHERE sequence = 5")

    def remove(catalog):
        catalog.execute("DELETE FROM audit WHERE sequence = 6")

    def reorder(catalog):
        rows = catalog.execute("SELECT sequence, uid, time, sealed_version, sealed, link, tag FROM audit WHERE sequence IN (7, 8)").fetchall()
        catalog.execute("DELETE FROM audit WHERE sequence IN (7, 8)")
        for (sequence, *_), (_, *rest) in zip(rows, reversed(rows)):
            catalog.execute(
                "INSERT INTO audit (sequence, uid, time, sealed_version, sealed, link, tag) VALUES (?, ?, ?, ?, ?, ?, ?)", (sequence, *rest))

    assert tampered(acted, tmp_path / "same", lambda catalog: None) == (0, [])
    for change, number in ((edit, "5"), (remove, "6"), (reorder, "7")):
        code, faults = tampered(acted, tmp_path / change.__name__, change)
        assert code == 5 and any(f"entry {number}" in fault for fault in faults), (change.__name__, faults)


def test_the_newest_backup_over_its_blobs_goes_on_and_an_older_one_asks(acted, tmp_path):
    acted.stop()
    acted.start()
    path = acted.admin("backup", "create", "--output-dir", str(acted.backups), "--only", "catalog")["catalogPath"]
    acted.stop()
    acted.restore(path)
    acted.start()
    assert len(entries(acted, "--action", "backup:RestoreCatalog")) == 1
    state = acted.admin("checkpoint", "list")
    assert state.get("consistent", True) and "rolled back" not in json.dumps(state)
    assert Wire(acted).retrieve("v", acted.kept) == b"kept"
    Wire(acted).upload_archive("v", b"later")
    acted.stop()
    assert acted.restore(path, check=False).returncode == 1
    acted.restore(path, "--allow-older")
    acted.start()
    assert "rolled back" in json.dumps(acted.admin("checkpoint", "list"))
    acted.admin("checkpoint", "confirm")
    assert "rolled back" not in json.dumps(acted.admin("checkpoint", "list"))
    assert acted.admin("audit", "verify")["whole"]


def test_a_new_root_key_is_entered_at_the_next_start(acted, tmp_path):
    acted.stop()
    new = tmp_path / "new.key"
    acted.command([
        "root-key", "rotate", "--data-dir", str(acted.data_dir), "--root-key-file", str(acted.root_key_file),
        "--new-root-key-file", str(new)])
    acted.root_key_file = new
    acted.start()
    assert "key:RotateRootKey" in actions(acted)
