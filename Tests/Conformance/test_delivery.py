# SPDX-License-Identifier: Apache-2.0
"""Notifications that arrive: at a webhook, a directory, a command; over kills, restarts and dead targets."""

import hashlib
import hmac
import http.server
import json
import os
import stat
import threading
import time

import pytest

from Support.checks import vault_arn
from Support.wire import Wire

BOTH = ["ArchiveRetrievalCompleted", "InventoryRetrievalCompleted"]


class Receiver:
    """A webhook on loopback that keeps what it gets; `answers` says with which status (default 200)."""

    def __init__(self):
        self.messages = []
        self.answers = []
        self.location = None
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.messages.append((self.path, dict(self.headers), body))
                status = receiver.answers.pop(0) if receiver.answers else 200
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def wait(self, count, timeout=30.0):
        deadline = time.monotonic() + timeout
        while len(self.messages) < count:
            assert time.monotonic() < deadline, f"{len(self.messages)} of {count} messages after {timeout} s"
            time.sleep(0.02)
        return self.messages

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


def topic(server, name):
    return f"arn:aws:sns:{server.region}:{server.account.number}:{name}"


def notify(wire, vault, arn, events=BOTH):
    body = json.dumps({"SNSTopic": arn, "Events": events}).encode()
    answer = wire.request("PUT", f"/-/vaults/{vault}/notification-configuration", body=body)
    assert answer.status == 204, answer


