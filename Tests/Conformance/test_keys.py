# SPDX-License-Identifier: Apache-2.0
"""Keys over decades: re-wrap, certificates, destruction, purge receipts, root keys; through the executable and real files."""

import base64
import hashlib
import json
import os
import random
import shutil
import subprocess
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from Support.server import Server, binary
from Support.wire import Wire

REGION = "us-east-1"


def verified(text, public_key):
    """The statement if another library than the service's finds its signature good (Docs/Formats/Statement-v1.md §4)."""
    document = json.loads(text)
    signature = base64.b64decode(document.pop("signature"))
    signed = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, b"coldvault/statement/v1\0" + signed)
    assert document["service"] == public_key
    return document


def until(what, probe, seconds=120):
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come within {seconds} s"
        time.sleep(0.3)


def tree(folder):
    """Every file below with what it holds and when it was changed last."""
    found = {}
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            status = os.stat(path)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = (status.st_mtime_ns, hashlib.sha256(file.read()).hexdigest())
    return found


@pytest.fixture
def keyed(work_dir):
    """A service with one vault, and its public signing key."""
    server = Server(work_dir / f"keys-{random.randrange(1 << 40)}")
    answer = server.initialise()
    server.signing_key = answer["signingPublicKey"]
    server.start()
    wire = Wire(server)
    wire.create_vault("v")
    yield server, wire
    server.dispose()


def rewrap(server, *more):
    server.admin("key", "rewrap", "--throttle", "0", *more)
    return until(
        "the end of the re-wrap",
        lambda: (lambda s: s if s["phase"] in ("done", "blocked") else None)(server.admin("key", "rewrap", "--status")),
    )


def test_a_vault_key_is_rotated_emptied_certified_and_destroyed(keyed):
    server, wire = keyed
    bodies = {wire.upload_archive("v", body): body for body in (b"one", b"two" * 1000, os.urandom(3 << 20))}
    parts = {path: digest for path, digest in tree(server.data_dir / "blobs").items() if ".part-" in path}
    server.admin("key", "rotate", "--vault", "v", "--region", REGION)
    refused = server.admin("key", "destroy", "1", "--vault", "v", "--region", REGION, check=False)
    assert refused.returncode == 1 and "no certificate" in refused.stderr
    status = rewrap(server, "--vault", "v", "--region", REGION)
    assert status["phase"] == "done" and status["archives"] == 3 and status["certificates"] == 1, status
    assert {path: digest for path, digest in tree(server.data_dir / "blobs").items() if ".part-" in path} == parts

    text = server.command(
        ["key", "evidence", "--version", "1", "--vault", "v", "--region", REGION, "--data-dir", str(server.data_dir)]
    ).stdout
    document = verified(text.strip(), server.signing_key)
    assert document["type"] == "certificate" and document["body"]["blobsNaming"] == 0
    assert document["body"]["blobsRead"] >= 3 and document["body"]["vaultName"] == "v"
    file = server.folder / "certificate.json"
    file.write_text(text)
    verify = ["statement", "verify", "--file", str(file), "--public-key"]
    assert "is good" in server.command([*verify, server.signing_key]).stdout
    file.write_text(text.replace('"keyVersion":1', '"keyVersion":2'))
    assert server.command([*verify, server.signing_key], check=False).returncode == 5
    file.write_text(text)
    assert server.command([*verify, "00" * 32], check=False).returncode == 5
    with pytest.raises(InvalidSignature):
        verified(text.replace('"keyVersion":1', '"keyVersion":2'), server.signing_key)

    # The wait can be taken back; without it, nothing goes by accident.
    where = ["--vault", "v", "--region", REGION]
    assert server.admin("key", "destroy", "1", *where)["state"] == "destroying"
    assert server.admin("key", "destroy-cancel", "1", *where)["state"] == "certified"
    assert server.command(["key", "destroy", "1", "--waiting-days", "0", *where], check=False).returncode == 2
    server.admin("key", "destroy", "1", "--waiting-days", "0", "--now", *where)
    end = until(
        "the destruction",
        lambda: next((e for e in server.admin("key", "evidence") if e["state"] == "destroyed"), None),
    )
    receipt = verified(end["receipt"], server.signing_key)
    assert receipt["body"]["subject"] == "vaultKey"
    assert receipt["body"]["certificate"] == hashlib.sha256(text.strip().encode()).hexdigest()
    assert [k["version"] for k in server.admin("key", "list")["vaultKeys"]] == [2]
    server.restart()
    for archive, body in bodies.items():
        assert wire.retrieve("v", archive) == body


def test_a_rewrap_goes_on_after_kill_9(keyed):
    server, wire = keyed
    bodies = {wire.upload_archive("v", body): body for body in (f"archive {n}".encode() for n in range(150))}
    server.admin("key", "rotate", "--vault", "v", "--region", REGION)
    server.admin("key", "rewrap", "--throttle", "100", "--vault", "v", "--region", REGION)
    rounds = 0
    for _ in range(3):
        time.sleep(random.uniform(0.05, 1.0))
        server.kill()
        server.start()
        rounds += 1
    status = until(
        "the end of the re-wrap",
        lambda: (lambda s: s if s["phase"] == "done" else None)(server.admin("key", "rewrap", "--status"))
        or any(e["state"] == "certified" for e in server.admin("key", "evidence")),
    )
    assert status and rounds == 3
    assert [k["references"] for k in server.admin("key", "list")["vaultKeys"]][0] == 0
    for archive, body in list(bodies.items())[::30]:
        assert wire.retrieve("v", archive) == body


