# SPDX-License-Identifier: Apache-2.0
"""Bad input, one kind a test. After each: nothing was stored, and the service and its connections go on."""

import concurrent.futures
import re
import time

import pytest

from Support.bodies import incompressible
from Support.checks import assert_error, assert_no_content
from Support.hashes import MIB, linear_hash, tree_hash
from Support.wire import ConnectionEnded

BAD = "InvalidParameterValueException"
HASH = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def nothing_else_happened(wire, vault):
    """Whatever a test sends, the vault holds afterwards only what the test itself said it stored."""
    expected = []
    yield expected
    document = wire.request("GET", f"/-/vaults/{vault}").json
    assert document["NumberOfArchives"] == len(expected), document
    assert document["SizeInBytes"] == sum(expected), document


def parts(wire, vault, upload):
    return [
        part["RangeInBytes"]
        for part in wire.request("GET", f"/-/vaults/{vault}/multipart-uploads/{upload}").json["Parts"]
    ]


# Hashes


@pytest.mark.parametrize("size", [10, MIB + 1])
def test_a_wrong_tree_hash_names_both(wire, vault, size):
    body = incompressible(size)
    assert_error(
        wire.post_archive(vault, body, tree=HASH),
        400,
        BAD,
        f"Checksum mismatch: expected {HASH}, computed {tree_hash(body)}",
    )


@pytest.mark.parametrize("size", [10, MIB + 1])
def test_a_wrong_linear_hash_is_an_invalid_signature(wire, vault, size):
    body = incompressible(size)
    assert_error(
        wire.post_archive(vault, body, linear=HASH),
        403,
        "InvalidSignatureException",
        "The value passed in as x-amz-content-sha256 does not match the computed payload hash. "
        f"Computed digest: {linear_hash(body)} expected hash: {HASH}",
    )


def test_a_linear_hash_given_as_tree_hash_is_called_what_it_is(wire, vault):
    body = incompressible(2 * MIB + 1)
    message = assert_error(wire.post_archive(vault, body, tree=linear_hash(body)), 400, BAD)
    assert message.startswith(f"Checksum mismatch: expected {linear_hash(body)}, computed {tree_hash(body)}")
    assert "linear SHA-256" in message


@pytest.mark.parametrize("value", ["", "abc", "Z" * 64, HASH + "0", HASH[:-1], tree_hash(b"x" * 20).upper()])
def test_a_tree_hash_that_is_no_hash_is_refused(wire, vault, value):
    answer = wire.request(
        "POST",
        f"/-/vaults/{vault}/archives",
        [("x-amz-content-sha256", linear_hash(b"x" * 20)), ("x-amz-sha256-tree-hash", value)],
        b"x" * 20,
    )
    assert answer.status == 400, answer
    assert answer.json["code"] in (BAD, "MissingParameterValueException")


@pytest.mark.parametrize(
    "value", ["abc", "Z" * 64, HASH + "0", "UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"]
)
def test_a_content_hash_that_is_no_hash_is_refused(wire, vault, value):
    answer = wire.post_archive(vault, b"body", linear=value)
    assert answer.status in (400, 403), answer
    assert answer.json["code"] in (BAD, "InvalidSignatureException")


def test_wrong_hashes_of_parts_are_refused_and_the_part_is_not_there(wire, vault):
    upload = wire.initiate_upload(vault, 2 * MIB)
    body = incompressible(2 * MIB)
    assert_error(
        wire.put_part(vault, upload, 0, body, tree=HASH),
        400,
        BAD,
        f"Checksum mismatch: expected {HASH}, computed {tree_hash(body)}",
    )
    assert_error(wire.put_part(vault, upload, 0, body, linear=HASH), 403, "InvalidSignatureException")
    assert "linear SHA-256" in assert_error(wire.put_part(vault, upload, 0, body, tree=linear_hash(body)), 400, BAD)
    assert parts(wire, vault, upload) == []


