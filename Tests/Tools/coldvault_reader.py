#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a Coldvault data directory without Coldvault: from blobs/, keys/ and a root key alone, written from Docs/Formats.

    coldvault_reader.py --data-dir DIR (--root-key-file FILE | --recovery-key-file FILE) list [--json]
    coldvault_reader.py --data-dir DIR (--root-key-file FILE | --recovery-key-file FILE) extract --archive ID --output FILE
    coldvault_reader.py --data-dir DIR (--root-key-file FILE | --recovery-key-file FILE) verify

    coldvault_reader.py backup --file BACKUP [--backup-key-file FILE] [--output FILE]

The last form verifies a backup (Docs/Formats/Backup-v1.md) and, with the private half of its key (CVBK1-…), writes what it holds: an SQLite
database, or the document with the key files.

A recovery key file holds the text CVRK1-… that was printed once; `-` reads it from standard input. (--recovery-key TEXT works as well, but
other users of the machine can read command lines.)

Never opens the catalog, writes nothing but the output, and gives no byte that did not verify. Needs Python 3.9 and `cryptography`; uses
`lz4` if it is there. Exit status: 0 all well, 1 something did not verify or was not found, 2 wrong usage.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import struct
import sys
import tempfile

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

try:
    import lz4.block
except ImportError:
    lz4 = None

MIB = 1 << 20
CHUNK, TAG, HEADER, PREAMBLE = 16384, 16, 56, 40
ENTRY, FOOTER = 41, 24
MAGIC = bytes.fromhex("89434C44560D0A1A")
PART, MANIFEST, RECORD = 1, 2, 3
MAX_DOCUMENT = 16 << 20


class FormatError(Exception):
    """`failure` is one of the classes of Docs/Formats/README.md."""

    def __init__(self, failure, detail=""):
        super().__init__(f"{failure}: {detail}" if detail else failure)
        self.failure = failure


def require(condition, failure, detail=""):
    if not condition:
        raise FormatError(failure, detail)


# --- Seal-v1 -----------------------------------------------------------------------------------------------------------

