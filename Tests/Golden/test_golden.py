# SPDX-License-Identifier: Apache-2.0
"""Data directories of earlier releases open, and every archive in them is what it was."""

import hashlib
import json
import pathlib
import shutil
import tarfile

import pytest

from Support.hashes import MIB, tree_hash
from Support.server import Account, Server
from Support.wire import Wire

HERE = pathlib.Path(__file__).parent
RELEASES = sorted(path.parent.name for path in HERE.glob("*/contents.json"))


@pytest.fixture(params=RELEASES)
def golden(request, work_dir, tmp_path):
    """A service on a copy of one golden data directory, and its list of contents."""
    source = HERE / request.param
    contents = json.loads((source / "contents.json").read_text())
    with tarfile.open(source / "data.tar.gz") as archive:
        archive.extractall(tmp_path, filter="tar")
    server = Server(tmp_path / "server", data_dir=tmp_path / "data", region=contents["region"])
    server.data_dir.chmod(0o700)
    shutil.copy(source / "root.key", server.root_key_file)
    server.root_key_file.chmod(0o600)
    server.account = Account(contents["accountId"], contents["accessKeyId"], contents["secretAccessKey"])
    server.start()
    yield Wire(server), contents
    server.dispose()


def test_there_is_a_golden_directory():
    assert RELEASES, "run Tests/Tools/make_golden.sh"


def test_every_archive_is_what_it_was(golden):
    wire, contents = golden
    assert contents["archives"]
    for entry in contents["archives"]:
        body = wire.retrieve(entry["vault"], entry["archiveId"])
        assert hashlib.sha256(body).hexdigest() == entry["sha256"], entry
        assert (len(body), tree_hash(body)) == (entry["size"], entry["treeHash"])


def test_the_inventories_list_exactly_what_was_there(golden):
    wire, contents = golden
    for vault in contents["vaults"]:
        job = wire.succeeded_job(vault, Type="inventory-retrieval")
        listed = {entry["ArchiveId"]: entry for entry in wire.job_output(vault, job).json["ArchiveList"]}
        expected = {entry["archiveId"]: entry for entry in contents["archives"] if entry["vault"] == vault}
        assert set(listed) == set(expected)
        for identifier, entry in expected.items():
            assert listed[identifier]["ArchiveDescription"] == entry["description"]
            assert (listed[identifier]["Size"], listed[identifier]["SHA256TreeHash"]) == (
                entry["size"],
                entry["treeHash"],
            )


def test_a_deleted_archive_stays_deleted(golden):
    wire, contents = golden
    for entry in contents["deleted"]:
        assert wire.request("DELETE", f"/-/vaults/{entry['vault']}/archives/{entry['archiveId']}").status == 204


def test_an_open_upload_can_be_completed(golden):
    wire, contents = golden
    for entry in contents["uploads"]:
        document = wire.request("GET", f"/-/vaults/{entry['vault']}/multipart-uploads/{entry['uploadId']}").json
        assert [part["SHA256TreeHash"] for part in document["Parts"]] == [entry["treeHash"]]
        answer = wire.complete_upload(entry["vault"], entry["uploadId"], MIB, entry["treeHash"])
        assert answer.status == 201, answer
        body = wire.retrieve(entry["vault"], answer.header("x-amz-archive-id"))
        assert tree_hash(body) == entry["treeHash"]


def test_new_archives_can_be_added(golden):
    wire, contents = golden
    vault = contents["vaults"][0]
    assert wire.retrieve(vault, wire.upload_archive(vault, b"added later")) == b"added later"
