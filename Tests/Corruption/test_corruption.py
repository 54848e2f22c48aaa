# SPDX-License-Identifier: Apache-2.0
"""Every region of everything at rest, damaged in every way: the job fails and says why, others go on, no wrong byte."""

import re
import time

import pytest

from Corruption import layout
from Support.bodies import incompressible, mixed
from Support.hashes import MIB, tree_hash
from Support.wire import ConnectionEnded, Wire

REASON = re.compile(r"integrity|corrupt|damaged|verif|missing|truncated|tampered|authentic", re.IGNORECASE)
# A refusal to start is for an operator: what is wrong, and that it is to be restored.
REFUSAL = re.compile(r"(malformed|incomplete|cannot be read|integrity|corrupt|damaged).*restore", re.IGNORECASE)
VAULT = "damage"
SAMPLE = layout.regions(3 * MIB)
CUTS = layout.truncations(3 * MIB)


class Victim:
    """One archive of two parts (4 MiB and a bit more than 1 MiB), damaged by one test."""

    def __init__(self, server, seed):
        self.server = server
        self.wire = Wire(server)
        self.body = incompressible(4 * MIB, seed) + mixed(MIB + 3000, seed)
        self.archive = self.wire.upload_multipart(VAULT, self.body, 4 * MIB)
        self.first, self.last = layout.parts(server, self.archive)
        self.log = server.log_position()

    def job(self):
        return self.wire.start_job(VAULT, Type="archive-retrieval", ArchiveId=self.archive)

    def assert_job_fails_and_says_why(self):
        job = self.job()
        document = self.wire.finished_job(VAULT, job)
        assert document["StatusCode"] == "Failed", document
        assert REASON.search(document["StatusMessage"] or ""), document
        answer = self.wire.job_output(VAULT, job)
        assert answer.status in (400, 404), answer
        self.assert_an_error_was_logged()

    def assert_an_error_was_logged(self):
        deadline = time.monotonic() + 5
        while not self.server.errors_logged_since(self.log):
            assert time.monotonic() < deadline, "no error line for the operator"
            time.sleep(0.05)
        text = " ".join(str(record) for record in self.server.errors_logged_since(self.log))
        assert REASON.search(text), text


@pytest.fixture(scope="module", params=["inPlace", "staged"])
def damaged(request, make_server_for_session):
    """A service whose archives get damaged one after the other, and one witness that never is."""
    server = make_server_for_session("damage", settings={"output-mode": request.param})
    wire = Wire(server)
    wire.create_vault(VAULT)
    server.output_mode = request.param
    server.witness_body = mixed(2 * MIB + 1, "witness")
    server.witness = wire.upload_archive(VAULT, server.witness_body)
    return server


@pytest.fixture
def victim(damaged, request):
    yield Victim(damaged, request.node.name)
    assert Wire(damaged).retrieve(VAULT, damaged.witness) == damaged.witness_body, "an unrelated archive suffered"


# Parts


@pytest.mark.parametrize("which", ["first", "last"])
@pytest.mark.parametrize("region", SAMPLE)
def test_a_flipped_bit_in_a_part_fails_the_job(victim, which, region):
    path = getattr(victim, which)
    layout.flip(path, layout.regions(path.stat().st_size)[region])
    victim.assert_job_fails_and_says_why()


@pytest.mark.parametrize("cut", CUTS)
def test_a_truncated_part_fails_the_job(victim, cut):
    layout.truncate(victim.first, layout.truncations(victim.first.stat().st_size)[cut])
    victim.assert_job_fails_and_says_why()


@pytest.mark.parametrize("tail", [b"\0", b"x" * 16, b"y" * layout.CHUNK_BYTES], ids=["byte", "tag", "chunk"])
def test_an_extended_part_fails_the_job(victim, tail):
    layout.extend(victim.first, tail)
    victim.assert_job_fails_and_says_why()


def test_two_parts_of_one_archive_swapped_fail_the_job(victim):
    layout.swap(victim.first, victim.last)
    victim.assert_job_fails_and_says_why()


def test_parts_of_two_archives_swapped_fail_both_jobs(victim, damaged):
    other = Victim(damaged, "the other one")
    layout.swap(victim.first, other.first)
    victim.assert_job_fails_and_says_why()
    other.assert_job_fails_and_says_why()


def test_two_chunks_of_a_part_swapped_fail_the_job(victim):
    data = bytearray(victim.first.read_bytes())
    one, two = layout.BODY_START + layout.CHUNK_BYTES, layout.BODY_START + 5 * layout.CHUNK_BYTES
    size = layout.CHUNK_BYTES
    data[one : one + size], data[two : two + size] = data[two : two + size], data[one : one + size]
    layout.rewrite(victim.first, bytes(data))
    victim.assert_job_fails_and_says_why()


