#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmark, by hand: what this machine's primitives cost, and what the service pays on top, in one run.

    swift build -c release --product coldvault
    Tests/Benchmarks/bench.py [--binary PATH] [--seconds 5] [--disk DIR] [--large GIB]

Needs wrk, openssl, gcc and liblz4-dev. The data directory lies on tmpfs (/dev/shm) except where a real disk is
said. CPU seconds are the service's own, from /proc; the load generator's are not counted. The multiple is the
service's CPU over the sum of the primitives that the path must pay. Prints Markdown.

Pages of a new file cost more than pages written before, above all in a virtual machine that gives freed memory back to
its host. So the bare receive and write of an upload row is measured right before and right after the row, with files of
the row's size, as many, all new, at the row's pace, and the machine is given time to take back memory before each.
"""

import argparse
import math
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from Support.bodies import compressible, incompressible  # noqa: E402
from Support.hashes import MIB, combine_hex, linear_hash, tree_hash  # noqa: E402
from Support.server import REPOSITORY, Server, binary  # noqa: E402
from Support.wire import Wire  # noqa: E402

GIB = 1024 * MIB
VAULT = "bench"
TICKS = os.sysconf("SC_CLK_TCK")


# What the process under test consumed


def cpu_seconds(pid):
    """User and system seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def context_switches(pid):
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", (task / "status").read_text())))
        except OSError:
            pass  # a thread that has ended
    return total


def peak_rss(pid):
    return int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024


class Measured:
    """CPU of the service, wall time and bytes between entering and leaving."""

    def __init__(self, server):
        self.pid = server.pid
        self.bytes = 0

    def __enter__(self):
        user, system = cpu_seconds(self.pid)
        self.user, self.system, self.wall = -user, -system, -time.monotonic()
        self.switches = -context_switches(self.pid)
        return self

    def __exit__(self, *_):
        user, system = cpu_seconds(self.pid)
        self.user += user
        self.system += system
        self.wall += time.monotonic()
        self.switches += context_switches(self.pid)

    @property
    def cpu(self):
        return self.user + self.system

    @property
    def per_gib(self):
        return self.of_gib(self.cpu)

    def of_gib(self, count):
        return count / (self.bytes / GIB) if self.bytes else math.nan

    @property
    def rate(self):
        return self.bytes / self.wall / 1e9


# Primitives


