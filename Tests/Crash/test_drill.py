# SPDX-License-Identifier: Apache-2.0
"""`coldvault drill` as an operator meets it: beside a service and without one, out of blobs and out of a backup, and over vaults where a
recovery could not succeed, which it must say."""

import hashlib
import json
import os
import pathlib
import sqlite3
import threading
import time

import pytest

from Support.hashes import MIB, tree_hash
from Support.wire import Wire


def drill(server, scratch, *arguments, check=True, root=None):
    """The finished process and, when it wrote one to standard output, the body of the evidence."""
    command = [
        "drill", "--data-dir", str(server.data_dir), "--root-key-file", str(root or server.root_key_file), "--scratch-dir", str(scratch),
        "--output", "json", *map(str, arguments),
    ]
    result = server.command(command, check=check, timeout=300)
    result.body = json.loads(result.stdout)["body"] if result.stdout else None
    return result


def snapshot(server):
    """Everything below the data directory, byte for byte, with its times.

    Not the time of the last change of state of SQLite's log and its index: whoever opens them as root gives them to the
    owner of the database once more, which they are the property of already.
    """
    seen = {}
    for path in sorted(server.data_dir.rglob("*")):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        changed = None if path.name in ("catalog.sqlite-wal", "catalog.sqlite-shm") else status.st_ctime_ns
        seen[str(path)] = (status.st_mode, status.st_uid, status.st_mtime_ns, changed, status.st_ino, status.st_nlink, content)
    return seen


@pytest.fixture
def stocked(make_server, tmp_path):
    """A running service with archives in three vaults, one of several parts, one deleted, and a scratch directory."""
    server = make_server("drill")
    server.scratch = tmp_path / "scratch"
    server.backups = tmp_path / "backups"
    server.backups.mkdir(mode=0o700)
    server.wire = wire = Wire(server)
    server.archives = {}
    for vault in ("one", "two", "three"):
        wire.create_vault(vault)
        for index in range(8):
            body = f"{vault} {index}".encode()
            server.archives[wire.upload_archive(vault, body)] = body
    large = os.urandom(2 * MIB + 77)
    server.large_id = wire.upload_multipart("two", large, MIB, "large")
    server.archives[server.large_id] = large
    gone = wire.upload_archive("one", b"gone")
    assert wire.request("DELETE", f"/-/vaults/one/archives/{gone}").status == 204
    return server


def backup(server):
    return server.admin("backup", "create", "--output-dir", str(server.backups), "--only", "catalog")["catalogPath"]


def from_backup(server, path):
    return "--backup", path, "--backup-key-file", server.backup_key_file


def rows(server, query):
    database = sqlite3.connect(f"file:{server.data_dir}/catalog.sqlite?immutable=1", uri=True)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def blobs_of(server, archive_id, kind):
    """The files of one archive, found through the catalog of the stopped service."""
    ((uid,),) = rows(server, f"SELECT hex(uid) FROM archives WHERE id = '{archive_id}'")
    found = [path for path in server.blobs.rglob("*") if path.is_file() and uid.lower() in str(path) and kind in path.name]
    assert found, (uid, kind)
    return sorted(found)


def assert_passed(server, result, count=25):
    body = result.body
    assert result.returncode == 0 and body["passed"] and body["failures"] == [] and body["engineErrors"] == []
    sample = body["sample"]
    assert sample["verified"] == sample["chosen"] == min(count, 25) and sample["unknown"] == 0
    for archive in sample["archives"]:
        content = server.archives[archive["archiveId"]]
        assert archive["bytes"] == len(content) and archive["treeHash"] == tree_hash(content)
    rto = body["rto"]
    assert 0 < rto["catalogMilliseconds"] <= rto["readyMilliseconds"] <= rto["firstArchiveMilliseconds"] <= rto["sampleMilliseconds"]


