# SPDX-License-Identifier: Apache-2.0
"""`coldvault catalog rebuild` as an operator meets it: a lost catalog, a damaged one, one that is whole, and a kill -9 anywhere.

COLDVAULT_REBUILD_KILLS=200 makes the long run (default 8); COLDVAULT_SEED repeats the choice of moments.
"""

import json
import os
import random
import sqlite3
import subprocess
import time

import pytest

from Support.hashes import MIB, tree_hash
from Support.server import binary
from Support.wire import Wire

KILLS = int(os.environ.get("COLDVAULT_REBUILD_KILLS", "8"))
SEED = int(os.environ.get("COLDVAULT_SEED", str(random.randrange(1 << 32))))


def rebuild(server, *arguments, key=None, check=True):
    key = key or ["--root-key-file", str(server.root_key_file)]
    command = ["catalog", "rebuild", "--data-dir", str(server.data_dir), *key, "--output", "json", *arguments]
    result = server.command(command, check=check)
    return json.loads(result.stdout) if check else result


def lose_catalog(server):
    for path in server.data_dir.glob("catalog.sqlite*"):
        path.unlink()


class Content:
    """A vault with something of each kind, and what clients were told about it."""

    def __init__(self, server):
        wire = Wire(server)
        wire.create_vault("v")
        self.small = b"small"
        self.large = os.urandom(2 * MIB + 5)
        self.part = os.urandom(MIB)
        self.small_id = wire.upload_archive("v", self.small, "small")
        self.large_id = wire.upload_multipart("v", self.large, MIB, "large")
        self.deleted_id = wire.upload_archive("v", b"deleted", "deleted")
        assert wire.request("DELETE", f"/-/vaults/v/archives/{self.deleted_id}").status == 204
        body = json.dumps({"Tags": {"kept": "yes"}}).encode()
        assert wire.request("POST", "/-/vaults/v/tags?operation=add", body=body).status == 204
        self.upload = wire.initiate_upload("v", MIB, "open")
        assert wire.put_part("v", self.upload, 0, self.part).status == 204

    def check(self, server, completes=True):
        wire = Wire(server)
        vault = wire.request("GET", "/-/vaults/v").json
        assert vault["NumberOfArchives"] == 2 and vault["SizeInBytes"] == len(self.small) + len(self.large)
        assert wire.request("GET", "/-/vaults/v/tags").json == {"Tags": {"kept": "yes"}}
        assert wire.retrieve("v", self.small_id) == self.small
        assert wire.retrieve("v", self.large_id) == self.large
        job = {"Type": "archive-retrieval", "ArchiveId": self.deleted_id}
        assert wire.post_job("v", job).status == 404
        if completes:
            answer = wire.complete_upload("v", self.upload, len(self.part), tree_hash(self.part))
            assert answer.status == 201, answer
            assert wire.retrieve("v", answer.header("x-amz-archive-id")) == self.part


@pytest.fixture
def filled(make_server):
    server = make_server("rebuild")
    content = Content(server)
    server.stop()
    return server, content


def test_a_lost_catalog_is_made_again_and_clients_go_on(filled):
    server, content = filled
    lose_catalog(server)
    server.start(expect_ready=False)
    assert server.wait_for_exit() != 0
    assert "coldvault catalog rebuild" in server.log_tail()
    assert not (server.data_dir / "catalog.sqlite").exists()
    report = rebuild(server, "--verify-data")
    assert report["clean"] and report["archives"] == 2 and report["openUploads"] == 1 and report["deletedArchives"] == 1
    assert report["accounts"] == 1 and report["vaults"] == 1 and report["previousCatalog"] is None
    assert report["findingsFile"] is None and "retrieval and inventory jobs" in report["notRebuilt"]
    assert json.loads(open(report["report"]).read()) == report
    assert (server.data_dir / "catalog.sqlite").stat().st_mode & 0o777 == 0o600
    assert not list(server.data_dir.glob("*.rebuilding*"))
    server.start()
    content.check(server)


def test_a_whole_catalog_is_not_given_up_unasked(filled):
    server, content = filled
    refused = rebuild(server, check=False)
    assert refused.returncode == 1 and "--replace" in refused.stderr and "jobs" in refused.stderr
    assert not list(server.data_dir.glob("catalog.sqlite.*"))
    report = rebuild(server, "--replace")
    kept = sqlite3.connect(report["previousCatalog"])
    assert kept.execute("SELECT count(*) FROM archives").fetchone() == (3,)
    kept.close()
    server.start()
    content.check(server)