class Primitives:
    """CPU seconds per GiB of what no vault can avoid, measured here and now."""

    def __init__(self, scratch, seconds):
        self.sha256 = self.openssl("sha256", 1 << 20, seconds)
        self.aes = self.openssl("aes-256-gcm", 16384, seconds)
        self.scratch = scratch
        tool = self.tool = scratch / "primitives"
        subprocess.run(
            ["gcc", "-O2", "-o", tool, pathlib.Path(__file__).with_name("primitives.c"), "-llz4"], check=True
        )
        self.compress, self.inflate, self.ratio = {}, {}, {}
        for name, make in KINDS.items():
            sample = scratch / f"sample-{name}"
            sample.write_bytes(make(64 * MIB))
            values = self.run(tool, "lz4", sample)
            self.compress[name], self.inflate[name], self.ratio[name] = (
                values["compress"],
                values["inflate"],
                values["ratio"],
            )
        received = scratch / "received"
        # The best of three: the first touch of fresh memory in a virtual machine costs the host, not this path.
        self.receive = min(self.run(tool, "receive", received, "2048")["receive"] for _ in range(3))
        self.send = min(self.run(tool, "send", received)["send"] for _ in range(3))
        received.unlink()

    @staticmethod
    def openssl(algorithm, size, seconds):
        output = subprocess.run(
            ["openssl", "speed", "-mr", "-seconds", str(seconds), "-bytes", str(size), "-evp", algorithm],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        rate = float([line for line in output.splitlines() if line.startswith("+F:")][-1].split(":")[-1])
        return GIB / rate

    @staticmethod
    def run(*command):
        output = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout
        return {line.split()[0]: float(line.split()[1]) for line in output.splitlines()}

    def receive_files(self, size, stored, count, live, rate):
        """User and system seconds per GiB of receiving `count` bodies of `size` bytes and writing new files of `stored` bytes."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            values = self.run(self.tool, "files", folder, size, stored, count, live, rate)
        return values["user"], values["sys"]

    def upload(self, kind, size, receive):
        hashes = 1 if size <= MIB else 2
        return hashes * self.sha256 + self.compress[kind] + self.aes * self.ratio[kind] + receive

    def retrieval(self, kind):
        return self.aes * self.ratio[kind] + self.inflate[kind] + self.sha256

    def download(self, kind):
        return self.aes * self.ratio[kind] + self.send

    def table(self):
        rows = [
            ("SHA-256, one stream", self.sha256),
            ("AES-256-GCM, 16 KiB chunks", self.aes),
            ("receive + write to tmpfs, one warm file", self.receive),
            ("file to loopback (sendfile)", self.send),
        ]
        for kind in KINDS:
            rows += [
                (f"LZ4 compress, {kind} (to {self.ratio[kind]:.0%})", self.compress[kind]),
                (f"LZ4 inflate, {kind}", self.inflate[kind]),
            ]
        return [(name, f"{value:.3f}", f"{GIB / value / 1e9:.2f}") for name, value in rows]


KINDS = {"incompressible": incompressible, "compressible": compressible}


# The load generator


def wrk_script(folder, requests):
    """A Lua script that sends prepared, signed requests in turn. Heads and body are files, so that bytes stay bytes."""
    lines = [
        "local requests = {}",
        "local function file(name) local f = assert(io.open(name, 'rb')); "
        "local s = f:read('*a'); f:close(); return s end",
    ]
    body_file = folder / "body"
    body_file.write_bytes(requests[0][1])
    lines.append(f"local body = file('{body_file}')")
    for index, (head, _) in enumerate(requests):
        head_file = folder / f"head-{index}"
        head_file.write_bytes(head)
        lines.append(f"requests[{index + 1}] = file('{head_file}') .. body")
    lines += [
        "local turn = 0",
        "function request() turn = turn % #requests + 1; return requests[turn] end",
        "local bad = 0",
        "function response(status) if status ~= 201 and status ~= 204 then bad = bad + 1; "
        "print('status ' .. status) end end",
    ]
    script = folder / "replay.lua"
    script.write_text("\n".join(lines) + "\n")
    return script


def wrk(server, script, connections, seconds):
    """Requests completed, wall seconds. Any answer that is no success stops the benchmark."""
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", str(script), server.url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "status " in output or "Non-2xx" in output:
        raise SystemExit(f"the service refused replayed requests:\n{output[-2000:]}")
    done, wall = re.search(r"(\d+) requests in ([\d.]+)s", output).groups()
    return int(done), float(wall), output


# The parts of the benchmark


def service(scratch, name, **settings):
    server = Server(scratch / name, settings={"deletion-grace": "0s", **settings}, wait_seconds=60)
    server.initialise()
    server.start()
    Wire(server).create_vault(VAULT)
    return server


def part_head(wire, upload, first, body, linear, tree):
    return wire.head(
        "PUT",
        f"/-/vaults/{VAULT}/multipart-uploads/{upload}",
        [
            ("x-amz-content-sha256", linear),
            ("x-amz-sha256-tree-hash", tree),
            ("Content-Range", f"bytes {first}-{first + len(body) - 1}/*"),
        ],
        length=len(body),
    )


class Growth:
    """The most bytes by which the file system of `folder` grew between entering and leaving."""

    def __init__(self, folder):
        self.folder = folder
        self.peak = 0
        self.over = threading.Event()

    def used(self):
        status = os.statvfs(self.folder)
        return (status.f_blocks - status.f_bfree) * status.f_frsize

    def watch(self, start):
        while not self.over.wait(0.02):
            self.peak = max(self.peak, self.used() - start)

    def __enter__(self):
        self.thread = threading.Thread(target=self.watch, args=(self.used(),))
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def settle():
    """Freed memory goes back to the host within two seconds or so, where it goes back at all."""
    time.sleep(3)


def bench_parts(scratch, primitives, seconds, sizes):
    rows = []
    # How many parts are sent in turn.
    for size, count in ((MIB, 16), (4 * MIB, 8), (64 * MIB, 4)):
        for kind, make in KINDS.items():
            if size // MIB not in sizes:
                continue
            stored = int(size * primitives.ratio[kind])
            settle()
            # The pace and the number are those of an ordinary run: what the row reaches is not known yet.
            receives = [primitives.receive_files(size, stored, GIB // size, GIB // size, 200e6)]
            server = service(scratch, f"parts-{size}-{kind}")
            settle()
            try:
                wire = Wire(server)
                upload = wire.initiate_upload(VAULT, size)
                body = make(size)
                linear, tree = linear_hash(body), tree_hash(body)
                folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
                script = wrk_script(
                    folder,
                    [(part_head(wire, upload, index * size, body, linear, tree), body) for index in range(count)],
                )
                with Measured(server) as measured, Growth(scratch) as growth:
                    # What is under way when the load ends is not counted: large parts run longer, and fewer at once.
                    large = size > 16 * MIB
                    done, _, _ = wrk(server, script, 2 if large else 4, max(10, seconds) if large else seconds)
                measured.bytes = done * size
                shutil.rmtree(folder)
            finally:
                server.dispose()
            settle()
            live = max(1, growth.peak // stored)
            receives.append(primitives.receive_files(size, stored, done, live, done * size / measured.wall))
            user, system = (sum(values) / len(receives) for values in zip(*receives))
            must = primitives.upload(kind, size, user + system)
            rows.append(
                (
                    f"{size // MIB} MiB parts, {kind}",
                    f"{measured.rate:.2f}",
                    f"{measured.of_gib(measured.user):.2f} + {measured.of_gib(measured.system):.2f}",
                    f"{must - system:.2f} + {system:.2f}",
                    f"{measured.of_gib(measured.user) / (must - system):.2f}",
                    f"{measured.per_gib / must:.2f}",
                    "≤ 1.4",
                    f"{measured.switches / max(1, done * size / MIB):.0f}",
                )
            )
            print("  measured:", *rows[-1], file=sys.stderr, flush=True)
    return rows


def bench_small(disk, seconds):
    server = service(disk, "small")
    try:
        wire = Wire(server)
        body = incompressible(16384)
        head = wire.head(
            "POST",
            f"/-/vaults/{VAULT}/archives",
            [("x-amz-content-sha256", linear_hash(body)), ("x-amz-sha256-tree-hash", tree_hash(body))],
            length=len(body),
        )
        folder = pathlib.Path(tempfile.mkdtemp(dir=disk))
        script = wrk_script(folder, [(head, body)])
        with Measured(server) as measured:
            done, wall, _ = wrk(server, script, connections=16, seconds=max(seconds, 5))
        shutil.rmtree(folder)
        return [
            (
                "16 KiB UploadArchive, real disk, 16 connections",
                f"{done / wall:,.0f}/s",
                f"{measured.cpu / done * 1e6:,.0f} µs",
                "≥ 1,000/s",
            )
        ]
    finally:
        server.dispose()


def fill(wire, size, kind, part=64 * MIB):
    """An archive of `size` bytes whose parts all have the same body; returns its identifier."""
    body = KINDS[kind](part)
    tree, linear = tree_hash(body), linear_hash(body)
    upload = wire.initiate_upload(VAULT, part)
    for first in range(0, size, part):
        answer = wire.put_part(VAULT, upload, first, body, tree=tree, linear=linear)
        assert answer.status == 204, answer
    answer = wire.complete_upload(VAULT, upload, size, combine_hex([tree] * (size // part)))
    assert answer.status == 201, answer
    return answer.header("x-amz-archive-id")


def download(wire, job):
    """Reads a job's output and throws it away; returns the count."""
    buffer = bytearray(1 << 20)
    with wire.connect(timeout=120) as connection:
        connection.send(wire.head("GET", f"/-/vaults/{VAULT}/jobs/{job}/output"))
        answer = connection.read_head()
        assert answer.status == 200, answer
        expected = int(answer.header("Content-Length"))
        received = len(connection.buffer)
        while received < expected:
            count = connection.socket.recv_into(buffer)
            assert count, "the download was cut"
            received += count
    return received


def bench_retrieval(scratch, primitives):
    retrievals, downloads = [], []
    for mode in ("inPlace", "staged"):
        for kind in KINDS:
            server = service(scratch, f"retrieval-{mode}-{kind}", **{"output-mode": mode})
            try:
                wire = Wire(server)
                size = GIB
                archive = fill(wire, size, kind)
                with Measured(server) as measured:
                    job = wire.start_job(VAULT, Type="archive-retrieval", ArchiveId=archive)
                    document = wire.finished_job(VAULT, job, timeout=300)
                assert document["StatusCode"] == "Succeeded", document
                measured.bytes = size
                must = primitives.retrieval(kind)
                retrievals.append(
                    (
                        f"retrieval job, {mode}, {kind}",
                        f"{measured.rate:.2f}",
                        f"{measured.of_gib(measured.user):.2f} + {measured.of_gib(measured.system):.2f}",
                        f"{must:.2f}",
                        f"{measured.per_gib / must:.2f}",
                        "≤ 1.4",
                    )
                )
                with Measured(server) as measured:
                    for _ in range(3):
                        measured.bytes += download(wire, job)
                must = primitives.download(kind)
                downloads.append(
                    (
                        f"download, {mode}, {kind}",
                        f"{measured.rate:.2f}",
                        f"{measured.of_gib(measured.user):.2f} + {measured.of_gib(measured.system):.2f}",
                        f"{must:.2f}",
                        f"{measured.per_gib / must:.2f}",
                        "≤ 1.5",
                    )
                )
            finally:
                server.dispose()
    return retrievals + downloads


def bench_memory(scratch):
    """16 parallel 64 MiB part uploads while 4 jobs run: the peak of the resident set."""
    server = service(scratch, "memory")
    try:
        wire = Wire(server)
        archive = fill(wire, GIB // 2, "incompressible")
        size = 64 * MIB
        body = incompressible(size)
        linear, tree = linear_hash(body), tree_hash(body)
        upload = wire.initiate_upload(VAULT, size)
        statuses = []

        def send(index):
            statuses.append(wire.put_part(VAULT, upload, index * size, body, linear=linear, tree=tree).status)

        jobs = [wire.start_job(VAULT, Type="archive-retrieval", ArchiveId=archive) for _ in range(4)]
        threads = [threading.Thread(target=send, args=(index,)) for index in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for job in jobs:
            assert wire.finished_job(VAULT, job, timeout=300)["StatusCode"] == "Succeeded"
        assert statuses == [204] * 16, statuses
        peak = peak_rss(server.pid) / MIB
        return [("peak RSS, 16 parallel 64 MiB parts and 4 jobs", f"{peak:.0f} MiB", "≤ 192 MiB")]
    finally:
        server.dispose()


def bench_large(disk, gibibytes):
    """A large archive on a real disk: flat memory, and the first byte of a late range at once."""
    rows = []
    for size in (GIB, gibibytes * GIB):
        server = service(disk, f"large-{size // GIB}")
        try:
            wire = Wire(server)
            archive = fill(wire, size, "incompressible")
            job = wire.start_job(VAULT, Type="archive-retrieval", ArchiveId=archive)
            assert wire.finished_job(VAULT, job, timeout=3600)["StatusCode"] == "Succeeded"
            first = size - 7 * MIB
            with wire.connect() as connection:
                connection.send(
                    wire.head(
                        "GET", f"/-/vaults/{VAULT}/jobs/{job}/output", [("Range", f"bytes={first}-{first + MIB - 1}")]
                    )
                )
                began = time.monotonic()
                connection.read_head()
                while not connection.buffer:
                    connection._more()
                first_byte = time.monotonic() - began
            rows.append(
                (
                    f"{size // GIB} GiB archive, up, job, ranged read",
                    f"{peak_rss(server.pid) / MIB:.0f} MiB peak RSS",
                    f"first byte of a 1 MiB range after {first_byte * 1000:.1f} ms",
                )
            )
        finally:
            server.dispose()
    return rows


def markdown(title, header, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("| " + " | ".join(["---"] + ["---:"] * (len(header) - 1)) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()


def machine():
    model = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / (1 << 20)
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout.split("(")[0].strip()
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Linux {platform.release()}, {openssl}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(REPOSITORY / ".build" / "release" / "coldvault"))
    parser.add_argument("--seconds", type=int, default=5, help="of load per upload row")
    parser.add_argument("--disk", default=str(REPOSITORY / ".build"), help="a folder on a real disk")
    parser.add_argument("--large", type=int, default=0, metavar="GIB", help="also an archive of this size")
    parser.add_argument("--only", default="", help="comma-separated: parts,small,retrieval,memory")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1, 4, 64], metavar="MIB", help="of the parts sent")
    options = parser.parse_args()
    os.environ["COLDVAULT_BINARY"] = options.binary
    binary()
    chosen = set(filter(None, options.only.split(","))) or {"parts", "small", "retrieval", "memory"}
    for tool in ("wrk", "openssl", "gcc"):
        if not shutil.which(tool):
            raise SystemExit(f"{tool} is missing: apt install wrk openssl gcc liblz4-dev")
    with tempfile.TemporaryDirectory(prefix="coldvault-bench-", dir="/dev/shm") as memory, tempfile.TemporaryDirectory(
        prefix="coldvault-bench-", dir=options.disk
    ) as disk:
        memory, disk = pathlib.Path(memory), pathlib.Path(disk)
        print(
            f"Machine: {machine()}. Date: {time.strftime('%Y-%m-%d')}. "
            f"Binary: {pathlib.Path(options.binary).parent.name}."
        )
        primitives = Primitives(memory, 2)
        markdown("Primitives", ["primitive", "CPU s/GiB", "GB/s on one core"], primitives.table())
        columns = ["path", "GB/s", "user + sys CPU s/GiB", "primitives CPU s/GiB", "multiple", "goal"]
        upload = [
            "path",
            "GB/s",
            "user + sys CPU s/GiB",
            "primitives user + sys",
            "of user",
            "multiple",
            "goal",
            "switches/MiB",
        ]
        if "parts" in chosen:
            markdown(
                "Upload over loopback, 4 connections (2 for 64 MiB), data on tmpfs",
                upload,
                bench_parts(memory, primitives, options.seconds, options.sizes),
            )
        if "retrieval" in chosen:
            markdown("Retrieval and download, 1 GiB, data on tmpfs", columns, bench_retrieval(memory, primitives))
        if "small" in chosen:
            markdown("Small archives", ["path", "rate", "CPU each", "goal"], bench_small(disk, options.seconds))
        if "memory" in chosen:
            markdown("Memory", ["load", "peak", "goal"], bench_memory(memory))
        if options.large:
            markdown("Large archives on a real disk", ["load", "memory", "latency"], bench_large(disk, options.large))


if __name__ == "__main__":
    main()
