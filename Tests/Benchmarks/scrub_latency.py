#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a scrub costs the requests beside it, by hand: latencies with and without it, interleaved in one run.

    Tests/Benchmarks/scrub_latency.py [--binary PATH] [--archives 400] [--mib 1] [--slices 20] [--seconds 2]

Fills a vault, then alternates slices of a foreground load (small uploads and describes over one connection each) with the scrub
paused and with a pass under way, under the default limits. Prints the distribution of both, as Markdown, and how much was verified.
"""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from Support.bodies import mixed  # noqa: E402
from Support.hashes import MIB  # noqa: E402
from Support.server import Server  # noqa: E402
from Support.wire import Wire  # noqa: E402

VAULT = "latency"


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def load(wire, body, seconds, upload, describe):
    """One connection's worth of requests for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        wire.upload_archive(VAULT, body)
        middle = time.monotonic()
        answer = wire.request("GET", f"/-/vaults/{VAULT}")
        assert answer.status == 200, answer
        upload.append(middle - start)
        describe.append(time.monotonic() - middle)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary")
    parser.add_argument("--archives", type=int, default=400)
    parser.add_argument("--mib", type=int, default=1)
    parser.add_argument("--slices", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--disk", default=None, help="where the data directory lies; default: the temporary directory")
    arguments = parser.parse_args()
    if arguments.binary:
        os.environ["COLDVAULT_BINARY"] = arguments.binary
    folder = tempfile.mkdtemp(prefix="coldvault-scrub-", dir=arguments.disk)
    server = Server(folder)
    try:
        server.initialise()
        server.start()
        server.admin("scrub", "pause")
        wire = Wire(server)
        wire.create_vault(VAULT)
        for number in range(arguments.archives):
            wire.upload_archive(VAULT, mixed(arguments.mib * MIB, number))
        body = mixed(16 << 10, 1)
        without, beside = ([], []), ([], [])
        load(wire, body, arguments.seconds, [], [])
        verified = 0
        for slice_number in range(arguments.slices):
            is_on = slice_number % 2 == 1
            before = server.admin("scrub", "start" if is_on else "pause")["bytes"]
            load(wire, body, arguments.seconds, *(beside if is_on else without))
            if is_on:
                verified += max(0, server.admin("scrub", "status")["bytes"] - before)
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {arguments.slices} slices of {arguments.seconds} s")
        print(f"verified meanwhile: {verified / MIB:.0f} MiB")
        print("| request | scrub | requests | p50 ms | p95 ms | p99 ms | max ms |\n|---|---|---|---|---|---|---|")
        for index, name in enumerate(["UploadArchive, 16 KiB", "DescribeVault"]):
            for label, values in [("paused", without[index]), ("running", beside[index])]:
                row = [percentile(values, share) for share in (0.5, 0.95, 0.99)] + [max(values) * 1000]
                print(f"| {name} | {label} | {len(values)} | " + " | ".join(f"{value:.2f}" for value in row) + " |")
    finally:
        server.dispose()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