def test_a_damaged_catalog_is_kept_aside(filled):
    server, content = filled
    path = server.data_dir / "catalog.sqlite"
    damaged = bytearray(path.read_bytes())
    for offset in range(100, len(damaged), 997):
        damaged[offset] ^= 0xFF
    path.write_bytes(damaged)
    report = rebuild(server)
    assert open(report["previousCatalog"], "rb").read() == bytes(damaged)
    server.start()
    content.check(server)


def test_the_recovery_key_is_enough_and_a_wrong_key_is_not(filled, tmp_path):
    server, content = filled
    lose_catalog(server)
    wrong = tmp_path / "wrong.key"
    wrong.write_bytes(os.urandom(32))
    wrong.chmod(0o600)
    refused = rebuild(server, key=["--root-key-file", str(wrong)], check=False)
    assert refused.returncode == 4, refused
    assert not list(server.data_dir.glob("catalog.sqlite*"))
    paper = tmp_path / "recovery.txt"
    paper.write_text(f"  {server.recovery_key}\n")
    keys = {path: path.read_bytes() for path in (server.data_dir / "keys").iterdir()}
    assert rebuild(server, key=["--recovery-key-file", str(paper)])["clean"]
    assert {path: path.read_bytes() for path in (server.data_dir / "keys").iterdir()} == keys
    server.start()
    content.check(server)


def test_a_running_service_keeps_its_catalog(filled):
    server, content = filled
    server.start()
    refused = rebuild(server, "--replace", check=False)
    assert refused.returncode == 1 and "another coldvault process" in refused.stderr
    content.check(server)


def test_damage_is_named_and_costs_nothing_else(filled):
    server, content = filled
    lose_catalog(server)
    parts = sorted(server.blobs.rglob("*.part-00001-*"))
    parts[0].unlink()
    (server.blobs / "Notes on this disk.txt").write_text("hello")
    (server.blobs / "notes.txt").write_text("hello")
    result = rebuild(server, check=False)
    assert result.returncode == 5, result.stderr
    report = json.loads(result.stdout)
    assert report["damagedArchives"] == 1 and report["archives"] == 2 and not report["clean"]
    assert report["findingCounts"]["part"] == 1 and report["findingCounts"]["foreign"] == 2
    lines = [json.loads(line) for line in open(report["findingsFile"])]
    assert lines == report["findings"]
    assert {line["subject"] for line in lines} >= {"Notes on this disk.txt", "notes.txt"}
    server.start()
    wire = Wire(server)
    assert wire.retrieve("v", content.small_id) == content.small
    assert wire.request("GET", "/-/vaults/v").json["NumberOfArchives"] == 2


def test_a_kill_anywhere_leaves_the_old_catalog_or_the_new_one(make_server):
    source = random.Random(SEED)
    print(f"COLDVAULT_SEED={SEED}")
    server = make_server("killed")
    content = Content(server)
    wire = Wire(server)
    for index in range(200):
        wire.upload_archive("v2" if index % 2 else "v3", b"x%d" % index) if index > 1 else wire.create_vault(f"v{3 - index}")
    server.stop()
    command = [
        binary(), "catalog", "rebuild", "--data-dir", str(server.data_dir), "--root-key-file", str(server.root_key_file), "--replace",
        "--output", "json",
    ]
    begun = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, env=server.environment())
    whole = time.monotonic() - begun
    outcomes = {"old": 0, "new": 0, "none": 0}
    for _ in range(KILLS):
        for path in server.data_dir.glob("catalog.sqlite.before-*"):
            path.unlink()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=server.environment())
        time.sleep(source.uniform(0, whole * 1.1))
        process.kill()
        process.wait()
        asides = list(server.data_dir.glob("catalog.sqlite.before-*"))
        if not (server.data_dir / "catalog.sqlite").exists():
            outcomes["none"] += 1
            # The one moment between the two: a service refuses, and the old catalog is there under its other name.
            assert asides
            rebuild(server)
        else:
            outcomes["new" if asides else "old"] += 1
        database = sqlite3.connect(f"file:{server.data_dir}/catalog.sqlite?mode=ro", uri=True)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM archives WHERE state = 'stored'").fetchone() == (200,)
        database.close()
    print(f"{KILLS} kills in {whole:.2f} s each: {outcomes}")
    rebuild(server, "--replace")
    server.start()
    content.check(server)