def assert_failed(result, *texts):
    assert result.returncode == 5, (result.returncode, result.stderr)
    assert not result.body["passed"] and result.body["failureCount"] >= 1
    for text in texts:
        assert any(text in failure for failure in result.body["failures"]), (text, result.body["failures"])


# Vaults that come back


def test_a_drill_of_a_stopped_vault_passes_and_changes_no_byte_of_it(stocked):
    stocked.stop()
    before = snapshot(stocked)
    evidence = stocked.scratch.parent / "evidence.json"
    result = drill(stocked, stocked.scratch, "--evidence", evidence, "--seed", 7)
    assert_passed(stocked, result)
    assert snapshot(stocked) == before
    body = result.body
    assert body["rpo"] == {
        "backupAgeMilliseconds": None, "lostArchives": 0, "milliseconds": 0, "newestLostAgeMilliseconds": None,
        "oldestLostAgeMilliseconds": None, "undatedLosses": 0,
    }
    assert body["recovered"] == {"archives": 25, "goneArchives": 0, "surplusArchives": 0, "vaults": 3}
    assert body["live"] == {"archives": 25, "different": 0, "inUse": False, "missing": 0, "treeHashes": 25}
    assert body["seed"] == "7" and body["source"]["from"] == "rebuild" and body["survey"]["archives"] == 25
    # The scratch directory is empty again; the evidence is signed by this service.
    assert list(stocked.scratch.iterdir()) == []
    assert evidence.stat().st_mode & 0o777 == 0o600
    stocked.command(["statement", "verify", "--file", str(evidence), "--public-key", stocked.signing_key])
    forged = evidence.read_text().replace('"lostArchives":0', '"lostArchives":1')
    evidence.write_text(forged)
    refused = stocked.command(["statement", "verify", "--file", str(evidence), "--public-key", stocked.signing_key], check=False)
    assert refused.returncode == 5
    # And the vault opens as it did.
    stocked.start()
    assert Wire(stocked).retrieve("two", stocked.large_id) == stocked.archives[stocked.large_id]


def test_beside_a_service_that_goes_on_writing_both_ways_pass(stocked):
    path = backup(stocked)
    stop = threading.Event()
    stored, deleted, failures = [], [], []

    def write():
        wire = Wire(stocked)
        try:
            with wire.connect(timeout=60) as connection:
                while not stop.is_set():
                    answer = wire.post_archive("one", os.urandom(50), connection=connection)
                    assert answer.status == 201, answer
                    stored.append(answer.header("x-amz-archive-id"))
                    if len(stored) % 5 == 0:
                        deleted.append(stored[len(deleted)])
                        assert wire.request("DELETE", f"/-/vaults/one/archives/{deleted[-1]}", connection=connection).status == 204
        except Exception as problem:  # noqa: BLE001
            failures.append(problem)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(stored) < 20 and not failures:
            time.sleep(0.02)
        rebuilt = drill(stocked, stocked.scratch, check=False)
        restored = drill(stocked, stocked.scratch, *from_backup(stocked, path), check=False)
    finally:
        stop.set()
        writer.join()
    assert not failures, failures
    for result in (rebuilt, restored):
        assert result.returncode == 0, (result.stderr, result.body and result.body["failures"])
        assert result.body["live"]["inUse"] and result.body["live"]["missing"] in (0, result.body["rpo"]["lostArchives"])
    assert rebuilt.body["rpo"]["lostArchives"] == 0
    sample = rebuilt.body["sample"]
    assert sample["verified"] + sample["deletedMeanwhile"] == sample["chosen"] and sample["verified"] > 20
    assert restored.body["sample"]["verified"] >= 20
    # The service has noticed nothing.
    for archive, content in list(stocked.archives.items())[:3]:
        assert stocked.wire.retrieve("one", archive) == content
    assert stocked.errors_logged_since(0) == []
    stocked.stop()
    assert rows(stocked, "PRAGMA integrity_check") == [("ok",)]


