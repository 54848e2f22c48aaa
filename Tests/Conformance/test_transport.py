# SPDX-License-Identifier: Apache-2.0
"""HTTP itself: Expect, early refusals, stalls, chunks, keep-alive, pipelining, limits, TLS."""

import concurrent.futures
import subprocess
import time
import types

import botocore.exceptions
import pytest

from Support.bodies import incompressible
from Support.checks import assert_error
from Support.clients import boto_client
from Support.hashes import MIB, linear_hash, tree_hash
from Support.wire import ConnectionEnded, Wire

HASH = "0" * 64
EXPECT = ("Expect", "100-continue")


def archive_head(wire, vault, body=None, length=None, **options):
    """The head of an UploadArchive: of `body`, or of `length` bytes that nobody has seen."""
    hashes = (linear_hash(body), tree_hash(body)) if body is not None else (HASH, HASH)
    return wire.head(
        "POST",
        f"/-/vaults/{vault}/archives",
        [("x-amz-content-sha256", hashes[0]), ("x-amz-sha256-tree-hash", hashes[1])],
        length=len(body) if body is not None else length,
        **options,
    )


# Expect: 100-continue


def test_a_good_head_gets_100_and_then_the_upload_its_answer(wire, vault):
    body = incompressible(2 * MIB)
    with wire.connect() as connection:
        connection.send(archive_head(wire, vault, body, unsigned=[EXPECT]))
        assert connection.read_head().status == 100
        connection.send(body)
        assert connection.read_answer().status == 201


