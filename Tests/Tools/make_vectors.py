#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the format vectors in Tests/Vectors from Docs/Formats alone; shares no code with the service or the reader.

    python3 -m venv v && v/bin/pip install cryptography lz4 && v/bin/python Tests/Tools/make_vectors.py

The output is deterministic but for LZ4 blocks, whose bytes depend on the library: vectors that contain them are for opening only.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import struct

import lz4.block
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

OUT = pathlib.Path(__file__).resolve().parent.parent / "Vectors"
CHUNK, MIB = 16384, 1 << 20
ACCOUNT = "123456789012"


def named(label, count=32):
    """Reproducible bytes with a name."""
    return hashlib.shake_256(b"coldvault vector " + label.encode()).digest(count)


VAULT, ARCHIVE, OTHER = named("vault uid", 16), named("archive uid", 16), named("other uid", 16)


def content(spec):
    """The content that a generator describes."""
    generator, length = spec["generator"], spec["length"]
    if generator == "sha256-counter":
        blocks = (hashlib.sha256(spec["label"].encode() + struct.pack(">Q", i)).digest() for i in range(-(-length // 32)))
        return b"".join(blocks)[:length]
    if generator == "repeat":
        pattern = bytes.fromhex(spec["pattern"])
        return (pattern * (length // len(pattern) + 1))[:length]
    if generator == "concat":
        return b"".join(content(piece) for piece in spec["pieces"])
    raise ValueError(generator)


def derive(key, salt, context):
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    okm = HKDFExpand(SHA512(), 76, info).derive(key)
    return okm[:32], okm[32:44], okm[44:]


def seal(plaintext, key, context, salt):
    inner, nonce, commitment = derive(key, salt, context)
    base, out = int.from_bytes(nonce, "big"), salt + commitment
    for i in range(len(plaintext) // CHUNK + 1):
        chunk = plaintext[i * CHUNK:(i + 1) * CHUNK]
        out += AESGCM(inner).encrypt((base ^ i).to_bytes(12, "big"), chunk, None)
    return out


def preamble(kind, uid, index, number, version=1, suite=1):
    return bytes.fromhex("89434C44560D0A1A") + struct.pack(">BBH16sIQ", kind, version, suite, uid, index, number)


def blob_context(head, account, vault):
    return b"coldvault/blob/v1\0" + head + account.encode() + vault


def seal_blob(head, plaintext, key, salt, account=ACCOUNT, vault=VAULT):
    return head + seal(plaintext, key, blob_context(head, account, vault), salt)


def tree_hash(data):
    level = [hashlib.sha256(data[i:i + MIB]).digest() for i in range(0, len(data), MIB)] or [hashlib.sha256(b"").digest()]
    while len(level) > 1:
        level = [hashlib.sha256(b"".join(level[i:i + 2])).digest() if i + 1 < len(level) else level[i]
                 for i in range(0, len(level), 2)]
    return level[0]


def part_body(data, compress):
    frames, index = b"", b""
    count = 0
    for start in range(0, len(data), MIB):
        leaf = data[start:start + MIB]
        codec, stored = 0, leaf
        if compress:
            block = lz4.block.compress(leaf, store_size=False)
            if len(block) <= len(leaf) - (len(leaf) + 15) // 16:
                codec, stored = 1, block
        frames += stored
        index += struct.pack(">QB", len(frames), codec) + hashlib.sha256(leaf).digest()
        count += 1
    return frames + index + struct.pack(">QQQ", len(data), count, len(frames))


def canonical(value):
    """Canonical JSON; Python sorts by code points, which is the order of UTF-8 bytes."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def write(name, value):
    (OUT / name).write_text(json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


# --- seal.json ---------------------------------------------------------------------------------------------------------

def seal_vectors():
    vectors = []
    inputs = [
        (0, "acda2f90a7d196501c02b26eab481d44a8de065e61debce6ff8e1710445dfbff",
         "2bc990059473448e6ebd442aa16bfaa0567ac03dd094876b", ""),
        (1, "56d11b698a2e694042739c67dfafe76273875336501cdb071bb65b4a486fc4f9",
         "dc90cf07de907ccc64636ceddb38e552a1a0d984743b1f36", "637478"),
        (16383, "8a825f213f194fa5ef9e46b3f8512575306244b9e103af2ecfa854061f24b5a2",
         "5518ad0945b11c8439e63d4be7dee41f926abe005b26445a", ""),
        (16384, "3d49705ab7104586af32e78a925b1b133e4d5b807f2be56f590e273b919ae3de",
         "e0e6eceb10ebd1a67f966d3c3769bd80b14095c957350397", "706172742030"),
        (16385, "5706b9170430e4fd758604d7375fb8db1db96496ea6a07120d3dc3fe41ea5b71",
         "c0a3532a32c9963d254d973de0a6e4082c622120b0270f1a", ""),
        (40000, "ecf70a686e1b0840cd42454f10552de7393c655dc7f5295f963d93fe9c12bdde",
         "8a906b7e492d4eec7c0d619990940625b823cf6482baffce", "6163636f756e742f7661756c742f61726368697665"),
        (65536, "5a9218abc8853898c5ec107d407b520dd33fa94c8e9a8637a183ce545169e39e",
         "02b3a5dbf503570d4cc842f128f7c05effff04252a81a677", "")]
    for n, key, salt, context in inputs:
        data, key, salt, context = named(str(n), n), bytes.fromhex(key), bytes.fromhex(salt), bytes.fromhex(context)
        inner, nonce, commitment = derive(key, salt, context)
        sealed = seal(data, key, context, salt)
        vectors.append({
            "plaintextLength": n, "plaintextSHA256": hashlib.sha256(data).hexdigest(), "inputKey": key.hex(), "salt": salt.hex(),
            "context": context.hex(), "key": inner.hex(), "baseNonce": nonce.hex(), "commitment": commitment.hex(),
            "ciphertextLength": len(sealed), "ciphertextSHA256": hashlib.sha256(sealed).hexdigest(),
            "firstCiphertextBytes": sealed[:96].hex()})
    base = 40000
    full = 56 + 16400
    fails = [
        ("bad commitment", [{"op": "flip", "offset": 24, "mask": 1}], {}, "wrongKeyOrContext"),
        ("bad salt", [{"op": "flip", "offset": 0, "mask": 128}], {}, "wrongKeyOrContext"),
        ("wrong context", [], {"context": b"another".hex()}, "wrongKeyOrContext"),
        ("empty context", [], {"context": ""}, "wrongKeyOrContext"),
        ("wrong key", [], {"inputKey": named("another key").hex()}, "wrongKeyOrContext"),
        ("flipped bit in the first chunk", [{"op": "flip", "offset": 56, "mask": 1}], {}, "tampered"),
        ("flipped bit in a tag", [{"op": "flip", "offset": full - 1, "mask": 4}], {}, "tampered"),
        ("flipped bit in the last chunk", [{"op": "flip", "offset": 56 + 2 * 16400, "mask": 1}], {}, "tampered"),
        ("last chunk cut off, a full one is last", [{"op": "truncate", "length": 56 + 2 * 16400}], {}, "truncated"),
        ("first chunk only", [{"op": "truncate", "length": full}], {}, "truncated"),
        ("header only", [{"op": "truncate", "length": 56}], {}, "truncated"),
        ("half a header", [{"op": "truncate", "length": 28}], {}, "truncated"),
        ("nothing", [{"op": "truncate", "length": 0}], {}, "truncated"),
        ("one byte cut off", [{"op": "truncate", "length": 56 + 40000 + 48 - 1}], {}, "tampered"),
        ("cut inside a full chunk", [{"op": "truncate", "length": 56 + 16400 + 500}], {}, "tampered"),
        ("cut to a tag's length minus one", [{"op": "truncate", "length": 56 + 16400 + 15}], {}, "truncated"),
        ("one byte added", [{"op": "append", "bytes": "00"}], {}, "tampered"),
        ("a chunk's worth added", [{"op": "append", "bytes": "00" * 20}], {}, "tampered"),
        ("chunks swapped", [{"op": "swap", "a": 56, "b": full, "length": 16400}], {}, "tampered"),
        ("second chunk in the first one's place", [{"op": "copy", "from": full, "to": 56, "length": 16400}], {}, "tampered"),
    ]
    note = ("C2SP chunked-encryption, AEAD_AES_256_GCM with HKDF-Expand-SHA-512 (Docs/Formats/Seal-v1.md). The plaintext of length n is "
            "SHAKE256('coldvault vector n') cut to n bytes. mustFail: take the vector of length `base`, apply the mutations in order, open.")
    write("seal.json", {"note": note, "vectors": vectors, "mustFail": [
        {"name": name, "base": base, "mutations": mutations, "with": changes, "error": error}
        for name, mutations, changes, error in fails]})


# --- blob.json ---------------------------------------------------------------------------------------------------------

def blob_vectors():
    cases = []
    for name, kind, uid, index, number in [("part", 1, ARCHIVE, 7, 3), ("manifest", 2, ARCHIVE, 1, 1), ("record", 3, VAULT, 2, 9),
                                           ("staged", 4, OTHER, 0, 0), ("largest numbers", 1, b"\xff" * 16, 2**32 - 1, 2**64 - 1)]:
        head = preamble(kind, uid, index, number)
        key, salt, data = named("blob key"), named("blob salt " + name, 24), b"what a blob holds"
        cases.append({
            "name": name, "kind": kind, "uid": uid.hex(), "index": index, "number": str(number), "preamble": head.hex(),
            "account": ACCOUNT, "vault": VAULT.hex(), "context": blob_context(head, ACCOUNT, VAULT).hex(), "key": key.hex(),
            "salt": salt.hex(), "plaintext": data.hex(), "blob": seal_blob(head, data, key, salt).hex()})
    good = preamble(3, VAULT, 2, 9)
    fails = [
        ("bad magic", b"\x88" + good[1:], "notABlob"), ("a text file", b"hello, this is not a blob, it is a text of many bytes", "notABlob"),
        ("nothing", b"", "notABlob"), ("short", good[:39], "malformed"), ("magic only", good[:8], "malformed"),
        ("version 2", preamble(3, VAULT, 2, 9, version=2), "newerVersion"),
        ("version 0", preamble(3, VAULT, 2, 9, version=0), "newerVersion"), ("kind 6", preamble(6, VAULT, 2, 9), "newerVersion"),
        ("kind 0", preamble(0, VAULT, 2, 9), "newerVersion"), ("suite 2", preamble(3, VAULT, 2, 9, suite=2), "unknownSuite"),
    ]
    names = {
        "accounts/123456789012/00000000000000000007": {"is": "account", "generation": 7},
        "audit/00000000000000000007": {"is": "audit", "first": 7},
        "service/checkpoint-00000000000000000007": {"is": "checkpoint", "generation": 7},
        f"vaults/{ACCOUNT}/{VAULT.hex()}/records/vault-00000000000000000001": {"is": "vault", "generation": 1},
        f"vaults/{ACCOUNT}/{VAULT.hex()}/uploads/{ARCHIVE.hex()}.00000001700000000000": {"is": "upload", "generation": 1700000000000},
        f"vaults/{ACCOUNT}/{VAULT.hex()}/archives/{ARCHIVE.hex()[:2]}/{ARCHIVE.hex()}.manifest-00000000000000000002":
            {"is": "manifest", "generation": 2},
        f"vaults/{ACCOUNT}/{VAULT.hex()}/archives/{ARCHIVE.hex()[:2]}/{ARCHIVE.hex()}.deletion-00000000000000000003":
            {"is": "deletion", "generation": 3},
        f"vaults/{ACCOUNT}/{VAULT.hex()}/archives/{ARCHIVE.hex()[:2]}/{ARCHIVE.hex()}.part-00042-00000000000000000001":
            {"is": "part", "index": 42, "number": 1},
        f"staged/{OTHER.hex()}": {"is": "staged"},
    }
    archive = f"vaults/{ACCOUNT}/{VAULT.hex()}/archives/{ARCHIVE.hex()[:2]}/{ARCHIVE.hex()}"
    bad_names = ["", "/", "accounts", "accounts/1234/00000000000000000007", "accounts/123456789012/7", "staged/ABCDEF",
                 f"staged/{OTHER.hex().upper()}", f"staged/{OTHER.hex()}/x", f"{archive}.part-0042-00000000000000000001",
                 f"{archive}.part-00042-00000000000000000001-1", f"{archive}.manifest-99999999999999999999", f"{archive}.other-00000000000000000001",
                 f"{archive}/", f"{archive}.", f"{archive}/manifest-00000000000000000002", f"vaults/{ACCOUNT}/{VAULT.hex()}/archives/zz/{ARCHIVE.hex()}.manifest-00000000000000000002",
                 f"vaults/{ACCOUNT}/{VAULT.hex()}/records/vault-1", f"vaults/{ACCOUNT}/{VAULT.hex()}"]
    write("blob.json", {
        "note": "Docs/Formats/Blob-v1.md. uid of account records: 12 digits, 4 zero bytes.", "vectors": cases,
        "mustFail": [{"name": name, "bytes": data.hex(), "error": error} for name, data, error in fails],
        "names": names, "badNames": bad_names})


# --- part.json ---------------------------------------------------------------------------------------------------------

def part_vectors():
    key = named("data key")

    def vector(name, spec, compress=False, body=None, index=0, number=1, kind=1, uid=ARCHIVE):
        data = content(spec)
        head, salt = preamble(kind, uid, index, number), named("part salt " + name, 24)
        blob = seal_blob(head, part_body(data, compress) if body is None else body, key, salt)
        return {
            "name": name, "kind": kind, "uid": uid.hex(), "index": index, "number": number, "account": ACCOUNT, "vault": VAULT.hex(),
            "key": key.hex(), "salt": salt.hex(), "content": spec, "contentSHA256": hashlib.sha256(data).hexdigest(),
            "treeHash": tree_hash(data).hex(), "blobBytes": len(blob), "blobSHA256": hashlib.sha256(blob).hexdigest(),
            "sealHeader": blob[40:96].hex()}, blob

    def counter(length, label="part"):
        return {"generator": "sha256-counter", "label": label, "length": length}

    exact, opens = [], []
    for name, length in [("empty", 0), ("one byte", 1), ("one full chunk", CHUNK), ("exactly 1 MiB", MIB), ("1 MiB and one byte", MIB + 1),
                         ("2.5 MiB", 5 * MIB // 2), ("body ends on a chunk, last chunk empty", CHUNK - 41 - 24),
                         ("footer across two chunks", CHUNK - 41 - 24 + 10)]:
        exact.append(vector(name, counter(length))[0])
    exact.append(vector("staged output", counter(1000), kind=4, uid=OTHER, number=0)[0])

    def opened(name, spec, **rest):
        described, blob = vector(name, spec, compress=True, **rest)
        opens.append(described | {"blob": base64.b64encode(blob).decode()})

    zeros = {"generator": "repeat", "pattern": "00", "length": 5 * MIB // 2}
    text = {"generator": "repeat", "pattern": b"the quick brown fox jumps over the lazy dog\n".hex(), "length": MIB}
    opened("LZ4 zeros, 2.5 MiB", zeros)
    opened("LZ4 text, exactly 1 MiB", text, index=4, number=2)
    opened("LZ4 frame, then a raw one", {"generator": "concat", "length": MIB + 3000, "pieces": [text, counter(3000)]})
    opened("too short for LZ4", counter(40))

    # Every byte of this one matters: small, two chunks.
    small = counter(20000, "small")
    described, blob = vector("small", small)
    opens.append(described | {"blob": base64.b64encode(blob).decode()})
    other, _ = vector("small, other part", small, index=1)
    size = len(blob)
    digest = hashlib.sha256(content(small)).digest()
    fails = []

    def fail(name, error, mutations=(), expect=None, body=None):
        entry = {"name": name, "base": "small", "mutations": list(mutations), "with": expect or {}, "error": error}
        if body is not None:
            salt = named("bad body " + name, 24)
            entry["blob"] = base64.b64encode(seal_blob(preamble(1, ARCHIVE, 0, 1), body, key, salt)).decode()
        fails.append(entry)

    def flip(offset, mask=1):
        return [{"op": "flip", "offset": offset, "mask": mask}]

    fail("magic flipped", "notABlob", flip(0))
    fail("kind changed to manifest", "wrongIdentity", flip(8, 3))
    fail("format version changed", "newerVersion", flip(9, 2))
    fail("suite changed", "unknownSuite", flip(11, 2))
    fail("uid changed", "wrongIdentity", flip(12))
    fail("index changed", "wrongIdentity", flip(31))
    fail("write number changed", "wrongIdentity", flip(39))
    fail("salt changed, header pinned", "wrongSealHeader", flip(40))
    fail("salt changed", "wrongKeyOrContext", flip(40), {"sealHeader": None})
    fail("commitment changed", "wrongKeyOrContext", flip(64), {"sealHeader": None})
    fail("frame flipped", "tampered", flip(96 + 5))
    fail("footer flipped", "tampered", flip(size - 16 - 24))
    fail("last byte flipped", "tampered", flip(size - 1))
    fail("last chunk cut off", "truncated", [{"op": "truncate", "length": 96 + 16400}])
    fail("one byte cut off", "tampered", [{"op": "truncate", "length": size - 1}])
    fail("preamble only", "truncated", [{"op": "truncate", "length": 40}])
    fail("half a preamble", "malformed", [{"op": "truncate", "length": 20}])
    fail("prefix only", "truncated", [{"op": "truncate", "length": 96}])
    fail("one byte added", "tampered", [{"op": "append", "bytes": "00"}])
    fail("another account", "wrongKeyOrContext", expect={"account": "999999999999"})
    fail("another vault", "wrongKeyOrContext", expect={"vault": OTHER.hex()})
    fail("another key", "wrongKeyOrContext", expect={"key": named("another data key").hex()})
    fail("asked for another index", "wrongIdentity", expect={"index": 1})
    fail("asked for another write", "wrongIdentity", expect={"number": 2})
    fail("asked for another archive", "wrongIdentity", expect={"uid": OTHER.hex()})
    fail("another seal header pinned", "wrongSealHeader", expect={"sealHeader": other["sealHeader"]})

    data = content(small)
    entry = struct.pack(">QB", 20000, 0) + digest
    footer = struct.pack(">QQQ", 20000, 1, 20000)
    fail("body shorter than a footer", "malformed", body=b"x" * 23)
    fail("wrong leaf hash", "wrongLeafHash", body=data + struct.pack(">QB", 20000, 0) + bytes(32) + footer)
    fail("other leaf, right hash of another", "wrongLeafHash", body=bytes(20000) + entry + footer)
    fail("unknown codec", "newerVersion", body=data + struct.pack(">QB", 20000, 2) + digest + footer)
    fail("raw frame called LZ4", "malformed", body=data + struct.pack(">QB", 20000, 1) + digest + footer)
    fail("frame count too high", "malformed", body=data + entry + entry + struct.pack(">QQQ", 20000, 2, 20000))
    fail("frame count zero", "malformed", body=data + struct.pack(">QQQ", 20000, 0, 20000))
    fail("index offset too low", "malformed", body=data + entry + struct.pack(">QQQ", 20000, 1, 19999))
    fail("index offset beyond 2^63", "malformed", body=data + entry + struct.pack(">QQQ", 20000, 1, 2**64 - 66))
    fail("longer than a part may be", "limitExceeded", body=data + entry + struct.pack(">QQQ", (4 << 30) + 1, 4097, 20000))
    fail("length beyond 2^63", "limitExceeded", body=data + entry + struct.pack(">QQQ", 2**64 - 1, 1, 20000))
    fail("raw frame shorter than its leaf", "malformed",
         body=data[:19999] + struct.pack(">QB", 19999, 0) + digest + struct.pack(">QQQ", 20000, 1, 19999))
    fail("entry ends before the index", "malformed", body=data + struct.pack(">QB", 19999, 0) + digest + footer)
    fail("entry ends beyond the index", "malformed", body=data + struct.pack(">QB", 20001, 0) + digest + footer)
    block = lz4.block.compress(bytes(20000), store_size=False)
    zero_digest = hashlib.sha256(bytes(20000)).digest()
    for label, stored in [("LZ4 block cut", block[:-1]), ("LZ4 block with a byte too many", block + b"\0"),
                          ("LZ4 block of another length", lz4.block.compress(bytes(19000), store_size=False))]:
        fail(label, "malformed", body=stored + struct.pack(">QB", len(stored), 1) + zero_digest + struct.pack(">QQQ", 20000, 1, len(stored)))
    fail("LZ4 block of other bytes", "wrongLeafHash",
         body=block + struct.pack(">QB", len(block), 1) + digest + struct.pack(">QQQ", 20000, 1, len(block)))
    write("part.json", {
        "note": "Docs/Formats/Part-v1.md. vectors: a writer without compression gives exactly this blob. openOnly: contains the blob, "
                "compressed by some LZ4. mustFail: take the openOnly vector `base` (or `blob`), apply the mutations, change what the reader "
                "expects by `with` (sealHeader null: nothing pinned), read everything. Blobs given in mustFail pin no seal header.",
        "vectors": exact, "openOnly": opens, "mustFail": fails})


# --- documents.json ----------------------------------------------------------------------------------------------------

def wrap(key, under, context, label):
    return seal(key, under, context, named("wrap salt " + label, 24))


def wrap_context(purpose, fields):
    return b"coldvault/wrap/v1\0" + purpose.encode() + b"\0" + fields


def documents():
    part = {
        "blob": f"vaults/{ACCOUNT}/{VAULT.hex()}/archives/{ARCHIVE.hex()[:2]}/{ARCHIVE.hex()}.part-00000-00000000000000000001",
        "length": 1000, "treeHash": named("tree").hex(), "ciphertextBytes": 1177, "ciphertextSHA256": named("cipher").hex(), "index": 0,
        "number": 1, "sealHeader": named("header", 56).hex()}
    wrapped = wrap(named("data key"), named("vault key"),
                   wrap_context("data-key", ACCOUNT.encode() + VAULT + ARCHIVE), "data key")
    manifest = {
        "format": "coldvault-manifest", "version": 1, "critical": [], "account": ACCOUNT, "vault": VAULT.hex(),
        "archive": {"uid": ARCHIVE.hex(), "id": identifier(1, ARCHIVE, VAULT, named("id random", 54))}, "generation": 1,
        "created": 1700000000000, "description": "Déjà vu \"\\\u0001\u001f\b\t\n\f\r/ 雪 \U0001F9CA", "size": 1000, "treeHash": named("tree").hex(),
        "parts": [part], "keys": [{"kind": "service", "keyId": VAULT.hex(), "version": 1, "parameters": {},
                                   "wrapped": base64.b64encode(wrapped).decode()}]}
    record = {
        "format": "coldvault-record", "version": 1, "critical": [], "type": "vault", "generation": 3, "created": 1700000000001,
        "account": ACCOUNT, "vault": VAULT.hex(), "body": {
            "region": "eu-central-1", "name": "photos", "state": "active", "created": 1700000000000, "compression": None,
            "keys": [{"version": 1, "created": 1700000000000, "masterVersion": 1, "wrapped": base64.b64encode(wrap(
                named("vault key"), named("master key"), wrap_context("vault-key", ACCOUNT.encode() + VAULT + struct.pack(">I", 1)),
                "vault key")).decode()}],
            "notifications": None, "tags": None, "accessPolicy": None, "lock": None}}

    def sealed(name, value, head, key):
        data = canonical(value)
        return {"name": name, "document": data.decode(), "blob": seal_blob(head, data, key, named("document salt " + name, 24)).hex(),
                "key": key.hex(), "account": ACCOUNT, "vault": VAULT.hex()}

    def changed(value, **members):
        return {name: member for name, member in (value | members).items() if member is not ...}

    future = changed(manifest, storageClass="cold", archive=manifest["archive"] | {"owner": "someone"}, parts=[part | {"etag": "abc"}],
                     keys=[manifest["keys"][0] | {"note": 1}, {"kind": "kms", "keyId": "arn:x", "version": 0, "parameters": {"a": "b"},
                                                                "wrapped": "AAAA"}])
    fails = []

    def fail(kind, name, error, text):
        fails.append({"kind": kind, "name": name, "error": error, "document": text if isinstance(text, str) else canonical(text).decode()})

    fail("manifest", "unknown critical member", "unknownCritical", changed(manifest, critical=["sse"], sse={}))
    fail("manifest", "newer version", "newerVersion", changed(manifest, version=2))
    fail("manifest", "another format", "malformed", changed(manifest, format="coldvault-record"))
    for member in ["format", "version", "critical", "account", "vault", "archive", "generation", "created", "description", "size",
                   "treeHash", "parts", "keys"]:
        fail("manifest", f"without {member}", "malformed", changed(manifest, **{member: ...}))
    fail("manifest", "whitespace", "malformed", canonical(manifest).decode().replace('"account":', '"account": '))
    fail("manifest", "trailing newline", "malformed", canonical(manifest).decode() + "\n")
    fail("manifest", "members out of order", "malformed", json.dumps(manifest, ensure_ascii=False, separators=(",", ":")))
    fail("manifest", "needless escape", "malformed", canonical(manifest).decode().replace("/ 雪", "\\/ 雪"))
    fail("manifest", "member twice", "malformed", '{"account":"123456789012",' + canonical(manifest).decode()[1:])
    fail("manifest", "parts do not add up", "malformed", changed(manifest, size=1001))
    fail("manifest", "no parts", "malformed", changed(manifest, parts=[], size=0))
    fail("manifest", "no keys", "malformed", changed(manifest, keys=[]))
    fail("manifest", "uppercase hash", "malformed", changed(manifest, treeHash=named("tree").hex().upper()))
    fail("manifest", "short account", "malformed", changed(manifest, account="12345678901"))
    fail("manifest", "negative size", "malformed", changed(manifest, size=-1))
    fail("manifest", "size beyond 2^53", "malformed", changed(manifest, size=2**53))
    fail("manifest", "fraction", "malformed", canonical(manifest).decode().replace('"size":1000', '"size":1000.0'))
    fail("manifest", "short seal header", "malformed", changed(manifest, parts=[part | {"sealHeader": "00"}]))
    fail("manifest", "unpadded base64", "malformed",
         changed(manifest, keys=[manifest["keys"][0] | {"wrapped": "QUI"}]))
    fail("manifest", "not an object", "malformed", "[]")
    fail("manifest", "empty", "malformed", "")
    fail("record", "unknown critical member", "unknownCritical", changed(record, critical=["x"]))
    fail("record", "unknown type", "newerVersion", changed(record, type="grant"))
    fail("record", "body missing", "malformed", changed(record, body=...))
    fail("record", "newer version", "newerVersion", changed(record, version=9))
    write("documents.json", {
        "note": "Docs/Formats/README.md, Manifest-v1.md, Record-v1.md. A reader decodes `document` and writes back the same bytes; opening "
                "`blob` gives `document`.",
        "manifests": [sealed("plain", manifest, preamble(2, ARCHIVE, 1, 1), named("vault key")),
                      sealed("with members of the future", future, preamble(2, ARCHIVE, 1, 2), named("vault key"))],
        "records": [sealed("vault", record, preamble(3, VAULT, 1, 3), named("master key")),
                    sealed("with members of the future", changed(record, extra=[1, 2, {"b": None, "a": True}]),
                           preamble(3, VAULT, 1, 4), named("master key"))],
        "mustFail": fails})


# --- keys.json ---------------------------------------------------------------------------------------------------------

def identifier(kind, uid, vault, random, account=ACCOUNT, key=named("identifier key")):
    body = bytes([kind]) + uid + vault + random
    mac = hmac.new(key, b"coldvault/id/v1\0" + account.encode() + body, hashlib.sha256).digest()[:16]
    return base64.urlsafe_b64encode(body + mac).decode().rstrip("=")


def reference(root):
    return HKDFExpand(SHA512(), 16, b"coldvault/root-key-reference/v1").derive(root)


CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def recovery_text(key):
    payload = key + hashlib.sha256(b"coldvault/recovery-key/v1\0" + key).digest()[:3]
    number = int.from_bytes(payload, "big")
    digits = "".join(CROCKFORD[number >> (5 * i) & 31] for i in reversed(range(56)))
    return "CVRK1" + "".join("-" + digits[i:i + 7] for i in range(0, 56, 7))


def keys():
    root, recovery = named("root key"), named("recovery key")
    version = struct.pack(">I", 1)
    files = []
    for purpose, key in [("master", named("master key")), ("identifier", named("identifier key")), ("signing", named("signing seed")),
                         ("audit", named("audit key")), ("recovery", recovery)]:
        context = wrap_context(purpose + "-key", version)
        slots = [{"custody": custody, "reference": reference(holder).hex(),
                  "wrapped": base64.b64encode(wrap(key, holder, context, purpose + custody)).decode()}
                 for custody, holder in [("file", root), ("recovery", recovery)]]
        document = {"format": "coldvault-key", "version": 1, "critical": [], "purpose": purpose, "keyVersion": 1,
                    "created": 1700000000000, "generation": 1, "slots": slots}
        files.append({"name": f"{purpose}-000001.json", "document": canonical(document).decode(), "key": key.hex()})
    last = json.loads(files[0]["document"])
    swapped = last | {"keyVersion": 2}
    bad_files = [
        ("one slot", "malformed", last | {"slots": last["slots"][:1]}), ("newer version", "newerVersion", last | {"version": 2}),
        ("unknown purpose", "newerVersion", last | {"purpose": "quorum"}), ("version zero", "malformed", last | {"keyVersion": 0}),
        ("unknown critical member", "unknownCritical", last | {"critical": ["threshold"]}),
        ("seventeen slots", "limitExceeded", last | {"slots": last["slots"][:1] * 17}),
    ]
    account = ACCOUNT.encode()
    contexts = {
        "master-key": wrap_context("master-key", struct.pack(">I", 3)), "identifier-key": wrap_context("identifier-key", struct.pack(">I", 3)),
        "recovery-key": wrap_context("recovery-key", struct.pack(">I", 3)),
        "signing-key": wrap_context("signing-key", struct.pack(">I", 3)), "audit-key": wrap_context("audit-key", struct.pack(">I", 3)),
        "vault-key": wrap_context("vault-key", account + VAULT + struct.pack(">I", 3)),
        "data-key": wrap_context("data-key", account + VAULT + ARCHIVE), "job-key": wrap_context("job-key", account + VAULT + OTHER)}
    wraps = [{"purpose": purpose, "context": context.hex(), "under": named("wrapping key").hex(), "key": named("wrapped key").hex(),
              "salt": named("wrap salt " + purpose, 24).hex(), "wrapped": wrap(named("wrapped key"), named("wrapping key"), context, purpose).hex()}
             for purpose, context in contexts.items()]
    column_context = b"coldvault/column/v1\0archives\0" + ARCHIVE
    texts = [{"key": key.hex(), "text": recovery_text(key)} for key in [recovery, bytes(32), b"\xff" * 32]]
    text = texts[0]["text"]
    typo = text[:8] + ("A" if text[8] != "A" else "B") + text[9:]
    moved = text[:6] + text[7] + text[6] + text[8:]
    assert moved != text
    write("keys.json", {
        "note": "Docs/Formats/Keyring-v1.md, Identifier-v1.md, Record-v1.md §4.", "rootKey": root.hex(), "recoveryKey": recovery.hex(),
        "rootReference": reference(root).hex(), "recoveryReference": reference(recovery).hex(), "account": ACCOUNT, "vault": VAULT.hex(),
        "archive": ARCHIVE.hex(), "staged": OTHER.hex(), "version": 3, "files": files,
        "badFiles": [{"name": name, "error": error, "document": canonical(value).decode()} for name, error, value in bad_files],
        "fileWithSwappedVersion": {"document": canonical(swapped).decode(), "error": "wrongKeyOrContext"},
        "wraps": wraps,
        "column": {"table": "archives", "row": ARCHIVE.hex(), "key": named("vault key").hex(), "plaintext": b"a description".hex(),
                   "sealed": seal(b"a description", named("vault key"), column_context, named("column salt", 24)).hex()},
        "recoveryTexts": texts,
        "recoveryVariants": [text.lower(), text.replace("-", ""), text.replace("-", " "), text.replace("0", "O").replace("1", "l").replace("CVRKl", "CVRK1"),
                             "  " + text + "\n"],
        "badRecoveryTexts": [
            {"name": "typing error", "text": typo, "error": "wrongChecksum"}, {"name": "two characters swapped", "text": moved, "error": "wrongChecksum"},
            {"name": "a letter U", "text": text[:-1] + "U", "error": "invalidCharacter"}, {"name": "one short", "text": text[:-1], "error": "invalidLength"},
            {"name": "one long", "text": text + "0", "error": "invalidLength"}, {"name": "no prefix", "text": text[6:], "error": "missingPrefix"},
            {"name": "empty", "text": "", "error": "missingPrefix"}],
        "identifierKey": named("identifier key").hex(),
        "identifiers": [
            {"kind": kind, "uid": uid.hex(), "vault": VAULT.hex(), "random": named("id random", count).hex(), "account": ACCOUNT,
             "text": identifier(kind, uid, VAULT, named("id random", count))}
            for kind, uid, count in [(1, ARCHIVE, 54), (2, OTHER, 20), (3, OTHER, 20)]],
        "badIdentifiers": bad_identifiers()})


def bad_identifiers():
    good = identifier(1, ARCHIVE, VAULT, named("id random", 54))
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    tail = last[last.index(good[-1]) + 1]
    return [
        {"name": "another account", "kind": 1, "account": "999999999999", "text": good},
        {"name": "upload read as archive", "kind": 1, "account": ACCOUNT, "text": identifier(2, ARCHIVE, VAULT, named("id random", 20))},
        {"name": "one short", "kind": 1, "account": ACCOUNT, "text": good[:-1]},
        {"name": "one long", "kind": 1, "account": ACCOUNT, "text": good + "A"},
        {"name": "unused bits set", "kind": 1, "account": ACCOUNT, "text": good[:-1] + tail},
        {"name": "standard alphabet", "kind": 1, "account": ACCOUNT, "text": good[:60] + "+" + good[61:]},
        {"name": "one bit flipped", "kind": 1, "account": ACCOUNT, "text": good[:40] + last[last.index(good[40]) ^ 1] + good[41:]},
        {"name": "forged", "kind": 1, "account": ACCOUNT, "text": identifier(1, ARCHIVE, VAULT, named("id random", 54), key=bytes(32))},
        {"name": "empty", "kind": 1, "account": ACCOUNT, "text": ""}]


# --- sessions.json -----------------------------------------------------------------------------------------------------

def sessions():
    """Docs/Formats/Session-v1.md."""
    master, context = named("master key"), b"coldvault/session/v1"
    root = {"version": 1, "account": ACCOUNT, "user": None, "principalCreated": 1700000000000, "accessKeyId": "CVTK0123456789ABCDEF",
            "secret": "abcdefghijABCDEFGHIJ0123456789klmnopqrst", "expires": 1700003600000, "policy": None}
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"glacier:List*","Resource":"*"}]}'
    user = root | {"user": "anna@example.org", "policy": policy}

    def token(value, name, version=1, master_version=3, key=master, context=context, plain=None):
        sealed = seal(canonical(value) if plain is None else plain, key, context, named("session salt " + name, 24))
        return base64.b64encode(bytes([version]) + struct.pack(">I", master_version) + sealed).decode()

    good = token(root, "root")
    raw = base64.b64decode(good)
    spaced = json.dumps(root).encode()
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    padding = len(good) - len(good.rstrip("="))
    stem = good.rstrip("=")
    assert padding > 0
    write("sessions.json", {
        "note": "Docs/Formats/Session-v1.md. None of mustFail opens with the same master key.", "masterVersion": 3, "masterKey": master.hex(),
        "tokens": [{"name": name, "salt": named("session salt " + name, 24).hex(), "content": value, "token": token(value, name)}
                   for name, value in [("root", root), ("user with a policy", user)]],
        "mustFail": [
            {"name": "empty", "token": ""}, {"name": "head only", "token": base64.b64encode(raw[:5]).decode()},
            {"name": "newer version", "token": token(root, "newer", version=2)},
            {"name": "unknown master key version", "token": token(root, "unknown", master_version=4)},
            {"name": "another key", "token": token(root, "key", key=named("other key"))},
            {"name": "another context", "token": token(root, "context", context=b"coldvault/session/v2")},
            {"name": "one bit flipped", "token": base64.b64encode(raw[:100] + bytes([raw[100] ^ 1]) + raw[101:]).decode()},
            {"name": "one byte short", "token": base64.b64encode(raw[:-1]).decode()},
            {"name": "one byte long", "token": base64.b64encode(raw + b"\0").decode()},
            {"name": "without padding", "token": stem}, {"name": "with a line feed", "token": good + "\n"},
            {"name": "unused bits set", "token": stem[:-1] + last[last.index(stem[-1]) + 1] + "=" * padding},
            {"name": "not canonical", "token": token(root, "spaces", plain=spaced)},
            {"name": "not JSON", "token": token(root, "text", plain=b"a session")},
            {"name": "document version 2", "token": token(root | {"version": 2}, "document")},
            {"name": "no account number", "token": token(root | {"account": "12345678901"}, "account")},
            {"name": "no such user name", "token": token(root | {"user": "a b"}, "name")},
            {"name": "a number for a user", "token": token(root | {"user": 7}, "number")},
            {"name": "a list for a policy", "token": token(root | {"policy": []}, "policy")},
            {"name": "no expiry", "token": token({k: v for k, v in root.items() if k != "expires"}, "forever")},
            {"name": "a member too many", "token": token(root | {"admin": True}, "member")}]})


# --- curves.json, statements.json ----------------------------------------------------------------------------------------

def curves():
    """RFC 8032 section 7.1, RFC 7748 sections 5.2 and 6.1, and HKDF with Extract, computed by another library than the service's."""
    messages = [b"", b"\x72", b"\xaf\x82", named("message", 1023)]
    seeds = ["9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
             "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", named("seed").hex()]
    signatures = []
    for seed, message in zip(seeds, messages):
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        signatures.append({"seed": seed, "publicKey": key.public_key().public_bytes_raw().hex(), "message": message.hex(),
                           "signature": key.sign(message).hex()})
    # The figures printed in RFC 8032, so that this script cannot agree with itself alone.
    assert signatures[0]["publicKey"] == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert signatures[1]["signature"].startswith("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da")
    assert signatures[2]["signature"].startswith("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac")
    agreements = []
    for own, peer in [("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"),
                      (named("own").hex(), named("peer").hex())]:
        own, peer = (X25519PrivateKey.from_private_bytes(bytes.fromhex(text)) for text in (own, peer))
        agreements.append({"secret": own.private_bytes_raw().hex(), "publicKey": own.public_key().public_bytes_raw().hex(),
                           "peerSecret": peer.private_bytes_raw().hex(), "peer": peer.public_key().public_bytes_raw().hex(),
                           "shared": own.exchange(peer.public_key()).hex()})
    assert agreements[0]["publicKey"] == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    assert agreements[0]["shared"] == "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    derivations = [{"secret": named("input").hex(), "salt": salt.hex(), "info": info.hex(),
                    "extracted": hmac.new(salt, named("input"), hashlib.sha512).hexdigest(),
                    "key": HKDF(SHA512(), 32, salt, info).derive(named("input")).hex()}
                   for salt, info in [(b"", b""), (named("salt"), b"coldvault"), (named("long salt", 200), b"x" * 80)]]
    write("curves.json", {
        "note": "RFC 8032 section 7.1 (the first three), RFC 7748 section 6.1 (the first), RFC 5869 with SHA-512.", "ed25519": signatures,
        "x25519": agreements, "x25519Unusable": ["00" * 32, "01" + "00" * 31, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"],
        "hkdf": derivations})


def statements():
    """Docs/Formats/Statement-v1.md."""
    key, other = (Ed25519PrivateKey.from_private_bytes(named(label)) for label in ("signing seed", "other seed"))
    public, stranger = (pair.public_key().public_bytes_raw().hex() for pair in (key, other))

    def sign(document, pair=key, label=b"coldvault/statement/v1\0"):
        return document | {"signature": base64.b64encode(pair.sign(label + canonical(document))).decode()}

    base = {"format": "coldvault-statement", "version": 1, "critical": [], "type": "certificate", "created": 1700000000000,
            "service": public, "body": {"scope": "vault", "keyVersion": 3, "blobsNaming": 0, "vaultName": "Häuser"}}
    good = sign(base)
    raw = canonical(good).decode()
    body = base["body"]
    unsigned = {k: v for k, v in good.items() if k != "signature"}
    fails = [
        ("a changed body", "wrongSignature", canonical(good | {"body": body | {"keyVersion": 4}})),
        ("a changed type", "wrongSignature", canonical(good | {"type": "receipt"})), ("a changed time", "wrongSignature", canonical(good | {"created": 1})),
        ("a member added", "wrongSignature", canonical(good | {"note": "x"})), ("a signature of another key", "wrongSignature", canonical(sign(base, other))),
        ("a key that did not sign", "wrongSignature", canonical(good | {"service": stranger})),
        ("signed without the label", "wrongSignature", canonical(sign(base, label=b""))),
        ("a signature of 63 bytes", "wrongSignature", canonical(good | {"signature": base64.b64encode(base64.b64decode(good["signature"])[:63]).decode()})),
        ("no signature", "malformed", canonical(unsigned)), ("a type with a space", "malformed", canonical(sign(base | {"type": "a b"}))),
        ("a short public key", "malformed", canonical(sign(base | {"service": public[2:]}))),
        ("newer version", "newerVersion", canonical(sign(base | {"version": 2}))),
        ("unknown critical member", "unknownCritical", canonical(sign(base | {"critical": ["quorum"]}))),
        ("another format", "malformed", canonical(sign(base | {"format": "coldvault-manifest"}))),
        ("not canonical", "malformed", json.dumps(good, ensure_ascii=False).encode()), ("no JSON", "malformed", b"a statement"), ("empty", "malformed", b"")]
    write("statements.json", {
        "note": "Docs/Formats/Statement-v1.md. mustFail: decoding fails with this class. The stranger signs well, and is not the service.",
        "seed": named("signing seed").hex(), "publicKey": public, "otherPublicKey": stranger, "statement": raw,
        "withUnknownMembers": canonical(sign(base | {"type": "something-new", "note": {"a": [1, 2]}})).decode(),
        "ofAStranger": canonical(sign(base | {"service": stranger}, other)).decode(),
        "mustFail": [{"name": name, "error": error, "document": text.decode()} for name, error, text in fails]})


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    seal_vectors()
    blob_vectors()
    part_vectors()
    documents()
    keys()
    sessions()
    curves()
    statements()
