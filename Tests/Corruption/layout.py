# SPDX-License-Identifier: Apache-2.0
"""Where the parts of an archive lie on disk, by the published formats (Docs/Formats), and how to damage them."""

import base64

PREAMBLE_BYTES = 40
SEAL_HEADER_BYTES = 56
CHUNK_BYTES = 16384 + 16
BODY_START = PREAMBLE_BYTES + SEAL_HEADER_BYTES
FOOTER_BYTES = 24


def archive_uid(archive):
    return base64.urlsafe_b64decode(archive + "==")[1:17].hex()


def vault_uid(archive):
    return base64.urlsafe_b64decode(archive + "==")[17:33].hex()


def archive_folder(server, archive):
    uid = archive_uid(archive)
    folder = server.blobs / "vaults" / server.account.number / vault_uid(archive) / "archives" / uid[:2]
    assert folder.is_dir(), f"{folder} is not there: has the layout of blobs/ changed?"
    return folder


def parts(server, archive):
    """The part blobs in order."""
    found = sorted(archive_folder(server, archive).glob(f"{archive_uid(archive)}.part-*"))
    assert found
    return found


def manifests(server, archive):
    found = sorted(archive_folder(server, archive).glob(f"{archive_uid(archive)}.manifest-*"))
    assert found
    return found


def vault_records(server, archive):
    folder = server.blobs / "vaults" / server.account.number / vault_uid(archive) / "records"
    found = sorted(folder.glob("vault-*"))
    assert found
    return found


def regions(size):
    """Region name: an offset inside it, for a blob of `size` bytes."""
    chunks = -(-(size - BODY_START) // CHUNK_BYTES)
    return {
        "magic": 0,
        "kind": 8,
        "uid": 20,
        "part-index": 30,
        "write-number": 39,
        "salt": PREAMBLE_BYTES + 3,
        "commitment": PREAMBLE_BYTES + 40,
        "first-chunk": BODY_START + 100,
        "first-chunk-tag": BODY_START + CHUNK_BYTES - 1,
        "middle-chunk": BODY_START + (chunks // 2) * CHUNK_BYTES + 77,
        "last-chunk": BODY_START + (chunks - 1) * CHUNK_BYTES,
        "footer": size - 16 - FOOTER_BYTES + 3,
        "last-byte": size - 1,
    }


def rewrite(path, data):
    """Replaces a file's bytes in place: same inode, so that a reader with the file open sees them too."""
    path.chmod(0o600)
    with open(path, "r+b") as file:
        file.write(data)
        file.truncate(len(data))


def flip(path, offset, bit=0x01):
    data = bytearray(path.read_bytes())
    data[offset] ^= bit
    rewrite(path, bytes(data))


def truncate(path, length):
    rewrite(path, path.read_bytes()[:length])


def extend(path, tail=b"\0"):
    rewrite(path, path.read_bytes() + tail)


def swap(first, second):
    one, two = first.read_bytes(), second.read_bytes()
    assert one != two
    rewrite(first, two)
    rewrite(second, one)


def truncations(size):
    """Region name: a length to cut to."""
    chunks = -(-(size - BODY_START) // CHUNK_BYTES)
    return {
        "to-nothing": 0,
        "inside-preamble": 17,
        "to-preamble": PREAMBLE_BYTES,
        "inside-seal-header": PREAMBLE_BYTES + 20,
        "to-header": BODY_START,
        "inside-first-chunk": BODY_START + 1000,
        "at-a-chunk": BODY_START + (chunks // 2) * CHUNK_BYTES,
        "before-the-last-chunk": BODY_START + (chunks - 1) * CHUNK_BYTES,
        "last-byte": size - 1,
    }
