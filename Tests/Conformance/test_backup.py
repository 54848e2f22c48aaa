# SPDX-License-Identifier: Apache-2.0
"""Backups as an operator meets them: made while the service runs, checked anywhere, restored over what is left."""

import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest

from Support.server import binary
from Support.wire import Wire

READER = pathlib.Path(__file__).resolve().parent.parent / "Tools" / "coldvault_reader.py"
HEADER, SEAL, TRAILER = 128 + 120, 56, 112


@pytest.fixture
def stocked(make_server, tmp_path):
    """A service with a vault of three archives, and a directory for backups."""
    server = make_server("backups")
    server.wire = Wire(server)
    server.wire.create_vault("v")
    server.archives = {server.wire.upload_archive("v", body, body.decode()): body for body in (b"one", b"two", b"three")}
    server.backups = tmp_path / "backups"
    server.backups.mkdir(mode=0o700)
    return server


def make(server, *more):
    return server.admin("backup", "create", "--output-dir", str(server.backups), *more)


def verify(server, path, *more, check=True):
    result = server.command(["backup", "verify", "--file", str(path), "--output", "json", *more], check=check)
    return json.loads(result.stdout) if check else result


def with_key(server):
    return "--backup-key-file", str(server.backup_key_file)


def assert_refused(result, text, status=1):
    assert result.returncode == status, result
    assert text in result.stderr, result.stderr


# Making


def test_a_backup_is_two_files_that_only_their_owner_reads_and_leaves_nothing_else(stocked):
    report = make(stocked)
    names = sorted(path.name for path in stocked.backups.iterdir())
    assert names == sorted([os.path.basename(report["catalogPath"]), os.path.basename(report["keyringPath"])])
    for path in stocked.backups.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.name.endswith(".cvbackup")
    assert not list(stocked.data_dir.glob("catalog-copy*"))
    assert report["keyFiles"] == len(list((stocked.data_dir / "keys").glob("*.json")))
    assert report["recipients"] == [key["keyId"] for key in stocked.admin("backup", "key", "list")]


def test_one_kind_alone_is_made_on_request(stocked):
    assert make(stocked, "--only", "catalog")["keyringPath"] is None
    assert make(stocked, "--only", "keyring")["catalogPath"] is None
    assert sorted(path.name.split("-")[0] for path in stocked.backups.iterdir()) == ["catalog", "keyring"]


def test_a_missing_directory_and_a_missing_key_are_said(stocked):
    missing = stocked.admin("backup", "create", "--output-dir", str(stocked.backups / "none"), check=False)
    assert missing.returncode == 1 and "There is no directory" in missing.stderr
    for key in stocked.admin("backup", "key", "list"):
        stocked.admin("backup", "key", "remove", key["keyId"])
    refused = stocked.admin("backup", "create", "--output-dir", str(stocked.backups), check=False)
    assert refused.returncode == 1 and "backup key create" in refused.stderr
    assert not list(stocked.backups.iterdir())


def test_recipients_that_the_service_did_not_sign_get_nothing(stocked):
    path = stocked.data_dir / "backup-recipients.json"
    document = path.read_text()
    public = json.loads(document)["body"]["recipients"][0]["publicKey"]
    path.write_text(document.replace(public, "11" * 32))
    refused = stocked.admin("backup", "create", "--output-dir", str(stocked.backups), check=False)
    assert refused.returncode == 1 and "not written by this service" in refused.stderr
    assert not list(stocked.backups.iterdir())


# Secrecy


def test_a_stolen_backup_opens_with_nothing_of_the_service(stocked, tmp_path):
    report = make(stocked)
    for path in (report["catalogPath"], report["keyringPath"]):
        data = pathlib.Path(path).read_bytes()
        for needle in (b"SQLite format", b"CREATE TABLE", b"coldvault-key", b"\"slots\"", stocked.account.number.encode()):
            assert needle not in data
        # Not with the recovery key, nor with another backup key.
        other = tmp_path / "other.key"
        other.write_text(stocked.recovery_key)
        assert_refused(verify(stocked, path, "--backup-key-file", str(other), check=False), "starts with CVBK1")
        stranger = stocked.admin("backup", "key", "create")
        other.write_text(stranger["privateKey"])
        assert_refused(verify(stocked, path, "--backup-key-file", str(other), check=False), "not to this backup key")
        # The private half is nowhere in the directory.
        secret = stocked.backup_key_file.read_text().strip()
        for file in stocked.data_dir.rglob("*"):
            if file.is_file():
                assert secret.encode() not in file.read_bytes()