def test_a_good_part_gets_100_and_then_204(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    body = incompressible(MIB)
    head = wire.head(
        "PUT",
        f"/-/vaults/{vault}/multipart-uploads/{upload}",
        [
            ("x-amz-content-sha256", linear_hash(body)),
            ("x-amz-sha256-tree-hash", tree_hash(body)),
            ("Content-Range", f"bytes 0-{MIB - 1}/*"),
        ],
        length=MIB,
        unsigned=[EXPECT],
    )
    with wire.connect() as connection:
        connection.send(head)
        assert connection.read_head().status == 100
        connection.send(body)
        assert connection.read_answer().status == 204


def test_a_small_json_body_that_expects_gets_100_too(wire, vault):
    body = b'{"Type":"inventory-retrieval"}'
    with wire.connect() as connection:
        connection.send(wire.head("POST", f"/-/vaults/{vault}/jobs", body=body, unsigned=[EXPECT]))
        assert connection.read_head().status == 100
        connection.send(body)
        assert connection.read_answer().status == 202


@pytest.mark.parametrize(
    "target, headers, options, status, code",
    [
        ("archives", [], {"secret": "w" * 40}, 403, "InvalidSignatureException"),
        ("archives", [], {"access_key": "AKIAUNKNOWNUNKNOWN00"}, 400, "UnrecognizedClientException"),
        ("archives", [], {"sign": False}, 400, "MissingAuthenticationTokenException"),
        ("archives", [], {"version": None}, 400, "MissingParameterValueException"),
        ("archives", [], {"length": 0}, 400, "InvalidParameterValueException"),
        ("archives", [], {"length": 5 * 1024 * MIB}, 400, "InvalidParameterValueException"),
        (
            "multipart-uploads/" + "U" * 92,
            [("Content-Range", "bytes 0-1048575/*")],
            {},
            404,
            "ResourceNotFoundException",
        ),
        (
            "multipart-uploads/UPLOAD",
            [("Content-Range", "bytes 1-1048576/*")],
            {},
            400,
            "InvalidParameterValueException",
        ),
        ("multipart-uploads/UPLOAD", [("Content-Range", "bytes 0-99/*")], {}, 400, "InvalidParameterValueException"),
        (
            "multipart-uploads/UPLOAD",
            [("Content-Range", f"bytes 0-{2 * MIB - 1}/*")],
            {"length": 2 * MIB},
            400,
            "InvalidParameterValueException",
        ),
    ],
    ids=[
        "secret",
        "key",
        "unsigned",
        "version",
        "empty",
        "too-large",
        "no-upload",
        "off-grid",
        "range-length",
        "too-long",
    ],
)
def test_a_bad_head_gets_its_final_answer_without_100(wire, vault, target, headers, options, status, code):
    if "UPLOAD" in target and "U" * 92 not in target:
        target = target.replace("UPLOAD", wire.initiate_upload(vault, MIB))
    method = "PUT" if target.startswith("multipart") else "POST"
    head = wire.head(
        method,
        f"/-/vaults/{vault}/{target}",
        [("x-amz-content-sha256", HASH), ("x-amz-sha256-tree-hash", HASH), *headers],
        **{"length": MIB, **options},
        unsigned=[EXPECT],
    )
    with wire.connect(timeout=10) as connection:
        connection.send(head)
        answer = connection.read_answer(skip_informational=False)
    assert_error(answer, status, code)


def test_a_missing_vault_gets_its_final_answer_without_100(wire):
    with wire.connect(timeout=10) as connection:
        connection.send(archive_head(wire, "no-such-vault", length=MIB, unsigned=[EXPECT]))
        assert_error(connection.read_answer(skip_informational=False), 404, "ResourceNotFoundException")


# Early refusal


@pytest.mark.parametrize("vault_exists", [True, False], ids=["bad-signature", "no-vault"])
def test_a_large_body_refused_early_is_not_read_to_its_end(wire, vault, vault_exists):
    """256 MiB announced, refused from the head: the service stops taking bytes long before."""
    announced = 256 * MIB
    options = {"secret": "w" * 40} if vault_exists else {}
    head = archive_head(wire, vault if vault_exists else "no-such-vault", length=announced, **options)
    piece = bytes(MIB)
    with wire.connect(timeout=20) as connection:
        connection.send(head)
        answer = connection.read_answer()
        assert answer.status == (403 if vault_exists else 404), answer
        sent = connection.send_as_much_as_taken(lambda: piece, announced)
    assert sent < 64 * MIB, f"the service took {sent // MIB} MiB of a refused body"


def test_a_client_that_writes_first_and_reads_later_still_sees_the_refusal(wire, vault):
    """botocore sends the whole body before it reads: for a small body the answer must survive the closing."""
    body = incompressible(2 * MIB)
    with wire.connect() as connection:
        try:
            connection.send(archive_head(wire, vault, body, secret="w" * 40) + body)
        except OSError:
            pass
        assert_error(connection.read_answer(), 403, "InvalidSignatureException")


def test_boto3_sees_an_early_refusal_as_the_service_error(glacier):
    with pytest.raises(glacier.exceptions.ResourceNotFoundException):
        glacier.upload_archive(vaultName="no-such-vault", body=incompressible(8 * MIB))


# Stalls


def test_a_body_that_stalls_gets_408_or_a_closed_connection(make_server):
    wire = Wire(make_server("stall", settings={"body-stall-timeout": "2s"}))
    wire.create_vault("v")
    body = incompressible(MIB)
    began = time.monotonic()
    with wire.connect(timeout=25) as connection:
        connection.send(archive_head(wire, "v", body) + body[:1000])
        try:
            assert_error(connection.read_answer(), 408, "RequestTimeoutException", "Request timed out.")
        except ConnectionEnded:
            pass
    assert 1.5 < time.monotonic() - began < 20
    assert wire.request("GET", "/-/vaults/v").json["NumberOfArchives"] == 0


def test_a_body_far_below_the_minimum_rate_is_given_up(make_server):
    settings = {"body-stall-timeout": "30s", "minimum-body-rate": "64KiB", "body-rate-grace": "2s"}
    wire = Wire(make_server("trickle", settings=settings))
    wire.create_vault("v")
    body = incompressible(MIB)
    began, ended = time.monotonic(), False
    with wire.connect(timeout=30) as connection:
        connection.send(archive_head(wire, "v", body))
        connection.socket.settimeout(0.5)
        while time.monotonic() - began < 60 and not ended:
            try:
                connection.send(b"x")
                answer = connection.read_answer()
                assert answer.status == 408, answer
                ended = True
            except TimeoutError:
                continue
            except (ConnectionEnded, OSError):
                ended = True
    assert ended, "the service took one byte every half second for a minute"


def test_a_head_that_never_ends_is_given_up(make_server):
    wire = Wire(make_server("slow-head"))
    with wire.connect(timeout=90) as connection:
        connection.send(b"GET /-/vaults HTTP/1.1\r\nHost: x\r\n")
        began = time.monotonic()
        try:
            answer = connection.read_answer()
            assert answer.status in (400, 408), answer
        except ConnectionEnded:
            pass
        assert time.monotonic() - began < 80


def test_other_clients_are_served_while_some_stall(wire, vault):
    body = incompressible(MIB)
    stalled = [wire.connect() for _ in range(20)]
    try:
        for connection in stalled:
            connection.send(archive_head(wire, vault, body) + body[:100])
        began = time.monotonic()
        assert wire.request("GET", f"/-/vaults/{vault}").status == 200
        assert wire.post_archive(vault, body).status == 201
        assert time.monotonic() - began < 10
    finally:
        for connection in stalled:
            connection.close()


def test_more_uploads_than_the_memory_budget_holds_wait_their_turn(make_server):
    wire = Wire(make_server("budget", settings={"memory-budget": "48MiB"}))
    wire.create_vault("v")
    upload = wire.initiate_upload("v", 4 * MIB)
    bodies = [incompressible(4 * MIB, seed) for seed in range(40)]
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda index: wire.put_part("v", upload, index * 4 * MIB, bodies[index]), range(40)))
    assert {answer.status for answer in answers} == {204}
    whole = b"".join(bodies)
    answer = wire.complete_upload("v", upload, len(whole), tree_hash(whole))
    assert answer.status == 201, answer
    assert wire.retrieve("v", answer.header("x-amz-archive-id")) == whole