@pytest.mark.parametrize("which", ["first", "last"])
def test_a_deleted_part_fails_the_job(victim, which):
    getattr(victim, which).unlink()
    victim.assert_job_fails_and_says_why()


def test_a_part_replaced_by_zeros_fails_the_job(victim):
    layout.rewrite(victim.first, bytes(victim.first.stat().st_size))
    victim.assert_job_fails_and_says_why()


def test_an_older_write_of_the_same_part_put_back_fails_the_job(damaged):
    wire = Wire(damaged)
    upload = wire.initiate_upload(VAULT, 4 * MIB)
    old, new = incompressible(MIB, "old"), incompressible(MIB, "new")
    known = set(damaged.blobs.rglob("*.part-*"))
    wire.put_part(VAULT, upload, 0, old)
    written = set(damaged.blobs.rglob("*.part-*")) - known
    assert len(written) == 1
    older = written.pop().read_bytes()
    wire.put_part(VAULT, upload, 0, new)
    archive = wire.complete_upload(VAULT, upload, MIB, tree_hash(new)).header("x-amz-archive-id")
    layout.rewrite(layout.parts(damaged, archive)[-1], older)
    job = wire.start_job(VAULT, Type="archive-retrieval", ArchiveId=archive)
    document = wire.finished_job(VAULT, job)
    assert document["StatusCode"] == "Failed" and REASON.search(document["StatusMessage"]), document


def test_a_range_that_does_not_touch_the_damage_may_succeed_but_never_lies(victim):
    layout.flip(victim.first, layout.BODY_START + 100)
    job = victim.wire.start_job(
        VAULT,
        Type="archive-retrieval",
        ArchiveId=victim.archive,
        RetrievalByteRange=f"{4 * MIB}-{len(victim.body) - 1}",
    )
    document = victim.wire.finished_job(VAULT, job)
    if document["StatusCode"] == "Succeeded":
        assert victim.wire.job_output(VAULT, job).body == victim.body[4 * MIB :]
    else:
        assert REASON.search(document["StatusMessage"]), document


# Output that was already prepared


def finished_with_output(damaged, victim):
    """A succeeded job and the blob that its download reads first."""
    before = set(damaged.data_dir.rglob("*"))
    job = victim.job()
    assert victim.wire.finished_job(VAULT, job)["StatusCode"] == "Succeeded"
    if damaged.output_mode == "inPlace":
        return job, victim.first
    staged = [
        path
        for path in set(damaged.data_dir.rglob("*")) - before
        if path.is_file() and "catalog" not in path.name and path.stat().st_size > MIB
    ]
    assert len(staged) == 1, f"expected one new staged object, found {staged}"
    return job, staged[0]


def assert_download_never_lies(victim, job):
    """Refused, or cut before the first wrong byte; never complete."""
    try:
        answer = victim.wire.job_output(VAULT, job)
    except ConnectionEnded:
        answer = None
    if answer is not None and answer.status == 200:
        assert not answer.complete, "a damaged output was sent whole"
        assert victim.body.startswith(answer.body), "wrong bytes were sent"
    elif answer is not None:
        assert answer.status >= 400, answer
    victim.assert_an_error_was_logged()


@pytest.mark.parametrize("region", SAMPLE)
def test_a_flipped_bit_in_prepared_output_never_gives_a_wrong_byte(victim, damaged, region):
    job, path = finished_with_output(damaged, victim)
    layout.flip(path, layout.regions(path.stat().st_size)[region])
    assert_download_never_lies(victim, job)


@pytest.mark.parametrize("cut", CUTS)
def test_truncated_prepared_output_never_gives_a_wrong_byte(victim, damaged, cut):
    job, path = finished_with_output(damaged, victim)
    layout.truncate(path, layout.truncations(path.stat().st_size)[cut])
    assert_download_never_lies(victim, job)


def test_extended_prepared_output_never_gives_a_wrong_byte(victim, damaged):
    job, path = finished_with_output(damaged, victim)
    layout.extend(path)
    assert_download_never_lies(victim, job)


def test_deleted_prepared_output_is_refused(victim, damaged):
    job, path = finished_with_output(damaged, victim)
    path.unlink()
    assert_download_never_lies(victim, job)


