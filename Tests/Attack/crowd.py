# SPDX-License-Identifier: Apache-2.0
"""Attackers, many at once from one thread, and a healthy client whose patience is measured beside them."""

import multiprocessing
import os
import resource
import selectors
import socket
import time

from Support.wire import ConnectionEnded, Wire

MIB = 1 << 20


def allow_many_sockets():
    """As many descriptors as the system lets us have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Attacker:
    """One socket. `pieces` yields bytes to send (empty: nothing this time) or None: never anything more."""

    def __init__(self, pieces, reads=True):
        self.pieces = pieces
        self.reads = reads
        self.received = b""
        self.sent = 0
        self.ended = False
        self.socket = None
        self.pending = b""


class Crowd:
    """Keeps attackers busy in a process of its own until it is stopped; connections that end are counted."""

    # Attackers have all the time in the world; on a small machine the processor is the service's.
    TICK = 0.1
    NEW_PER_TICK = 10

    def __init__(self, server, make, size, source="127.0.0.1", reconnects=False):
        self.server = server
        self.make = make
        self.size = size
        self.source = source
        self.reconnects = reconnects
        self.answers = {}
        self.attackers = []
        # `make` is a closure, which a forked process simply has.
        context = multiprocessing.get_context("fork")
        self.stopping = context.Event()
        self._opened = context.Value("q", 0)
        self._alive = context.Value("q", 0)
        self.result, self.sender = context.Pipe(duplex=False)
        self.process = context.Process(target=self._attack, daemon=True)

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        if self.result.poll(60):
            self.answers = self.result.recv()
        self.process.join(30)

    @property
    def opened(self):
        return self._opened.value

    @property
    def alive(self):
        return self._alive.value

    def wait_until_there(self, seconds=60):
        give_up = time.monotonic() + seconds
        while self.opened < self.size and time.monotonic() < give_up:
            time.sleep(0.05)
        assert self.opened >= self.size, f"only {self.opened} of {self.size} connections could be opened"

    def _attack(self):
        try:
            self._run()
        finally:
            for attacker in self.attackers:
                self._note(attacker)
            self.sender.send(self.answers)

    def _note(self, attacker):
        """Statuses of the answers seen; where there is none, `cut`."""
        if attacker.received.startswith(b"HTTP/1.1 "):
            status = attacker.received[9:12].decode()
        else:
            status = "cut" if attacker.ended else "open"
        self.answers[status] = self.answers.get(status, 0) + 1

    def _open(self):
        attacker = self.make()
        raw = socket.socket()
        raw.bind((self.source, 0))
        raw.setblocking(False)
        try:
            raw.connect((self.server.host, self.server.port))
        except BlockingIOError:
            pass
        except OSError:
            raw.close()
            return None
        attacker.socket = raw
        self._opened.value += 1
        return attacker

    def _run(self):
        selector = selectors.DefaultSelector()
        while not self.stopping.is_set():
            missing = self.size - (len(self.attackers) if self.reconnects else self.opened)
            for _ in range(min(missing, self.NEW_PER_TICK)):
                attacker = self._open()
                if attacker is None:
                    break
                self.attackers.append(attacker)
                selector.register(attacker.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, attacker)
            self._alive.value = len(self.attackers)
            for key, events in selector.select(0):
                self._serve(selector, key.data, events)
            time.sleep(self.TICK)
        selector.close()

    def _serve(self, selector, attacker, events):
        try:
            if events & selectors.EVENT_READ and attacker.reads:
                piece = attacker.socket.recv(1 << 14)
                if not piece:
                    raise ConnectionResetError
                attacker.received = (attacker.received + piece)[:256]
            if events & selectors.EVENT_WRITE:
                if not attacker.pending:
                    attacker.pending = next(attacker.pieces, b"") or b""
                if attacker.pending:
                    sent = attacker.socket.send(attacker.pending)
                    attacker.sent += sent
                    attacker.pending = attacker.pending[sent:]
        except BlockingIOError:
            pass
        except OSError:
            attacker.ended = True
            selector.unregister(attacker.socket)
            attacker.socket.close()
            self._note(attacker)
            attacker.socket = None
            self.attackers.remove(attacker)


class Patient:
    """A healthy client: each time a new connection, a small archive, and the vault's description. As SDKs do, it comes
    back after 503, 408 and ThrottlingException; whatever else goes wrong is a failure."""

    def __init__(self, server, vault, account=None):
        self.wire = Wire(server, account) if account else Wire(server)
        self.vault = vault
        self.latencies = []
        self.refusals = 0

    def work(self, times, deadline=60.0):
        give_up = time.monotonic() + deadline
        for number in range(times):
            started = time.monotonic()
            while True:
                assert time.monotonic() < give_up, f"served {number} of {times} in {deadline} s: {self.report()}"
                try:
                    answer = self.wire.post_archive(self.vault, b"healthy %d" % number)
                except (OSError, ConnectionEnded):
                    # Its connection was closed before its request was there: it comes back, like any client.
                    self.refusals += 1
                    continue
                if answer.status == 201:
                    break
                assert answer.status in (408, 503) or answer.json["code"] == "ThrottlingException", answer
                self.refusals += 1
                time.sleep(0.05)
            self.latencies.append(time.monotonic() - started)
        return self

    def report(self):
        latencies = sorted(self.latencies) or [0.0]
        return (
            f"{len(self.latencies)} served, {self.refusals} refused first, median {latencies[len(latencies) // 2] * 1000:.0f} ms, "
            f"worst {latencies[-1] * 1000:.0f} ms"
        )


def resident(server):
    """Resident bytes of the service, and the most there ever were."""
    values = {}
    with open(f"/proc/{server.pid}/status") as status:
        for line in status:
            name, _, value = line.partition(":")
            if name in ("VmRSS", "VmHWM"):
                values[name] = int(value.split()[0]) * 1024
    return values["VmRSS"], values["VmHWM"]


def processor_seconds(server):
    """What the service has used of the processors since its start."""
    with open(f"/proc/{server.pid}/stat") as status:
        fields = status.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