def test_a_bad_part_does_not_replace_the_good_one(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    wire.put_part(vault, upload, 0, b"good")
    assert wire.put_part(vault, upload, 0, b"evil", tree=HASH).status == 400
    answer = wire.request("GET", f"/-/vaults/{vault}/multipart-uploads/{upload}")
    assert answer.json["Parts"][0]["SHA256TreeHash"] == tree_hash(b"good")


# Lengths


def test_an_empty_archive_is_refused(wire, vault):
    assert_error(wire.post_archive(vault, b""), 400, BAD, "Invalid Content-Length: 0")


@pytest.mark.parametrize("length", [4 * 1024 * MIB + 1, 38505164800, 2**63 - 1])
def test_an_archive_above_four_gibibytes_is_refused_from_its_head(wire, vault, length):
    head = wire.head(
        "POST",
        f"/-/vaults/{vault}/archives",
        [("x-amz-content-sha256", HASH), ("x-amz-sha256-tree-hash", HASH)],
        length=length,
    )
    with wire.connect() as connection:
        connection.send(head)
        assert_error(connection.read_answer(), 400, BAD, f"Invalid Content-Length: {length}")


@pytest.mark.parametrize("length", ["-1", "ten", "1.5", "+5", "5, 6", "99999999999999999999999999999"])
def test_a_length_that_is_no_length_is_refused_or_the_connection_ends(wire, vault, length):
    head = wire.head(
        "POST",
        f"/-/vaults/{vault}/archives",
        [("x-amz-content-sha256", HASH), ("x-amz-sha256-tree-hash", HASH)],
        length=length,
    )
    with wire.connect() as connection:
        connection.send(head)
        try:
            assert 400 <= connection.read_answer().status < 500
        except ConnectionEnded:
            pass


def test_two_different_lengths_are_refused_or_the_connection_ends(wire, vault):
    head = wire.head(
        "POST",
        f"/-/vaults/{vault}/archives",
        [("x-amz-content-sha256", linear_hash(b"12345")), ("x-amz-sha256-tree-hash", tree_hash(b"12345"))],
        length=5,
        unsigned=[("Content-Length", "6")],
    )
    with wire.connect() as connection:
        connection.send(head + b"12345")
        try:
            assert 400 <= connection.read_answer().status < 500
        except ConnectionEnded:
            pass


def test_bytes_after_the_stated_length_are_not_part_of_the_archive(wire, vault, nothing_else_happened):
    body = b"exactly this"
    with wire.connect() as connection:
        connection.send(
            wire.head(
                "POST",
                f"/-/vaults/{vault}/archives",
                [("x-amz-content-sha256", linear_hash(body)), ("x-amz-sha256-tree-hash", tree_hash(body))],
                length=len(body),
            )
            + body
            + b"and a tail\r\n\r\n"
        )
        assert connection.read_answer().status == 201
    nothing_else_happened.append(len(body))


# Ranges of parts


@pytest.mark.parametrize(
    "given, length", [("bytes 1-1048576/*", MIB), ("bytes 524288-1572863/*", MIB), ("bytes 100-199/*", 100)], ids=str
)
def test_a_part_off_the_grid_is_refused(wire, vault, given, length):
    upload = wire.initiate_upload(vault, MIB)
    assert_error(wire.put_part(vault, upload, 0, bytes(length), content_range=given), 400, BAD)
    assert parts(wire, vault, upload) == []


def test_a_part_longer_than_the_part_size_is_refused(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    assert_error(wire.put_part(vault, upload, 0, bytes(MIB + 1)), 400, BAD)
    assert_error(wire.put_part(vault, upload, 0, bytes(2 * MIB)), 400, BAD)
    assert parts(wire, vault, upload) == []


@pytest.mark.parametrize(
    "given, length", [("bytes 0-99/*", 50), ("bytes 0-1048575/*", 100), ("bytes 0-9/*", 100)], ids=str
)
def test_a_range_that_is_not_as_long_as_the_body_is_refused(wire, vault, given, length):
    upload = wire.initiate_upload(vault, MIB)
    assert_error(
        wire.put_part(vault, upload, 0, bytes(length), content_range=given),
        400,
        BAD,
        f"Content-Range: {given} is incompatible with Content-Length: {length}",
    )
    assert parts(wire, vault, upload) == []


@pytest.mark.parametrize(
    "given",
    [
        "bytes 909994937-909994936/*",
        "bytes 5-4/*",
        "0-9/*",
        "bytes a-b/*",
        "bytes=0-9/*",
        "bytes 0-9",
        "bytes */10",
        "bytes -9/*",
        "bytes 0-/*",
        "octets 0-9/*",
        "bytes 0-99999999999999999999999999/*",
    ],
)
def test_a_range_that_is_no_range_is_refused(wire, vault, given):
    upload = wire.initiate_upload(vault, MIB)
    assert_error(
        wire.put_part(vault, upload, 0, bytes(10), content_range=given),
        400,
        BAD,
        re.compile(re.escape(f"Invalid Content-Range: {given}") + "|incompatible"),
    )
    assert parts(wire, vault, upload) == []


def test_a_part_without_range_lacks_a_parameter(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    answer = wire.request(
        "PUT",
        f"/-/vaults/{vault}/multipart-uploads/{upload}",
        [("x-amz-content-sha256", linear_hash(b"x")), ("x-amz-sha256-tree-hash", tree_hash(b"x"))],
        b"x",
    )
    assert_error(answer, 400, "MissingParameterValueException")


def test_an_empty_part_is_refused(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    answer = wire.put_part(vault, upload, 0, b"", content_range="bytes 0-0/*")
    assert_error(answer, 400, BAD)
    assert parts(wire, vault, upload) == []


def test_the_last_part_has_number_ten_thousand(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    assert_no_content(wire.put_part(vault, upload, 9999 * MIB, b"the last one"))
    first = 10000 * MIB
    assert_error(
        wire.put_part(vault, upload, first, b"one too many"),
        400,
        BAD,
        "This is part number 10001 for the current multipart upload. It exceeds the limit of 10000 parts.",
    )
    assert parts(wire, vault, upload) == [f"{9999 * MIB}-{9999 * MIB + 11}"]


def test_a_part_of_an_upload_never_begun_is_not_found(wire, vault):
    upload = "U" * 92
    assert_error(
        wire.put_part(vault, upload, 0, b"x"),
        404,
        "ResourceNotFoundException",
        f"The upload ID was not found: {upload}",
    )


# Completion


def three_parts(wire, vault, middle=MIB):
    bodies = [incompressible(MIB, 1), incompressible(middle, 2), incompressible(100, 3)]
    upload = wire.initiate_upload(vault, MIB)
    for index, body in enumerate(bodies):
        assert wire.put_part(vault, upload, index * MIB, body).status == 204
    return upload, bodies


@pytest.mark.parametrize("difference", [-1, 1, -100, MIB, -2 * MIB])
def test_a_completion_with_the_wrong_size_is_refused_and_can_be_corrected(
    wire, vault, nothing_else_happened, difference
):
    upload, bodies = three_parts(wire, vault)
    whole = b"".join(bodies)
    assert_error(wire.complete_upload(vault, upload, len(whole) + difference, tree_hash(whole)), 400, BAD)
    assert len(parts(wire, vault, upload)) == 3
    assert wire.complete_upload(vault, upload, len(whole), tree_hash(whole)).status == 201
    nothing_else_happened.append(len(whole))


def test_a_completion_with_the_wrong_tree_hash_is_refused_and_can_be_corrected(wire, vault, nothing_else_happened):
    upload, bodies = three_parts(wire, vault)
    whole = b"".join(bodies)
    assert_error(
        wire.complete_upload(vault, upload, len(whole), HASH), 400, BAD, f"Invalid x-amz-sha256-tree-hash: {HASH}"
    )
    assert wire.complete_upload(vault, upload, len(whole), tree_hash(whole)).status == 201
    nothing_else_happened.append(len(whole))


@pytest.mark.parametrize("size", ["0", "-1", "all", "1e9", str(2**64), ""])
def test_a_completion_with_a_size_that_is_no_size_is_refused(wire, vault, size):
    upload, bodies = three_parts(wire, vault)
    answer = wire.complete_upload(vault, upload, size, tree_hash(b"".join(bodies)))
    assert answer.status == 400, answer
    assert answer.json["code"] in (BAD, "MissingParameterValueException")


def test_a_hole_between_parts_refuses_the_completion_until_it_is_filled(wire, vault, nothing_else_happened):
    bodies = [incompressible(MIB, seed) for seed in range(3)]
    whole = b"".join(bodies)
    upload = wire.initiate_upload(vault, MIB)
    for index in (0, 2):
        wire.put_part(vault, upload, index * MIB, bodies[index])
    for size in (len(whole), 2 * MIB):
        assert_error(wire.complete_upload(vault, upload, size, tree_hash(whole)), 400, BAD)
    wire.put_part(vault, upload, MIB, bodies[1])
    assert wire.complete_upload(vault, upload, len(whole), tree_hash(whole)).status == 201
    nothing_else_happened.append(len(whole))


def test_a_missing_first_part_refuses_the_completion(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    wire.put_part(vault, upload, MIB, b"second")
    assert_error(wire.complete_upload(vault, upload, MIB + 6, HASH), 400, BAD)
    assert_error(wire.complete_upload(vault, upload, 6, tree_hash(b"second")), 400, BAD)


def test_a_short_part_in_the_middle_refuses_the_completion_until_it_is_sent_whole(wire, vault, nothing_else_happened):
    upload, bodies = three_parts(wire, vault, middle=500)
    whole = b"".join(bodies)
    assert_error(wire.complete_upload(vault, upload, len(whole), tree_hash(whole)), 400, BAD)
    bodies[1] = incompressible(MIB, 2)
    wire.put_part(vault, upload, MIB, bodies[1])
    whole = b"".join(bodies)
    assert wire.complete_upload(vault, upload, len(whole), tree_hash(whole)).status == 201
    nothing_else_happened.append(len(whole))


def test_an_upload_without_parts_cannot_be_completed(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    for size in (0, 1, MIB):
        assert_error(wire.complete_upload(vault, upload, size, tree_hash(b"")), 400, BAD)


def test_completing_an_upload_never_begun_is_not_found(wire, vault):
    assert_error(wire.complete_upload(vault, "U" * 92, 5, HASH), 404, "ResourceNotFoundException")


# Descriptions and headers


@pytest.mark.parametrize("description", ["d" * 1025, "tab\there", "\x7f", "caf\xe9", "\x01", "latin \xff"], ids=ascii)
def test_a_description_outside_printable_ascii_or_too_long_is_refused(wire, vault, description):
    answer = wire.post_archive(vault, b"x", description)
    assert_bad_description(answer)
    upload = wire.request(
        "POST",
        f"/-/vaults/{vault}/multipart-uploads",
        [("x-amz-part-size", str(MIB)), ("x-amz-archive-description", description)],
    )
    assert_bad_description(upload)


def assert_bad_description(answer):
    """Refused for the parameter, or already as broken HTTP; a non-ASCII header may also be signed differently."""
    assert (answer.status, answer.json["code"]) in [
        (400, BAD),
        (400, "BadRequest"),
        (403, "InvalidSignatureException"),
    ], answer


def test_invalid_utf8_in_a_description_is_refused(wire, vault):
    head = wire.head(
        "POST",
        f"/-/vaults/{vault}/archives",
        [
            ("x-amz-content-sha256", linear_hash(b"x")),
            ("x-amz-sha256-tree-hash", tree_hash(b"x")),
            ("x-amz-archive-description", "MARK"),
        ],
        length=1,
    )
    with wire.connect() as connection:
        connection.send(head.replace(b"MARK", b"\xc3\x28\xa0\xa1") + b"x")
        try:
            assert 400 <= connection.read_answer().status < 500
        except ConnectionEnded:
            pass


def test_a_nul_in_a_header_is_refused_or_the_connection_ends(wire, vault):
    head = wire.head("GET", f"/-/vaults/{vault}", [("x-note", "MARK")])
    with wire.connect() as connection:
        connection.send(head.replace(b"MARK", b"a\x00b"))
        try:
            assert 400 <= connection.read_answer().status < 500
        except ConnectionEnded:
            pass


# JSON


def test_deeply_nested_json_is_refused(wire, vault):
    for body in (
        b"[" * 100000,
        b'{"Type":' * 50000,
        b"[" * 5000 + b"]" * 5000,
        b'{"Type":"inventory-retrieval","x":' + b"[" * 200 + b"]" * 200 + b"}",
    ):
        answer = wire.post_job(vault, body)
        assert answer.status == 400, answer
    assert wire.request("GET", f"/-/vaults/{vault}/jobs").json["JobList"] == []


def test_a_json_body_above_any_sensible_size_is_refused(wire, vault):
    body = b'{"Type":"inventory-retrieval","Description":"' + b"d" * (8 * MIB) + b'"}'
    with wire.connect() as connection:
        try:
            connection.send(wire.head("POST", f"/-/vaults/{vault}/jobs", body=body) + body)
        except OSError:
            pass
        try:
            assert 400 <= connection.read_answer().status < 500
        except ConnectionEnded:
            pass
    assert wire.request("GET", f"/-/vaults/{vault}/jobs").json["JobList"] == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"Type":"inventory-retrieval","Type":"archive-retrieval"}',
        b'{"Type":"inventory-retrieval","Description":"\xff\xfe"}',
        b'{"Type":"inventory-retrieval","Description":"\\ud800"}',
        b'{"Type":"inventory-retrieval","Description":"nul\\u0000"}',
        b'{"Type":"inventory-retrieval","InventoryRetrievalParameters":"x"}',
        b'{"Type":"inventory-retrieval","InventoryRetrievalParameters":{"Limit":1.5}}',
        b'{"Type":"inventory-retrieval","InventoryRetrievalParameters":{"Limit":[]}}',
        b'{"Type":"inventory-retrieval","InventoryRetrievalParameters":{"Limit":-1e99}}',
    ],
)
def test_tricky_json_is_refused_and_makes_no_job(wire, vault, body):
    answer = wire.post_job(vault, body)
    assert answer.status == 400, answer
    assert answer.json["code"] in (BAD, "SerializationException")
    assert wire.request("GET", f"/-/vaults/{vault}/jobs").json["JobList"] == []


def test_an_enormous_inventory_limit_is_clamped_or_refused(wire, vault):
    for limit in (2**31, 2**63, "9" * 40):
        answer = wire.post_job(vault, {"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"Limit": limit}})
        assert answer.status in (202, 400), answer
        if answer.status == 202:
            assert wire.finished_job(vault, answer.header("x-amz-job-id"))["StatusCode"] == "Succeeded"


# Half-way


def post_head(wire, vault, body):
    return wire.head(
        "POST",
        f"/-/vaults/{vault}/archives",
        [("x-amz-content-sha256", linear_hash(body)), ("x-amz-sha256-tree-hash", tree_hash(body))],
        length=len(body),
    )


@pytest.mark.parametrize("sent", [0, 1, MIB, 3 * MIB - 1])
def test_a_body_that_disconnects_half_way_stores_nothing(wire, vault, sent):
    body = incompressible(3 * MIB)
    with wire.connect() as connection:
        connection.send(post_head(wire, vault, body) + body[:sent])
    time.sleep(0.2)
    assert wire.request("GET", f"/-/vaults/{vault}").json["NumberOfArchives"] == 0


def test_a_part_that_disconnects_half_way_is_not_listed_and_can_be_sent_again(wire, vault):
    upload = wire.initiate_upload(vault, 2 * MIB)
    body = incompressible(2 * MIB)
    head = wire.head(
        "PUT",
        f"/-/vaults/{vault}/multipart-uploads/{upload}",
        [
            ("x-amz-content-sha256", linear_hash(body)),
            ("x-amz-sha256-tree-hash", tree_hash(body)),
            ("Content-Range", f"bytes 0-{2 * MIB - 1}/*"),
        ],
        length=len(body),
    )
    with wire.connect() as connection:
        connection.send(head + body[: MIB + 77])
    time.sleep(0.2)
    assert parts(wire, vault, upload) == []
    assert wire.put_part(vault, upload, 0, body).status == 204


def test_concurrent_completions_make_one_archive(wire, vault, nothing_else_happened):
    upload, bodies = three_parts(wire, vault)
    whole = b"".join(bodies)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: wire.complete_upload(vault, upload, len(whole), tree_hash(whole)), range(6)))
    won = [answer for answer in answers if answer.status == 201]
    assert won and len({answer.header("x-amz-archive-id") for answer in won}) == 1
    assert all(400 <= answer.status < 500 for answer in answers if answer.status != 201), answers
    nothing_else_happened.append(len(whole))
