# SPDX-License-Identifier: Apache-2.0
"""The shape of errors, request identifiers, and requests that no route takes."""

import pytest

from Support.checks import REQUEST_ID, assert_error
from Support.hashes import MIB, linear_hash


def test_an_error_is_three_strings(wire):
    answer = wire.request("GET", "/-/vaults/absent")
    assert sorted(answer.json) == ["code", "message", "type"]
    assert all(isinstance(value, str) for value in answer.json.values())
    assert_error(answer, 404, "ResourceNotFoundException")


def test_every_answer_has_its_own_request_identifier(wire):
    seen = [
        wire.request("GET", target).header("x-amzn-RequestId") for target in ["/-/vaults", "/-/vaults/absent", "/x"] * 5
    ]
    assert all(REQUEST_ID.fullmatch(value) for value in seen)
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    "method, target",
    [
        ("GET", "/"),
        ("GET", "/vaults"),
        ("POST", "/vaults/x/archives"),
        ("GET", "/-"),
        ("GET", "/-/vaultz"),
        ("PATCH", "/-/vaults/x"),
        ("POST", "/-/vaults/x"),
        ("GET", "/-/vaults/x/archives"),
        ("PUT", "/-/vaults/x/archives"),
        ("GET", "/-/vaults/x/jobs/y/output/z"),
        ("GET", "/-/vaults/x/y"),
    ],
)
def test_a_path_or_method_without_a_route_is_a_bad_request(wire, method, target):
    assert_error(wire.request(method, target), 400, "BadRequest")


def test_a_missing_version_is_a_missing_parameter(wire):
    assert_error(
        wire.request("GET", "/-/vaults", version=None),
        400,
        "MissingParameterValueException",
        "Required parameter missing: API version",
    )


def test_an_unknown_version_is_refused(wire):
    answer = wire.request("GET", "/-/vaults", version=("x-amz-glacier-version", "2010-01-01"))
    assert_error(answer, 400, "InvalidParameterValueException")


@pytest.mark.parametrize("account", ["12345", "abc", "1234567890123", "12345678901a"])
def test_an_account_that_is_no_account_number_is_denied(wire, account):
    answer = wire.request("GET", f"/{account}/vaults")
    assert answer.status in (400, 403), answer
    assert answer.json["code"] in ("AccessDeniedException", "InvalidParameterValueException", "BadRequest")


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"{",
        b'{"Type":"inventory-retrieval"',
        b'{"Type":"a"} trailing',
        b"[1,2",
        b'{"Type": nope}',
        b"\xff\xfe",
        b'{"a":1,}',
    ],
)
def test_a_body_that_is_not_json_is_a_serialization_error(wire, vault, body):
    assert_error(wire.post_job(vault, body), 400, "SerializationException")


@pytest.mark.parametrize("body", [b"[]", b"5", b'"text"', b"null", b"true"])
def test_json_that_is_no_object_is_refused(wire, vault, body):
    answer = wire.post_job(vault, body)
    assert answer.status == 400, answer
    assert answer.json["code"] in (
        "SerializationException",
        "MissingParameterValueException",
        "InvalidParameterValueException",
    )


def test_missing_tree_hash_headers_are_missing_parameters(wire, vault):
    body = b"bytes"
    answer = wire.request("POST", f"/-/vaults/{vault}/archives", [("x-amz-content-sha256", linear_hash(body))], body)
    assert_error(answer, 400, "MissingParameterValueException", "Required parameter missing: x-amz-sha256-tree-hash")


def test_completion_without_tree_hash_or_size_lacks_a_parameter(wire, vault):
    upload = wire.initiate_upload(vault, MIB)
    wire.put_part(vault, upload, 0, b"x")
    assert_error(
        wire.complete_upload(vault, upload, 1, None),
        400,
        "MissingParameterValueException",
        "Required parameter missing: x-amz-sha256-tree-hash",
    )
    assert_error(
        wire.complete_upload(vault, upload, None, "0" * 64),
        400,
        "MissingParameterValueException",
        "Required parameter missing: x-amz-archive-size",
    )


def test_boto3_sees_the_codes_as_its_own_exceptions(glacier, vault):
    with pytest.raises(glacier.exceptions.ResourceNotFoundException):
        glacier.describe_job(vaultName=vault, jobId="x" * 92)
    with pytest.raises(glacier.exceptions.InvalidParameterValueException):
        glacier.initiate_multipart_upload(vaultName=vault, partSize="3")
    with pytest.raises(glacier.exceptions.MissingParameterValueException):
        glacier.initiate_job(vaultName=vault, jobParameters={})