# Connections


def test_a_connection_is_used_again_after_errors(wire, vault):
    with wire.connect() as connection:
        for target, status in [("/-/vaults/absent", 404), (f"/-/vaults/{vault}", 200), ("/x", 400), ("/-/vaults", 200)]:
            assert wire.request("GET", target, connection=connection).status == status
        assert wire.post_job(vault, b"not json", connection=connection).status == 400
        assert wire.post_archive(vault, b"fine", connection=connection).status == 201
        assert wire.post_archive(vault, b"x" * 100, tree="1" * 64, connection=connection).status == 400
        assert wire.request("DELETE", "/-/vaults/absent", connection=connection).status == 204
        assert wire.request("GET", f"/-/vaults/{vault}", connection=connection).json["NumberOfArchives"] == 1


def test_a_small_refused_body_leaves_the_connection_clean_or_closed(wire, vault):
    body = incompressible(1000)
    with wire.connect() as connection:
        connection.send(archive_head(wire, "no-such-vault", body) + body)
        assert connection.read_answer().status == 404
        try:
            assert wire.request("GET", f"/-/vaults/{vault}", connection=connection).status == 200
        except (ConnectionEnded, OSError):
            pass


def test_two_pipelined_requests_are_answered_in_order(wire, vault):
    with wire.connect() as connection:
        connection.send(wire.head("GET", f"/-/vaults/{vault}") + wire.head("GET", "/-/vaults/absent"))
        assert connection.read_answer().json["VaultName"] == vault
        assert connection.read_answer().status == 404


def test_pipelined_uploads_are_both_stored(wire, vault):
    first, second = b"first body", b"second body"
    with wire.connect() as connection:
        connection.send(archive_head(wire, vault, first) + first + archive_head(wire, vault, second) + second)
        answers = [connection.read_answer(), connection.read_answer()]
    assert [answer.status for answer in answers] == [201, 201]
    assert [answer.header("x-amz-sha256-tree-hash") for answer in answers] == [tree_hash(first), tree_hash(second)]


def test_connection_close_is_honoured(wire, vault):
    with wire.connect() as connection:
        connection.send(wire.head("GET", f"/-/vaults/{vault}", unsigned=[("Connection", "close")]))
        assert connection.read_answer().status == 200
        assert connection.is_closed_by_service()


def test_a_chunked_upload_is_stored_or_told_to_state_its_length(wire, vault):
    body = incompressible(MIB + 10)
    head = wire.head(
        "POST",
        f"/-/vaults/{vault}/archives",
        [("x-amz-content-sha256", linear_hash(body)), ("x-amz-sha256-tree-hash", tree_hash(body))],
        length=None,
        unsigned=[("Transfer-Encoding", "chunked")],
    )
    with wire.connect() as connection:
        try:
            connection.send(head)
            for at in range(0, len(body), 100000):
                piece = body[at : at + 100000]
                connection.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            connection.send(b"0\r\n\r\n")
        except OSError:
            pass
        answer = connection.read_answer()
    if answer.status == 201:
        assert wire.retrieve(vault, answer.header("x-amz-archive-id")) == body
    else:
        assert answer.status in (400, 411), answer
        assert wire.request("GET", f"/-/vaults/{vault}").json["NumberOfArchives"] == 0


