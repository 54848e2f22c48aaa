#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes Tests/Golden/NAME: a small data directory as this build writes it, its root key, and what is in it.
#   COLDVAULT_BINARY=.build/release/coldvault Tests/Tools/make_golden.sh v1
set -euo pipefail

name=${1:?usage: make_golden.sh NAME}
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=$tests/Golden/$name
if [[ -e $target ]]; then
    echo "$target exists; a golden directory is never made again" >&2
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHONPATH=$tests python3 - "$work" <<'PYTHON'
import hashlib
import json
import pathlib
import sys

from Support.bodies import compressible, incompressible
from Support.hashes import MIB, tree_hash
from Support.server import Server
from Support.wire import Wire

folder = pathlib.Path(sys.argv[1])
server = Server(folder / "server", settings={"deletion-grace": "24h"})
server.initialise()
server.start()
wire = Wire(server)
contents = {"accountId": server.account.number, "accessKeyId": server.account.access_key,
            "secretAccessKey": server.account.secret, "recoveryKey": server.recovery_key, "region": server.region,
            "vaults": ["golden", "second"], "archives": [], "deleted": [], "uploads": []}
for vault in contents["vaults"]:
    wire.create_vault(vault)


def add(vault, body, description, part_size=None):
    upload = (lambda: wire.upload_multipart(vault, body, part_size, description)) if part_size else (
        lambda: wire.upload_archive(vault, body, description))
    contents["archives"].append({
        "vault": vault, "archiveId": upload(), "description": description or "", "size": len(body),
        "sha256": hashlib.sha256(body).hexdigest(), "treeHash": tree_hash(body)})


add("golden", b"\x2a", "one byte")
add("golden", incompressible(100_000), None)
add("golden", compressible(MIB + 1), 'quotes " and, commas')
add("golden", bytes(2 * MIB) + incompressible(70_000), "multipart, two codecs", part_size=MIB)
add("golden", bytes(MIB), "exactly one leaf")
server.admin("key", "rotate")
add("golden", b"after the rotation", "second master key")
add("second", compressible(200_000, "second"), "in another vault")

gone = wire.upload_archive("golden", b"deleted before the picture was taken")
assert wire.request("DELETE", f"/-/vaults/golden/archives/{gone}").status == 204
contents["deleted"].append({"vault": "golden", "archiveId": gone})
upload = wire.initiate_upload("second", MIB, "still open")
body = bytes([7]) * MIB
assert wire.put_part("second", upload, 0, body).status == 204
contents["uploads"].append({"vault": "second", "uploadId": upload, "treeHash": tree_hash(body)})
server.stop()
(folder / "contents.json").write_text(json.dumps(contents, indent=2) + "\n")
PYTHON

mkdir -p "$target"
tar -C "$work/server" --exclude='admin.sock' --sort=name --owner=0 --group=0 --numeric-owner \
    -czf "$target/data.tar.gz" data
cp "$work/server/root.key" "$target/root.key"
cp "$work/contents.json" "$target/contents.json"
chmod 0644 "$target"/*
du -sh "$target"
