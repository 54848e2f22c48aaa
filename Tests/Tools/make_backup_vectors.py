#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes Tests/Vectors/backup.json from Docs/Formats/Backup-v1.md alone; shares no code with the service or the reader.

    python3 -m venv v && v/bin/pip install cryptography && v/bin/python Tests/Tools/make_backup_vectors.py

The output is deterministic.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

OUT = pathlib.Path(__file__).resolve().parent.parent / "Vectors" / "backup.json"
CHUNK = 16384
HEAD, TAIL = bytes.fromhex("894356424B0D0A1A"), bytes.fromhex("89435642450D0A1A")
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def named(label, count=32):
    """Reproducible bytes with a name."""
    return hashlib.shake_256(b"coldvault backup vector " + label.encode()).digest(count)


def public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def key_id(public_key):
    return hashlib.sha256(b"coldvault/backup-key-id/v1\0" + public_key).digest()[:16]


def key_text(private):
    payload = private + hashlib.sha256(b"coldvault/backup-key/v1\0" + private).digest()[:3]
    number = int.from_bytes(payload, "big")
    digits = "".join(DIGITS[number >> 5 * (55 - i) & 31] for i in range(56))
    return "CVBK1-" + "-".join(digits[i:i + 7] for i in range(0, 56, 7))


