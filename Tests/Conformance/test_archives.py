# SPDX-License-Identifier: Apache-2.0
"""UploadArchive and DeleteArchive, with the way back through a job to see what was really stored."""

import base64
import io
import string

import pytest

from Support.bodies import compressible, incompressible, mixed
from Support.checks import assert_created, assert_error, assert_no_content, is_identifier, vault_arn
from Support.hashes import MIB, linear_hash, tree_hash

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
NEVER_ISSUED = ("Zm9y" * 35)[:138]


def test_an_upload_answers_201_with_location_identifier_and_the_computed_tree_hash(wire, server, vault):
    body = incompressible(3 * MIB + 5)
    answer = wire.post_archive(vault, body)
    assert_created(answer)
    archive = answer.header("x-amz-archive-id")
    assert is_identifier(archive, 138)
    assert answer.header("Location") == f"/{server.account.number}/vaults/{vault}/archives/{archive}"
    assert answer.header("x-amz-sha256-tree-hash") == tree_hash(body)


@pytest.mark.parametrize("size", [1, 2, 16383, 16384, 16385, MIB - 1, MIB, MIB + 1, 2 * MIB, 5 * MIB + 123])
@pytest.mark.parametrize("make", [incompressible, compressible, mixed], ids=lambda make: make.__name__)
def test_what_was_uploaded_comes_back_whole(wire, vault, size, make):
    body = make(size)
    archive = wire.upload_archive(vault, body)
    assert wire.retrieve(vault, archive) == body


def test_the_same_bytes_twice_are_two_archives(wire, vault):
    assert wire.upload_archive(vault, b"twin") != wire.upload_archive(vault, b"twin")
    assert wire.request("GET", f"/-/vaults/{vault}").json["NumberOfArchives"] == 2


@pytest.mark.parametrize(
    "content_type",
    [
        "application/octet-stream",
        "text/plain",
        "application/json",
        "application/x-www-form-urlencoded; charset=utf-8",
        "nonsense",
    ],
)
def test_any_content_type_is_taken(wire, vault, content_type):
    assert_created(wire.post_archive(vault, b"{ not json", headers=[("Content-Type", content_type)]))


@pytest.mark.parametrize(
    "given, kept",
    [
        ("plain", "plain"),
        ("   three leading spaces", "three leading spaces"),
        ("inner   spaces  stay", "inner   spaces  stay"),
        (PRINTABLE, PRINTABLE[1:]),
        ("d" * 1024, "d" * 1024),
        ('quo"te, comma \\ slash', 'quo"te, comma \\ slash'),
    ],
    ids=["plain", "leading-spaces", "inner-spaces", "all-printable", "longest", "csv-specials"],
)
def test_a_description_is_kept_but_for_its_leading_spaces(wire, vault, given, kept):
    archive = wire.upload_archive(vault, b"described", given)
    job = wire.succeeded_job(vault, Type="archive-retrieval", ArchiveId=archive)
    assert wire.job_output(vault, job).header("x-amz-archive-description") == kept


def test_an_archive_without_description_comes_back_without_one(wire, vault):
    job = wire.succeeded_job(vault, Type="archive-retrieval", ArchiveId=wire.upload_archive(vault, b"bare"))
    assert wire.job_output(vault, job).header("x-amz-archive-description") is None


def test_deleting_an_archive_answers_204_every_time(wire, vault):
    archive = wire.upload_archive(vault, b"short-lived")
    for _ in range(3):
        assert_no_content(wire.request("DELETE", f"/-/vaults/{vault}/archives/{archive}"))


def test_deleting_an_archive_that_was_never_issued_is_404(wire, vault):
    assert_error(
        wire.request("DELETE", f"/-/vaults/{vault}/archives/{NEVER_ISSUED}"),
        404,
        "ResourceNotFoundException",
        f"The archive ID was not found: {NEVER_ISSUED}",
    )


@pytest.mark.parametrize("position", [0, 1, 20, 60, 100, 130, 137])
def test_an_identifier_with_one_character_changed_was_never_issued(wire, vault, position):
    archive = wire.upload_archive(vault, b"real")
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    other = alphabet[(alphabet.index(archive[position]) + 17) % 64]
    forged = archive[:position] + other + archive[position + 1 :]
    assert_error(
        wire.request("DELETE", f"/-/vaults/{vault}/archives/{forged}"),
        404,
        "ResourceNotFoundException",
        f"The archive ID was not found: {forged}",
    )


@pytest.mark.parametrize("identifier", ["x", "a" * 137, "a" * 139, "a" * 4000])
def test_an_identifier_of_the_wrong_length_was_never_issued(wire, vault, identifier):
    answer = wire.request("DELETE", f"/-/vaults/{vault}/archives/{identifier}")
    assert_error(answer, 404, "ResourceNotFoundException", f"The archive ID was not found: {identifier}")


def test_an_archive_of_another_vault_is_a_bad_vault_name(wire, server, vault):
    other = wire.create_vault(f"{vault}-other")
    archive = wire.upload_archive(other, b"elsewhere")
    message = f"Invalid vault name: {vault_arn(server, vault)}"
    answer = wire.request("DELETE", f"/-/vaults/{vault}/archives/{archive}")
    assert_error(answer, 400, "InvalidParameterValueException", message)
    assert wire.retrieve(other, archive) == b"elsewhere"


def test_archive_identifiers_tell_nothing_but_are_base64url(wire, vault):
    first, second = (wire.upload_archive(vault, b"same") for _ in range(2))
    assert len(base64.urlsafe_b64decode(first + "==")) == 103
    assert first[60:] != second[60:]


def test_boto3_uploads_bytes_and_files_and_computes_the_hashes_itself(glacier, wire, vault):
    body = mixed(2 * MIB + 77)
    for given in (body, io.BytesIO(body)):
        uploaded = glacier.upload_archive(vaultName=vault, archiveDescription="by boto3", body=given)
        assert uploaded["checksum"] == tree_hash(body)
        assert uploaded["location"].endswith(uploaded["archiveId"])
        assert wire.retrieve(vault, uploaded["archiveId"]) == body


def test_boto3_resource_uploads_and_deletes(glacier_resource, server, vault):
    archive = glacier_resource.Vault(server.account.number, vault).upload_archive(archiveDescription="r", body=b"bytes")
    assert is_identifier(archive.id, 138)
    archive.delete()
    archive.delete()


def test_old_clients_without_a_content_hash_are_served_or_told_what_is_missing(wire, vault):
    body = b"no x-amz-content-sha256"
    headers = [("x-amz-sha256-tree-hash", tree_hash(body))]
    answer = wire.request("POST", f"/-/vaults/{vault}/archives", headers, body, payload_hash=linear_hash(body))
    if answer.status == 201:
        assert wire.retrieve(vault, answer.header("x-amz-archive-id")) == body
    else:
        assert_error(answer, 400, "MissingParameterValueException")
