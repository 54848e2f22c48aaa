# SPDX-License-Identifier: Apache-2.0
"""Signed requests over plain sockets: everything a client may send, the malformed included, and exactly what came back.

Signature Version 4 is written out here from its description, so that it is independent of botocore (which the
other tests use) and can be bent: wrong hashes, wrong dates, headers left unsigned, bodies that stop half-way.
"""

import datetime
import hashlib
import hmac
import json
import socket
import ssl
import time
from urllib.parse import quote, unquote_to_bytes

from .hashes import linear_hash, tree_hash

EMPTY_HASH = hashlib.sha256(b"").hexdigest()
VERSION = ("x-amz-glacier-version", "2012-06-01")


class Answer:
    """One HTTP answer as received: status, headers in order, body."""

    def __init__(self, status, reason, headers, body=b"", complete=True):
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
        self.complete = complete

    def header(self, name):
        """The only value of a header, or None."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """(status, code) of an error answer."""
        return self.status, self.json["code"]

    @property
    def message(self):
        return self.json["message"]

    def __repr__(self):
        return f"Answer({self.status}, {self.headers}, {self.body[:2000]!r}{'' if self.complete else ', CUT SHORT'})"


class ConnectionEnded(Exception):
    """The service closed (or reset) the connection before a whole answer head arrived."""


class Connection:
    """One TCP (or TLS) connection and a small, strict HTTP/1.1 answer reader."""

    def __init__(self, server, timeout=30.0, receive_buffer=None):
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(timeout)
        raw.connect((server.host, server.port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = raw
        if server.tls:
            context = ssl.create_default_context(cafile=str(server.tls.certificate))
            self.socket = context.wrap_socket(raw, server_hostname="localhost")
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def exchange(self, data):
        """Sends a request and reads its answer, which may come before everything was taken: an early refusal."""
        try:
            self.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The answer, if there is one, is in the receive buffer.
        return self.read_answer()

    def send_as_much_as_taken(self, make_piece, limit):
        """Sends pieces until `limit` bytes went out or the service stopped taking them; returns the count sent."""
        sent = 0
        while sent < limit:
            try:
                self.socket.sendall(make_piece())
            except OSError:
                return sent
            sent += len(make_piece())
        return sent

    def _more(self):
        try:
            piece = self.socket.recv(1 << 16)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError) as problem:
            raise ConnectionEnded(str(problem)) from problem
        if not piece:
            raise ConnectionEnded("end of stream")
        self.buffer += piece

    def read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        version, status, *reason = lines[0].split(" ", 2)
        assert version == "HTTP/1.1", lines[0]
        headers = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        return Answer(int(status), reason[0] if reason else "", headers)

    def read_answer(self, skip_informational=True):
        """A whole answer. A body cut short by the service comes back with `complete` False."""
        answer = self.read_head()
        while skip_informational and 100 <= answer.status < 200:
            answer = self.read_head()
        if answer.status in (204, 304) or 100 <= answer.status < 200:
            return answer
        chunked = (answer.header("Transfer-Encoding") or "").lower() == "chunked"
        length = answer.header("Content-Length")
        try:
            if chunked:
                answer.body = self._read_chunks()
            elif length is not None:
                answer.body = self._read_exactly(int(length), answer)
            else:
                self._read_to_end(answer)
        except ConnectionEnded:
            answer.complete = False
        return answer

    def _read_exactly(self, count, answer):
        pieces, received = [self.buffer[:count]], min(len(self.buffer), count)
        self.buffer = self.buffer[count:]
        while received < count:
            try:
                piece = self.socket.recv(min(1 << 20, count - received))
            except (ConnectionResetError, ssl.SSLError):
                piece = b""
            if not piece:
                answer.complete = False
                break
            pieces.append(piece)
            received += len(piece)
        return b"".join(pieces)

    def _read_line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _read_chunks(self):
        body = b""
        while True:
            size = int(self._read_line().split(b";")[0], 16)
            while len(self.buffer) < size + 2:
                self._more()
            body += self.buffer[:size]
            self.buffer = self.buffer[size + 2 :]
            if size == 0:
                return body

    def _read_to_end(self, answer):
        while True:
            try:
                self._more()
            except ConnectionEnded:
                answer.body, self.buffer = self.buffer, b""
                return

    def is_closed_by_service(self, within=5.0):
        """True when the service ends the connection (or has) without sending anything more."""
        self.socket.settimeout(within)
        try:
            return self.buffer == b"" and self.socket.recv(1) == b""
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            return True
        except TimeoutError:
            return False


def canonical_path(raw_path):
    """The rule of all services but S3: dot and empty segments go, then the wire path is encoded once more."""
    kept = []
    for segment in raw_path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    path = "/" + "/".join(kept)
    if raw_path.endswith("/") and path != "/":
        path += "/"
    return quote(path, safe="/-_.~")


def canonical_query(raw_query):
    pairs = []
    for piece in filter(None, raw_query.split("&")):
        name, _, value = piece.partition("=")
        pairs.append(tuple(quote(unquote_to_bytes(text), safe="-_.~") for text in (name, value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def timestamp(offset_seconds=0):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset_seconds)
    return moment.strftime("%Y%m%dT%H%M%SZ")


def _mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def authorization(
    method,
    target,
    headers,
    payload_hash,
    access_key,
    secret,
    region,
    date,
    service="glacier",
    signed=None,
    scope_date=None,
):
    """The Authorization value. `signed` names the headers to sign (default: all given)."""
    path, _, query = target.partition("?")
    values = {}
    for name, value in headers:
        folded = " ".join(value.split())
        values[name.lower()] = f"{values[name.lower()]},{folded}" if name.lower() in values else folded
    names = sorted(signed if signed is not None else values)
    canonical = "\n".join(
        [
            method,
            canonical_path(path),
            canonical_query(query),
            "".join(f"{name}:{values[name]}\n" for name in names),
            ";".join(names),
            payload_hash,
        ]
    )
    scope = f"{scope_date or date[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"


class Wire:
    """Builds, signs and sends requests to one service as one account."""

    def __init__(self, server, account=None, region=None):
        self.server = server
        self.account = account or server.account
        self.region = region or server.region

    def head(
        self,
        method,
        target,
        headers=(),
        payload_hash=None,
        body=b"",
        length="auto",
        version=VERSION,
        host=None,
        date=None,
        access_key=None,
        secret=None,
        region=None,
        service="glacier",
        signed=None,
        scope_date=None,
        unsigned=(),
        sign=True,
    ):
        """The bytes of a signed request head. `unsigned` headers are added after signing; `length` None omits it."""
        date = date or timestamp()
        all_headers = [("host", host or f"{self.server.host}:{self.server.port}"), ("x-amz-date", date)]
        if version:
            all_headers.append(version)
        if self.account.session_token and sign:
            all_headers.append(("x-amz-security-token", self.account.session_token))
        all_headers += list(headers)
        stated = [value for name, value in headers if name.lower() == "x-amz-content-sha256"]
        hashed = payload_hash or (stated[0] if stated else hashlib.sha256(body).hexdigest())
        if sign:
            all_headers.append(
                (
                    "Authorization",
                    authorization(
                        method,
                        target,
                        all_headers,
                        hashed,
                        access_key or self.account.access_key,
                        secret or self.account.secret,
                        region or self.region,
                        date,
                        service,
                        signed,
                        scope_date,
                    ),
                )
            )
        if length == "auto" and (body or method in ("PUT", "POST")):
            all_headers.append(("Content-Length", str(len(body))))
        elif length not in ("auto", None):
            all_headers.append(("Content-Length", str(length)))
        all_headers += list(unsigned)
        lines = [f"{method} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in all_headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def connect(self, timeout=30.0, **options):
        return Connection(self.server, timeout, **options)

    def request(self, method, target, headers=(), body=b"", connection=None, **options):
        """One signed request on its own (or the given) connection; the whole answer."""
        data = self.head(method, target, headers, body=body, **options) + body
        if connection:
            return connection.exchange(data)
        with self.connect() as own:
            return own.exchange(data)

    # The operations that most tests need

    def create_vault(self, name):
        answer = self.request("PUT", f"/-/vaults/{name}")
        assert answer.status == 201, answer
        return name

    def post_archive(self, vault, body, description=None, headers=(), tree=None, linear=None, **options):
        """UploadArchive as documented; hashes can be overridden."""
        all_headers = [
            ("x-amz-content-sha256", linear or linear_hash(body)),
            ("x-amz-sha256-tree-hash", tree or tree_hash(body)),
            *headers,
        ]
        if description is not None:
            all_headers.append(("x-amz-archive-description", description))
        return self.request("POST", f"/-/vaults/{vault}/archives", all_headers, body, **options)

    def upload_archive(self, vault, body, description=None):
        answer = self.post_archive(vault, body, description)
        assert answer.status == 201, answer
        return answer.header("x-amz-archive-id")

    def initiate_upload(self, vault, part_size, description=None):
        headers = [("x-amz-part-size", str(part_size))]
        if description is not None:
            headers.append(("x-amz-archive-description", description))
        answer = self.request("POST", f"/-/vaults/{vault}/multipart-uploads", headers)
        assert answer.status == 201, answer
        return answer.header("x-amz-multipart-upload-id")

    def put_part(self, vault, upload, first, body, content_range=None, tree=None, linear=None, **options):
        headers = [
            ("x-amz-content-sha256", linear or linear_hash(body)),
            ("x-amz-sha256-tree-hash", tree or tree_hash(body)),
            ("Content-Range", content_range or f"bytes {first}-{first + len(body) - 1}/*"),
        ]
        return self.request("PUT", f"/-/vaults/{vault}/multipart-uploads/{upload}", headers, body, **options)

    def complete_upload(self, vault, upload, size, tree, **options):
        headers = []
        if size is not None:
            headers.append(("x-amz-archive-size", str(size)))
        if tree is not None:
            headers.append(("x-amz-sha256-tree-hash", tree))
        return self.request("POST", f"/-/vaults/{vault}/multipart-uploads/{upload}", headers, **options)

    def upload_multipart(self, vault, body, part_size, description=None):
        upload = self.initiate_upload(vault, part_size, description)
        for at in range(0, len(body), part_size):
            answer = self.put_part(vault, upload, at, body[at : at + part_size])
            assert answer.status == 204, answer
        answer = self.complete_upload(vault, upload, len(body), tree_hash(body))
        assert answer.status == 201, answer
        return answer.header("x-amz-archive-id")

    def post_job(self, vault, parameters, **options):
        body = parameters if isinstance(parameters, bytes) else json.dumps(parameters).encode()
        return self.request("POST", f"/-/vaults/{vault}/jobs", body=body, **options)

    def start_job(self, vault, **parameters):
        answer = self.post_job(vault, parameters)
        assert answer.status == 202, answer
        return answer.header("x-amz-job-id")

    def describe_job(self, vault, job):
        answer = self.request("GET", f"/-/vaults/{vault}/jobs/{job}")
        assert answer.status == 200, answer
        return answer.json

    def finished_job(self, vault, job, timeout=30.0):
        """The job's document once it is completed, well or badly. Polls; the wait is bounded."""
        deadline = time.monotonic() + timeout
        while True:
            document = self.describe_job(vault, job)
            if document["Completed"]:
                return document
            assert time.monotonic() < deadline, f"not finished after {timeout} s: {document}"
            time.sleep(0.02)

    def succeeded_job(self, vault, **parameters):
        job = self.start_job(vault, **parameters)
        document = self.finished_job(vault, job)
        assert document["StatusCode"] == "Succeeded", document
        return job

    def job_output(self, vault, job, byte_range=None, **options):
        headers = [("Range", byte_range)] if byte_range else []
        return self.request("GET", f"/-/vaults/{vault}/jobs/{job}/output", headers, **options)

    def retrieve(self, vault, archive):
        """The archive's bytes through a whole retrieval job."""
        job = self.succeeded_job(vault, Type="archive-retrieval", ArchiveId=archive)
        answer = self.job_output(vault, job)
        assert answer.status == 200 and answer.complete, answer
        return answer.body
