# SPDX-License-Identifier: Apache-2.0
"""A full disk: uploads get an error, reads and deletes go on, and all is well when space returns."""

import os
import shutil
import subprocess
import time

import pytest

from Support.bodies import incompressible
from Support.hashes import MIB
from Support.wire import ConnectionEnded, Wire

DISK_BYTES = 160 * MIB


@pytest.fixture
def small_disk(tmp_path):
    """A filesystem of 160 MiB. Mounting needs root, which CI containers usually have and laptops do not."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"this machine does not allow mounting: {mounted.stderr.decode().strip()}")
    yield folder
    for attempt in range(20):
        if subprocess.run(["umount", folder], capture_output=True).returncode == 0:
            return
        time.sleep(0.25)
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def full(small_disk, make_server):
    server = make_server(
        "disk-full",
        data_dir=small_disk / "data",
        settings={"space-reserve": "16MiB", "deletion-grace": "0s", "output-mode": "inPlace"},
    )
    Wire(server).create_vault("v")
    yield server
    # The process must be gone before the disk is unmounted.
    if server.process:
        server.kill()


def upload_until_refused(wire, limit=DISK_BYTES // MIB):
    stored = []
    for seed in range(limit):
        body = incompressible(2 * MIB, seed)
        try:
            answer = wire.post_archive("v", body)
        except ConnectionEnded:
            return stored, None
        if answer.status != 201:
            return stored, answer
        stored.append((answer.header("x-amz-archive-id"), body))
    raise AssertionError("the disk never got full")


def wait_until_an_upload_succeeds(wire, seconds=30):
    deadline = time.monotonic() + seconds
    body = incompressible(2 * MIB, "after")
    while True:
        answer = wire.post_archive("v", body)
        if answer.status == 201:
            assert wire.retrieve("v", answer.header("x-amz-archive-id")) == body
            return
        assert time.monotonic() < deadline, f"no recovery after {seconds} s: {answer}"
        time.sleep(0.25)


def assert_refused_well(answer):
    assert answer is not None, "the connection broke instead of an error"
    assert 500 <= answer.status < 600 or answer.status == 400, answer
    assert answer.json["type"] == ("Server" if answer.status >= 500 else "Client"), answer


def test_uploads_fill_the_disk_and_everything_else_goes_on(full):
    wire = Wire(full)
    stored, refusal = upload_until_refused(wire)
    assert_refused_well(refusal)
    assert len(stored) > 10
    for archive, body in (stored[0], stored[-1]):
        assert wire.retrieve("v", archive) == body
    assert wire.request("GET", "/-/vaults/v").json["NumberOfArchives"] == len(stored)
    for archive, _ in stored[:-1]:
        assert wire.request("DELETE", f"/-/vaults/v/archives/{archive}").status == 204
    wait_until_an_upload_succeeds(wire)
    assert wire.retrieve("v", stored[-1][0]) == stored[-1][1]


def test_a_part_that_meets_a_full_disk_is_refused_and_can_be_sent_later(full):
    wire = Wire(full)
    upload = wire.initiate_upload("v", 4 * MIB)
    body = incompressible(4 * MIB, "part")
    stored, _ = upload_until_refused(wire)
    answer = wire.put_part("v", upload, 0, body)
    assert_refused_well(answer)
    for archive, _ in stored:
        wire.request("DELETE", f"/-/vaults/v/archives/{archive}")
    wait_until_an_upload_succeeds(wire)
    assert wire.put_part("v", upload, 0, body).status == 204


def test_another_program_fills_the_disk_to_the_last_byte(full, small_disk):
    wire = Wire(full)
    kept = incompressible(2 * MIB, "kept")
    archive, doomed = wire.upload_archive("v", kept), wire.upload_archive("v", b"doomed")
    job = wire.succeeded_job("v", Type="archive-retrieval", ArchiveId=archive)
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(64 * 1024))
        except OSError:
            pass
    assert shutil.disk_usage(small_disk).free < 64 * 1024
    assert_refused_well(wire.post_archive("v", incompressible(MIB, "refused")))
    assert wire.job_output("v", job).body == kept
    assert wire.request("GET", "/-/vaults/v").status == 200
    assert wire.request("DELETE", f"/-/vaults/v/archives/{doomed}").status == 204
    filler.unlink()
    wait_until_an_upload_succeeds(wire)
    assert wire.request("GET", "/-/vaults/v").json["NumberOfArchives"] == 2


def test_a_service_on_a_full_disk_restarts_and_reads(full, small_disk):
    wire = Wire(full)
    stored, _ = upload_until_refused(wire)
    full.restart()
    assert wire.retrieve("v", stored[0][0]) == stored[0][1]
    assert wire.request("GET", "/-/vaults/v").json["NumberOfArchives"] == len(stored)