def verified(message, secret):
    """The envelope, after its signature has been checked as the documents say."""
    _, headers, body = message
    headers = {name.lower(): value for name, value in headers.items()}
    fields = dict(piece.split("=", 1) for piece in headers["x-coldvault-signature"].split(","))
    key = bytes.fromhex(secret) if all(c in "0123456789abcdef" for c in secret) else secret.encode()
    expected = hmac.new(key, fields["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(expected, fields["v1"]), (headers, secret)
    assert abs(int(fields["t"]) - time.time()) < 300
    envelope = json.loads(body)
    assert headers["x-amz-sns-message-type"] == "Notification" and envelope["Type"] == "Notification"
    assert headers["x-amz-sns-message-id"] == envelope["MessageId"]
    return envelope


def test_a_webhook_hears_of_a_finished_retrieval(make_server, receiver):
    server = make_server("hook")
    wire = Wire(server)
    wire.create_vault("v")
    arn = topic(server, "ready")
    secret = server.admin("topic", "create", arn, "--webhook", receiver.url)["signingSecret"]
    notify(wire, "v", arn)
    archive = wire.upload_archive("v", b"wanted", "a description")
    job = wire.succeeded_job("v", Type="archive-retrieval", ArchiveId=archive)
    envelope = verified(receiver.wait(1)[0], secret)
    assert envelope["TopicArn"] == arn
    assert json.loads(envelope["Message"]) == wire.describe_job("v", job)
    inventory = wire.succeeded_job("v", Type="inventory-retrieval")
    document = json.loads(verified(receiver.wait(2)[1], secret)["Message"])
    assert (document["JobId"], document["VaultARN"]) == (inventory, vault_arn(server, "v"))


def test_only_chosen_events_and_the_topic_of_a_job_as_well(make_server, receiver):
    server = make_server("chosen")
    wire = Wire(server)
    wire.create_vault("v")
    vault_topic, job_topic = topic(server, "vault"), topic(server, "job")
    for arn in (vault_topic, job_topic):
        server.admin("topic", "create", arn, "--webhook", receiver.url)
    notify(wire, "v", vault_topic, BOTH[:1])
    wire.succeeded_job("v", Type="inventory-retrieval")
    first = wire.succeeded_job("v", Type="inventory-retrieval", SNSTopic=job_topic)
    archive = wire.upload_archive("v", b"x")
    second = wire.succeeded_job("v", Type="archive-retrieval", ArchiveId=archive, SNSTopic=job_topic)
    # The same topic twice is one message.
    third = wire.succeeded_job("v", Type="archive-retrieval", ArchiveId=archive, SNSTopic=vault_topic)
    messages = [json.loads(body) for _, _, body in receiver.wait(4)]
    told = sorted((message["TopicArn"], json.loads(message["Message"])["JobId"]) for message in messages)
    assert told == sorted([(job_topic, first), (job_topic, second), (vault_topic, second), (vault_topic, third)])


def test_a_failed_job_is_announced_too(make_server, receiver):
    server = make_server("failed", settings={"retrieval-delay": "standard=1s"})
    wire = Wire(server)
    wire.create_vault("v")
    arn = topic(server, "t")
    server.admin("topic", "create", arn, "--webhook", receiver.url)
    notify(wire, "v", arn)
    archive = wire.upload_archive("v", b"soon gone")
    job = wire.start_job("v", Type="archive-retrieval", ArchiveId=archive)
    assert wire.request("DELETE", f"/-/vaults/v/archives/{archive}").status == 204
    document = json.loads(json.loads(receiver.wait(1)[0][2])["Message"])
    assert (document["JobId"], document["StatusCode"], document["Completed"]) == (job, "Failed", True)


def test_a_message_arrives_after_kills_and_refusals_with_one_id(make_server, receiver):
    server = make_server("killed")
    wire = Wire(server)
    wire.create_vault("v")
    arn = topic(server, "t")
    server.admin("topic", "create", arn, "--webhook", receiver.url)
    notify(wire, "v", arn)
    receiver.answers = [503, 503]
    job = wire.succeeded_job("v", Type="inventory-retrieval")
    receiver.wait(1)
    server.kill()
    server.start()
    messages = [json.loads(body) for _, _, body in receiver.wait(3, timeout=60)]
    assert len({message["MessageId"] for message in messages}) == 1
    assert json.loads(messages[-1]["Message"])["JobId"] == job


def test_a_dead_target_delays_neither_jobs_nor_other_topics(make_server, receiver):
    server = make_server("dead")
    wire = Wire(server)
    wire.create_vault("v")
    dead, live = topic(server, "dead"), topic(server, "live")
    server.admin("topic", "create", dead, "--webhook", "http://127.0.0.1:9/nobody")
    server.admin("topic", "create", live, "--webhook", receiver.url)
    notify(wire, "v", dead)
    for _ in range(30):
        wire.start_job("v", Type="inventory-retrieval")
    job = wire.succeeded_job("v", Type="inventory-retrieval", SNSTopic=live)
    assert json.loads(json.loads(receiver.wait(1)[0][2])["Message"])["JobId"] == job
    waiting = server.admin("topic", "messages", "--account-id", server.account.number, "--state", "waiting")
    assert len(waiting) > 0 and all(message["topic"] == dead for message in waiting)


def test_redirects_are_not_followed(make_server, receiver):
    server = make_server("redirect")
    arn = topic(server, "t")
    other = Receiver()
    try:
        receiver.answers, receiver.location = [307], other.url
        server.admin("topic", "create", arn, "--webhook", receiver.url)
        result = server.admin("topic", "test", arn, check=False)
        assert result.returncode != 0, result
        assert len(receiver.messages) == 1 and other.messages == []
        assert server.admin("topic", "test", arn) is not None
    finally:
        other.close()


def test_a_client_cannot_name_a_target(make_server, receiver):
    """A topic that the operator did not create leads nowhere, whatever its name."""
    server = make_server("unknown-topic")
    wire = Wire(server)
    wire.create_vault("v")
    arn = topic(server, "never-created")
    wire.succeeded_job("v", Type="inventory-retrieval", SNSTopic=arn)
    deadline = time.monotonic() + 20
    while True:
        dead = server.admin("topic", "messages", "--account-id", server.account.number)
        if dead or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert [message["topic"] for message in dead] == [arn] and receiver.messages == []
    # Once there is such a topic, the operator can send it again.
    server.admin("topic", "create", arn, "--webhook", receiver.url)
    server.admin("topic", "resend", dead[0]["messageId"])
    assert json.loads(receiver.wait(1)[0][2])["TopicArn"] == arn


def test_a_directory_gets_one_file_per_message(make_server, tmp_path):
    server = make_server("directory")
    wire = Wire(server)
    wire.create_vault("v")
    arn = topic(server, "files")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    server.admin("topic", "create", arn, "--directory", str(inbox))
    jobs = {wire.succeeded_job("v", Type="inventory-retrieval", SNSTopic=arn) for _ in range(3)}
    deadline = time.monotonic() + 20
    while len(list(inbox.glob("*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    files = list(inbox.iterdir())
    assert {json.loads(json.loads(file.read_text())["Message"])["JobId"] for file in files} == jobs
    assert all(stat.S_IMODE(os.stat(file).st_mode) & 0o077 == 0 for file in files)


def test_a_command_gets_the_message_on_its_standard_input(make_server, tmp_path):
    server = make_server("command")
    wire = Wire(server)
    wire.create_vault("v")
    arn = topic(server, "program")
    script, out = tmp_path / "take.sh", tmp_path / "taken"
    script.write_text('#!/bin/sh\ncat > "$1.part" && env > "$1.env" && mv "$1.part" "$1"\n')
    script.chmod(0o755)
    server.admin("topic", "create", arn, "--command", str(script), "--argument", str(out))
    job = wire.succeeded_job("v", Type="inventory-retrieval", SNSTopic=arn)
    deadline = time.monotonic() + 20
    while not out.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert json.loads(json.loads(out.read_text())["Message"])["JobId"] == job
    assert "COLDVAULT" not in (tmp_path / "taken.env").read_text()