def test_a_purge_skips_the_grace_and_leaves_a_receipt(keyed):
    server, wire = keyed
    archive = wire.upload_archive("v", b"to be forgotten")
    kept = wire.upload_archive("v", b"to be kept")
    purge = ["archive", "purge", "--vault", "v", "--region", REGION, "--archive-id", archive]
    assert server.admin(*purge, check=False).returncode == 1
    assert wire.request("DELETE", f"/-/vaults/v/archives/{archive}").status == 204
    receipt = verified(server.admin(*purge)["receipt"], server.signing_key)
    names = [blob["name"] for blob in receipt["body"]["blobs"]]
    assert receipt["body"]["archiveId"] == archive and any(".manifest-" in name for name in names)
    for name in names:
        assert not (server.data_dir / "blobs" / name).exists()
    assert (server.data_dir / "catalog.sqlite-wal").stat().st_size == 0
    assert server.admin(*purge, check=False).returncode == 3
    assert wire.retrieve("v", kept) == b"to be kept"


def rotate(server, old, new, check=True):
    arguments = ["root-key", "rotate", "--data-dir", server.data_dir, "--root-key-file", old, "--new-root-key-file", new]
    return server.command([*map(str, arguments), "--output", "json"], check=check)


def test_a_root_key_is_replaced_and_a_kill_in_between_is_finished_by_running_it_again(keyed):
    server, wire = keyed
    archive = wire.upload_archive("v", b"content")
    old, new = server.root_key_file, server.folder / "new.key"
    refused = rotate(server, old, new, check=False)
    assert refused.returncode == 1 and "another coldvault process" in refused.stderr and not new.exists()
    server.stop()
    for _ in range(8):
        process = subprocess.Popen(
            [binary(), "root-key", "rotate", "--data-dir", str(server.data_dir), "--root-key-file", str(old)]
            + ["--new-root-key-file", str(new)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=server.environment(),
        )
        time.sleep(random.uniform(0.0, 0.12))
        process.kill()
        process.wait()
        for path in sorted((server.data_dir / "keys").glob("*.json")):
            assert len(json.loads(path.read_text())["slots"]) >= 2, path
    rotate(server, old, new)
    server.root_key_file = old
    server.start(expect_ready=False)
    assert server.wait_for_exit() == 4, "the old root key opens nothing any more"
    server.root_key_file = new
    server.start()
    assert wire.retrieve("v", archive) == b"content"


def test_a_new_recovery_key_is_printed_once_and_works(keyed):
    server, wire = keyed
    server.stop()
    arguments = ["root-key", "rotate", "--data-dir", str(server.data_dir), "--root-key-file", str(server.root_key_file)]
    text = json.loads(server.command([*arguments, "--recovery", "--output", "json"]).stdout)["recoveryKey"]
    assert text.startswith("CVRK1-") and text != server.recovery_key
    names = sorted(path.name for path in (server.data_dir / "keys").iterdir())
    assert "recovery-000002.json" in names and "recovery-000001.json" not in names
    server.start()


def test_a_mirror_is_rotated_with_its_vault(keyed):
    server, wire = keyed
    archive = wire.upload_archive("v", b"content")
    server.stop()
    mirror = server.folder / "mirror"
    server.settings["mirror-dir"] = str(mirror)

    def keys(folder):
        return {path.name: path.read_bytes() for path in (folder / "keys").glob("*.json")} if (folder / "keys").is_dir() else {}

    def serve_until_mirrored():
        server.start()
        server.admin("scrub", "start", check=False)
        until("the mirror's copy of keys/", lambda: keys(mirror) == keys(server.data_dir))
        assert wire.retrieve("v", archive) == b"content"
        server.stop()

    serve_until_mirrored()
    rotate_recovery = ["root-key", "rotate", "--data-dir", str(server.data_dir), "--root-key-file", str(server.root_key_file)]
    rotate_recovery += ["--recovery", "--output", "json"]
    before = keys(server.data_dir)
    refused = server.command(rotate_recovery, check=False)
    assert refused.returncode == 1 and "--mirror-dir" in refused.stderr and keys(server.data_dir) == before
    strange = server.command([*rotate_recovery, "--mirror-dir", str(server.folder / "elsewhere")], check=False)
    assert strange.returncode == 1 and keys(server.data_dir) == before
    server.command([*rotate_recovery, "--mirror-dir", str(mirror)])
    assert keys(mirror) == keys(server.data_dir) != before and "recovery-000001.json" not in keys(mirror)
    new = server.folder / "after.key"
    server.command([
        "root-key", "rotate", "--data-dir", str(server.data_dir), "--root-key-file", str(server.root_key_file),
        "--new-root-key-file", str(new), "--mirror-dir", str(mirror)])
    server.root_key_file = new
    serve_until_mirrored()
    assert "recovery-000001.json" not in keys(server.data_dir)


def test_a_wrong_root_key_is_refused_and_not_a_byte_is_written(keyed):
    server, wire = keyed
    wire.upload_archive("v", b"content")
    server.stop()
    right = server.root_key_file
    wrong = server.folder / "wrong.key"
    wrong.write_bytes(os.urandom(32))
    wrong.chmod(0o600)
    before = tree(server.data_dir)
    server.root_key_file = wrong
    server.start(expect_ready=False)
    assert server.wait_for_exit() == 4
    assert "not the root key of this data directory" in server.log_tail()
    assert rotate(server, wrong, server.folder / "new.key", check=False).returncode == 4
    assert not (server.folder / "new.key").exists()
    assert tree(server.data_dir) == before
    server.root_key_file = right
    server.start()