def test_a_chunked_json_body_is_read_or_refused(wire, vault):
    body = b'{"Type":"inventory-retrieval"}'
    head = wire.head(
        "POST",
        f"/-/vaults/{vault}/jobs",
        payload_hash=linear_hash(body),
        length=None,
        unsigned=[("Transfer-Encoding", "chunked")],
    )
    with wire.connect() as connection:
        connection.send(head + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
        assert connection.read_answer().status in (202, 400, 411)


@pytest.mark.parametrize(
    "headers",
    [[("x-large", "y" * (1 << 20))], [(f"x-{index}", "z") for index in range(5000)]],
    ids=["one-huge", "very-many"],
)
def test_huge_headers_are_refused_or_the_connection_ends(wire, vault, headers):
    with wire.connect() as connection:
        try:
            connection.send(wire.head("GET", f"/-/vaults/{vault}", headers))
            answer = connection.read_answer()
            assert 400 <= answer.status < 500, answer
        except (ConnectionEnded, OSError):
            pass
    assert wire.request("GET", f"/-/vaults/{vault}").status == 200


@pytest.mark.parametrize(
    "noise",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00" * 1000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=ascii,
)
def test_noise_harms_nobody(wire, vault, noise):
    with wire.connect(timeout=5) as connection:
        connection.send(noise)
        try:
            assert connection.read_answer().status >= 400
        except (ConnectionEnded, TimeoutError, OSError, AssertionError, ValueError):
            pass
    assert wire.request("GET", f"/-/vaults/{vault}").status == 200


def test_a_download_that_is_abandoned_harms_nobody(wire, vault):
    body = incompressible(16 * MIB)
    archive = wire.upload_multipart(vault, body, 4 * MIB)
    job = wire.succeeded_job(vault, Type="archive-retrieval", ArchiveId=archive)
    for _ in range(5):
        with wire.connect(receive_buffer=65536) as connection:
            connection.send(wire.head("GET", f"/-/vaults/{vault}/jobs/{job}/output"))
            assert connection.read_head().status == 200
    assert wire.job_output(vault, job).body == body


def test_a_graceful_stop_finishes_the_upload_in_flight(make_server):
    server = make_server("graceful")
    wire = Wire(server)
    wire.create_vault("v")
    body = incompressible(2 * MIB)
    with wire.connect() as connection:
        connection.send(archive_head(wire, "v", body) + body[:MIB])
        time.sleep(0.3)
        server.process.terminate()
        time.sleep(0.3)
        connection.send(body[MIB:])
        answer = connection.read_answer()
    assert answer.status == 201, answer
    assert server.wait_for_exit() == 0
    server.start()
    assert Wire(server).retrieve("v", answer.header("x-amz-archive-id")) == body


# TLS


@pytest.fixture(scope="module")
def tls_server(make_server_for_session, certificate):
    return make_server_for_session("tls", tls=certificate)


def test_boto3_works_over_https_with_a_private_certificate(tls_server):
    client = boto_client(tls_server)
    client.create_vault(vaultName="secure")
    body = incompressible(3 * MIB + 1)
    uploaded = client.upload_archive(vaultName="secure", body=body)
    wire = Wire(tls_server)
    assert wire.retrieve("secure", uploaded["archiveId"]) == body


def test_a_client_that_does_not_know_the_certificate_refuses_it(tls_server, monkeypatch):
    client = boto_client(
        types.SimpleNamespace(account=tls_server.account, region=tls_server.region, tls=None, url=tls_server.url)
    )
    with pytest.raises(botocore.exceptions.SSLError):
        client.list_vaults()


def test_expect_works_over_https(tls_server):
    wire = Wire(tls_server)
    wire.create_vault("expecting")
    body = incompressible(MIB)
    with wire.connect() as connection:
        connection.send(archive_head(wire, "expecting", body, unsigned=[EXPECT]))
        assert connection.read_head().status == 100
        connection.send(body)
        assert connection.read_answer().status == 201


@pytest.mark.parametrize("version, works", [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_tls_is_at_least_version_1_2(tls_server, version, works):
    result = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{tls_server.port}", version, "-cipher", "ALL:@SECLEVEL=0"],
        input=b"",
        capture_output=True,
        timeout=20,
    )
    assert (b"Cipher is (NONE)" not in result.stdout and result.returncode == 0) == works, result.stdout.decode()


def test_plain_http_beyond_loopback_is_refused_at_the_start(make_server):
    server = make_server("exposed", start=False, settings={"listen": "0.0.0.0:0"})
    result = server.command(
        [
            "serve",
            "--data-dir",
            str(server.data_dir),
            "--root-key-file",
            str(server.root_key_file),
            "--listen",
            "0.0.0.0:0",
        ],
        check=False,
        timeout=20,
    )
    assert result.returncode != 0
    assert "http" in (result.stderr + result.stdout).lower()
