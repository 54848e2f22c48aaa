# SPDX-License-Identifier: Apache-2.0
"""kill -9 in the midst of each kind of work in turn: the wire's, the operator's, and the offline verbs'.

Each cell of the matrix does one kind of work while clients upload beside it. The kill comes at moments that sweep from
the first microseconds of the work to beyond its end, and every other time at a random one. After each kill everything
that was acknowledged is compared with an outside ledger.

COLDVAULT_KILLS=2000 makes the long run (default 12); COLDVAULT_SEED repeats its choices; COLDVAULT_CELLS=delete,scrub
names cells. A cell whose verb this build does not have is named and left out.
"""

import json
import os
import random
import re
import shutil
import subprocess
import threading
import time

import pytest

from Crash.ledger import Ledger
from Crash.workload import VAULT, Audit, Workload
from Support.server import binary
from Support.wire import Wire

KILLS = int(os.environ.get("COLDVAULT_KILLS", "12"))
SEED = int(os.environ.get("COLDVAULT_SEED", str(random.randrange(1 << 32))))
CHOSEN = [name for name in os.environ.get("COLDVAULT_CELLS", "").split(",") if name]
# A vault of its own for so many kills: audits look at every job of the vault.
KILLS_PER_VAULT = 80
# The sweep of a cell goes around in so many steps.
STEPS = 17


def has_verb(*words):
    """Whether this build knows the verb: its own help, not that of the group it would belong to."""
    result = subprocess.run([binary(), *words, "--help"], capture_output=True, text=True, timeout=60)
    return result.returncode == 0 and re.search(r"USAGE: coldvault " + " ".join(words) + r"\b", result.stdout)


def has_flag(flag, *words):
    result = subprocess.run([binary(), *words, "--help"], capture_output=True, text=True, timeout=60)
    return flag in result.stdout


class Cell:
    """One kind of work. `longest` is the longest that it was seen to take; the sweep goes a little beyond."""

    def __init__(self, name):
        self.name = name
        self.longest = 0.3
        self.kills = 0
        self.acknowledged = 0

    def moment(self, source):
        self.kills += 1
        if self.kills % 2:
            return source.random() * self.longest * 1.1
        # From microseconds on, each step longer than the one before.
        step = (self.kills // 2) % STEPS
        return 0.0001 * ((self.longest * 1.1 / 0.0001) ** (step / (STEPS - 1)))

    def available(self):
        return True


class WireCell(Cell):
    """Work of clients, and nothing but this."""

    def __init__(self, name, *operations):
        super().__init__(name)
        self.operations = operations

    def run(self, server, ledger, source, seed):
        workload = Workload(server, ledger, seed, self.operations)
        time.sleep(self.moment(source))
        server.kill()
        workload.finish()


class OperatorCell(Cell):
    """An operator's verb through the admin socket, beside uploading clients."""

    def __init__(self, name, words, arguments=(), verify=None):
        super().__init__(name)
        self.words = words
        self.arguments = arguments
        self.verify = verify

    def available(self):
        return has_verb(*self.words)

    def command(self, server):
        arguments = [str(argument).replace("{folder}", str(server.folder)) for argument in self.arguments]
        return [binary(), *self.words, "--data-dir", str(server.data_dir), *arguments, "--output", "json"]

    def run(self, server, ledger, source, seed):
        (server.folder / "backups").mkdir(exist_ok=True)
        workload = Workload(server, ledger, seed, ("upload", "multipart", "retrieve"))
        started = time.monotonic()
        process = subprocess.Popen(
            self.command(server), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=server.environment(),
        )
        ended = []
        watcher = threading.Thread(target=lambda: (process.wait(), ended.append(time.monotonic())), daemon=True)
        watcher.start()
        time.sleep(self.moment(source))
        killed = time.monotonic()
        server.kill()
        watcher.join(60)
        assert ended, f"{self.name}: the command did not notice that the service was killed"
        workload.finish()
        output, problem = process.communicate()
        if process.returncode == 0:
            self.acknowledged += 1
            self.longest = max(self.longest, min(5.0, ended[0] - started))
        else:
            assert ended[0] >= killed, f"{self.name} failed before the kill: {problem.decode()}"
        if self.verify:
            self.verify(server, ledger, process.returncode == 0, output)


class OfflineCell(Cell):
    """A verb that needs the service stopped, is itself killed, and then runs to its end."""

    def __init__(self, name, words, arguments=()):
        super().__init__(name)
        self.words = words
        self.arguments = arguments
        self.longest = 1.0

    def available(self):
        return has_verb(*self.words)

    def run(self, server, ledger, source, seed):
        server.kill()
        command = [
            binary(), *self.words, "--data-dir", str(server.data_dir), "--root-key-file", str(server.root_key_file),
            *self.arguments,
        ]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=server.environment(),
        )
        time.sleep(self.moment(source))
        process.kill()
        process.communicate()
        started = time.monotonic()
        server.command(command[1:], timeout=300)
        self.longest = max(self.longest, min(10.0, time.monotonic() - started))
        # Jobs are not rebuilt, as the report says.
        ledger.jobs.clear()


