# SPDX-License-Identifier: Apache-2.0
"""Clients that work until the service is killed, and the audit of what must hold afterwards."""

import random
import threading

from Crash.ledger import Body, OpenUpload
from Support.hashes import MIB, tree_hash
from Support.wire import ConnectionEnded, Wire

VAULT = "crash"
WORKERS = 4
# A killed service looks like one of these to a client that was talking to it.
GONE = (OSError, ConnectionEnded)


class Workload:
    """Clients that upload, delete and retrieve without pause, and note what was acknowledged."""

    def __init__(self, server, ledger, seed, operations=("upload", "upload", "multipart", "delete", "retrieve")):
        self.server = server
        self.ledger = ledger
        self.seed = seed
        self.operations = operations
        self.stop = threading.Event()
        self.surprises = []
        self.threads = [threading.Thread(target=self.run, args=(index,), daemon=True) for index in range(WORKERS)]
        for thread in self.threads:
            thread.start()

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a client did not notice that the service was killed"
        assert self.surprises == []

    def run(self, index):
        source = random.Random(f"{self.seed}-{index}")
        wire = Wire(self.server)
        operations = [getattr(self, name) for name in self.operations]
        while not self.stop.is_set():
            try:
                source.choice(operations)(wire, source)
            except GONE:
                return
            except AssertionError as problem:
                self.surprises.append(str(problem))
                return

    def expect(self, answer, *statuses):
        if answer.status not in statuses or not answer.complete:
            if not answer.complete:
                raise ConnectionEnded("cut short")
            raise AssertionError(f"expected {statuses}, got {answer}")
        return answer

    def upload(self, wire, source):
        body = Body.random(source, 300000)
        answer = self.expect(wire.post_archive(VAULT, body.bytes(), "crash"), 201)
        self.ledger.stored(answer.header("x-amz-archive-id"), body)

    def multipart(self, wire, source):
        body = Body.random(source, 3 * MIB)
        data = body.bytes()
        identifier = wire.request("POST", f"/-/vaults/{VAULT}/multipart-uploads", [("x-amz-part-size", str(MIB))])
        identifier = self.expect(identifier, 201).header("x-amz-multipart-upload-id")
        upload = OpenUpload(body, MIB)
        with self.ledger.lock:
            self.ledger.uploads[identifier] = upload
        for first in range(0, len(data), MIB):
            piece = data[first : first + MIB]
            upload.in_doubt.add(first)
            self.expect(wire.put_part(VAULT, identifier, first, piece), 204)
            upload.parts[first] = tree_hash(piece)
            upload.in_doubt.discard(first)
        upload.completion_sent = True
        answer = self.expect(wire.complete_upload(VAULT, identifier, len(data), tree_hash(data)), 201)
        self.ledger.stored(answer.header("x-amz-archive-id"), body)
        with self.ledger.lock:
            del self.ledger.uploads[identifier]

    def delete(self, wire, source):
        archive = self.ledger.pick(source)
        if archive is None or source.random() < 0.5:
            return
        self.ledger.deletion_sent(archive)
        self.expect(wire.request("DELETE", f"/-/vaults/{VAULT}/archives/{archive}"), 204)
        self.ledger.deletion_acknowledged(archive)

    def retrieve(self, wire, source):
        archive = self.ledger.pick(source)
        if archive is None:
            return
        # Another client may delete it in between: then 404 is right, and so is a job that ends Failed.
        answer = self.expect(wire.post_job(VAULT, {"Type": "archive-retrieval", "ArchiveId": archive}), 202, 404)
        if answer.status == 202:
            with self.ledger.lock:
                self.ledger.jobs[answer.header("x-amz-job-id")] = archive


