# SPDX-License-Identifier: Apache-2.0
"""The stand-alone reader against the vectors: what must open opens, what must fail fails with its class, with lz4 and without."""

import argparse
import base64
import hashlib
import io
import json
import pathlib
import struct
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import coldvault_reader as reader  # noqa: E402

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "Vectors"


def load(name):
    return json.loads((VECTORS / name).read_text())


def mutate(data, mutations):
    data = bytearray(data)
    for mutation in mutations:
        if mutation["op"] == "flip":
            data[mutation["offset"]] ^= mutation["mask"]
        elif mutation["op"] == "truncate":
            del data[mutation["length"]:]
        elif mutation["op"] == "append":
            data += bytes.fromhex(mutation["bytes"])
        else:
            pytest.skip("mutation for other vectors")
    return bytes(data)


@pytest.fixture(params=["lz4", "own"], autouse=True)
def inflater(request, monkeypatch):
    if request.param == "own":
        monkeypatch.setattr(reader, "lz4", None)
    elif reader.lz4 is None:
        pytest.skip("lz4 is not installed")


def open_part(vector, blob, changes):
    wanted = vector | {name: value for name, value in changes.items()}
    header = wanted["sealHeader"] if wanted["sealHeader"] is not None else blob[40:96].hex()
    identity = {"uid": bytes.fromhex(wanted["uid"]), "index": wanted["index"], "number": wanted["number"]}
    frames = reader.part_frames(
        io.BytesIO(blob), len(blob), identity, wanted["account"], bytes.fromhex(wanted["vault"]), bytes.fromhex(wanted["key"]), header)
    return b"".join(leaf for leaf, _ in frames)


def test_parts_open():
    for vector in load("part.json")["openOnly"]:
        content = open_part(vector, base64.b64decode(vector["blob"]), {})
        assert hashlib.sha256(content).hexdigest() == vector["contentSHA256"], vector["name"]
        tree = reader.LeafTree()
        tree.update(content)
        assert tree.root().hex() == vector["treeHash"]


def test_damaged_parts_fail_with_their_class():
    vectors = load("part.json")
    bases = {vector["name"]: vector for vector in vectors["openOnly"]}
    for failing in vectors["mustFail"]:
        base = bases[failing["base"]]
        changes = failing["with"] if "blob" not in failing else {"sealHeader": None}
        blob = mutate(base64.b64decode(failing.get("blob", base["blob"])), failing["mutations"])
        with pytest.raises(reader.FormatError) as caught:
            open_part(base, blob, changes)
        assert caught.value.failure == failing["error"], failing["name"]


def test_documents_open():
    vectors = load("documents.json")
    for vector in vectors["manifests"] + vectors["records"]:
        blob = bytes.fromhex(vector["blob"])
        context = reader.Preamble(blob).context(vector["account"], bytes.fromhex(vector["vault"]))
        plain = reader.open_message(blob[40:], bytes.fromhex(vector["key"]), context)
        assert plain.decode() == vector["document"]
        name = "coldvault-manifest" if vector in vectors["manifests"] else "coldvault-record"
        assert reader.canonical(reader.decode(plain, name)) == plain


def test_key_files_open_with_either_root_key(tmp_path):
    vectors = load("keys.json")
    for file in vectors["files"]:
        (tmp_path / file["name"]).write_text(file["document"], encoding="utf-8")
    for root in ("rootKey", "recoveryKey"):
        masters = reader.open_keyring(tmp_path, bytes.fromhex(vectors[root]))
        assert {version: key.hex() for version, key in masters.items()} == {1: vectors["files"][0]["key"]}
    with pytest.raises(reader.FormatError):
        reader.open_keyring(tmp_path, bytes(32))


def test_wraps_open_for_their_purpose():
    vectors = load("keys.json")
    place = vectors["account"].encode() + bytes.fromhex(vectors["vault"])
    fields = {"data-key": place + bytes.fromhex(vectors["archive"]), "vault-key": place + struct.pack(">I", vectors["version"])}
    for wrap in vectors["wraps"]:
        if wrap["purpose"] in fields:
            wrapped = base64.b64encode(bytes.fromhex(wrap["wrapped"]))
            key = reader.unwrap(wrapped, bytes.fromhex(wrap["under"]), wrap["purpose"], fields[wrap["purpose"]])
            assert key.hex() == wrap["key"]


def test_recovery_texts():
    vectors = load("keys.json")
    for vector in vectors["recoveryTexts"]:
        assert reader.recovery_key(vector["text"]).hex() == vector["key"]
    for text in vectors["recoveryVariants"]:
        assert reader.recovery_key(text).hex() == vectors["recoveryKey"]
    for failing in vectors["badRecoveryTexts"]:
        with pytest.raises(reader.FormatError):
            reader.recovery_key(failing["text"])


def test_the_recovery_key_is_read_from_a_file_or_standard_input(tmp_path, monkeypatch):
    vector = load("keys.json")["recoveryTexts"][0]
    path = tmp_path / "recovery.key"
    path.write_text(vector["text"].lower() + "\n")
    arguments = argparse.Namespace(root_key_file=None, recovery_key=None, recovery_key_file=str(path))
    assert reader.root_key(arguments).hex() == vector["key"]
    monkeypatch.setattr(sys, "stdin", io.StringIO(vector["text"]))
    arguments.recovery_key_file = "-"
    assert reader.root_key(arguments).hex() == vector["key"]
    path.write_bytes(b"\xff\x00 no key")
    arguments.recovery_key_file = str(path)
    with pytest.raises(reader.FormatError):
        reader.root_key(arguments)
