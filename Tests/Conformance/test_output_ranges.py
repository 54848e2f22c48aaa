# SPDX-License-Identifier: Apache-2.0
"""GetJobOutput: ranges, clamping, and the tree hash exactly when both ranges are aligned."""

import pytest

from Support.bodies import numbered_mebibytes
from Support.checks import assert_common_headers, assert_error
from Support.hashes import MIB, is_tree_hash_aligned, tree_hash
from Support.wire import Wire

BODY = numbered_mebibytes()
SIZE = len(BODY)
# Published vectors for ranges of this archive: they guard this suite's own arithmetic.
VECTORS = {
    (0, 2): "56000aae067539dced6beb96e22a17d7a596e8824a93fc35dd06c13fba9e9a1b",
    (2, 4): "d1d5b496d3337e6a861029592334a156fb35d4236b34377b7fa0d504c9f775b3",
    (4, 6): "d640872142ee0da7d1e4d1313d6ebb8087d5a2b1ff89dd954434ffde001fa769",
    (6, 6.5): "1fc15a7fa5716499f176527299306aedc7f7ee9c523932efb6da89e71886726d",
    (4, 6.5): "ab6d8ef5453c3b378223882314a706ceef45392913a31a8ee404894e8df97d91",
    (0, 4): "67b4bca77c9935ead8b071feb32ccccc142dfb5a2674650a1320f6fbcef943c6",
    (0, 6.5): "1bec740b9e7b5da352a727ef3b50e9b24717450758ec506d3a8d45b59ca4f759",
}


class Retrieved:
    """The archive of the vectors on a service of one output mode, with jobs kept by range."""

    def __init__(self, server):
        self.wire = Wire(server)
        self.wire.create_vault("ranges")
        self.archive = self.wire.upload_multipart("ranges", BODY, 2 * MIB, "ranged")
        self.jobs = {}

    def job(self, first=0, last=SIZE - 1):
        if (first, last) not in self.jobs:
            self.jobs[first, last] = self.wire.succeeded_job(
                "ranges", Type="archive-retrieval", ArchiveId=self.archive, RetrievalByteRange=f"{first}-{last}"
            )
        return self.jobs[first, last]

    def read(self, byte_range=None, first=0, last=SIZE - 1):
        return self.wire.job_output("ranges", self.job(first, last), byte_range)


@pytest.fixture(scope="module", params=["inPlace", "staged"])
def retrieved(request, make_server_for_session):
    return Retrieved(make_server_for_session("ranges", settings={"output-mode": request.param}))


def assert_partial(answer, expected, first, total, aligned):
    assert answer.status == 206 and answer.complete, answer
    assert answer.body == expected
    assert answer.header("Content-Range") == f"bytes {first}-{first + len(expected) - 1}/{total}"
    assert answer.header("Content-Length") == str(len(expected))
    assert answer.header("Accept-Ranges") == "bytes"
    assert answer.header("Content-Type") == "application/octet-stream"
    assert answer.header("x-amz-archive-description") == "ranged"
    assert answer.header("x-amz-sha256-tree-hash") == (tree_hash(expected) if aligned else None)
    assert_common_headers(answer)


def test_the_whole_output_is_200_with_its_tree_hash(retrieved):
    answer = retrieved.read()
    assert answer.status == 200 and answer.body == BODY
    assert answer.header("Content-Type") == "application/octet-stream"
    assert answer.header("Accept-Ranges") == "bytes"
    assert answer.header("Content-Range") is None
    assert answer.header("Content-Length") == str(SIZE)
    assert answer.header("x-amz-archive-description") == "ranged"
    assert answer.header("x-amz-sha256-tree-hash") == VECTORS[0, 6.5]


@pytest.mark.parametrize("mebibytes", VECTORS, ids=str)
def test_the_published_range_hashes_are_sent(retrieved, mebibytes):
    first, last = int(mebibytes[0] * MIB), int(mebibytes[1] * MIB) - 1
    answer = retrieved.read(f"bytes={first}-{last}")
    assert_partial(answer, BODY[first : last + 1], first, SIZE, True)
    assert answer.header("x-amz-sha256-tree-hash") == VECTORS[mebibytes]