class Message:
    """A sealed message whose bytes are fetched by `read(start, end)`, counted from the salt."""

    def __init__(self, key, context, length, read):
        body = length - HEADER
        require(length >= HEADER + TAG and body % (CHUNK + TAG) >= TAG, "truncated")
        self.read, self.length = read, length
        self.chunks = body // (CHUNK + TAG) + 1
        self.plaintext_length = body - TAG * self.chunks
        self.header = read(0, HEADER)
        info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + self.header[:24] + context
        derived = HKDFExpand(SHA512(), 76, info).derive(key)
        require(hmac.compare_digest(derived[44:], self.header[24:]), "wrongKeyOrContext")
        self.aead, self.nonce = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big")

    def range(self, start, end):
        """Plaintext bytes start ..< end; with the last chunk if they reach the end."""
        require(0 <= start <= end <= self.plaintext_length, "malformed", "range outside the message")
        first = start // CHUNK
        last = self.chunks if end == self.plaintext_length else -(-end // CHUNK)
        sealed = self.read(HEADER + first * (CHUNK + TAG), min(HEADER + last * (CHUNK + TAG), self.length))
        plain = []
        for chunk in range(first, last):
            piece = sealed[(chunk - first) * (CHUNK + TAG):(chunk - first + 1) * (CHUNK + TAG)]
            try:
                plain.append(self.aead.decrypt((self.nonce ^ chunk).to_bytes(12, "big"), piece, None))
            except (InvalidTag, ValueError):
                raise FormatError("tampered", f"chunk {chunk}") from None
        return b"".join(plain)[start - first * CHUNK:end - first * CHUNK]


def open_message(sealed, key, context):
    message = Message(key, context, len(sealed), lambda start, end: sealed[start:end])
    return message.range(0, message.plaintext_length)


# --- Blob-v1 -----------------------------------------------------------------------------------------------------------

class Preamble:
    def __init__(self, data):
        self.bytes = data[:PREAMBLE]
        require(data[:8] == MAGIC, "notABlob")
        require(len(self.bytes) == PREAMBLE, "malformed", "blob shorter than its preamble")
        self.kind, version, suite, self.uid, self.index, self.number = struct.unpack(">BBH16sIQ", self.bytes[8:])
        require(version == 1, "newerVersion", f"blob format {version}")
        require(1 <= self.kind <= 4, "newerVersion", f"blob kind {self.kind}")
        require(suite == 1, "unknownSuite", str(suite))

    def expect(self, **fields):
        for name, value in fields.items():
            require(getattr(self, name) == value, "wrongIdentity", f"{name} of the preamble")

    def context(self, account, vault):
        return b"coldvault/blob/v1\0" + self.bytes + account.encode() + vault


def open_document(path, account, vault, keys, **expected):
    """The document in a small blob; `keys` maps key versions to keys."""
    data = path.read_bytes()
    require(len(data) <= MAX_DOCUMENT * 2, "limitExceeded", "document too long")
    preamble = Preamble(data)
    preamble.expect(**expected)
    require(preamble.index in keys, "wrongKeyOrContext", f"no key of version {preamble.index}")
    plain = open_message(data[PREAMBLE:], keys[preamble.index], preamble.context(account, vault))
    return preamble, plain


def canonical(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def decode(data, name):
    """A document in canonical JSON, with its envelope checked."""
    try:
        value = json.loads(data.decode("utf-8", "strict"))
        require(isinstance(value, dict) and canonical(value) == data, "malformed", f"{name} is not canonical JSON")
    except (ValueError, UnicodeError, RecursionError):
        raise FormatError("malformed", f"{name} is not JSON") from None
    require(value.get("format") == name, "malformed", f"not a {name}")
    require(type(value.get("version")) is int, "malformed", f"{name} without version")
    require(value["version"] == 1, "newerVersion", f"{name} version {value['version']}")
    require(value.get("critical") == [], "unknownCritical", str(value.get("critical")))
    return value


# --- Keyring-v1 --------------------------------------------------------------------------------------------------------

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def recovery_key(text, prefix="CVRK1", label=b"coldvault/recovery-key/v1"):
    text = re.sub(r"[-\s]", "", text).upper()
    require(text.startswith(prefix), "malformed", f"such a key starts with {prefix}")
    digits = text[5:].translate(str.maketrans("OIL", "011"))
    require(len(digits) == 56 and all(c in CROCKFORD for c in digits), "malformed", "not a printed key")
    number = 0
    for digit in digits:
        number = number << 5 | CROCKFORD.index(digit)
    payload = number.to_bytes(35, "big")
    key = payload[:32]
    checksum = hashlib.sha256(label + b"\0" + key).digest()[:3]
    require(hmac.compare_digest(checksum, payload[32:]), "malformed", "typing error in the printed key")
    return key


def wrap_context(purpose, fields):
    return b"coldvault/wrap/v1\0" + purpose.encode() + b"\0" + fields


def unwrap(wrapped, under, purpose, fields):
    sealed = base64.b64decode(wrapped, validate=True)
    require(len(sealed) == 104, "malformed", "a key wrap has 104 bytes")
    return open_message(sealed, under, wrap_context(purpose, fields))


def open_keyring(folder, root):
    """The master keys by version. Files that this root key does not open are an error: the directory needs them."""
    reference = HKDFExpand(SHA512(), 16, b"coldvault/root-key-reference/v1").derive(root).hex()
    masters = {}
    for path in sorted(folder.glob("*.json")):
        file = decode(path.read_bytes(), "coldvault-key")
        if file["purpose"] != "master":
            continue
        slot = next((slot for slot in file["slots"] if slot["reference"] == reference), None)
        require(slot is not None, "wrongKeyOrContext", f"{path.name} has no slot for this root key")
        version = file["keyVersion"]
        masters[version] = unwrap(slot["wrapped"], root, "master-key", struct.pack(">I", version))
    require(masters, "malformed", "keys/ holds no master key")
    return masters


# --- Part-v1 -----------------------------------------------------------------------------------------------------------

def inflate(block, length):
    """One LZ4 block that must give exactly `length` bytes."""
    if lz4 is not None:
        try:
            plain = lz4.block.decompress(block, uncompressed_size=length)
        except Exception:
            raise FormatError("malformed", "LZ4 block") from None
        require(len(plain) == length, "malformed", "LZ4 block of another length")
        return plain
    out, at = bytearray(), 0
    try:
        while True:
            token = block[at]
            at += 1
            literals = token >> 4
            if literals == 15:
                while True:
                    literals += block[at]
                    at += 1
                    if block[at - 1] != 255:
                        break
            require(at + literals <= len(block) and len(out) + literals <= length, "malformed", "LZ4 block")
            out += block[at:at + literals]
            at += literals
            if at == len(block):
                break
            offset = block[at] | block[at + 1] << 8
            at += 2
            count = (token & 15) + 4
            if count == 19:
                while True:
                    count += block[at]
                    at += 1
                    if block[at - 1] != 255:
                        break
            require(0 < offset <= len(out) and len(out) + count <= length, "malformed", "LZ4 block")
            start = len(out) - offset
            if offset >= count:
                out += out[start:start + count]
            else:
                pattern = bytes(out[start:])
                out += (pattern * (count // offset + 1))[:count]
    except IndexError:
        raise FormatError("malformed", "LZ4 block") from None
    require(len(out) == length, "malformed", "LZ4 block of another length")
    return bytes(out)


def tree_hash(leaves):
    level = list(leaves) or [hashlib.sha256(b"").digest()]
    while len(level) > 1:
        level = [hashlib.sha256(level[i] + level[i + 1]).digest() if i + 1 < len(level) else level[i]
                 for i in range(0, len(level), 2)]
    return level[0]


def part_frames(file, size, expected, account, vault, key, seal_header):
    """The leaves of a part with their hashes, each verified."""

    def read(start, end):
        file.seek(start)
        data = file.read(end - start)
        require(len(data) == end - start, "truncated", "blob read short")
        return data

    file.seek(0)
    preamble = Preamble(file.read(PREAMBLE))
    preamble.expect(kind=PART, **expected)
    require(size >= PREAMBLE + HEADER, "truncated")
    require(read(PREAMBLE, PREAMBLE + HEADER).hex() == seal_header, "wrongSealHeader")
    body = Message(key, preamble.context(account, vault), size - PREAMBLE, lambda a, b: read(PREAMBLE + a, PREAMBLE + b))
    total = body.plaintext_length
    require(total >= FOOTER, "malformed", "body shorter than its footer")
    length, count, index = struct.unpack(">QQQ", body.range(total - FOOTER, total))
    require(length <= 4 << 30, "limitExceeded", "part too long")
    require(count == -(-length // MIB) and count <= index <= length and total == index + ENTRY * count + FOOTER,
            "malformed", "footer")
    entries = body.range(index, index + ENTRY * count)
    start = 0
    for frame in range(count):
        end, codec = struct.unpack(">QB", entries[frame * ENTRY:frame * ENTRY + 9])
        digest = entries[frame * ENTRY + 9:(frame + 1) * ENTRY]
        leaf_length = min(MIB, length - frame * MIB)
        require(codec in (0, 1), "newerVersion", f"frame codec {codec}")
        require(start < end <= index and (frame < count - 1 or end == index), "malformed", "index entry")
        require(end - start == leaf_length if codec == 0 else end - start < leaf_length, "malformed", "stored length")
        stored = body.range(start, end)
        leaf = stored if codec == 0 else inflate(stored, leaf_length)
        require(hashlib.sha256(leaf).digest() == digest, "wrongLeafHash", f"frame {frame}")
        yield leaf, digest
        start = end


# --- Manifests, records ------------------------------------------------------------------------------------------------

class Archive:
    def __init__(self, folder, account, vault, name, uid):
        self.folder, self.account, self.vault, self.vault_name, self.uid = folder, account, vault, name, uid
        self.manifest, self.deleted, self.failures = None, False, []

    @property
    def id(self):
        return self.manifest["archive"]["id"] if self.manifest else f"(unreadable, uid {self.uid.hex()})"


class Reader:
    def __init__(self, data, root):
        self.blobs = data / "blobs"
        self.masters = open_keyring(data / "keys", root)
        self.failures = []
        self.archives = []
        for folder in sorted(self.blobs.glob("vaults/*/*")):
            if re.fullmatch(r"[0-9]{12}", folder.parent.name) and re.fullmatch(r"[0-9a-f]{32}", folder.name):
                self.read_vault(folder, folder.parent.name, bytes.fromhex(folder.name))

    def newest(self, paths, keys, account, vault, failures, **expected):
        """The document of the highest generation that verifies; failures of the others are noted."""
        for path in sorted(paths, key=lambda path: path.name, reverse=True):
            try:
                preamble, plain = open_document(path, account, vault, keys, **expected)
                name = "coldvault-manifest" if expected["kind"] == MANIFEST else "coldvault-record"
                document = decode(plain, name)
                require(document["account"] == account and document["vault"] == vault.hex()
                        and document["generation"] == preamble.number, "wrongIdentity", "document")
                return document
            except (FormatError, KeyError, TypeError, OSError) as error:
                failures.append(f"{path.relative_to(self.blobs)}: {error}")
        return None

    def read_vault(self, folder, account, vault):
        if not any(path.is_file() for path in folder.rglob("*")):
            return  # a deleted vault whose directories are left
        record = self.newest(folder.glob("records/vault-*"), self.masters, account, vault, self.failures, kind=RECORD, uid=vault)
        if record is None or record["type"] != "vault":
            self.failures.append(f"{folder.relative_to(self.blobs)}: no vault record verifies")
            return
        keys = {}
        for key in record["body"]["keys"]:
            fields = account.encode() + vault + struct.pack(">I", key["version"])
            try:
                keys[key["version"]] = unwrap(key["wrapped"], self.masters[key["masterVersion"]], "vault-key", fields)
            except (FormatError, KeyError) as error:
                self.failures.append(f"vault {vault.hex()}: key version {key['version']}: {error}")
        # An archive's blobs lie beside each other in its shard: <archive>.manifest-…, <archive>.part-…, <archive>.deletion-…
        archives = {}
        for path in sorted(folder.glob("archives/??/*")):
            if re.fullmatch(r"[0-9a-f]{32}\..+", path.name) and path.name[:2] == path.parent.name:
                archives.setdefault(path.name[:32], []).append(path)
        for uid, paths in sorted(archives.items()):
            self.read_archive(uid, paths, account, vault, record["body"].get("name", ""), keys)

    def read_archive(self, uid, paths, account, vault, name, keys):
        archive = Archive(paths[0].parent, account, vault, name, bytes.fromhex(uid))
        deletions = [path for path in paths if path.name[33:].startswith("deletion-")]
        deletion = self.newest(deletions, keys, account, vault, archive.failures, kind=RECORD, uid=archive.uid) if deletions else None
        archive.deleted = deletion is not None and deletion["type"] == "deletion"
        manifests = [path for path in paths if path.name[33:].startswith("manifest-")]
        if not manifests and not archive.deleted:
            return  # parts of an upload that was never completed
        manifest = self.newest(manifests, keys, account, vault, archive.failures, kind=MANIFEST, uid=archive.uid)
        if manifest is not None and manifest["archive"]["uid"] != archive.uid.hex():
            archive.failures.append("manifest of another archive")
            manifest = None
        archive.manifest, archive.keys = manifest, keys
        self.archives.append(archive)

    def leaves(self, archive):
        """The bytes of an archive, leaf by leaf; raises at the first thing that does not verify."""
        manifest = archive.manifest
        require(manifest is not None, "malformed", "no manifest verifies")
        fields = archive.account.encode() + archive.vault + archive.uid
        key = None
        for wrap in manifest["keys"]:
            if key is None and wrap["kind"] == "service" and wrap["keyId"] == archive.vault.hex():
                require(wrap["version"] in archive.keys, "wrongKeyOrContext", f"no vault key of version {wrap['version']}")
                key = unwrap(wrap["wrapped"], archive.keys[wrap["version"]], "data-key", fields)
        require(key is not None, "wrongKeyOrContext", "no wrap of the data key that this reader opens")
        whole, size = LeafTree(), 0
        for part in manifest["parts"]:
            path = self.blobs / part["blob"]
            require(self.blobs.resolve() in path.resolve().parents, "malformed", "blob name")
            try:
                file = open(path, "rb")
            except OSError as error:
                raise FormatError("truncated", f"{part['blob']}: {error.strerror}") from None
            with file:
                blob_size = os.fstat(file.fileno()).st_size
                require(blob_size == part["ciphertextBytes"], "truncated", f"{part['blob']} has {blob_size} bytes")
                hasher = hashlib.sha256()
                for piece in iter(lambda: file.read(MIB), b""):
                    hasher.update(piece)
                require(hasher.hexdigest() == part["ciphertextSHA256"], "tampered", f"{part['blob']}: ciphertext hash")
                digests, length = [], 0
                identity = {"uid": archive.uid, "index": part["index"], "number": part["number"]}
                for leaf, digest in part_frames(file, blob_size, identity, archive.account, archive.vault, key, part["sealHeader"]):
                    digests.append(digest)
                    length += len(leaf)
                    whole.update(leaf)
                    yield leaf
                require(length == part["length"] and tree_hash(digests).hex() == part["treeHash"], "wrongLeafHash",
                        f"{part['blob']}: tree hash of the part")
                size += length
        require(size == manifest["size"] and whole.root().hex() == manifest["treeHash"], "wrongLeafHash", "tree hash of the archive")


class LeafTree:
    """Tree hash over bytes in pieces of any length: parts need not be whole MiB."""

    def __init__(self):
        self.digests, self.hasher, self.fill = [], hashlib.sha256(), 0

    def update(self, data):
        while data:
            piece, data = data[:MIB - self.fill], data[MIB - self.fill:]
            self.hasher.update(piece)
            self.fill += len(piece)
            if self.fill == MIB:
                self.digests.append(self.hasher.digest())
                self.hasher, self.fill = hashlib.sha256(), 0

    def root(self):
        return tree_hash(self.digests + ([self.hasher.digest()] if self.fill else []))


# --- Backup-v1 ---------------------------------------------------------------------------------------------------------

BACKUP, BACKUP_END = bytes.fromhex("894356424B0D0A1A"), bytes.fromhex("89435642450D0A1A")
BACKUP_FIXED, BACKUP_RECIPIENT, BACKUP_TRAILER = 128, 120, 112


class Backup:
    """A backup file, verified as far as that needs no key."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        data = self.data
        require(data[:8] == BACKUP, "notABlob")
        require(len(data) >= BACKUP_FIXED, "truncated")
        self.kind, version, suite, count, self.created, self.generation = struct.unpack(">BBHIQQ", data[8:32])
        require(version == 1 and self.kind in (1, 2), "newerVersion")
        require(suite == 1, "unknownSuite")
        require(1 <= count <= 16, "malformed", "recipients")
        self.service, self.salt, self.ephemeral = data[32:64], data[64:96], data[96:128]
        end = BACKUP_FIXED + count * BACKUP_RECIPIENT
        require(len(data) >= end + HEADER + TAG + BACKUP_TRAILER, "truncated")
        self.header = data[:end]
        wraps = [data[at:at + BACKUP_RECIPIENT] for at in range(BACKUP_FIXED, end, BACKUP_RECIPIENT)]
        self.wraps = {wrap[:16]: wrap[16:] for wrap in wraps}
        require(len(self.wraps) == count, "malformed", "a recipient twice")
        trailer = data[-BACKUP_TRAILER:]
        require(trailer[:8] == BACKUP_END, "truncated")
        require(struct.unpack(">Q", trailer[8:16])[0] == len(data) - BACKUP_TRAILER, "truncated")
        require(hmac.compare_digest(hashlib.sha256(data[:-BACKUP_TRAILER]).digest(), trailer[16:48]), "tampered")
        try:
            Ed25519PublicKey.from_public_bytes(self.service).verify(trailer[48:], b"coldvault/backup-signature/v1\0" + trailer[8:48])
        except (InvalidSignature, ValueError):
            raise FormatError("wrongSignature") from None

    def payload(self, private):
        own = X25519PrivateKey.from_private_bytes(private)
        public = own.public_key().public_bytes_raw()
        wrapped = self.wraps.get(hashlib.sha256(b"coldvault/backup-key-id/v1\0" + public).digest()[:16])
        require(wrapped is not None, "wrongIdentity", "the backup is sealed to another key")
        try:
            shared = own.exchange(X25519PublicKey.from_public_bytes(self.ephemeral))
        except ValueError:
            raise FormatError("wrongKeyOrContext") from None
        info = b"coldvault/backup-key-wrap/v1\0" + self.header[:BACKUP_FIXED] + public
        wrapping = HKDFExpand(SHA512(), 32, info).derive(hmac.new(self.salt, shared, hashlib.sha512).digest())
        file_key = open_message(wrapped, wrapping, info)
        return open_message(self.data[len(self.header):-BACKUP_TRAILER], file_key, b"coldvault/backup/v1\0" + self.header)


def open_backup(arguments):
    backup = Backup(arguments.file)
    kind = {1: "catalog", 2: "keyring"}[backup.kind]
    print(f"{kind} of generation {backup.generation}, whole, and signed by {backup.service.hex()}")
    if arguments.backup_key_file is None:
        return 0
    with open(arguments.backup_key_file, encoding="utf-8", errors="replace") as file:
        private = recovery_key(file.read(4096), "CVBK1", b"coldvault/backup-key/v1")
    payload = backup.payload(private)
    print(f"opened: {len(payload)} bytes")
    if arguments.output is not None:
        handle = os.open(arguments.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
    return 0


# --- commands ----------------------------------------------------------------------------------------------------------

def report(failures):
    for failure in failures:
        print(f"coldvault_reader: {failure}", file=sys.stderr)
    return 1 if failures else 0


def list_archives(reader, arguments):
    rows = [{
        "archive": archive.id, "account": archive.account, "vault": archive.vault_name, "deleted": archive.deleted,
        "size": archive.manifest["size"] if archive.manifest else None, "created": archive.manifest["created"] if archive.manifest else None,
        "treeHash": archive.manifest["treeHash"] if archive.manifest else None,
        "description": archive.manifest["description"] if archive.manifest else None} for archive in reader.archives
        if arguments.deleted or not archive.deleted]
    if arguments.json:
        print(json.dumps(rows, indent=1))
    else:
        for row in rows:
            print("\t".join(re.sub(r"[\x00-\x1f\x7f]", "?", str(row[name])) for name in ("archive", "account", "vault", "size", "created", "description")))
    return report(reader.failures + [failure for archive in reader.archives if not archive.deleted for failure in archive.failures])


def extract(reader, arguments):
    found = [archive for archive in reader.archives if archive.manifest and archive.id == arguments.archive]
    live = [archive for archive in found if not archive.deleted]
    if not live:
        print(f"coldvault_reader: {'the archive is deleted' if found else 'no such archive'}", file=sys.stderr)
        return report(reader.failures) or 1
    target = pathlib.Path(arguments.output).absolute()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name + ".partial-")
    try:
        with os.fdopen(handle, "wb") as file:
            for leaf in reader.leaves(live[0]):
                file.write(leaf)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
    return 0


def verify(reader, arguments):
    failures = list(reader.failures)
    count = size = 0
    for archive in reader.archives:
        if archive.deleted:
            continue
        failures += archive.failures
        try:
            for leaf in reader.leaves(archive):
                size += len(leaf)
            count += 1
        except (FormatError, KeyError, TypeError) as error:
            failures.append(f"archive {archive.id}: {error}")
    print(f"{count} archives with {size} bytes verified, {len(failures)} failures")
    return report(failures)


def root_key(arguments):
    """The key that opens the keyring, from where the command line says it is."""
    if arguments.root_key_file is not None:
        key = arguments.root_key_file.read_bytes()
        require(len(key) == 32, "malformed", "a root key file has exactly 32 bytes")
        return key
    if arguments.recovery_key is not None:
        return recovery_key(sys.stdin.readline() if arguments.recovery_key == "-" else arguments.recovery_key)
    if arguments.recovery_key_file == "-":
        return recovery_key(sys.stdin.read(4096))
    with open(arguments.recovery_key_file, encoding="utf-8", errors="replace") as file:
        return recovery_key(file.read(4096))


def main():
    parser = argparse.ArgumentParser(description="Reads a Coldvault data directory from blobs/, keys/ and a root key alone.")
    parser.add_argument("--data-dir", type=pathlib.Path)
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument("--root-key-file", type=pathlib.Path)
    keys.add_argument("--recovery-key-file", help="file with the text CVRK1-… that was printed once; '-' reads standard input")
    keys.add_argument("--recovery-key", help="the text itself: other users of the machine can read it; better --recovery-key-file")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("list", help="archives, tab-separated: id, account, vault, size, created, description")
    command.add_argument("--json", action="store_true")
    command.add_argument("--deleted", action="store_true", help="deleted ones too")
    command.set_defaults(run=list_archives)
    command = commands.add_parser("extract", help="write one archive to a file")
    command.add_argument("--archive", required=True)
    command.add_argument("--output", required=True)
    command.set_defaults(run=extract)
    command = commands.add_parser("verify", help="open every byte of every archive")
    command.set_defaults(run=verify)
    command = commands.add_parser("backup", help="verify a backup; with its key, write what it holds")
    command.add_argument("--file", required=True)
    command.add_argument("--backup-key-file")
    command.add_argument("--output")
    command.set_defaults(run=None)
    arguments = parser.parse_args()
    if arguments.run is not None:
        if arguments.data_dir is None:
            parser.error("--data-dir is missing")
        if arguments.root_key_file is None and arguments.recovery_key is None and arguments.recovery_key_file is None:
            parser.error("one of --root-key-file, --recovery-key-file and --recovery-key is missing")
    try:
        if arguments.run is None:
            return open_backup(arguments)
        return arguments.run(Reader(arguments.data_dir, root_key(arguments)), arguments)
    except (FormatError, KeyError, TypeError, OSError) as error:
        print(f"coldvault_reader: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
