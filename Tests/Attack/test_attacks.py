# SPDX-License-Identifier: Apache-2.0
"""Slow, greedy, silent and endless clients: memory stays bounded and a healthy client is served beside them.

Each attack prints what it did, the memory of the service and the latencies of the healthy client (`pytest -s`). Only
what must hold on a loaded machine is asserted: who is served, who is refused how, and how much memory was taken.
"""

import itertools
import random
import subprocess
import time
import types

import pytest

from Attack.crowd import MIB, Attacker, Crowd, Patient, allow_many_sockets, processor_seconds, resident
from Crash.ledger import Ledger
from Crash.workload import VAULT as CRASH
from Crash.workload import Audit, Workload
from Support.hashes import linear_hash, tree_hash
from Support.identity import create_account
from Support.wire import Wire

# Beside the budget: code, catalog, connections, the allocator's slack.
OVERHEAD = 160 * MIB
BUDGET = 128 * MIB
VAULT = "attacked"


@pytest.fixture
def attacked(make_server):
    """A service with default limits, but short patience so that the tests are short."""
    allow_many_sockets()
    server = make_server("attack", settings={"body-stall-timeout": "3s", "body-rate-grace": "3s"})
    Wire(server).create_vault(VAULT)
    Patient(server, VAULT).work(5)
    return server


def forever(*first):
    yield from first
    while True:
        yield b""


def slowly(head, piece, seconds=2.0):
    """The head, then a piece now and then."""
    yield head
    due = time.monotonic()
    while True:
        if time.monotonic() >= due:
            due = time.monotonic() + seconds
            yield piece
        else:
            yield b""


def assert_within_budget(server, name, crowd, patient):
    rss, peak = resident(server)
    print(
        f"{name}: {crowd.opened} connections, {patient.report()}, RSS {rss // MIB} MiB, peak {peak // MIB} MiB, "
        f"{processor_seconds(server):.1f} CPU s, answers {crowd.answers}"
    )
    assert peak < BUDGET + OVERHEAD, f"{name} took {peak // MIB} MiB"


def under(server, name, make, size, times=10, **options):
    """Runs a crowd, a healthy client beside it, and checks memory and that the service is as before afterwards."""
    with Crowd(server, make, size, **options) as crowd:
        crowd.wait_until_there()
        patient = Patient(server, VAULT).work(times, deadline=120)
    assert_within_budget(server, name, crowd, patient)
    Patient(server, VAULT).work(1)
    return crowd


@pytest.mark.slow
def test_heads_that_never_end(attacked):
    """From another address than the healthy client, as attackers are: 127.0.0.2."""
    head = b"GET /-/vaults HTTP/1.1\r\nHost: x\r\n"
    under(attacked, "slow heads", lambda: Attacker(slowly(head, b"x-a: b\r\n")), 600, source="127.0.0.2", reconnects=True)


@pytest.mark.slow
def test_idle_connections_by_the_thousand(attacked):
    under(attacked, "idle", lambda: Attacker(forever()), 1200, source="127.0.0.2", reconnects=True)


@pytest.mark.slow
def test_the_attacker_may_even_have_the_healthy_clients_address(attacked):
    under(attacked, "idle, same address", lambda: Attacker(forever()), 1200, reconnects=True)


@pytest.mark.slow
def test_headers_without_end(attacked):
    head = b"GET /-/vaults HTTP/1.1\r\nHost: x\r\n"

    def endless():
        yield head
        for number in itertools.count():
            yield b"x-%d: " % number + b"y" * 4000 + b"\r\n"

    crowd = under(attacked, "endless headers", lambda: Attacker(endless()), 200, source="127.0.0.2")
    assert set(crowd.answers) <= {"400", "503", "cut", "open"} and crowd.answers.get("400", 0) > 0, crowd.answers


@pytest.mark.slow
def test_one_header_of_a_gigabyte(attacked):
    def endless():
        yield b"GET /-/vaults HTTP/1.1\r\nHost: x\r\nx-large: "
        while True:
            yield b"y" * 65536

    under(attacked, "one endless header", lambda: Attacker(endless()), 200, source="127.0.0.2")


@pytest.mark.slow
def test_bodies_that_stall_get_408(attacked):
    """Signed by somebody with an account, so that their bodies are wanted."""
    wire = Wire(attacked)
    body = b"z" * MIB
    head = wire.head(
        "POST", f"/-/vaults/{VAULT}/archives",
        [("x-amz-content-sha256", linear_hash(body)), ("x-amz-sha256-tree-hash", tree_hash(body))], body=body,
    )
    with Crowd(attacked, lambda: Attacker(forever(head + body[:1000])), 100) as crowd:
        crowd.wait_until_there()
        patient = Patient(attacked, VAULT).work(10, deadline=120)
        give_up = time.monotonic() + 60
        while crowd.alive and time.monotonic() < give_up:
            time.sleep(0.1)
    assert_within_budget(attacked, "stalled bodies", crowd, patient)
    assert crowd.answers.get("408", 0) > 0 and set(crowd.answers) <= {"408", "503", "400"}, crowd.answers


@pytest.mark.slow
def test_bodies_that_trickle_get_408(attacked):
    wire = Wire(attacked)
    body = b"z" * MIB
    head = wire.head(
        "POST", f"/-/vaults/{VAULT}/archives",
        [("x-amz-content-sha256", linear_hash(body)), ("x-amz-sha256-tree-hash", tree_hash(body))], body=body,
    )
    crowd = under(attacked, "trickling bodies", lambda: Attacker(slowly(head, b"z")), 16, times=5)
    assert set(crowd.answers) <= {"408", "503", "open"}, crowd.answers