def test_an_old_backup_passes_and_the_evidence_counts_what_it_lacks(stocked):
    path = backup(stocked)
    time.sleep(0.05)
    late = [stocked.wire.upload_archive("three", b"late %d" % index) for index in range(4)]
    stocked.wire.create_vault("four")
    late.append(stocked.wire.upload_archive("four", b"in a vault that the backup does not know"))
    stocked.stop()
    before = snapshot(stocked)
    result = drill(stocked, stocked.scratch, *from_backup(stocked, path))
    assert snapshot(stocked) == before
    body = result.body
    assert result.returncode == 0 and body["passed"]
    assert body["survey"]["archives"] == 30 and body["recovered"]["archives"] == 25
    assert body["sample"]["verified"] == 25 and body["sample"]["unknown"] == 5
    rpo = body["rpo"]
    assert rpo["lostArchives"] == 5 and rpo["undatedLosses"] == 1
    assert 0 <= rpo["newestLostAgeMilliseconds"] <= rpo["oldestLostAgeMilliseconds"] == rpo["milliseconds"] < rpo["backupAgeMilliseconds"]
    assert body["live"]["missing"] == 5
    (evidence,) = stocked.scratch.iterdir()
    stocked.command(["statement", "verify", "--file", str(evidence), "--public-key", stocked.signing_key])


def test_the_same_seed_chooses_the_same_sample_and_a_lost_catalog_is_no_hindrance(stocked):
    stocked.stop()
    for path in stocked.data_dir.glob("catalog.sqlite*"):
        path.unlink()
    first, second, other = (
        drill(stocked, stocked.scratch, "--sample", 5, "--seed", seed).body for seed in (1, 1, 2)
    )
    assert first["sample"]["archives"] == second["sample"]["archives"] != other["sample"]["archives"]
    assert first["sample"]["verified"] == 5 and first["survey"]["archives"] == 25
    assert first["live"] == {"unreachable": "there is none"}
    assert not list(stocked.data_dir.glob("catalog.sqlite*"))


def test_the_table_is_for_people_and_keep_keeps(stocked):
    stocked.stop()
    result = stocked.command(
        ["drill", "--data-dir", str(stocked.data_dir), "--root-key-file", str(stocked.root_key_file), "--scratch-dir",
         str(stocked.scratch), "--keep"])
    lines = result.stdout.splitlines()
    assert lines[-1] == "PASSED" and [line.split()[0] for line in lines[:-1]] == [
        "Recovered", "RPO", "RTO", "Sample", "Live", "Evidence", "Kept"]
    kept = pathlib.Path(lines[-2].split()[1])
    assert (kept / "catalog.sqlite").exists() and kept.stat().st_mode & 0o777 == 0o700


# Vaults that do not


def test_a_rotten_byte_in_the_sample_fails(stocked):
    stocked.stop()
    (part, *_) = blobs_of(stocked, stocked.large_id, "part")
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    result = drill(stocked, stocked.scratch, check=False)
    assert_failed(result)
    assert result.body["sample"]["verified"] == 24 and result.body["failureCount"] == 1
    # What failed stays to be looked at.
    (kept,) = [path for path in stocked.scratch.iterdir() if path.is_dir()]
    assert (kept / "catalog.sqlite").exists()
    # One who does not look does not see: that is what the size of the sample is for.
    others = [drill(stocked, stocked.scratch, "--sample", 1, "--seed", seed, check=False).returncode for seed in range(12)]
    assert 0 in others


def test_a_missing_part_fails_out_of_blobs_and_out_of_a_backup(stocked):
    path = backup(stocked)
    stocked.stop()
    blobs_of(stocked, stocked.large_id, "part")[0].unlink()
    assert_failed(drill(stocked, stocked.scratch, check=False), "rebuild: part")
    result = drill(stocked, stocked.scratch, *from_backup(stocked, path), check=False)
    assert_failed(result)
    assert result.body["sample"]["verified"] == 24