class Audit:
    """Everything that must hold after a restart, checked against the ledger."""

    def __init__(self, server, ledger, source):
        self.wire = Wire(server)
        self.ledger = ledger
        self.source = source

    def all_listed(self, target, member):
        items, marker = [], None
        while True:
            document = self.wire.request("GET", target + (f"?marker={marker}" if marker else "")).json
            items += document[member]
            marker = document["Marker"]
            if marker is None:
                return items

    def run(self, everything=False):
        listed = self.inventory_matches_the_ledger()
        self.open_uploads_have_their_parts_and_can_be_completed()
        self.jobs_finish_once()
        self.archives_are_whole(everything)
        return listed

    def inventory_matches_the_ledger(self):
        job = self.wire.succeeded_job(VAULT, Type="inventory-retrieval")
        entries = self.wire.job_output(VAULT, job).json["ArchiveList"]
        listed = [entry["ArchiveId"] for entry in entries]
        assert len(set(listed)) == len(listed), "an archive is listed twice"
        assert self.ledger.certain() <= set(listed), f"lost: {self.ledger.certain() - set(listed)}"
        assert not self.ledger.deleted & set(listed), f"came back: {self.ledger.deleted & set(listed)}"
        for entry in entries:
            body = self.ledger.archives.get(entry["ArchiveId"])
            assert body is None or entry["Size"] == body.size
        description = self.wire.request("GET", f"/-/vaults/{VAULT}").json
        assert description["NumberOfArchives"] == len(listed)
        assert description["SizeInBytes"] == sum(entry["Size"] for entry in entries)
        # A deletion in doubt is decided now, for good.
        for archive in list(self.ledger.deletion_in_doubt):
            self.ledger.deletion_in_doubt.discard(archive)
            if archive not in listed:
                self.ledger.deleted.add(archive)
        return set(listed)

    def open_uploads_have_their_parts_and_can_be_completed(self):
        open_now = {
            entry["MultipartUploadId"]
            for entry in self.all_listed(f"/-/vaults/{VAULT}/multipart-uploads", "UploadsList")
        }
        for identifier, upload in list(self.ledger.uploads.items()):
            data = upload.body.bytes()
            if identifier not in open_now:
                assert upload.completion_sent, f"an open upload is gone: {identifier}"
            else:
                listed = {
                    int(part["RangeInBytes"].split("-")[0]): part["SHA256TreeHash"]
                    for part in self.all_listed(f"/-/vaults/{VAULT}/multipart-uploads/{identifier}", "Parts")
                }
                assert upload.parts.items() <= listed.items(), f"a part is lost in {identifier}"
                assert set(listed) - set(upload.parts) <= upload.in_doubt
                for first in range(0, len(data), MIB):
                    if first not in listed:
                        assert self.wire.put_part(VAULT, identifier, first, data[first : first + MIB]).status == 204
            answer = self.wire.complete_upload(VAULT, identifier, len(data), tree_hash(data))
            assert answer.status == 201, answer
            self.ledger.stored(answer.header("x-amz-archive-id"), upload.body)
            del self.ledger.uploads[identifier]

    def jobs_finish_once(self):
        for job in self.ledger.jobs:
            self.wire.finished_job(VAULT, job)
        listed = [document["JobId"] for document in self.all_listed(f"/-/vaults/{VAULT}/jobs", "JobList")]
        assert len(set(listed)) == len(listed), "a job is listed twice"
        assert set(self.ledger.jobs) <= set(listed), f"lost jobs: {set(self.ledger.jobs) - set(listed)}"
        for job, archive in self.ledger.jobs.items():
            document = self.wire.describe_job(VAULT, job)
            if document["StatusCode"] == "Failed":
                assert archive in self.ledger.deleted, f"failed without cause: {document}"
        for job in self.source.sample(sorted(self.ledger.jobs), min(5, len(self.ledger.jobs))):
            if self.wire.describe_job(VAULT, job)["StatusCode"] == "Succeeded":
                body = self.ledger.archives[self.ledger.jobs[job]].bytes()
                assert self.wire.job_output(VAULT, job).body == body, f"wrong bytes from {job}"

    def archives_are_whole(self, everything):
        certain = self.ledger.certain()
        fresh = self.ledger.unverified & certain
        old = sorted(certain - fresh)
        chosen = certain if everything else fresh | set(self.source.sample(old, min(5, len(old))))
        jobs = {archive: self.wire.start_job(VAULT, Type="archive-retrieval", ArchiveId=archive) for archive in chosen}
        for archive, job in jobs.items():
            document = self.wire.finished_job(VAULT, job)
            assert document["StatusCode"] == "Succeeded", document
            assert self.wire.job_output(VAULT, job).body == self.ledger.archives[archive].bytes(), archive
        self.ledger.unverified.clear()