def test_an_added_key_opens_later_backups_and_a_removed_one_earlier_ones_only(stocked, tmp_path):
    first = make(stocked)["catalogPath"]
    key = stocked.admin("backup", "key", "create")
    for old in stocked.admin("backup", "key", "list"):
        if old["keyId"] != key["keyId"]:
            stocked.admin("backup", "key", "remove", old["keyId"])
    second = make(stocked)["catalogPath"]
    new = tmp_path / "new.key"
    new.write_text(key["privateKey"].lower().replace("-", " "))
    assert verify(stocked, second, "--backup-key-file", str(new))["opened"]
    assert verify(stocked, first, *with_key(stocked))["opened"]
    assert verify(stocked, second, *with_key(stocked), check=False).returncode == 1
    assert verify(stocked, first, "--backup-key-file", str(new), check=False).returncode == 1


def test_the_catalog_holds_no_master_key_and_the_stand_alone_reader_opens_both(stocked, tmp_path):
    report = make(stocked)
    for kind in ("catalog", "keyring"):
        command = [sys.executable, READER, "backup", "--file", report[f"{kind}Path"], *with_key(stocked), "--output", tmp_path / kind]
        subprocess.run(command, check=True, capture_output=True)
    with sqlite3.connect(tmp_path / "catalog") as catalog:
        assert catalog.execute("SELECT count(*) FROM archives").fetchone() == (3,)
        tables = {row[0] for row in catalog.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert not any("master" in table for table in tables)
    document = json.loads((tmp_path / "keyring").read_text())
    names = [file["name"] for file in document["files"]]
    assert "format.json" in names and "keys/master-000001.json" in names
    copied = (tmp_path / "catalog").read_bytes()
    for path in (stocked.data_dir / "keys").glob("*.json"):
        for slot in json.loads(path.read_text())["slots"]:
            assert slot["wrapped"].encode() not in copied


# Checking


def test_verification_tells_what_a_backup_is(stocked):
    report = make(stocked)
    told = verify(stocked, report["catalogPath"], *with_key(stocked), "--public-key", stocked.signing_key)
    assert (told["kind"], told["archives"], told["vaults"], told["service"]) == ("catalog", 3, 1, stocked.signing_key)
    assert verify(stocked, report["keyringPath"], *with_key(stocked))["files"].count("format.json") == 1
    unopened = verify(stocked, report["catalogPath"])
    assert unopened["opened"] is False and "archives" not in unopened
    foreign = verify(stocked, report["catalogPath"], "--public-key", "00" * 32, check=False)
    assert_refused(foreign, "none of the signing keys")


def test_damage_anywhere_is_found_without_a_key(stocked, tmp_path):
    data = pathlib.Path(make(stocked)["catalogPath"]).read_bytes()
    length = len(data)
    damaged = tmp_path / "damaged"
    places = [0, 8, 20, 30, 40, 70, 100, 130, 200, HEADER, HEADER + 30, HEADER + SEAL, length // 2, length - TRAILER - 1,
              length - TRAILER, length - TRAILER + 9, length - TRAILER + 20, length - 1]
    for at in places:
        damaged.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:])
        assert verify(stocked, damaged, check=False).returncode in (1, 5), at
    for changed in (b"", data[:50], data[:HEADER + 10], data[:-TRAILER], data[:-1], data + b"\0", data[:1000] + data[2000:], data + data):
        damaged.write_bytes(changed)
        assert verify(stocked, damaged, check=False).returncode in (1, 5), len(changed)
    refused = stocked.restore(damaged, check=False)
    assert refused.returncode != 0


# Restoring


def test_a_lost_catalog_comes_back(stocked):
    path = make(stocked)["catalogPath"]
    stocked.stop()
    for file in stocked.data_dir.glob("catalog.sqlite*"):
        file.unlink()
    # Stopping has recorded more than the backup knows: it is told, and the operator decides.
    report = stocked.restore(path, "--allow-older")
    assert (report["missingArchives"], report["deletedArchives"], report["kept"]) == (0, 0, None)
    stocked.start()
    for archive, body in stocked.archives.items():
        assert Wire(stocked).retrieve("v", archive) == body