def test_a_missing_manifest_fails_though_no_name_tells_of_it(stocked):
    path = backup(stocked)
    stocked.stop()
    for manifest in blobs_of(stocked, stocked.large_id, "manifest"):
        manifest.unlink()
    # Out of blobs only the catalog in use knows; out of a backup the backup does.
    assert_failed(drill(stocked, stocked.scratch, check=False), "was not recovered")
    assert_failed(drill(stocked, stocked.scratch, *from_backup(stocked, path), check=False), "neither a manifest nor a deletion record")


def test_a_rotten_manifest_fails(stocked):
    stocked.stop()
    (manifest, *_) = blobs_of(stocked, stocked.large_id, "manifest")
    data = bytearray(manifest.read_bytes())
    data[-1] ^= 1
    manifest.write_bytes(data)
    assert_failed(drill(stocked, stocked.scratch, check=False), "rebuild: lost")


def test_backups_that_restore_nothing_fail(stocked, make_server, tmp_path):
    path = pathlib.Path(backup(stocked))
    broken = tmp_path / "broken.cvbackup"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    broken.write_bytes(data)
    assert_failed(drill(stocked, stocked.scratch, *from_backup(stocked, broken), check=False), "changed after it was written")
    # The key in the safe is not the one that it was sealed to.
    wrong_key = tmp_path / "wrong.key"
    wrong_key.write_text(stocked.admin("backup", "key", "create")["privateKey"])
    result = drill(stocked, stocked.scratch, "--backup", path, "--backup-key-file", wrong_key, check=False)
    assert_failed(result, "backup key")
    stranger = make_server("stranger")
    stranger.backups = tmp_path / "strange"
    stranger.backups.mkdir()
    result = drill(stocked, stocked.scratch, "--backup", backup(stranger), "--backup-key-file", stranger.backup_key_file, check=False)
    assert_failed(result, "another installation")
    keyring = stocked.admin("backup", "create", "--output-dir", str(stocked.backups), "--only", "keyring")["keyringPath"]
    assert_failed(drill(stocked, stocked.scratch, *from_backup(stocked, keyring), check=False), "not a catalog")
    assert result.body["rto"]["catalogMilliseconds"] is None and result.body["sample"]["verified"] == 0


def test_a_key_that_is_gone_fails_the_drill_before_the_day(stocked):
    path = backup(stocked)
    stocked.admin("key", "rotate")
    stocked.wire.upload_archive("one", b"after the rotation")
    stocked.stop()
    newest = sorted((stocked.data_dir / "keys").glob("master-*.json"))[-1]
    newest.unlink()
    result = drill(stocked, stocked.scratch, check=False)
    assert_failed(result)
    assert result.body["sample"]["verified"] == 0 or result.body["failureCount"] > 0


# Drills that cannot be run


def test_wrong_keys_and_wrong_places_are_refused(stocked, tmp_path):
    stranger = tmp_path / "stranger.key"
    stranger.write_bytes(os.urandom(32))
    stranger.chmod(0o600)
    refused = drill(stocked, stocked.scratch, root=stranger, check=False)
    assert refused.returncode == 4 and "root key" in refused.stderr
    inside = stocked.data_dir / "scratch"
    refused = drill(stocked, inside, check=False)
    assert refused.returncode == 1 and "inside of the data directory" in refused.stderr and not inside.exists()
    taken = tmp_path / "taken.json"
    taken.write_text("mine")
    refused = drill(stocked, stocked.scratch, "--evidence", taken, check=False)
    assert refused.returncode == 1 and taken.read_text() == "mine"
    for wrong in (["--backup", "x"], ["--from", "backup"], ["--sample", "0"], ["--from", "rebuild", *map(str, from_backup(stocked, "x"))]):
        assert drill(stocked, stocked.scratch, *wrong, check=False).returncode == 2
    stocked.stop()
    assert drill(stocked, stocked.scratch, check=False).returncode == 0