@pytest.mark.parametrize(
    "first, last",
    [
        (MIB, 3 * MIB - 1),
        (0, 3 * MIB - 1),
        (MIB, SIZE - 1),
        (2 * MIB, SIZE - 1),
        (0, 0),
        (1, MIB),
        (0, MIB - 2),
        (SIZE - 1, SIZE - 1),
        (5 * MIB + 7, 5 * MIB + 7),
        (MIB - 1, MIB),
        (6 * MIB, SIZE - 2),
        (16383, 16384),
        (3, SIZE - 4),
    ],
)
def test_a_range_that_is_no_node_of_the_tree_has_no_hash(retrieved, first, last):
    assert not is_tree_hash_aligned(first, last, SIZE)
    assert_partial(retrieved.read(f"bytes={first}-{last}"), BODY[first : last + 1], first, SIZE, False)


@pytest.mark.parametrize("first", [0, MIB, 4 * MIB, 6 * MIB, SIZE - 1])
def test_an_end_past_the_output_is_clamped_and_the_hash_is_of_what_was_sent(retrieved, first):
    answer = retrieved.read(f"bytes={first}-{first + 4 * 1024 * MIB - 1}")
    assert_partial(answer, BODY[first:], first, SIZE, is_tree_hash_aligned(first, SIZE - 1, SIZE))


@pytest.mark.parametrize("first", [0, 1, 4 * MIB, SIZE - 1])
def test_an_open_ended_range_reaches_the_end(retrieved, first):
    answer = retrieved.read(f"bytes={first}-")
    assert_partial(answer, BODY[first:], first, SIZE, is_tree_hash_aligned(first, SIZE - 1, SIZE))


@pytest.mark.parametrize(
    "byte_range", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 1}", "bytes=10-9", "bytes=99999999999999999999999-"]
)
def test_an_unsatisfiable_range_is_refused(retrieved, byte_range):
    assert_error(retrieved.read(byte_range), 400, "InvalidParameterValueException")


@pytest.mark.parametrize("byte_range", ["bytes=a-b", "bytes 0-5", "0-5", "bytes=--", "octets=0-5", "bytes=0-1,3-4"])
def test_a_malformed_range_never_gives_wrong_bytes(retrieved, byte_range):
    answer = retrieved.read(byte_range)
    if answer.status == 200:
        assert answer.body == BODY
    else:
        assert_error(answer, 400, "InvalidParameterValueException")


@pytest.mark.parametrize(
    "start, end",
    [(2 * MIB, 4 * MIB), (4 * MIB, SIZE), (6 * MIB, SIZE), (MIB, 3 * MIB), (MIB, SIZE), (3 * MIB, 4 * MIB)],
)
def test_a_download_range_is_relative_to_the_retrieved_range(retrieved, start, end):
    expected = BODY[start:end]
    job_aligned = is_tree_hash_aligned(start, end - 1, SIZE)
    whole = retrieved.read(first=start, last=end - 1)
    assert whole.status == 200 and whole.body == expected
    assert whole.header("x-amz-sha256-tree-hash") == (tree_hash(expected) if job_aligned else None)
    first_mebibyte = retrieved.read(f"bytes=0-{MIB - 1}", start, end - 1)
    length = min(MIB, len(expected))
    assert_partial(first_mebibyte, expected[:length], 0, len(expected), job_aligned)
    tail = retrieved.read(f"bytes={len(expected) - 5}-", start, end - 1)
    assert_partial(tail, expected[-5:], len(expected) - 5, len(expected), False)


def test_chunked_reading_as_old_clients_do_gives_every_chunk_its_hash(retrieved):
    received = b""
    for first in range(0, SIZE, 4 * MIB):
        answer = retrieved.read(f"bytes={first}-{first + 4 * MIB - 1}")
        assert answer.header("x-amz-sha256-tree-hash") == tree_hash(answer.body)
        received += answer.body
    assert received == BODY


def test_downloads_may_be_repeated(retrieved):
    assert {retrieved.read().body == BODY for _ in range(3)} == {True}
