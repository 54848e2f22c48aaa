# SPDX-License-Identifier: Apache-2.0
"""The six multipart operations."""

import concurrent.futures
import random
import time

import pytest

from Support.bodies import compressible, incompressible, mixed
from Support.checks import (
    MILLISECOND_DATE,
    assert_created,
    assert_document,
    assert_error,
    assert_no_content,
    is_identifier,
    vault_arn,
)
from Support.hashes import MIB, combine_hex, tree_hash
from Support.wire import Wire

LIST_PARTS = [
    "MultipartUploadId",
    "VaultARN",
    "ArchiveDescription",
    "PartSizeInBytes",
    "CreationDate",
    "Parts",
    "Marker",
]
UPLOAD = ["MultipartUploadId", "VaultARN", "ArchiveDescription", "PartSizeInBytes", "CreationDate"]


def upload_path(vault, upload):
    return f"/-/vaults/{vault}/multipart-uploads/{upload}"


def list_parts(wire, vault, upload):
    return assert_document(wire.request("GET", upload_path(vault, upload)), LIST_PARTS)


def not_found(answer, upload):
    assert_error(answer, 404, "ResourceNotFoundException", f"The upload ID was not found: {upload}")


# Initiate


def test_initiating_answers_201_with_location_and_identifier(wire, server, vault):
    answer = wire.request("POST", f"/-/vaults/{vault}/multipart-uploads", [("x-amz-part-size", str(MIB))])
    assert_created(answer)
    upload = answer.header("x-amz-multipart-upload-id")
    assert is_identifier(upload, 92)
    assert answer.header("Location") == f"/{server.account.number}/vaults/{vault}/multipart-uploads/{upload}"


@pytest.mark.parametrize("exponent", range(13))
def test_every_power_of_two_from_one_mebibyte_to_four_gibibytes_is_a_part_size(wire, vault, exponent):
    upload = wire.initiate_upload(vault, MIB << exponent)
    assert list_parts(wire, vault, upload)["PartSizeInBytes"] == MIB << exponent


