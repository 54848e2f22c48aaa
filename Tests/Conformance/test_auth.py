# SPDX-License-Identifier: Apache-2.0
"""Signature Version 4 as the service judges it: before routing, over exactly what the client signed."""

import re

import pytest

from Support.checks import assert_created, assert_document, assert_error
from Support.hashes import linear_hash, tree_hash
from Support.wire import timestamp


def refused(answer, message=None):
    return assert_error(answer, 403, "InvalidSignatureException", message)


def test_a_request_without_authentication_is_told_so(wire, vault):
    assert_error(wire.request("GET", f"/-/vaults/{vault}", sign=False), 400, "MissingAuthenticationTokenException")


def test_authentication_is_judged_before_routing(wire):
    assert_error(wire.request("GET", "/no/such/route", sign=False), 400, "MissingAuthenticationTokenException")
    assert_error(wire.request("GET", "/no/such/route", secret="s" * 40), 403, "InvalidSignatureException")
    assert_error(wire.request("GET", "/no/such/route"), 400, "BadRequest")


def test_authentication_is_judged_before_the_vault_is_looked_for(wire):
    assert_error(wire.request("GET", "/-/vaults/no-such-vault", secret="s" * 40), 403, "InvalidSignatureException")


def test_an_unknown_access_key_is_an_unrecognized_client(wire, vault):
    answer = wire.request("GET", f"/-/vaults/{vault}", access_key="AKIAUNKNOWNUNKNOWN00")
    assert_error(answer, 400, "UnrecognizedClientException", "The security token included in the request is invalid.")


def test_a_wrong_secret_is_answered_with_what_the_service_would_have_signed(wire, vault):
    message = refused(wire.request("GET", f"/-/vaults/{vault}", secret="w" * 40))
    assert "does not match the signature you provided" in message
    assert f"'GET\n/-/vaults/{vault}\n\nhost:" in message
    assert re.search(r"'AWS4-HMAC-SHA256\n\d{8}T\d{6}Z\n\d{8}/us-east-1/glacier/aws4_request\n[0-9a-f]{64}'", message)


def test_a_signature_for_another_path_method_or_query_is_refused(wire, vault):
    head = wire.head("GET", f"/-/vaults/{vault}")
    for old, new in [
        (b"GET /-/vaults/", b"GET /-/vaults//x"),
        (b"GET ", b"DELETE "),
        (b" HTTP/1.1\r\n", b"?limit=1 HTTP/1.1\r\n"),
    ]:
        with wire.connect() as connection:
            connection.send(head.replace(old, new, 1))
            refused(connection.read_answer())


def test_a_signed_header_changed_on_the_way_is_refused(wire, vault):
    head = wire.head("POST", f"/-/vaults/{vault}/multipart-uploads", [("x-amz-part-size", "1048576")])
    with wire.connect() as connection:
        connection.send(head.replace(b"x-amz-part-size: 1048576", b"x-amz-part-size: 2097152"))
        refused(connection.read_answer())
    assert wire.request("GET", f"/-/vaults/{vault}/multipart-uploads").json["UploadsList"] == []


def test_a_body_other_than_the_signed_one_is_refused(wire, vault):
    body = b'{"Type":"inventory-retrieval"}'
    head = wire.head("POST", f"/-/vaults/{vault}/jobs", body=body)
    with wire.connect() as connection:
        connection.send(head + body.replace(b"inventory", b"inventorY"))
        refused(connection.read_answer())
    assert wire.request("GET", f"/-/vaults/{vault}/jobs").json["JobList"] == []


def test_an_archive_other_than_the_stated_hash_is_refused_and_not_stored(wire, vault):
    stated, sent = b"what was signed", b"what was sent!!"
    answer = wire.post_archive(vault, sent, tree=tree_hash(sent), linear=linear_hash(stated))
    refused(
        answer,
        "The value passed in as x-amz-content-sha256 does not match the computed payload hash. "
        f"Computed digest: {linear_hash(sent)} expected hash: {linear_hash(stated)}",
    )
    assert wire.request("GET", f"/-/vaults/{vault}").json["NumberOfArchives"] == 0


@pytest.mark.parametrize("seconds", [-290, -60, 60, 290])
def test_a_clock_within_five_minutes_is_accepted(wire, vault, seconds):
    assert wire.request("GET", f"/-/vaults/{vault}", date=timestamp(seconds)).status == 200


def test_a_clock_behind_is_told_the_three_times(wire, vault):
    date = timestamp(-900)
    refused(
        wire.request("GET", f"/-/vaults/{vault}", date=date),
        re.compile(rf"^Signature expired: {date} is now earlier than \d{{8}}T\d{{6}}Z \(\d{{8}}T\d{{6}}Z - 5 min\.\)$"),
    )


def test_a_clock_ahead_is_told_the_three_times(wire, vault):
    date = timestamp(900)
    refused(
        wire.request("GET", f"/-/vaults/{vault}", date=date),
        re.compile(
            rf"^Signature not yet current: {date} is still later than \d{{8}}T\d{{6}}Z \(\d{{8}}T\d{{6}}Z \+ 5 min\.\)$"
        ),
    )