class RotationsAreKept:
    """An acknowledged rotation is there after the restart: `key list` names its version under `member`."""

    def __init__(self, member):
        self.member = member
        self.pending = []
        self.checked = 0

    def __call__(self, server, ledger, acknowledged, output):
        if acknowledged:
            self.pending.append(json.loads(output)["newVersion"])

    def check(self, server):
        listed = {key["version"] for key in server.admin("key", "list")[self.member]}
        assert set(self.pending) <= listed, f"lost {self.member}: {set(self.pending) - listed}"
        self.checked += len(self.pending)
        self.pending.clear()


def cells(masters, vaults):
    everything = [
        WireCell("upload", "upload"),
        WireCell("multipart and complete", "multipart"),
        WireCell("delete", "upload", "delete"),
        WireCell("job", "upload", "retrieve"),
        OperatorCell("master rotate", ("key", "rotate"), verify=masters),
        OperatorCell("vault rotate", ("key", "rotate"), ("--vault", VAULT, "--region", "us-east-1"), verify=vaults),
        OperatorCell("rewrap", ("key", "rewrap"), ("--vault", VAULT, "--region", "us-east-1")),
        OperatorCell("scrub", ("scrub", "start")),
        OperatorCell("backup create", ("backup", "create"), ("--output-dir", "{folder}/backups")),
        OfflineCell("catalog rebuild", ("catalog", "rebuild"), ("--replace",)),
    ]
    return [cell for cell in everything if not CHOSEN or cell.name in CHOSEN]


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_whatever_was_under_way(make_server):
    print(f"COLDVAULT_SEED={SEED} COLDVAULT_KILLS={KILLS}")
    source = random.Random(SEED)
    masters, vaults = RotationsAreKept("masterKeys"), RotationsAreKept("vaultKeys")
    matrix, left_out = [], []
    for cell in cells(masters, vaults):
        (matrix if cell.available() else left_out).append(cell)
    print(f"left out, because this build has no such verb: {[cell.name for cell in left_out]}")
    assert matrix
    kills, stored = 0, 0
    while kills < KILLS:
        settings = {"deletion-grace": "0", "output-mode": source.choice(["inPlace", "staged"])}
        server = make_server(f"matrix-{kills}", settings=settings)
        if has_flag("--mirror-dir", "serve") and source.random() < 0.5:
            server.stop()
            server.settings["mirror-dir"] = str(server.folder / "mirror")
            server.start()
        Wire(server).create_vault(VAULT)
        ledger = Ledger()
        for _ in range(min(KILLS_PER_VAULT, KILLS - kills)):
            cell = matrix[kills % len(matrix)]
            cell.run(server, ledger, source, f"{SEED}-{kills}")
            kills += 1
            if source.random() < 0.2:
                server.start(expect_ready=False)
                time.sleep(source.random() * 0.5)
                server.kill()
            server.start()
            masters.check(server)
            vaults.check(server)
            Audit(server, ledger, source).run()
            print(f"kill {kills} in {cell.name}: {ledger.summary()}", flush=True)
        Audit(server, ledger, source).run(everything=True)
        stored += len(ledger.archives)
        server.stop()
        shutil.rmtree(server.folder)
    for cell in matrix:
        ended = f", {cell.acknowledged} times its work had ended before" if isinstance(cell, OperatorCell) else ""
        print(f"{cell.name}: {cell.kills} kills{ended}")
    print(f"{kills} kills, {stored} archives, 0 losses")
    assert stored, "the workload stored nothing"