@pytest.mark.parametrize("size", ["0", "1", str(MIB // 2), str(MIB - 1), str(MIB + 1), str(3 * MIB), str(8192 * MIB)])
def test_another_part_size_is_refused_with_the_rule(wire, vault, size):
    answer = wire.request("POST", f"/-/vaults/{vault}/multipart-uploads", [("x-amz-part-size", size)])
    assert_error(
        answer,
        400,
        "InvalidParameterValueException",
        f"Invalid part size: {size}. Part size must not be null, must be a power of two and be between "
        "1048576 and 4294967296 bytes.",
    )


@pytest.mark.parametrize(
    "size", ["one", "-1048576", "1048576.0", "0x100000", "99999999999999999999999999", "1 048 576"]
)
def test_a_part_size_that_is_no_number_is_refused(wire, vault, size):
    answer = wire.request("POST", f"/-/vaults/{vault}/multipart-uploads", [("x-amz-part-size", size)])
    assert_error(answer, 400, "InvalidParameterValueException")


def test_a_missing_part_size_is_refused(wire, vault):
    answer = wire.request("POST", f"/-/vaults/{vault}/multipart-uploads")
    assert answer.status == 400, answer
    assert answer.json["code"] in ("MissingParameterValueException", "InvalidParameterValueException")


# Parts and their list


def test_a_part_answers_204_with_its_tree_hash(wire, vault):
    upload = wire.initiate_upload(vault, 2 * MIB)
    body = incompressible(2 * MIB)
    answer = wire.put_part(vault, upload, 0, body)
    assert_no_content(answer)
    assert answer.header("x-amz-sha256-tree-hash") == tree_hash(body)


def test_listed_parts_are_in_order_of_their_ranges_however_they_came(wire, server, vault):
    upload = wire.initiate_upload(vault, MIB, "in any order")
    bodies = [incompressible(MIB, seed) for seed in range(4)] + [b"tail"]
    for index in (3, 0, 4, 1, 2):
        assert wire.put_part(vault, upload, index * MIB, bodies[index]).status == 204
    document = list_parts(wire, vault, upload)
    assert document["MultipartUploadId"] == upload
    assert document["VaultARN"] == vault_arn(server, vault)
    assert document["ArchiveDescription"] == "in any order"
    assert document["PartSizeInBytes"] == MIB
    assert MILLISECOND_DATE.fullmatch(document["CreationDate"])
    assert document["Marker"] is None
    assert [list(part) for part in document["Parts"]] == [["RangeInBytes", "SHA256TreeHash"]] * 5
    assert [part["RangeInBytes"] for part in document["Parts"]] == [
        "0-1048575",
        "1048576-2097151",
        "2097152-3145727",
        "3145728-4194303",
        "4194304-4194307",
    ]
    assert [part["SHA256TreeHash"] for part in document["Parts"]] == [tree_hash(body) for body in bodies]


def test_a_part_sent_again_replaces_the_first(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    wire.put_part(vault, upload, 0, incompressible(MIB, "first"))
    second = incompressible(MIB, "second")
    assert wire.put_part(vault, upload, 0, second).status == 204
    assert [part["SHA256TreeHash"] for part in list_parts(wire, vault, upload)["Parts"]] == [tree_hash(second)]
    answer = wire.complete_upload(vault, upload, MIB, tree_hash(second))
    assert wire.retrieve(vault, answer.header("x-amz-archive-id")) == second


def test_the_last_part_may_be_sent_again_with_another_length(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    for body in (b"a long last part", b"short", b"longer than the one before"):
        assert wire.put_part(vault, upload, 0, body).status == 204
        assert list_parts(wire, vault, upload)["Parts"] == [
            {"RangeInBytes": f"0-{len(body) - 1}", "SHA256TreeHash": tree_hash(body)}
        ]
    answer = wire.complete_upload(vault, upload, len(body), tree_hash(body))
    assert wire.retrieve(vault, answer.header("x-amz-archive-id")) == body


def test_open_uploads_are_listed_until_they_are_completed_or_aborted(wire, server, vault):
    plain, described, aborted = (
        wire.initiate_upload(vault, MIB),
        wire.initiate_upload(vault, 4 * MIB, "words"),
        wire.initiate_upload(vault, MIB),
    )
    wire.request("DELETE", upload_path(vault, aborted))
    document = assert_document(wire.request("GET", f"/-/vaults/{vault}/multipart-uploads"), ["Marker", "UploadsList"])
    uploads = {entry["MultipartUploadId"]: entry for entry in document["UploadsList"]}
    assert set(uploads) == {plain, described}
    assert all(list(entry) == sorted(UPLOAD) for entry in document["UploadsList"])
    assert uploads[plain]["ArchiveDescription"] is None
    assert uploads[described]["ArchiveDescription"] == "words"
    assert uploads[described]["PartSizeInBytes"] == 4 * MIB
    assert uploads[described]["VaultARN"] == vault_arn(server, vault)
    assert MILLISECOND_DATE.fullmatch(uploads[described]["CreationDate"])
    wire.put_part(vault, plain, 0, b"all")
    wire.complete_upload(vault, plain, 3, tree_hash(b"all"))
    remaining = wire.request("GET", f"/-/vaults/{vault}/multipart-uploads").json["UploadsList"]
    assert [entry["MultipartUploadId"] for entry in remaining] == [described]


# Completion and abortion


@pytest.mark.parametrize(
    "size, part_size",
    [
        (1, MIB),
        (MIB, MIB),
        (MIB + 1, MIB),
        (5 * MIB, 2 * MIB),
        (7 * MIB + 3, 4 * MIB),
        (3 * MIB, 4 * MIB),
        (9 * MIB, MIB),
    ],
)
@pytest.mark.parametrize("make", [incompressible, compressible, mixed], ids=lambda make: make.__name__)
def test_a_completed_upload_comes_back_whole(wire, server, vault, size, part_size, make):
    body = make(size)
    upload = wire.initiate_upload(vault, part_size)
    hashes = []
    for at in range(0, size, part_size):
        hashes.append(wire.put_part(vault, upload, at, body[at : at + part_size]).header("x-amz-sha256-tree-hash"))
    assert combine_hex(hashes) == tree_hash(body)
    answer = wire.complete_upload(vault, upload, size, tree_hash(body))
    assert_created(answer)
    archive = answer.header("x-amz-archive-id")
    assert is_identifier(archive, 138)
    assert answer.header("Location") == f"/{server.account.number}/vaults/{vault}/archives/{archive}"
    assert answer.header("x-amz-sha256-tree-hash") == tree_hash(body)
    assert wire.retrieve(vault, archive) == body


def test_parts_sent_in_parallel_and_out_of_order_make_the_same_archive(wire, vault):
    body = mixed(16 * MIB + 1)
    upload = wire.initiate_upload(vault, MIB)
    starts = list(range(0, len(body), MIB))
    random.Random(7).shuffle(starts)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda at: wire.put_part(vault, upload, at, body[at : at + MIB]), starts))
    assert {answer.status for answer in answers} == {204}
    answer = wire.complete_upload(vault, upload, len(body), tree_hash(body))
    assert wire.retrieve(vault, answer.header("x-amz-archive-id")) == body


def test_completing_again_gives_the_same_archive(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    wire.put_part(vault, upload, 0, b"once")
    answers = [wire.complete_upload(vault, upload, 4, tree_hash(b"once")) for _ in range(3)]
    assert {answer.status for answer in answers} == {201}
    assert len({answer.header("x-amz-archive-id") for answer in answers}) == 1
    assert wire.request("GET", f"/-/vaults/{vault}").json["NumberOfArchives"] == 1


def test_a_completed_upload_is_gone_for_everything_else(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    wire.put_part(vault, upload, 0, b"done")
    wire.complete_upload(vault, upload, 4, tree_hash(b"done"))
    not_found(wire.request("GET", upload_path(vault, upload)), upload)
    not_found(wire.request("DELETE", upload_path(vault, upload)), upload)
    not_found(wire.put_part(vault, upload, 0, b"late"), upload)


def test_aborting_answers_204_again_and_again_and_the_upload_is_gone(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    wire.put_part(vault, upload, 0, b"lost")
    for _ in range(2):
        assert_no_content(wire.request("DELETE", upload_path(vault, upload)))
    not_found(wire.put_part(vault, upload, 0, b"late"), upload)
    not_found(wire.request("GET", upload_path(vault, upload)), upload)
    not_found(wire.complete_upload(vault, upload, 4, tree_hash(b"lost")), upload)
    assert wire.request("GET", f"/-/vaults/{vault}").json["NumberOfArchives"] == 0


def test_an_upload_of_another_vault_is_not_found(wire, vault):
    upload = wire.initiate_upload(wire.create_vault(f"{vault}-other"), MIB)
    answer = wire.put_part(vault, upload, 0, b"astray")
    assert answer.status in (400, 404), answer
    assert answer.json["code"] in ("ResourceNotFoundException", "InvalidParameterValueException")
    assert list_parts(wire, f"{vault}-other", upload)["Parts"] == []


def test_an_upload_at_rest_expires_and_one_in_use_does_not(make_server):
    wire = Wire(make_server("expiry", settings={"upload-expiry": "4s"}))
    wire.create_vault("v")
    idle, busy = wire.initiate_upload("v", MIB), wire.initiate_upload("v", MIB)
    assert wire.put_part("v", idle, 0, b"forgotten").status == 204
    began = time.monotonic()
    while wire.request("GET", upload_path("v", idle)).status == 200:
        assert time.monotonic() - began < 30, "an idle upload never expired"
        assert wire.put_part("v", busy, 0, b"still at it").status == 204
        time.sleep(0.2)
    assert time.monotonic() - began > 2
    not_found(wire.request("GET", upload_path("v", idle)), idle)
    assert wire.complete_upload("v", busy, 11, tree_hash(b"still at it")).status == 201


# The clients' own calls


def test_boto3_client_uploads_in_parts(glacier, wire, vault):
    body = mixed(5 * MIB + 9)
    upload = glacier.initiate_multipart_upload(vaultName=vault, partSize=str(2 * MIB), archiveDescription="b3")
    for at in range(0, len(body), 2 * MIB):
        piece = body[at : at + 2 * MIB]
        sent = glacier.upload_multipart_part(
            vaultName=vault, uploadId=upload["uploadId"], body=piece, range=f"bytes {at}-{at + len(piece) - 1}/*"
        )
        assert sent["checksum"] == tree_hash(piece)
    listed = glacier.list_parts(vaultName=vault, uploadId=upload["uploadId"])
    assert len(listed["Parts"]) == 3
    done = glacier.complete_multipart_upload(
        vaultName=vault, uploadId=upload["uploadId"], archiveSize=str(len(body)), checksum=tree_hash(body)
    )
    assert done["checksum"] == tree_hash(body)
    assert wire.retrieve(vault, done["archiveId"]) == body


def test_boto3_resource_uploads_in_parts_and_aborts(glacier_resource, server, wire, vault):
    resource = glacier_resource.Vault(server.account.number, vault)
    upload = resource.initiate_multipart_upload(partSize=str(MIB), archiveDescription="r")
    upload.upload_part(body=b"whole", range="bytes 0-4/*")
    assert [part["RangeInBytes"] for part in upload.parts()["Parts"]] == ["0-4"]
    assert [each.id for each in resource.multipart_uploads.all()] == [upload.id]
    done = upload.complete(archiveSize="5", checksum=tree_hash(b"whole"))
    assert wire.retrieve(vault, done["archiveId"]) == b"whole"
    resource.initiate_multipart_upload(partSize=str(MIB)).abort()
    assert list(resource.multipart_uploads.all()) == []