def test_a_scope_for_another_service_is_refused(wire, vault):
    refused(
        wire.request("GET", f"/-/vaults/{vault}", service="s3"),
        "Credential should be scoped to correct service: 'glacier'. ",
    )


def test_a_scope_for_a_region_that_is_not_served_is_refused(wire, vault):
    refused(
        wire.request("GET", f"/-/vaults/{vault}", region="mars-north-1"),
        "Credential should be scoped to a valid region, not 'mars-north-1'. ",
    )


def test_a_scope_of_another_day_is_refused(wire, vault):
    refused(wire.request("GET", f"/-/vaults/{vault}", scope_date="20200101"))


def test_host_must_be_signed(wire, vault):
    answer = wire.request("GET", f"/-/vaults/{vault}", signed=["x-amz-date", "x-amz-glacier-version"])
    assert answer.status in (400, 403), answer
    assert answer.json["code"] in ("InvalidSignatureException", "IncompleteSignatureException")


@pytest.mark.parametrize("host", ["glacier.us-east-1.amazonaws.com", "127.0.0.1", "vault.example:8443"])
def test_any_host_is_accepted_as_long_as_it_is_the_signed_one(wire, vault, host):
    assert wire.request("GET", f"/-/vaults/{vault}", host=host).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [
            ("user-agent", "aws-sdk-java/1.10.26 Linux"),
            ("accept", "*/*"),
            ("x-amz-target", "Glacier.ListVaults"),
            ("content-type", "application/x-amz-json-1.0"),
        ],
        [("user-agent", "  folded   value  ")],
        [("accept-encoding", "identity"), ("x-custom", "a,b"), ("x-custom", "c")],
    ],
    ids=["java-sdk-1", "folding", "repeated"],
)
def test_exactly_the_headers_that_the_client_signed_count(wire, headers):
    assert_document(wire.request("GET", "/-/vaults?limit=1", headers), ["Marker", "VaultList"])


def test_headers_that_were_not_signed_may_be_added_on_the_way(wire, vault):
    answer = wire.request(
        "GET", f"/-/vaults/{vault}", unsigned=[("X-Forwarded-For", "192.0.2.1"), ("Via", "1.1 proxy")]
    )
    assert answer.status == 200


def test_extra_checksum_headers_on_small_requests_are_accepted(wire, vault):
    body = b'{"Type":"inventory-retrieval"}'
    headers = [("X-Amz-Sha256-Tree-Hash", tree_hash(body)), ("X-Amz-Content-Sha256", linear_hash(body))]
    assert_created(wire.request("POST", f"/-/vaults/{vault}/jobs", headers, body), 202)


def test_the_parts_of_the_authorization_may_come_in_any_order_and_without_spaces(wire, vault):
    head = wire.head("GET", f"/-/vaults/{vault}").decode()
    credential, signed, signature = re.search(
        r"Authorization: AWS4-HMAC-SHA256 (Credential=\S+), (SignedHeaders=\S+), (Signature=\S+)", head
    ).groups()
    for value in (f"{credential},{signed},{signature}", f"{signature}, {credential}, {signed}"):
        changed = re.sub(r"Authorization: .*", f"Authorization: AWS4-HMAC-SHA256 {value}\r", head)
        with wire.connect() as connection:
            connection.send(changed.encode())
            assert connection.read_answer().status == 200


@pytest.mark.parametrize(
    "value",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=x",
        "Basic dXNlcjpwYXNz",
        "nonsense",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=zz",
        "AWS4-HMAC-SHA256 " + "x" * 20000,
    ],
    ids=lambda value: value[:24],
)
def test_an_unparsable_authorization_is_refused_cleanly(wire, vault, value):
    answer = wire.request("GET", f"/-/vaults/{vault}", sign=False, unsigned=[("Authorization", value)])
    assert 400 <= answer.status < 500, answer


def test_without_any_date_the_signature_is_incomplete(wire, vault):
    head = wire.head("GET", f"/-/vaults/{vault}").decode()
    with wire.connect() as connection:
        connection.send(re.sub(r"x-amz-date: \S+\r\n", "", head).encode())
        answer = connection.read_answer()
    assert answer.status in (400, 403), answer
    assert answer.json["code"] in (
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
    )


@pytest.mark.parametrize("path", ["/-/vaults/./{}", "/-//vaults/{}", "/-/x/../vaults/{}"])
def test_a_path_is_signed_normalised_as_clients_do(wire, vault, path):
    """The signature must hold; what the odd path means is the router's business."""
    answer = wire.request("GET", path.format(vault))
    assert answer.status in (200, 400, 404), answer
    assert answer.status == 200 or answer.json["code"] in ("BadRequest", "ResourceNotFoundException")


def test_another_account_in_the_path_is_access_denied(wire, server):
    other = "999999999999" if server.account.number != "999999999999" else "111111111111"
    assert_error(
        wire.request("GET", f"/{other}/vaults"), 403, "AccessDeniedException", f"Access denied for account ID: {other}"
    )


def test_access_keys_have_twenty_characters_and_secrets_forty(server):
    assert re.fullmatch(r"[A-Z0-9]{20}", server.account.access_key)
    assert len(server.account.secret) == 40
