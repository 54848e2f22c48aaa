# SPDX-License-Identifier: Apache-2.0
"""What is true of every answer, said once."""

import email.utils
import json
import re

IDENTIFIER = r"[A-Za-z0-9_-]"
MILLISECOND_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SECOND_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
REQUEST_ID = re.compile(rf"{IDENTIFIER}{{47,48}}")


def is_identifier(text, length):
    return re.fullmatch(rf"{IDENTIFIER}{{{length}}}", text or "") is not None


def assert_common_headers(answer):
    """A request id and a date come with every answer, errors included."""
    assert REQUEST_ID.fullmatch(answer.header("x-amzn-RequestId") or ""), answer
    assert email.utils.parsedate_to_datetime(answer.header("Date")), answer


def assert_created(answer, status=201):
    """201 and 202 carry `{}` and say that it is JSON."""
    assert answer.status == status, answer
    assert answer.body == b"{}", answer
    assert answer.header("Content-Length") == "2", answer
    assert answer.header("Content-Type") == "application/json", answer
    assert_common_headers(answer)


def assert_no_content(answer):
    """204 has neither a length nor a type."""
    assert answer.status == 204, answer
    assert answer.body == b"", answer
    assert answer.header("Content-Length") is None, answer
    assert answer.header("Transfer-Encoding") is None, answer
    assert answer.header("Content-Type") is None, answer
    assert_common_headers(answer)


def assert_document(answer, members):
    """200 with compact JSON whose members are exactly these, in alphabetical order, nulls written out."""
    assert answer.status == 200, answer
    assert answer.header("Content-Type") == "application/json", answer
    assert answer.header("Content-Length") == str(len(answer.body)), answer
    assert_common_headers(answer)
    document = answer.json
    assert list(document) == sorted(members), answer
    assert json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() == answer.body, "not compact JSON"
    return document


def assert_error(answer, status, code, message=None, kind="Client"):
    """An error: exactly three strings, the status that belongs to the code and, when given, the exact text.

    `message` is a string (equal) or a compiled pattern (found).
    """
    assert answer.status == status, answer
    assert answer.header("Content-Type") == "application/json", answer
    assert answer.header("Content-Length") == str(len(answer.body)), answer
    assert_common_headers(answer)
    document = answer.json
    assert sorted(document) == ["code", "message", "type"], answer
    assert (document["code"], document["type"]) == (code, kind), answer
    if isinstance(message, str):
        assert document["message"] == message, answer
    elif message is not None:
        assert message.search(document["message"]), answer
    return document["message"]


def vault_arn(server, vault, account=None):
    return f"arn:aws:glacier:{server.region}:{account or server.account.number}:vaults/{vault}"