def seal(plaintext, key, context, salt):
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    okm = HKDFExpand(SHA512(), 76, info).derive(key)
    base, out = int.from_bytes(okm[32:44], "big"), salt + okm[44:]
    for i in range(len(plaintext) // CHUNK + 1):
        out += AESGCM(okm[:32]).encrypt((base ^ i).to_bytes(12, "big"), plaintext[i * CHUNK:(i + 1) * CHUNK], None)
    return out


SERVICE = Ed25519PrivateKey.from_private_bytes(named("service seed"))
RECIPIENTS = [named("recipient one"), named("recipient two")]
EPHEMERAL = named("ephemeral")


def fixed_header(kind, count, created=1_790_000_000_123, generation=42, version=1, suite=1, magic=HEAD):
    return (magic + struct.pack(">BBHIQQ", kind, version, suite, count, created, generation)
            + SERVICE.public_key().public_bytes_raw() + named("salt") + public(EPHEMERAL))


def wrap(fixed, recipient, file_key, number):
    shared = X25519PrivateKey.from_private_bytes(EPHEMERAL).exchange(X25519PublicKey.from_public_bytes(recipient))
    prk = hmac.new(fixed[64:96], shared, hashlib.sha512).digest()
    info = b"coldvault/backup-key-wrap/v1\0" + fixed + recipient
    wrapping = HKDFExpand(SHA512(), 32, info).derive(prk)
    return key_id(recipient) + seal(file_key, wrapping, info, named(f"wrap salt {number}", 24)), wrapping


def trailer(body, magic=TAIL, length=None, signer=SERVICE):
    length = len(body) if length is None else length
    tail = struct.pack(">Q", length) + hashlib.sha256(body).digest()
    return magic + tail + signer.sign(b"coldvault/backup-signature/v1\0" + tail)


def backup(kind, payload, recipients, **fields):
    fixed = fixed_header(kind, len(recipients), **fields)
    header = fixed + b"".join(wrap(fixed, public(r), named("file key"), i)[0] for i, r in enumerate(recipients))
    body = header + seal(payload, named("file key"), b"coldvault/backup/v1\0" + header, named("body salt", 24))
    return body + trailer(body)


def canonical(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def keyring(files, **members):
    return canonical({
        "format": "coldvault-keyring-backup", "version": 1, "critical": [],
        "files": [{"name": name, "content": base64.b64encode(content).decode()} for name, content in files], **members})


GOOD_FILES = [("backup-recipients.json", b"{}"), ("format.json", b'{"format":"coldvault-data"}'),
              ("keys/identifier-000001.json", b"first"), ("keys/master-000001.json", b"second")]


def resigned(body):
    return body + trailer(body)


def failing(data):
    """Files that a reader must refuse without any key, with the class."""
    cases = []

    def add(name, changed, error):
        cases.append({"name": name, "file": changed.hex(), "error": error})

    body = data[:-112]
    def patch(source, at, value):
        return source[:at] + value + source[at + len(value):]

    add("another magic", patch(data, 0, b"\x88"), "notABlob")
    add("a blob of the store", bytes.fromhex("89434C44560D0A1A") + data[8:], "notABlob")
    add("empty", b"", "notABlob")
    add("magic only", data[:8], "truncated")
    add("header cut", data[:100], "truncated")
    add("kind 0", patch(data, 8, b"\0"), "newerVersion")
    add("kind 3", patch(data, 8, b"\3"), "newerVersion")
    add("version 2", patch(data, 9, b"\2"), "newerVersion")
    add("suite 2", patch(data, 10, b"\0\2"), "unknownSuite")
    add("no recipient", patch(data, 12, b"\0\0\0\0"), "malformed")
    add("17 recipients", patch(data, 12, b"\0\0\0\x11"), "malformed")
    add("more recipients than there is room for", patch(data, 12, b"\0\0\0\x10"), "truncated")
    add("the same recipient twice", patch(data, 128 + 120, data[128:144]), "malformed")
    add("trailer cut off", data[:-112], "truncated")
    add("one byte cut off", data[:-1], "truncated")
    add("one byte more", data + b"\0", "truncated")
    add("a byte out of the middle", data[:500] + data[501:], "truncated")
    add("another magic of the trailer", patch(data, len(data) - 112, b"\x88"), "truncated")
    add("another length in the trailer", body + trailer(body, length=len(body) + 1), "truncated")
    add("shorter than header, seal and trailer", data[:368 + 71] + trailer(data[:368 + 71]), "truncated")
    for name, at in [("created", 17), ("generation", 31), ("service", 40), ("salt", 70), ("ephemeral", 100), ("key id", 130),
                     ("wrapped key", 150), ("seal header", 370), ("ciphertext", len(body) - 20), ("last byte of the message", len(body) - 1)]:
        add(f"a bit flipped: {name}", patch(data, at, bytes([data[at] ^ 1])), "tampered")
    add("a bit flipped: digest", patch(data, len(data) - 96, bytes([data[-96] ^ 1])), "tampered")
    add("a bit flipped: signature", patch(data, len(data) - 64, bytes([data[-64] ^ 1])), "wrongSignature")
    add("signed by another service", body + trailer(body, signer=Ed25519PrivateKey.from_private_bytes(named("stranger"))), "wrongSignature")
    return cases


def failing_with_key(data):
    """Files whose trailer is right, made by somebody who has the signing key: only opening finds them out."""
    cases = []
    body = data[:-112]

    def add(name, at, error):
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]
        cases.append({"name": name, "file": resigned(changed).hex(), "error": error})

    add("created", 23, "wrongKeyOrContext")
    add("generation", 31, "wrongKeyOrContext")
    add("salt", 64, "wrongKeyOrContext")
    add("ephemeral", 97, "wrongKeyOrContext")
    add("key id", 128, "wrongIdentity")
    add("salt of the wrap", 144, "wrongKeyOrContext")
    add("commitment of the wrap", 144 + 24, "wrongKeyOrContext")
    add("wrapped key", 144 + 56, "tampered")
    add("the other recipient", 128 + 120 + 20, "wrongKeyOrContext")
    add("salt of the message", 368, "wrongKeyOrContext")
    add("first chunk", 368 + 56, "tampered")
    add("last tag", len(body) - 1, "tampered")
    cut = body[:-1]
    cases.append({"name": "message cut by a byte", "file": resigned(cut).hex(), "error": "tampered"})
    fixed = fixed_header(1, 1)
    zero = fixed[:96] + bytes(32)
    header = zero + data[128:248]
    low = header + body[368:]
    cases.append({"name": "ephemeral key of low order", "file": resigned(low).hex(), "error": "wrongKeyOrContext"})
    return cases


def bad_documents():
    def case(name, document, error):
        return {"name": name, "document": document.decode(), "error": error}

    good = GOOD_FILES
    return [
        case("no files", keyring([]), "malformed"),
        case("not in order", keyring(list(reversed(good))), "malformed"),
        case("a name twice", keyring([good[2], good[2]]), "malformed"),
        case("a path upwards", keyring([("keys/../root.json", b"x")]), "malformed"),
        case("an absolute path", keyring([("/keys/a.json", b"x")]), "malformed"),
        case("the catalog", keyring([("catalog.sqlite", b"x")]), "malformed"),
        case("an uppercase name", keyring([("keys/A.json", b"x")]), "malformed"),
        case("a name without end", keyring([("keys/" + "a" * 65 + ".json", b"x")]), "malformed"),
        case("empty content", keyring([("keys/a.json", b"")]), "malformed"),
        case("content of 64 KiB and a byte", keyring([("keys/a.json", bytes(65537))]), "malformed"),
        case("another format", keyring(good, format="coldvault-key"), "malformed"),
        case("version 2", keyring(good, version=2), "newerVersion"),
        case("critical", keyring(good, critical=["files"]), "unknownCritical"),
        case("whitespace", keyring(good) + b" ", "malformed"),
    ]


def main():
    catalog_payload = b"SQLite format 3\0" + hashlib.shake_256(b"a catalog").digest(20_000)
    catalog = backup(1, catalog_payload, RECIPIENTS)
    fixed = fixed_header(1, 2)
    document = {
        "keys": [{"private": r.hex(), "public": public(r).hex(), "id": key_id(public(r)).hex(), "text": key_text(r)} for r in RECIPIENTS],
        "badKeyTexts": [
            {"name": "a recovery key", "text": "CVRK1" + key_text(RECIPIENTS[0])[5:]},
            {"name": "a typing error", "text": key_text(RECIPIENTS[0])[:-1] + ("0" if key_text(RECIPIENTS[0])[-1] != "0" else "1")},
            {"name": "cut", "text": key_text(RECIPIENTS[0])[:-1]},
            {"name": "U", "text": key_text(RECIPIENTS[0])[:6] + "U" + key_text(RECIPIENTS[0])[7:]},
        ],
        "service": {"seed": named("service seed").hex(), "public": SERVICE.public_key().public_bytes_raw().hex()},
        "stranger": named("recipient three").hex(),
        "fixedHeader": fixed.hex(),
        "ephemeralPrivate": EPHEMERAL.hex(),
        "fileKey": named("file key").hex(),
        "wrapSalts": [named(f"wrap salt {i}", 24).hex() for i in range(2)],
        "bodySalt": named("body salt", 24).hex(),
        "wrappingKeys": [wrap(fixed, public(r), named("file key"), i)[1].hex() for i, r in enumerate(RECIPIENTS)],
        "catalog": {"payload": catalog_payload.hex(), "file": catalog.hex(), "created": 1_790_000_000_123, "generation": 42},
        "keyring": {
            "document": keyring(GOOD_FILES).decode(), "file": backup(2, keyring(GOOD_FILES), RECIPIENTS[:1], generation=0).hex(),
            "files": [{"name": name, "content": content.hex()} for name, content in GOOD_FILES]},
        "empty": {"payload": "", "file": backup(1, b"", RECIPIENTS[:1]).hex()},
        "mustFail": failing(backup(1, b"SQLite format 3\0" + bytes(100), RECIPIENTS)),
        "mustFailToOpen": failing_with_key(backup(1, b"SQLite format 3\0" + bytes(100), RECIPIENTS)),
        "badDocuments": bad_documents(),
    }
    OUT.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