def test_a_damaged_catalog_is_kept_aside(stocked):
    path = make(stocked)["catalogPath"]
    stocked.stop()
    catalog = stocked.data_dir / "catalog.sqlite"
    data = bytearray(catalog.read_bytes())
    data[40:8192] = random.Random(1).randbytes(8192 - 40)
    catalog.write_bytes(data)
    report = stocked.restore(path, "--allow-older")
    assert pathlib.Path(report["kept"]).read_bytes() == bytes(data)
    stocked.start()
    archive, body = next(iter(stocked.archives.items()))
    assert Wire(stocked).retrieve("v", archive) == body


def test_an_older_catalog_over_a_newer_vault_is_refused_and_what_it_lacks_is_counted(stocked):
    path = make(stocked)["catalogPath"]
    kept, gone = list(stocked.archives)[:2]
    later = stocked.wire.upload_archive("v", b"later")
    assert stocked.wire.request("DELETE", f"/-/vaults/v/archives/{gone}").status == 204
    stocked.stop()
    refused = stocked.restore(path, check=False)
    assert_refused(refused, "older than what is there")
    assert "lacks 1 archives" in refused.stderr and "still lists 1 archives" in refused.stderr
    with sqlite3.connect(stocked.data_dir / "catalog.sqlite") as catalog:
        assert catalog.execute("SELECT count(*) FROM archives").fetchone() == (4,)
    catalog.close()
    assert not list(stocked.data_dir.glob("catalog.sqlite.*"))
    report = stocked.restore(path, "--allow-older")
    assert (report["missingArchives"], report["deletedArchives"]) == (1, 1)
    assert "rebuild" in report["next"]
    # What was there is kept, whole, and can be put back.
    os.replace(report["kept"], stocked.data_dir / "catalog.sqlite")
    stocked.start()
    assert Wire(stocked).retrieve("v", later) == b"later"
    assert Wire(stocked).retrieve("v", kept) == stocked.archives[kept]


def test_another_services_backup_and_a_running_service_are_refused(stocked, make_server):
    path = make(stocked)["catalogPath"]
    other = make_server("stranger", start=False)
    refused = other.command(
        ["backup", "restore", "--file", path, *with_key(stocked), "--data-dir", str(other.data_dir), "--root-key-file",
         str(other.root_key_file)], check=False)
    assert_refused(refused, "another installation")
    assert_refused(stocked.restore(path, check=False), "another coldvault process")


def test_a_keyring_comes_back_into_an_empty_directory_and_the_vault_with_it(stocked, tmp_path):
    report = make(stocked)
    stocked.stop()
    lost = tmp_path / "lost"
    os.replace(stocked.data_dir, lost)
    restored = stocked.restore(report["keyringPath"], "--public-key", stocked.signing_key)
    assert restored["restored"] == len(list((lost / "keys").glob("*.json"))) + 2
    for path in (lost / "keys").glob("*.json"):
        assert (stocked.data_dir / "keys" / path.name).read_bytes() == path.read_bytes()
    assert (stocked.data_dir / "format.json").read_bytes() == (lost / "format.json").read_bytes()
    shutil.copytree(lost / "blobs", stocked.data_dir / "blobs")
    stocked.restore(report["catalogPath"], "--allow-older")
    stocked.start()
    for archive, body in stocked.archives.items():
        assert Wire(stocked).retrieve("v", archive) == body
    # Again changes nothing.
    stocked.stop()
    assert stocked.restore(report["keyringPath"])["restored"] == 0


def test_newer_and_different_keys_are_never_replaced_by_themselves(stocked, tmp_path):
    path = make(stocked, "--only", "keyring")["keyringPath"]
    stocked.admin("key", "rotate")
    stocked.stop()
    keys = stocked.data_dir / "keys"
    assert stocked.restore(path)["onlyThere"] == ["keys/master-000002.json"]
    first = keys / "master-000001.json"
    content = first.read_bytes()
    first.unlink()
    assert_refused(stocked.restore(path, check=False), "destroyed on purpose")
    assert not first.exists()
    first.write_bytes(content.replace(b'"generation":1', b'"generation":2'))
    assert_refused(stocked.restore(path, check=False), "different are keys/master-000001.json")
    report = stocked.restore(path, "--replace-keys")
    assert first.read_bytes() == content and len(report["kept"]) == 1
    wrong = tmp_path / "wrong.key"
    wrong.write_bytes(os.urandom(32))
    wrong.chmod(0o600)
    arguments = stocked.restore_arguments(path)
    arguments[arguments.index(str(stocked.root_key_file))] = str(wrong)
    assert stocked.command(arguments, check=False).returncode == 4
    stocked.start()


