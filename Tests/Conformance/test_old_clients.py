# SPDX-License-Identifier: Apache-2.0
"""Clients that nobody updates any more: boto 2 (layer 1, layer 2, its concurrent transfers) and what mt-aws-glacier insists on."""

import json
import pathlib
import shutil
import subprocess

import pytest

import Support
from Support.bodies import mixed
from Support.hashes import MIB, tree_hash
from Support.wire import Wire

BOTO2 = pathlib.Path(Support.__file__).with_name("boto2_session.py")


def boto2_interpreter():
    """The system's interpreter has boto 2 where python3-boto is installed; the virtual environment never has."""
    python = "/usr/bin/python3"
    if pathlib.Path(python).exists():
        probe = subprocess.run([python, "-c", "import boto.glacier"], capture_output=True)
        if probe.returncode == 0:
            return python
    return None


@pytest.fixture(scope="module")
def day(make_server_for_session, tmp_path_factory):
    python = boto2_interpreter()
    if python is None:
        pytest.skip("boto 2 is not installed: apt-get install python3-boto")
    server = make_server_for_session("boto2")
    folder = tmp_path_factory.mktemp("boto2")
    (folder / "large").write_bytes(mixed(3 * MIB + 12345))
    (folder / "small").write_bytes(b"a small one")
    result = subprocess.run(
        [python, BOTO2, server.host, str(server.port), server.region, str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        env={
            **server.environment(),
            "AWS_ACCESS_KEY_ID": server.account.access_key,
            "AWS_SECRET_ACCESS_KEY": server.account.secret,
            "HOME": str(folder),
        },
    )
    assert result.returncode == 0, f"{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
    return json.loads(result.stdout)


def test_boto2_layer_1(day):
    seen = day["layer1"]
    assert seen["described"] == "boto2-one" and "boto2-one" in seen["listed"]
    assert (seen["status"], seen["output"], seen["jobs"]) == ("Succeeded", "by layer 1", 1)
    assert seen["hash"] == tree_hash(b"by layer 1")
    assert seen["events"] == ["ArchiveRetrievalCompleted"]
    assert seen["missing"] == [404, "ResourceNotFoundException"]


def test_boto2_layer_2_and_its_concurrent_transfers(day):
    seen = day["layer2"]
    assert seen["identical"] == {"small": True, "written": True, "concurrent": True}
    assert seen["inventory"] == ["by the writer", "in parallel", "small"]
    assert seen["resumed"] is True


# mt-aws-glacier: its requests and what it checks of the answers


@pytest.fixture
def mt(wire):
    return wire


def test_mt_aws_glacier_uploads_in_parts(mt, vault):
    body = mixed(2 * MIB + 17)
    upload = mt.initiate_upload(vault, MIB, "mt2 eyJmaWxlbmFtZSI6ImEvYiIsIm10aW1lIjoiMjAxMzAxMDFUMDAwMDAwWiJ9")
    for at in range(0, len(body), MIB):
        answer = mt.put_part(vault, upload, at, body[at : at + MIB])
        assert answer.status == 204 and answer.header("x-amz-sha256-tree-hash") == tree_hash(body[at : at + MIB])
    answer = mt.complete_upload(vault, upload, len(body), tree_hash(body))
    assert answer.status == 201
    archive = answer.header("x-amz-archive-id")
    assert answer.header("Location").endswith(f"/vaults/{vault}/archives/{archive}")


def test_mt_aws_glacier_downloads_segments(mt, vault):
    body = mixed(3 * MIB + 5)
    archive = mt.upload_archive(vault, body)
    job = mt.succeeded_job(vault, Type="archive-retrieval", ArchiveId=archive)
    for first in range(0, len(body), MIB):
        last = min(first + MIB, len(body)) - 1
        answer = mt.job_output(vault, job, f"bytes={first}-{last}")
        assert answer.status == 206, answer
        assert answer.header("Content-Range") == f"bytes {first}-{last}/{len(body)}"
        assert answer.header("Content-Length") == str(last - first + 1)
        assert answer.header("x-amz-sha256-tree-hash") == tree_hash(body[first : last + 1])
        assert answer.body == body[first : last + 1]


def test_mt_aws_glacier_pages_through_jobs(make_server):
    wire = Wire(make_server("mt-jobs"))
    wire.create_vault("v")
    started = {wire.start_job("v", Type="inventory-retrieval") for _ in range(60)}
    seen, marker = set(), None
    for _ in range(10):
        document = wire.request("GET", "/-/vaults/v/jobs" + (f"?marker={marker}" if marker else "")).json
        seen |= {job["JobId"] for job in document["JobList"]}
        marker = document["Marker"]
        if not marker:
            break
    assert seen == started


@pytest.mark.skipif(shutil.which("aws") is None, reason="the AWS CLI is not on the PATH")
def test_the_aws_cli_on_the_path_says_which_it_is():
    """So that a test report tells with which CLI the conformance tests ran."""
    version = subprocess.run(["aws", "--version"], capture_output=True, text=True, timeout=60)
    assert "aws-cli/" in version.stdout + version.stderr
