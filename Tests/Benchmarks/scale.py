#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Long lists over the wire, by hand: does a page at the end cost what a page at the start costs, in constant memory?

    swift build -c release --product coldvault
    Tests/Benchmarks/scale.py [--binary PATH] [--parts 10000] [--jobs 10000] [--archives 0] [--disk DIR]

Uploads that many 1 MiB parts to one upload, queues that many jobs on one vault, and stores that many one-byte archives (a
million takes about a quarter of an hour); walks ListParts, ListJobs and the inventory. Prints Markdown.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from Support.hashes import MIB, linear_hash, tree_hash  # noqa: E402
from Support.server import REPOSITORY, Server, binary  # noqa: E402
from Support.wire import Wire  # noqa: E402

VAULT = "scale"


def status_kib(server, field):
    for line in pathlib.Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"no {field}")


def on_connections(wire, count, total, work):
    """Runs work(connection, index) for every index on so many connections at once."""
    failures = []

    def lane(first):
        try:
            with wire.connect(timeout=120) as connection:
                for index in range(first, total, count):
                    work(connection, index)
        except Exception as problem:  # noqa: BLE001
            failures.append(problem)

    threads = [threading.Thread(target=lane, args=(first,)) for first in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def walk(wire, target, member):
    """Every page of a list: (items seen, seconds of each page)."""
    seen, times, marker = set(), [], None
    with wire.connect(timeout=120) as connection:
        while True:
            began = time.monotonic()
            answer = wire.request("GET", target + (f"?marker={marker}" if marker else ""), connection=connection)
            times.append(time.monotonic() - began)
            assert answer.status == 200, answer
            document = answer.json
            seen.update(json.dumps(item, sort_keys=True) for item in document[member])
            marker = document["Marker"]
            if marker is None:
                return len(seen), times


def row(name, count, times, server, before):
    tenth = max(1, len(times) // 10)
    return (
        name,
        f"{count:,} in {len(times):,} pages",
        f"{statistics.median(times[:tenth]) * 1000:.2f} ms",
        f"{statistics.median(times[-tenth:]) * 1000:.2f} ms",
        f"{before / 1024:.0f} → {status_kib(server, 'VmRSS') / 1024:.0f} MiB",
    )


def parts(server, wire, count):
    upload = wire.initiate_upload(VAULT, MIB)
    body = b"\0" * MIB
    tree, linear = tree_hash(body), linear_hash(body)

    def send(connection, index):
        answer = wire.put_part(VAULT, upload, index * MIB, body, tree=tree, linear=linear, connection=connection)
        assert answer.status == 204, answer

    on_connections(wire, 4, count, send)
    before = status_kib(server, "VmRSS")
    seen, times = walk(wire, f"/-/vaults/{VAULT}/multipart-uploads/{upload}", "Parts")
    assert seen == count, seen
    return row("ListParts", seen, times, server, before)


def jobs(server, wire, count):
    def start(connection, index):
        body = b'{"Type":"inventory-retrieval","Format":"JSON"}'
        answer = wire.request("POST", f"/-/vaults/{VAULT}/jobs", body=body, connection=connection)
        assert answer.status == 202, answer

    on_connections(wire, 4, count, start)
    before = status_kib(server, "VmRSS")
    seen, times = walk(wire, f"/-/vaults/{VAULT}/jobs", "JobList")
    # A job may end between two pages and be listed in both states, never be missed.
    assert seen >= count, seen
    return row("ListJobs", seen, times, server, before)


def archives(server, wire, count):
    body = b"x"
    tree, linear = tree_hash(body), linear_hash(body)

    def store(connection, index):
        answer = wire.post_archive(VAULT, body, f"archive {index}", tree=tree, linear=linear, connection=connection)
        assert answer.status == 201, answer

    on_connections(wire, 16, count, store)
    before = status_kib(server, "VmRSS")
    times = []
    for _ in range(20):
        began = time.monotonic()
        assert wire.request("GET", f"/-/vaults/{VAULT}").json["NumberOfArchives"] == count
        times.append(time.monotonic() - began)
    yield row("DescribeVault", count, times, server, before)
    began = time.monotonic()
    job = wire.start_job(VAULT, Type="inventory-retrieval", Format="CSV")
    document = wire.finished_job(VAULT, job, timeout=3600)
    assert document["StatusCode"] == "Succeeded", document
    prepared = time.monotonic() - began
    lines = wire.job_output(VAULT, job).body.count(b"\n")
    assert lines >= count, lines
    yield (
        "inventory job (CSV)",
        f"{count:,} in {document['InventorySizeInBytes'] / 1e6:.0f} MB",
        f"{prepared:.1f} s",
        "",
        f"{before / 1024:.0f} → {status_kib(server, 'VmRSS') / 1024:.0f} MiB, peak {status_kib(server, 'VmHWM') / 1024:.0f}",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(REPOSITORY / ".build" / "release" / "coldvault"))
    parser.add_argument("--parts", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--archives", type=int, default=0)
    parser.add_argument("--disk", default=str(REPOSITORY / ".build"), help="a folder on a real disk")
    options = parser.parse_args()
    os.environ["COLDVAULT_BINARY"] = options.binary
    binary()
    print("| list | size | page at the start | page at the end | resident memory |")
    print("| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="coldvault-scale-", dir=options.disk) as folder:
        server = Server(folder, wait_seconds=60)
        server.initialise()
        server.start()
        try:
            wire = Wire(server)
            wire.create_vault(VAULT)
            rows = []
            if options.parts:
                rows.append(parts(server, wire, options.parts))
            if options.archives:
                rows += archives(server, wire, options.archives)
            if options.jobs:
                rows.append(jobs(server, wire, options.jobs))
            for cells in rows:
                print("| " + " | ".join(cells) + " |", flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