@pytest.mark.slow
def test_floods_of_pipelined_requests(attacked):
    wire = Wire(attacked)
    request = wire.head("GET", f"/-/vaults/{VAULT}")
    flood = request * (65536 // len(request) + 1)
    under(attacked, "pipelined, never read", lambda: Attacker(itertools.repeat(flood), reads=False), 100, source="127.0.0.2")
    under(attacked, "pipelined strangers", lambda: Attacker(itertools.repeat(b"GET / HTTP/1.1\r\n\r\n" * 3000)), 10,
          source="127.0.0.2", reconnects=True)


@pytest.mark.slow
def test_large_parts_in_parallel_wait_their_turn(attacked):
    """Sixty parts of 16 MiB that never arrive whole, all at once, of one account: memory is bounded."""
    wire = Wire(attacked)
    upload = wire.initiate_upload(VAULT, 16 * MIB)
    part = b"p" * (16 * MIB)
    hashes = [("x-amz-content-sha256", linear_hash(part)), ("x-amz-sha256-tree-hash", tree_hash(part))]
    numbers = itertools.count()

    def greedy():
        first = next(numbers) * 16 * MIB
        headers = [*hashes, ("Content-Range", f"bytes {first}-{first + 16 * MIB - 1}/*")]
        head = wire.head("PUT", f"/-/vaults/{VAULT}/multipart-uploads/{upload}", headers, length=16 * MIB)
        return Attacker(itertools.chain([head], itertools.repeat(part[: 1 << 16], 256), forever()))

    crowd = under(attacked, "large parts", greedy, 60, times=10)
    assert set(crowd.answers) <= {"204", "408", "503", "open"}, crowd.answers


@pytest.mark.slow
def test_one_account_does_not_starve_another(attacked):
    """An account that holds all the memory it can get, slowly, beside another whose parts are served in good time."""
    other = create_account(attacked)
    Wire(attacked, other).create_vault(VAULT)
    body = b"g" * (8 * MIB)
    wire = Wire(attacked)
    head = wire.head(
        "POST", f"/-/vaults/{VAULT}/archives",
        [("x-amz-content-sha256", linear_hash(body)), ("x-amz-sha256-tree-hash", tree_hash(body))], body=body,
    )
    # Fast enough to be borne: 64 KiB three times a second.
    with Crowd(attacked, lambda: Attacker(slowly(head, body[: 1 << 16], 0.3)), 100) as crowd:
        crowd.wait_until_there()
        time.sleep(1)
        patient = Patient(attacked, VAULT, other).work(20)
    assert_within_budget(attacked, "a greedy account", crowd, patient)


@pytest.mark.slow
def test_clients_that_stop_reading(attacked):
    wire = Wire(attacked)
    archive = wire.upload_multipart(VAULT, b"r" * (16 * MIB), 8 * MIB)
    job = wire.succeeded_job(VAULT, Type="archive-retrieval", ArchiveId=archive)
    request = wire.head("GET", f"/-/vaults/{VAULT}/jobs/{job}/output")
    other = create_account(attacked)
    Wire(attacked, other).create_vault(VAULT)
    with Crowd(attacked, lambda: Attacker(forever(request), reads=False), 60) as crowd:
        crowd.wait_until_there()
        time.sleep(1)
        patient = Patient(attacked, VAULT, other).work(20)
    assert_within_budget(attacked, "clients that do not read", crowd, patient)


@pytest.fixture
def certificate(tmp_path):
    key, pem = tmp_path / "tls.key", tmp_path / "tls.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, "-keyout", key, "-out", pem],
        check=True, capture_output=True,
    )
    return types.SimpleNamespace(certificate=pem, key=key)


@pytest.mark.slow
def test_handshakes_that_stall(make_server, certificate):
    """The first bytes of a ClientHello, and then nothing, or one byte now and then."""
    allow_many_sockets()
    server = make_server("attack-tls", tls=certificate)
    Wire(server).create_vault(VAULT)
    Patient(server, VAULT).work(2)
    hello = bytes.fromhex("16030100c8010000c40303") + b"r" * 20
    under(server, "stalled handshakes", lambda: Attacker(forever(hello)), 600, source="127.0.0.2", reconnects=True)
    under(server, "slow handshakes", lambda: Attacker(slowly(hello[:5], b"r")), 300, source="127.0.0.2", reconnects=True)


@pytest.mark.slow
def test_a_graceful_stop_under_load_loses_nothing_and_ends_in_time(make_server):
    server = make_server("stop", settings={"shutdown-grace": "10s"})
    Wire(server).create_vault(CRASH)
    ledger = Ledger()
    for round in range(4):
        workload = Workload(server, ledger, f"stop-{round}")
        with Crowd(server, lambda: Attacker(forever()), 300, source="127.0.0.2", reconnects=True):
            time.sleep(1)
            started = time.monotonic()
            # The stop refuses new connections and finishes what is under way.
            status = server.stop(timeout=60)
            seconds = time.monotonic() - started
        workload.stop.set()
        for thread in workload.threads:
            thread.join(60)
        refused = [text for text in workload.surprises if "stopping" not in text and "503" not in text]
        print(f"stop {round}: status {status} after {seconds:.1f} s, {ledger.summary()}")
        assert status == 0 and seconds < 25, server.log_tail()
        assert refused == []
        server.start()
        Audit(server, ledger, random.Random(round)).run(everything=True)
