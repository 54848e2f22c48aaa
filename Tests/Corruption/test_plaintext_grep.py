# SPDX-License-Identifier: Apache-2.0
"""No known plaintext is found anywhere in the data directory, the SQLite file and its log included."""

import base64

import pytest

from Support.bodies import incompressible
from Support.hashes import MIB, linear_hash, tree_hash
from Support.wire import Wire

MARKER = b"KNOWN-PLAINTEXT-THAT-MUST-NOT-BE-FOUND-"


def found_in(folder, needles):
    """(file, needle) of every hit, looking at the bytes of all files."""
    hits = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            hits += [(str(path.relative_to(folder)), needle[:60]) for needle in needles if needle in data]
    return hits


@pytest.mark.parametrize("mode", ["inPlace", "staged"])
@pytest.mark.parametrize("compression", ["lz4", "none"])
def test_no_plaintext_is_found_in_the_data_directory(make_server, mode, compression):
    server = make_server("grep", settings={"output-mode": mode, "compression": compression})
    wire = Wire(server)
    wire.create_vault("v")
    noise = incompressible(MIB, "noise")
    bodies = [MARKER + b"tiny", MARKER * 40000, MARKER + noise * 3, noise]
    archives = [wire.upload_archive("v", body, f"SECRET-DESCRIPTION-{index}") for index, body in enumerate(bodies)]
    multipart = wire.upload_multipart("v", MARKER + noise * 2 + MARKER, MIB, "SECRET-MULTIPART-DESCRIPTION")
    unfinished = wire.initiate_upload("v", MIB, "SECRET-UNFINISHED-DESCRIPTION")
    wire.put_part("v", unfinished, 0, noise)
    for archive in [*archives, multipart]:
        assert wire.retrieve("v", archive)
    inventory = wire.succeeded_job("v", Type="inventory-retrieval", Description="SECRET-JOB-DESCRIPTION")
    assert b"SECRET-DESCRIPTION-1" in wire.job_output("v", inventory).body

    secret = server.account.secret.encode()
    root = server.root_key_file.read_bytes()
    hashes = [tree_hash(body) for body in bodies] + [linear_hash(body) for body in bodies]
    needles = [
        MARKER,
        MARKER[:20],
        b"SECRET-",
        secret,
        base64.b64encode(secret),
        root,
        root.hex().encode(),
        base64.b64encode(root),
        server.recovery_key.encode(),
        noise[:64],
        noise[-64:],
        noise[MIB // 2 : MIB // 2 + 64],
    ]
    needles += [value.encode() for value in hashes] + [bytes.fromhex(value) for value in hashes]
    assert found_in(server.data_dir, needles) == [], "while it runs"
    server.stop()
    assert found_in(server.data_dir, needles) == [], "after it stopped"
    server.start()


def test_the_search_itself_finds_what_is_there(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"\0" * 1000 + MARKER + b"\0")
    assert found_in(tmp_path, [MARKER, b"absent"]) == [("deep/file", MARKER[:60])]