def test_swapped_prepared_outputs_never_give_a_wrong_byte(victim, damaged):
    other = Victim(damaged, "the other output")
    job, path = finished_with_output(damaged, victim)
    other_job, other_path = finished_with_output(damaged, other)
    layout.swap(path, other_path)
    assert_download_never_lies(victim, job)
    assert_download_never_lies(other, other_job)


def test_damage_late_in_prepared_output_is_reached_only_after_right_bytes(victim, damaged):
    job, path = finished_with_output(damaged, victim)
    layout.flip(path, layout.BODY_START + 150 * layout.CHUNK_BYTES)
    answer = victim.wire.job_output(VAULT, job)
    assert answer.status >= 400 or (not answer.complete and victim.body.startswith(answer.body)), answer.status
    answer = victim.wire.job_output(VAULT, job, f"bytes=0-{MIB - 1}")
    assert answer.status >= 400 or answer.body == victim.body[:MIB]


# Manifests, records, keys: read at the start, so the service is restarted


def restarted(server):
    """Starts the service on damaged files: it may refuse, but then it says why."""
    position = server.log_position()
    server.stop()
    try:
        server.start()
        return True
    except AssertionError:
        text = "\n".join(server.log_lines(position))
        assert REFUSAL.search(text), f"refused to start without a reason:\n{text}"
        return False


def assert_right_or_refused(server, archive, body):
    """The archive comes back right, or its job fails for integrity. Wrong bytes or other errors are failures."""
    wire = Wire(server)
    answer = wire.post_job("v", {"Type": "archive-retrieval", "ArchiveId": archive})
    if answer.status != 202:
        assert answer.status >= 500 or answer.status == 404, answer
        return False
    document = wire.finished_job("v", answer.header("x-amz-job-id"))
    if document["StatusCode"] == "Failed":
        assert REASON.search(document["StatusMessage"]), document
        return False
    output = wire.job_output("v", answer.header("x-amz-job-id"))
    assert output.complete and output.body == body
    return True


DAMAGE = {
    "flip-preamble": lambda path: layout.flip(path, 20),
    "flip-header": lambda path: layout.flip(path, 50),
    "flip-body": lambda path: layout.flip(path, path.stat().st_size // 2),
    "flip-last": lambda path: layout.flip(path, path.stat().st_size - 1),
    "truncate": lambda path: layout.truncate(path, path.stat().st_size - 10),
    "empty": lambda path: layout.truncate(path, 0),
    "extend": lambda path: layout.extend(path),
    "delete": lambda path: path.unlink(),
}


@pytest.fixture
def pair(make_server):
    server = make_server("records")
    wire = Wire(server)
    wire.create_vault("v")
    bodies = [incompressible(MIB + 7, seed) for seed in range(2)]
    return server, [(wire.upload_archive("v", body), body) for body in bodies]


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_manifest_never_gives_a_wrong_byte_and_the_other_archive_is_well(pair, how):
    server, [(archive, body), (other, other_body)] = pair
    DAMAGE[how](layout.manifests(server, archive)[-1])
    assert restarted(server), server.log_tail()
    assert_right_or_refused(server, archive, body)
    assert Wire(server).retrieve("v", other) == other_body


def test_swapped_manifests_never_give_a_wrong_byte(pair):
    server, archives = pair
    layout.swap(*[layout.manifests(server, archive)[-1] for archive, _ in archives])
    assert restarted(server), server.log_tail()
    for archive, body in archives:
        assert_right_or_refused(server, archive, body)


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_vault_record_never_gives_a_wrong_byte(pair, how):
    server, archives = pair
    for path in layout.vault_records(server, archives[0][0]):
        DAMAGE[how](path)
    if restarted(server):
        for archive, body in archives:
            assert_right_or_refused(server, archive, body)


@pytest.mark.parametrize("purpose", ["master", "identifier"])
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_key_file_is_refused_or_harmless(pair, how, purpose):
    server, archives = pair
    path = sorted((server.data_dir / "keys").glob(f"{purpose}-*"))[-1]
    DAMAGE[how](path)
    if restarted(server):
        for archive, body in archives:
            assert_right_or_refused(server, archive, body)


def test_a_damaged_catalog_is_refused_or_harmless(pair):
    server, archives = pair
    server.stop()
    path = next(server.data_dir.glob("catalog.sqlite"))
    data = bytearray(path.read_bytes())
    for offset in range(100, len(data), 997):
        data[offset] ^= 0xFF
    layout.rewrite(path, bytes(data))
    try:
        server.start()
    except AssertionError:
        return
    for archive, body in archives:
        try:
            assert_right_or_refused(server, archive, body)
        except (ConnectionEnded, KeyError):
            pass
