# SPDX-License-Identifier: Apache-2.0
"""`coldvault torture`: passes on a good disk, touches nothing of anybody's, and finds what was lost."""

import json
import os
import signal
import subprocess
import time

import pytest

from Support.server import binary


def torture(*arguments, timeout=300):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COLDVAULT_"))}
    return subprocess.run(
        [binary(), "torture", *map(str, arguments)], capture_output=True, text=True, timeout=timeout, env=environment
    )


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["inPlace", "staged"])
def test_a_good_disk_passes_and_is_left_as_it_was(tmp_path, mode):
    result = torture(
        "--data-dir", tmp_path / "disk", "--rounds", 3, "--seed", 7, "--output-mode", mode, "--evidence", "-",
        "--ledger", tmp_path / "ledger",
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["kills"], report["losses"], report["findings"], report["seed"]) == (3, 0, [], "7")
    assert report["verifiedArchives"] >= report["archives"] - report["deleted"]
    assert list((tmp_path / "disk").iterdir()) == []
    events = [json.loads(line)["event"] for line in (tmp_path / "ledger").read_text().splitlines()]
    assert events[0] == "begun" and len(events) == report["events"]


def test_a_directory_that_holds_anything_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    result = torture("run", "--data-dir", tmp_path)
    assert result.returncode == 1 and "is not empty" in result.stderr
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("holiday.jpg", b"mine")]


@pytest.fixture
def written(tmp_path):
    """What `torture write` leaves when it and its service are killed at once, and its ledger from the pipe."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COLDVAULT_"))}
    ledger = tmp_path / "ledger.jsonl"
    with open(ledger, "wb") as out:
        process = subprocess.Popen(
            [binary(), "torture", "write", "--data-dir", str(tmp_path / "disk"), "--ledger", "-"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL, env=environment,
        )
        deadline = time.monotonic() + 120
        while ledger.read_bytes().count(b'"stored"') < 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
        for pid in [*map(int, children), process.pid]:
            os.kill(pid, signal.SIGKILL)
        process.wait()
    assert children, "the service was no child of the command"
    return tmp_path / "disk", ledger


@pytest.mark.slow
def test_what_was_written_before_the_cut_is_found_after_it(written):
    disk, ledger = written
    for _ in range(2):
        result = torture("check", "--data-dir", disk, "--ledger", ledger, "--evidence", "-")
        report = json.loads(result.stdout)
        assert result.returncode == 0 and report["losses"] == 0, result.stderr
        assert report["verifiedArchives"] >= report["archives"] - report["deleted"] > 0


@pytest.mark.slow
def test_what_is_lost_is_named_and_the_exit_code_says_so(written):
    disk, ledger = written
    archive = next(
        event for event in map(json.loads, ledger.read_text().splitlines()) if event["event"] == "stored"
    )["archive"]
    deleted = f'{{"archive":"{archive}","event":"stored","body":{{"bytes":77,"seed":1,"text":true}}}}\n'
    other = archive[:-4] + ("AAAA" if archive[-4:] != "AAAA" else "BBBB")
    with open(ledger, "a") as file:
        file.write(deleted.replace(archive, other))
    result = torture("check", "--data-dir", disk, "--ledger", ledger, "--evidence", "-")
    assert result.returncode == 5, result.stderr
    report = json.loads(result.stdout)
    assert any(other in finding for finding in report["findings"]), report
    assert f"LOSS: archive {other}" in result.stderr


@pytest.mark.slow
def test_rotten_bytes_are_a_loss(written):
    disk, ledger = written
    parts = sorted((path for path in (disk / "data" / "blobs").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    for path in parts[-3:]:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.chmod(0o600)
        path.write_bytes(content)
    result = torture("check", "--data-dir", disk, "--ledger", ledger, "--evidence", "-")
    assert result.returncode == 5 and json.loads(result.stdout)["losses"] > 0, result.stdout


def test_a_ledger_of_something_else_is_refused(written, tmp_path):
    disk, _ = written
    (tmp_path / "noise").write_text("not a ledger\n{}\n")
    result = torture("check", "--data-dir", disk, "--ledger", tmp_path / "noise")
    assert result.returncode == 1 and "Line 1 of the ledger" in result.stderr
