#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small Glacier service in memory, for testing clients: it checks signatures, hashes and ranges, and misbehaves on request.

It is a test double and nothing else: nothing is kept, sealed or limited. Written from the public description of the API, not from
Coldvault's code, so that a client and a server that share a mistake do not agree by accident.

As a program:  fake_glacier.py [--port N] [--job-delay SECONDS]   prints `listening on http://127.0.0.1:PORT`
As a module:   with FakeGlacier() as fake: ... fake.url, fake.faults.append(Fault(...))
"""

import argparse
import dataclasses
import datetime
import hashlib
import hmac
import json
import re
import secrets
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MIB = 1 << 20
ACCOUNT = "111122223333"
ACCESS_KEY = "AKIDTESTTESTTESTTEST"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REGION = "us-east-1"


def tree_hash(data):
    """The SHA-256 tree hash, straight from the rule."""
    level = [hashlib.sha256(data[i:i + MIB]).digest() for i in range(0, len(data), MIB)] or [hashlib.sha256(b"").digest()]
    while len(level) > 1:
        joined = [hashlib.sha256(level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = joined + level[len(joined) * 2:]
    return level[0].hex()


def is_aligned(first, end, size):
    """Whether [first, end) is a node of the tree over size bytes."""
    span = MIB
    while span < 1 << 50:
        if first % span == 0 and end == min(first + span, size):
            return True
        if span >= size:
            return False
        span *= 2
    return False


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def seconds(date):
    """Inventories carry whole seconds."""
    return date.replace(".000Z", "Z")


@dataclasses.dataclass
class Fault:
    """Misbehaviour for the next `times` requests whose "METHOD path" matches `match`, after letting `skip` of them pass."""

    match: str
    status: int = 0  # answer this status at once ...
    code: str = "ServiceUnavailableException"
    drop_after: int = -1  # ... or close the connection after that many bytes of the answer's body ...
    corrupt: bool = False  # ... or flip a bit of the body ...
    stall: float = 0  # ... or wait so many seconds first
    times: int = 1
    skip: int = 0


class Refusal(Exception):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.serve()

    do_PUT = do_POST = do_DELETE = do_GET

    # -- one request ---------------------------------------------------------------------------------------------------------

    def serve(self):
        fake = self.server.fake
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urllib.parse.urlsplit(self.path)
        fault = fake.fault_for(f"{self.command} {parts.path}")
        with fake.lock:
            fake.log.append(f"{self.command} {self.path}")
        try:
            if fault and fault.stall:
                time.sleep(fault.stall)
            if fault and fault.status:
                raise Refusal(fault.status, fault.code, "Injected by the test.")
            self.authenticate(body)
            status, headers, answer = self.route(parts, body)
        except Refusal as refusal:
            status, headers = refusal.status, {"Content-Type": "application/json"}
            kind = "Client" if refusal.status < 500 else "Server"
            answer = json.dumps({"code": refusal.code, "message": refusal.message, "type": kind}).encode()
            fault = None
        self.answer(status, headers, answer, fault)

    def answer(self, status, headers, answer, fault):
        if fault and fault.corrupt and answer:
            answer = bytes([answer[0] ^ 1]) + answer[1:]
        self.send_response(status)
        self.send_header("x-amzn-RequestId", secrets.token_urlsafe(35))
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if fault and fault.drop_after >= 0:
            self.wfile.write(answer[:fault.drop_after])
            self.wfile.flush()
            self.close_connection = True
            return
        if status != 204:
            self.wfile.write(answer)

    def authenticate(self, body):
        authorization = self.headers.get("authorization", "")
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/glacier/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})",
            authorization)
        if not found:
            raise Refusal(400, "MissingAuthenticationTokenException", "Missing Authentication Token")
        key_id, date, region, signed, signature = found.groups()
        if key_id != ACCESS_KEY:
            raise Refusal(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
        if region != REGION:
            raise Refusal(403, "InvalidSignatureException", f"Credential should be scoped to a valid region, not '{region}'. ")
        names = signed.split(";")
        assert names == sorted(names) and "host" in names, "signed headers must be sorted and hold host"
        unsigned = [n.lower() for n in self.headers if n.lower().startswith("x-amz-") and n.lower() not in names]
        assert not unsigned, f"not signed: {unsigned}"
        path, _, query = self.path.partition("?")
        canonical_query = "&".join(sorted(p if "=" in p else p + "=" for p in query.split("&"))) if query else ""
        lines = "".join(f"{n}:{' '.join(self.headers[n].split())}\n" for n in names)
        payload = hashlib.sha256(body).hexdigest()
        stated = self.headers.get("x-amz-content-sha256", payload)
        canonical = "\n".join(
            [self.command, urllib.parse.quote(path, safe="/-_.~"), canonical_query, lines, signed, stated])
        stamp = self.headers["x-amz-date"]
        skew = abs((datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
                    - datetime.datetime.now(datetime.timezone.utc)).total_seconds())
        if skew > 300:
            raise Refusal(403, "InvalidSignatureException", f"Signature expired: {stamp} is now earlier than ...")
        to_sign = "\n".join(
            ["AWS4-HMAC-SHA256", stamp, f"{date}/{region}/glacier/aws4_request", hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + SECRET_KEY).encode()
        for step in (date, region, "glacier", "aws4_request"):
            key = hmac.new(key, step.encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest(), signature):
            raise Refusal(403, "InvalidSignatureException", "The request signature we calculated does not match.")
        if stated != payload:
            raise Refusal(403, "InvalidSignatureException", "The value passed in as x-amz-content-sha256 does not match.")
        if self.headers.get("x-amz-glacier-version") != "2012-06-01":
            raise Refusal(400, "MissingParameterValueException", "Required parameter missing: API version")

    # -- operations ----------------------------------------------------------------------------------------------------------

    def route(self, parts, body):
        fake = self.server.fake
        query = dict(urllib.parse.parse_qsl(parts.query))
        path = parts.path.strip("/").split("/")
        if len(path) < 2 or path[0] not in ("-", ACCOUNT) or path[1] != "vaults":
            raise Refusal(400, "BadRequest", "no such path")
        with fake.lock:
            if len(path) == 2:
                return self.page("VaultList", [fake.vault_document(n) for n in sorted(fake.vaults)], query, 10)
            name, rest = path[2], path[3:]
            base = f"/{ACCOUNT}/vaults/{name}"
            if not rest and self.command == "PUT":
                fake.vaults.setdefault(name, Vault(created=now()))
                return 201, {"Location": base}, b"{}"
            vault = fake.vaults.get(name)
            if vault is None:
                raise Refusal(404, "ResourceNotFoundException", f"Vault not found for ARN: arn:aws:glacier:{REGION}:{ACCOUNT}:vaults/{name}")
            if not rest:
                if self.command == "DELETE":
                    if vault.archives:
                        raise Refusal(400, "InvalidParameterValueException", "Vault not empty or recently written to: arn")
                    del fake.vaults[name]
                    return 204, {}, b""
                return self.json(fake.vault_document(name))
            section = {"archives": self.archives, "multipart-uploads": self.uploads, "jobs": self.jobs}[rest[0]]
            return section(vault, name, base, rest[1:], query, body)

    def json(self, document, status=200):
        return status, {"Content-Type": "application/json"}, json.dumps(document).encode()

    def page(self, member, items, query, limit, extra=None):
        start = int(query.get("marker", 0) or 0)
        size = min(int(query.get("limit", limit)), limit, self.server.fake.page_limit)
        marker = str(start + size) if start + size < len(items) else None
        return self.json({**(extra or {}), member: items[start:start + size], "Marker": marker})

    def archives(self, vault, name, base, rest, query, body):
        if self.command == "DELETE":
            if rest[0] not in vault.archives and rest[0] not in vault.deleted:
                raise Refusal(404, "ResourceNotFoundException", f"The archive ID was not found: {rest[0]}")
            vault.archives.pop(rest[0], None)
            vault.deleted.add(rest[0])
            return 204, {}, b""
        self.check_tree_hash(body)
        return self.store(vault, base, body, self.headers.get("x-amz-archive-description", ""))

    def check_tree_hash(self, body):
        stated, computed = self.headers["x-amz-sha256-tree-hash"], tree_hash(body)
        if stated != computed:
            raise Refusal(400, "InvalidParameterValueException", f"Checksum mismatch: expected {stated}, computed {computed}")

    def store(self, vault, base, data, description):
        # A leading '-' is what trips command lines.
        archive_id = "-" + secrets.token_urlsafe(120)[:137]
        vault.archives[archive_id] = (data, description, now())
        return 201, {"Location": f"{base}/archives/{archive_id}", "x-amz-archive-id": archive_id,
                     "x-amz-sha256-tree-hash": tree_hash(data)}, b"{}"

    def uploads(self, vault, name, base, rest, query, body):
        arn = f"arn:aws:glacier:{REGION}:{ACCOUNT}:vaults/{name}"

        def document(upload_id):
            upload = vault.uploads[upload_id]
            return {"MultipartUploadId": upload_id, "VaultARN": arn, "ArchiveDescription": upload.description or None,
                    "PartSizeInBytes": upload.part_size, "CreationDate": upload.created}

        if not rest:
            if self.command == "GET":
                return self.page("UploadsList", [document(i) for i in vault.uploads], query, 50)
            upload_id = secrets.token_urlsafe(90)[:92]
            size = int(self.headers["x-amz-part-size"])
            if size < MIB or size & (size - 1):
                raise Refusal(400, "InvalidParameterValueException", f"Invalid part size: {size}.")
            vault.uploads[upload_id] = Upload(size, self.headers.get("x-amz-archive-description", ""), now())
            return 201, {"Location": f"{base}/multipart-uploads/{upload_id}", "x-amz-multipart-upload-id": upload_id}, b"{}"
        upload = vault.uploads.get(rest[0])
        if upload is None:
            raise Refusal(404, "ResourceNotFoundException", f"The upload ID was not found: {rest[0]}")
        if self.command == "GET":
            items = [{"RangeInBytes": f"{first}-{first + len(data) - 1}", "SHA256TreeHash": tree_hash(data)}
                     for first, data in sorted(upload.parts.items())]
            return self.page("Parts", items, query, 50, document(rest[0]))
        if self.command == "PUT":
            first, last = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/\*", self.headers["content-range"]).groups())
            if first % upload.part_size or last - first + 1 != len(body) or len(body) > upload.part_size:
                raise Refusal(400, "InvalidParameterValueException", "Invalid Content-Range")
            self.check_tree_hash(body)
            upload.parts[first] = body
            return 204, {"x-amz-sha256-tree-hash": tree_hash(body)}, b""
        if self.command == "DELETE":
            del vault.uploads[rest[0]]
            return 204, {}, b""
        data = b"".join(upload.parts[k] for k in sorted(upload.parts))
        if len(data) != int(self.headers["x-amz-archive-size"]):
            raise Refusal(400, "InvalidParameterValueException", "size differs")
        if tree_hash(data) != self.headers["x-amz-sha256-tree-hash"]:
            raise Refusal(400, "InvalidParameterValueException", "Invalid x-amz-sha256-tree-hash")
        del vault.uploads[rest[0]]
        return self.store(vault, base, data, upload.description)

    def jobs(self, vault, name, base, rest, query, body):
        fake = self.server.fake
        if not rest:
            if self.command == "GET":
                items = [fake.job_document(j) for j in vault.jobs.values()]
                if "statuscode" in query:
                    items = [i for i in items if i["StatusCode"] == query["statuscode"]]
                if "completed" in query:
                    items = [i for i in items if i["Completed"] == (query["completed"] == "true")]
                return self.page("JobList", items, query, 50)
            job = self.new_job(vault, name, json.loads(body))
            vault.jobs[job["id"]] = job
            return 202, {"Location": f"{base}/jobs/{job['id']}", "x-amz-job-id": job["id"]}, b"{}"
        job = vault.jobs.get(rest[0])
        if job is None:
            raise Refusal(404, "ResourceNotFoundException", f"The job ID was not found: {rest[0]}")
        if len(rest) == 1:
            return self.json(fake.job_document(job))
        if fake.job_document(job)["StatusCode"] != "Succeeded":
            raise Refusal(400, "InvalidParameterValueException", f"The job is not currently available for download: {rest[0]}")
        return self.output(job)

    def new_job(self, vault, name, order):
        job = {"id": secrets.token_urlsafe(90)[:92], "order": order, "created": now(), "ready": time.monotonic() + self.server.fake.job_delay,
               "arn": f"arn:aws:glacier:{REGION}:{ACCOUNT}:vaults/{name}", "fails": self.server.fake.jobs_fail}
        if order["Type"] == "archive-retrieval":
            if order["ArchiveId"] not in vault.archives:
                raise Refusal(404, "ResourceNotFoundException", f"The archive ID was not found: {order['ArchiveId']}")
            data = vault.archives[order["ArchiveId"]][0]
            first, last = map(int, order.get("RetrievalByteRange", f"0-{len(data) - 1}").split("-"))
            if first % MIB or last >= len(data) or ((last + 1) % MIB and last + 1 != len(data)):
                raise Refusal(400, "InvalidParameterValueException", "Invalid range")
            job.update(data=data[first:last + 1], range=(first, last), size=len(data), whole=tree_hash(data))
        else:
            job["data"] = self.inventory(vault, job, order.get("Format", "JSON"))
        return job

    def inventory(self, vault, job, form):
        rows = [{"ArchiveId": i, "ArchiveDescription": d, "CreationDate": seconds(c), "Size": len(data), "SHA256TreeHash": tree_hash(data)}
                for i, (data, d, c) in vault.archives.items()]
        if form == "JSON":
            return json.dumps({"VaultARN": job["arn"], "InventoryDate": seconds(now()), "ArchiveList": rows}).encode()
        lines = ["ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash"]
        lines += [f'{r["ArchiveId"]},"{r["ArchiveDescription"]}",{r["CreationDate"]},{r["Size"]},{r["SHA256TreeHash"]}' for r in rows]
        return "\n".join(lines).encode()

    def output(self, job):
        data, headers = job["data"], {"Accept-Ranges": "bytes"}
        first, end, status = 0, len(data), 200
        wanted = self.headers.get("range")
        if wanted:
            first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", wanted).groups())
            end, status = min(last + 1, len(data)), 206
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(data)}"
        headers["Content-Type"] = "application/octet-stream" if "range" in job else "application/json"
        if "range" in job and is_aligned(job["range"][0], job["range"][1] + 1, job["size"]) and is_aligned(first, end, len(data)):
            headers["x-amz-sha256-tree-hash"] = tree_hash(data[first:end])
        return status, headers, data[first:end]


@dataclasses.dataclass
class Upload:
    part_size: int
    description: str
    created: str
    parts: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Vault:
    created: str
    archives: dict = dataclasses.field(default_factory=dict)
    deleted: set = dataclasses.field(default_factory=set)
    uploads: dict = dataclasses.field(default_factory=dict)
    jobs: dict = dataclasses.field(default_factory=dict)


class FakeGlacier:
    """Serves on a loopback port of its own in a thread, as long as the `with` block lasts."""

    def __init__(self, port=0, job_delay=0.0):
        self.vaults, self.faults, self.log = {}, [], []
        self.lock = threading.RLock()
        self.job_delay, self.jobs_fail, self.page_limit = job_delay, False, 50
        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.fake = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def fault_for(self, line):
        with self.lock:
            for fault in self.faults:
                if re.search(fault.match, line):
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    if fault.times > 0:
                        fault.times -= 1
                        return fault
        return None

    def vault_document(self, name):
        vault = self.vaults[name]
        return {"CreationDate": vault.created, "LastInventoryDate": None, "NumberOfArchives": len(vault.archives),
                "SizeInBytes": sum(len(a[0]) for a in vault.archives.values()),
                "VaultARN": f"arn:aws:glacier:{REGION}:{ACCOUNT}:vaults/{name}", "VaultName": name}

    def job_document(self, job):
        done = time.monotonic() >= job["ready"]
        status = "InProgress" if not done else "Failed" if job["fails"] else "Succeeded"
        is_archive = "range" in job
        aligned = is_archive and is_aligned(job["range"][0], job["range"][1] + 1, job["size"])
        return {
            "Action": "ArchiveRetrieval" if is_archive else "InventoryRetrieval",
            "ArchiveId": job["order"].get("ArchiveId"), "ArchiveSHA256TreeHash": job.get("whole"),
            "ArchiveSizeInBytes": job.get("size"), "Completed": done, "CompletionDate": now() if done else None,
            "CreationDate": job["created"], "InventorySizeInBytes": None if is_archive else len(job["data"]),
            "JobDescription": job["order"].get("Description"), "JobId": job["id"],
            "RetrievalByteRange": "%d-%d" % job["range"] if is_archive else None,
            "SHA256TreeHash": tree_hash(job["data"]) if aligned else None, "StatusCode": status,
            "StatusMessage": {"InProgress": None, "Failed": "The tape was eaten.", "Succeeded": "Succeeded"}[status],
            "Tier": job["order"].get("Tier", "Standard"), "VaultARN": job["arn"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--job-delay", type=float, default=0)
    arguments = parser.parse_args()
    with FakeGlacier(arguments.port, arguments.job_delay) as fake:
        print(f"listening on {fake.url}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