# Kills


def test_a_kill_during_create_leaves_whole_backups_and_no_plain_copy(stocked):
    seed = int(os.environ.get("COLDVAULT_SEED", random.randrange(1 << 32)))
    print("seed", seed)
    source = random.Random(seed)
    for _ in range(int(os.environ.get("COLDVAULT_BACKUP_KILLS", 4))):
        create = subprocess.Popen(
            [binary(), "backup", "create", "--output-dir", str(stocked.backups), "--data-dir", str(stocked.data_dir)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=stocked.environment())
        time.sleep(source.uniform(0.02, 0.25))
        stocked.kill()
        create.wait(timeout=60)
        stocked.start()
        assert not list(stocked.data_dir.glob("catalog-copy*"))
        for path in stocked.backups.iterdir():
            if path.name.startswith("."):
                continue  # a file system without nameless files
            assert verify(stocked, path, *with_key(stocked))["opened"]
    assert verify(stocked, make(stocked)["catalogPath"], *with_key(stocked))["archives"] == 3


def test_a_kill_during_restore_leaves_the_old_catalog_or_the_new_one(stocked):
    seed = int(os.environ.get("COLDVAULT_SEED", random.randrange(1 << 32)))
    print("seed", seed)
    source = random.Random(seed)
    path = make(stocked)["catalogPath"]
    later = stocked.wire.upload_archive("v", b"later")
    stocked.stop()
    archive, body = next(iter(stocked.archives.items()))
    for _ in range(int(os.environ.get("COLDVAULT_BACKUP_KILLS", 4))):
        restore = subprocess.Popen(
            [binary(), *stocked.restore_arguments(path, "--allow-older")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=stocked.environment())
        time.sleep(source.uniform(0.02, 0.4))
        restore.kill()
        restore.wait(timeout=60)
        with sqlite3.connect(f"file:{stocked.data_dir / 'catalog.sqlite'}?mode=ro", uri=True) as catalog:
            assert catalog.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert catalog.execute("SELECT count(*) FROM archives").fetchone()[0] in (3, 4)
    stocked.restore(path, "--allow-older")
    assert not (stocked.data_dir / "catalog.sqlite.restoring").exists()
    stocked.start()
    assert Wire(stocked).retrieve("v", archive) == body
    assert later


# The schedule


def test_scheduled_backups_are_made_and_only_the_newest_stay(make_server, tmp_path):
    folder = tmp_path / "scheduled"
    folder.mkdir(mode=0o700)
    (folder / "catalog-not-ours.cvbackup").write_text("somebody else's")
    server = make_server(
        "schedule", start=False, settings={"backup-dir": str(folder), "backup-interval": "60s", "backup-keep": "2", "operator-listen": "off"})
    seen = set()
    for _ in range(4):
        # A start finds the newest older than the interval only when told so: the fact is what decides.
        server.start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ours = {path.name for path in folder.glob("keyring-*")}
            if ours - seen:
                break
            time.sleep(0.05)
        catalogs = 0
        while time.monotonic() < deadline and not (catalogs := len(list(folder.glob("catalog-2*")))):
            time.sleep(0.05)
        assert ours - seen and catalogs
        seen |= ours
        time.sleep(0.3)
        server.stop()
        with sqlite3.connect(server.data_dir / "catalog.sqlite") as catalog:
            catalog.execute("DELETE FROM facts WHERE name = 'backup_catalog_newest'")
        catalog.close()
    server.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (len(list(folder.glob("keyring-*"))) != 2 or len(list(folder.glob("catalog-2*"))) != 2):
        time.sleep(0.05)
    assert len(list(folder.glob("keyring-*"))) == 2 and len(list(folder.glob("catalog-2*"))) == 2
    assert (folder / "catalog-not-ours.cvbackup").exists()
