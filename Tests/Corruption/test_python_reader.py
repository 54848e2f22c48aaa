# SPDX-License-Identifier: Apache-2.0
"""The stand-alone reader opens every archive from blobs/, keys/ and the root key alone: the documents are true."""

import subprocess
import sys

import pytest

from Corruption import layout
from Support.bodies import compressible, incompressible, mixed
from Support.hashes import MIB
from Support.server import REPOSITORY
from Support.wire import Wire

READER = REPOSITORY / "Tests" / "Tools" / "coldvault_reader.py"


def reader(server, *arguments, check=True):
    result = subprocess.run(
        [sys.executable, READER, "--data-dir", server.data_dir, "--root-key-file", server.root_key_file, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


@pytest.fixture
def stopped(make_server):
    """A stopped service without catalog, and what its archives were."""
    server = make_server("reader")
    wire = Wire(server)
    wire.create_vault("v")
    bodies = [b"x", compressible(3 * MIB + 5), incompressible(MIB), mixed(2 * MIB + 1)]
    archives = {wire.upload_archive("v", body, "described"): body for body in bodies}
    large = mixed(9 * MIB + 99, "large")
    archives[wire.upload_multipart("v", large, 4 * MIB)] = large
    deleted = wire.upload_archive("v", b"deleted")
    wire.request("DELETE", f"/-/vaults/v/archives/{deleted}")
    server.stop()
    for path in server.data_dir.glob("catalog*"):
        path.unlink()
    server.archives = archives
    server.deleted = deleted
    return server


def test_every_archive_is_listed_verified_and_extracted_without_the_catalog(stopped, tmp_path):
    listed = reader(stopped, "list").stdout
    for index, (archive, body) in enumerate(stopped.archives.items()):
        assert archive in listed
        target = tmp_path / f"out-{index}"
        reader(stopped, "extract", f"--archive={archive}", "--output", target)
        assert target.read_bytes() == body
    reader(stopped, "verify")


@pytest.mark.parametrize("source", ["file", "standard input"])
def test_the_recovery_key_opens_the_same_archives_and_is_on_no_command_line(stopped, tmp_path, source):
    archive, body = next(iter(stopped.archives.items()))
    target, key = tmp_path / "out", tmp_path / "recovery.key"
    key.write_text(stopped.recovery_key + "\n")
    stopped.root_key_file.unlink()
    with open(key) as text:
        result = subprocess.run(
            [
                sys.executable,
                READER,
                "--data-dir",
                stopped.data_dir,
                "--recovery-key-file",
                key if source == "file" else "-",
                "extract",
                f"--archive={archive}",
                "--output",
                target,
            ],
            capture_output=True,
            text=True,
            timeout=120,
            stdin=text if source == "standard input" else subprocess.DEVNULL,
        )
    assert result.returncode == 0, result.stdout + result.stderr
    assert target.read_bytes() == body


def test_the_reader_refuses_what_is_damaged(stopped, tmp_path):
    archive = list(stopped.archives)[1]
    layout.flip(layout.parts(stopped, archive)[0], layout.BODY_START + 5)
    assert reader(stopped, "verify", check=False).returncode != 0
    target = tmp_path / "out"
    assert reader(stopped, "extract", f"--archive={archive}", "--output", target, check=False).returncode != 0
    assert not target.exists() or not stopped.archives[archive].startswith(target.read_bytes() or b"-")
