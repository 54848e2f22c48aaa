# SPDX-License-Identifier: Apache-2.0
"""Damage is found, told, and repaired from the second copy; nothing is removed."""

import filecmp
import json
import shutil
import time

import pytest

from Corruption import layout
from Support.bodies import incompressible, mixed
from Support.hashes import MIB
from Support.wire import Wire

VAULT = "scrubbed"
QUICK = {"scrub-bytes-per-second": "0", "scrub-cpu-percent": "100"}


def until(what, condition, seconds=120):
    """Waits for a state, with a bound."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


def whole_pass(server):
    """Asks for a pass and returns the status at its end."""
    before = server.admin("scrub", "status")
    server.admin("scrub", "start")

    def ended():
        status = server.admin("scrub", "status")
        return status if status["activity"] == "waiting" and status["pass"] > before["pass"] and status["ended"] else None

    # A pass that is under way ends first.
    return until("the end of a pass", ended)


def damage(path, offset=-100):
    """One byte of a write-once file, in place, as a disk does it."""
    with open(path, "r+b") as file:
        file.seek(offset, 2)
        byte = file.read(1)
        file.seek(offset, 2)
        file.write(bytes([byte[0] ^ 1]))


def files(folder):
    """What lies below `blobs/` under names of blobs."""
    return {
        str(path.relative_to(folder)): path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def same(first, second):
    one, other = files(first), files(second)
    return one.keys() == other.keys() and all(filecmp.cmp(one[name], other[name], shallow=False) for name in one)


@pytest.fixture
def single(make_server):
    server = make_server("scrub-single", settings={**QUICK, "operator-listen": "off"})
    wire = Wire(server)
    wire.create_vault(VAULT)
    return server, wire


@pytest.fixture
def mirrored(make_server, tmp_path):
    mirror = tmp_path / "mirror"
    server = make_server("scrub-mirror", settings={**QUICK, "mirror-dir": str(mirror)})
    wire = Wire(server)
    wire.create_vault(VAULT)
    return server, wire, mirror


def test_a_damaged_archive_is_told_and_the_mark_goes_when_it_is_whole_again(single):
    server, wire = single
    good = wire.upload_archive(VAULT, mixed(50_000, 1))
    bad = wire.upload_archive(VAULT, incompressible(MIB + 77, 2))
    part = layout.parts(server, bad)[0]
    kept = part.read_bytes()
    damage(part)
    status = whole_pass(server)
    assert status["failures"] >= 1 and status["archives"] >= 1, status
    damaged = server.admin("archive", "damaged")["archives"]
    assert [entry["archiveId"] for entry in damaged] == [bad]
    assert damaged[0]["reason"] and good not in json.dumps(damaged)
    assert server.admin("archive", "damaged", "--vault", VAULT, "--region", server.region)["archives"] == damaged
    assert part.stat().st_size == len(kept), "nothing is removed or rewritten"
    part.write_bytes(kept)
    status = whole_pass(server)
    assert status["failures"] == 0, status
    assert server.admin("archive", "damaged")["archives"] == []


def test_the_report_is_signed_and_names_what_was_wrong(single):
    server, wire = single
    archive = wire.upload_archive(VAULT, incompressible(5000, 3))
    damage(layout.parts(server, archive)[0])
    whole_pass(server)
    report = server.admin("scrub", "report")
    assert report["format"] == "coldvault-statement" and report["type"] == "scrub-report", report
    assert report["body"]["failures"] >= 1 and archive in json.dumps(report["body"]["findings"])
    assert len(report["service"]) == 64 and report["signature"]


def test_pausing_outlives_a_restart(single):
    server, wire = single
    assert server.admin("scrub", "pause")["activity"] == "paused"
    server.stop()
    server.start()
    assert server.admin("scrub", "status")["activity"] == "paused"
    archive = wire.upload_archive(VAULT, mixed(3000, 4))
    assert server.admin("scrub", "status")["oldestUnverified"] is not None
    status = whole_pass(server)
    assert status["archives"] >= 1 and archive
    report = server.admin("scrub", "report")
    assert report["body"]["failures"] == 0, report


def test_both_copies_hold_everything_and_either_repairs_the_other(mirrored):
    server, wire, mirror = mirrored
    bodies = [incompressible(2 * MIB + 5, 5), mixed(70_000, 6)]
    archives = [wire.upload_archive(VAULT, body) for body in bodies]
    until("both copies are the same", lambda: same(server.blobs, mirror / "blobs"))
    until("the keys are on both", lambda: filecmp.dircmp(server.data_dir / "keys", mirror / "keys").diff_files == []
          and {p.name for p in (mirror / "keys").glob("*.json")} == {p.name for p in (server.data_dir / "keys").glob("*.json")})
    first = layout.parts(server, archives[0])[0]
    second = mirror / "blobs" / layout.parts(server, archives[1])[0].relative_to(server.blobs)
    manifest = layout.manifests(server, archives[1])[0]
    damage(first)
    damage(second)
    manifest.unlink()
    # Served although one copy is bad.
    for archive, body in zip(archives, bodies):
        job = wire.start_job(VAULT, Type="archive-retrieval", ArchiveId=archive)
        assert wire.finished_job(VAULT, job)["StatusCode"] == "Succeeded"
        assert wire.job_output(VAULT, job).body == body
    status = whole_pass(server)
    assert status["failures"] == 0, status
    assert same(server.blobs, mirror / "blobs")
    assert server.admin("archive", "damaged")["archives"] == []
    aside = [path for root in (server.blobs, mirror / "blobs") for path in (root / ".quarantine").rglob("*") if path.is_file()]
    assert len(aside) == 2, aside


def test_an_existing_vault_is_copied_to_a_new_mirror(single, tmp_path):
    server, wire = single
    for number in range(20):
        wire.upload_archive(VAULT, mixed(3000 + number, number))
    server.stop()
    mirror = tmp_path / "late-mirror"
    server.settings["mirror-dir"] = str(mirror)
    server.start()
    until("the mirror is complete", lambda: server.admin("scrub", "status")["copies"][-1]["complete"])
    assert same(server.blobs, mirror / "blobs")


def test_a_mirror_that_is_away_is_noticed_and_made_good(mirrored, tmp_path):
    server, wire, mirror = mirrored
    wire.upload_archive(VAULT, mixed(3000, 7))
    until("the mirror is complete", lambda: server.admin("scrub", "status")["copies"][-1]["complete"])
    server.stop()
    away = tmp_path / "unmounted"
    mirror.rename(away)
    mirror.mkdir()
    server.start()
    copy = server.admin("scrub", "status")["copies"][-1]
    assert not copy["usable"] and "empty" in copy["detail"], copy
    later = wire.upload_archive(VAULT, mixed(4000, 8))
    assert whole_pass(server)["failures"] == 0
    assert list(mirror.iterdir()) == [], "an empty mount point is left alone"
    server.stop()
    shutil.rmtree(mirror)
    away.rename(mirror)
    server.start()
    until("the mirror has all", lambda: server.admin("scrub", "status")["copies"][-1]["complete"])
    assert same(server.blobs, mirror / "blobs") and later


def test_refuse_stores_nothing_once_only(make_server, tmp_path):
    mirror = tmp_path / "mirror"
    server = make_server("scrub-refuse", settings={**QUICK, "mirror-dir": str(mirror), "mirror-failure": "refuse"})
    wire = Wire(server)
    wire.create_vault(VAULT)
    server.stop()
    mirror.rename(tmp_path / "gone")
    mirror.mkdir()
    server.start()
    before = files(server.blobs).keys()
    answer = wire.post_archive(VAULT, mixed(3000, 9))
    assert answer.status == 503, answer
    assert files(server.blobs).keys() == before


def test_a_blob_that_nobody_names_stays(single):
    server, wire = single
    archive = wire.upload_archive(VAULT, mixed(3000, 10))
    part = layout.parts(server, archive)[0]
    stray = part.with_name(part.name[:-1] + "9")
    stray.write_bytes(b"left behind")
    for _ in range(2):
        whole_pass(server)
    # Told only after a day; never removed.
    assert server.admin("scrub", "unnamed") == []
    assert stray.read_bytes() == b"left behind"
