# SPDX-License-Identifier: Apache-2.0
"""Users, identity policies and temporary credentials: who may do what, and what the refused are told."""

import json
import re
import time

import pytest

from Support.checks import assert_error, vault_arn
from Support.clients import boto_client
from Support.identity import allow, create_session, create_user, deny, policy, put_policy
from Support.server import Account
from Support.wire import Wire, timestamp


@pytest.fixture(scope="module")
def owner(make_server_for_session):
    server = make_server_for_session("identity")
    wire = Wire(server)
    for name in ("films", "letters"):
        wire.create_vault(name)
    return server


def as_user(server, name, *policies):
    return Wire(server, account=create_user(server, name, *policies))


def refused(answer, server, name, action, resource):
    expected = f"User: arn:aws:iam::{server.account.number}:user/{name} is not authorized to perform: glacier:{action} on resource: {resource}"
    assert_error(answer, 403, "AccessDeniedException", expected)


def test_a_new_user_may_do_nothing(owner):
    wire = as_user(owner, "nobody")
    refused(wire.request("GET", "/-/vaults/films"), owner, "nobody", "DescribeVault", vault_arn(owner, "films"))
    assert wire.request("GET", "/-/vaults").status == 403
    assert wire.request("PUT", "/-/vaults/mine").status == 403
    # The same for what does not exist: the refused learn nothing.
    refused(wire.request("GET", "/-/vaults/absent"), owner, "nobody", "DescribeVault", vault_arn(owner, "absent"))


def test_a_user_may_do_what_a_policy_allows_and_no_more(owner):
    wire = as_user(owner, "reader", policy(allow(["glacier:Describe*", "glacier:List*"], vault_arn(owner, "films"))))
    assert wire.request("GET", "/-/vaults/films").status == 200
    assert wire.request("GET", "/-/vaults/films/jobs").status == 200
    assert wire.request("GET", "/-/vaults/letters").status == 403
    answer = wire.post_archive("films", b"not allowed")
    refused(answer, owner, "reader", "UploadArchive", vault_arn(owner, "films"))
    assert Wire(owner).request("GET", "/-/vaults/films").json["NumberOfArchives"] == 0


def test_an_explicit_denial_wins(owner):
    everything = policy(allow())
    wire = as_user(owner, "careful", everything, policy(deny("glacier:DeleteArchive")))
    archive = wire.upload_archive("letters", b"kept")
    answer = wire.request("DELETE", f"/-/vaults/letters/archives/{archive}")
    refused(answer, owner, "careful", "DeleteArchive", vault_arn(owner, "letters"))
    assert wire.retrieve("letters", archive) == b"kept"


def test_a_denied_upload_is_refused_before_its_body_is_sent(owner):
    wire = as_user(owner, "uploader")
    headers = [("x-amz-content-sha256", "0" * 64), ("x-amz-sha256-tree-hash", "0" * 64)]
    with wire.connect() as connection:
        connection.send(
            wire.head("POST", "/-/vaults/films/archives", headers, length=1 << 30, unsigned=[("Expect", "100-continue")])
        )
        assert connection.read_answer(skip_informational=False).status == 403


def test_conditions_hold(owner):
    nets = policy(allow(Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}, "Bool": {"aws:SecureTransport": "false"}}))
    assert as_user(owner, "local", nets).request("GET", "/-/vaults/films").status == 200
    far = policy(allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    assert as_user(owner, "far", far).request("GET", "/-/vaults/films").status == 403
    own = policy(allow(resource=f"arn:aws:glacier:*:*:vaults/${{aws:username}}"))
    wire = as_user(owner, "films-admin", own)
    assert wire.request("GET", "/-/vaults/films").status == 403
    assert wire.request("PUT", "/-/vaults/films-admin").status == 201


def test_a_policy_change_counts_from_the_next_request(owner):
    wire = as_user(owner, "changing")
    assert wire.request("GET", "/-/vaults/films").status == 403
    put_policy(owner, "changing", policy(allow()))
    assert wire.request("GET", "/-/vaults/films").status == 200
    owner.admin("policy", "delete", "--account-id", owner.account.number, "--user", "changing", "--name", "policy")
    assert wire.request("GET", "/-/vaults/films").status == 403


def test_a_disabled_or_deleted_user_is_unknown(owner):
    wire = as_user(owner, "leaving", policy(allow()))
    account = ("--account-id", owner.account.number)
    owner.admin("user", "disable", "leaving", *account)
    assert wire.request("GET", "/-/vaults/films").json["code"] == "UnrecognizedClientException"
    owner.admin("user", "enable", "leaving", *account)
    assert wire.request("GET", "/-/vaults/films").status == 200
    owner.admin("user", "delete", "leaving", *account)
    assert wire.request("GET", "/-/vaults/films").json["code"] == "UnrecognizedClientException"
    assert "leaving" not in [user["user"] for user in owner.admin("user", "list", *account)]


def test_a_bad_identity_policy_is_refused_with_its_place(owner):
    create_user(owner, "typo")
    wrong = policy(allow(Condition={"StringLooksLike": {"aws:username": "a"}}))
    result = put_policy(owner, "typo", wrong, check=False)
    assert result.returncode != 0 and "Statement[0].Condition.StringLooksLike" in result.stdout + result.stderr


def test_the_operator_can_ask_which_statement_decides(owner):
    create_user(owner, "asked", policy(allow("glacier:Describe*"), {**deny("glacier:DeleteArchive"), "Sid": "NoDeletes"}))
    arguments = ["policy", "simulate", "--principal", f"arn:aws:iam::{owner.account.number}:user/asked", "--vault", "films"]
    arguments += ["--account-id", owner.account.number, "--region", owner.region]
    allowed = owner.admin(*arguments, "--action", "DescribeVault")
    assert allowed["allowed"] is True
    denied = owner.admin(*arguments, "--action", "DeleteArchive", check=False)
    assert denied.returncode == 1 and json.loads(denied.stdout)["statement"] == "NoDeletes", denied
    nothing = owner.admin(*arguments, "--action", "UploadArchive", check=False)
    assert json.loads(nothing.stdout)["reason"] == "noStatementAllows"


def test_every_denial_is_logged_with_its_reason(owner):
    wire = as_user(owner, "logged", policy({**deny("glacier:DescribeVault"), "Sid": "Hidden"}))
    position = owner.log_position()
    answer = wire.request("GET", "/-/vaults/films")
    assert answer.status == 403 and "Hidden" not in answer.message
    # The log is written beside the answer, not before it.
    deadline = time.monotonic() + 20
    while True:
        records = [json.loads(line) for line in owner.log_lines(position)]
        text = "\n".join(json.dumps(record) for record in records if "denied" in record["message"])
        if text or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert "user/logged" in text and "DescribeVault" in text and "Hidden" in text, records


# Temporary credentials


def test_temporary_credentials_act_as_their_principal(owner):
    create_user(owner, "worker", policy(allow(resource=vault_arn(owner, "films"))))
    wire = Wire(owner, account=create_session(owner, user="worker"))
    assert wire.request("GET", "/-/vaults/films").status == 200
    assert wire.request("GET", "/-/vaults/letters").status == 403
    root = Wire(owner, account=create_session(owner))
    assert root.request("GET", "/-/vaults/letters").status == 200


def test_a_session_policy_only_narrows(owner):
    create_user(owner, "wide", policy(allow(resource=vault_arn(owner, "films"))))
    narrowed = create_session(owner, user="wide", policy=policy(allow("glacier:Describe*")))
    wire = Wire(owner, account=narrowed)
    assert wire.request("GET", "/-/vaults/films").status == 200
    assert wire.request("GET", "/-/vaults/films/jobs").status == 403
    assert wire.request("GET", "/-/vaults/letters").status == 403


def test_boto3_uses_temporary_credentials(owner):
    account = create_session(owner)
    assert boto_client(owner, account=account).describe_vault(vaultName="films")["VaultName"] == "films"


def test_a_wrong_session_token_is_nobody(owner):
    session = create_session(owner)
    other = create_session(owner)
    for token in (other.session_token, session.session_token[:-4] + "AAAA", "nothing", None):
        account = Account(session.number, session.access_key, session.secret, token)
        answer = Wire(owner, account=account).request("GET", "/-/vaults/films")
        assert answer.status in (400, 403) and answer.json["code"] in (
            "UnrecognizedClientException", "InvalidClientTokenId"
        ), answer
    permanent = Account(owner.account.number, owner.account.access_key, owner.account.secret, session.session_token)
    assert Wire(owner, account=permanent).request("GET", "/-/vaults/films").status in (400, 403)


def test_sessions_have_a_shortest_and_a_longest_duration(owner):
    for duration in ("1m", "37h"):
        arguments = ["session", "create", "--account-id", owner.account.number, "--duration", duration]
        result = owner.admin(*arguments, check=False)
        assert result.returncode != 0 and re.search(r"15|36", result.stdout + result.stderr), result


def test_a_disabled_user_takes_its_sessions_along(owner):
    create_user(owner, "short", policy(allow()))
    wire = Wire(owner, account=create_session(owner, user="short"))
    assert wire.request("GET", "/-/vaults/films").status == 200
    owner.admin("user", "disable", "short", "--account-id", owner.account.number)
    assert wire.request("GET", "/-/vaults/films").status in (400, 403)


# Presigned requests


def presigned(wire, method, target, expires=300, headers=()):
    """A request whose signature stands in its query."""
    import hashlib
    from urllib.parse import quote

    from Support.wire import _mac, canonical_path, canonical_query

    date = timestamp()
    scope = f"{date[:8]}/{wire.region}/glacier/aws4_request"
    signed = sorted([("host", f"{wire.server.host}:{wire.server.port}"), *[(n.lower(), v) for n, v in headers]])
    names = ";".join(name for name, _ in signed)
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{wire.account.access_key}/{scope}",
        "X-Amz-Date": date,
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": names,
    }
    if wire.account.session_token:
        query["X-Amz-Security-Token"] = wire.account.session_token
    text = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in query.items())
    payload = dict(signed).get("x-amz-content-sha256", hashlib.sha256(b"").hexdigest())
    canonical = "\n".join(
        [method, canonical_path(target), canonical_query(text), "".join(f"{n}:{v}\n" for n, v in signed), names, payload]
    )
    to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{wire.account.secret}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    import hmac

    return f"{target}?{text}&X-Amz-Signature={hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()}"


@pytest.mark.parametrize("temporary", [False, True], ids=["permanent", "temporary"])
def test_an_output_is_downloaded_by_a_presigned_request(owner, temporary):
    wire = Wire(owner, account=create_session(owner) if temporary else None)
    archive = wire.upload_archive("films", b"by a link")
    job = wire.succeeded_job("films", Type="archive-retrieval", ArchiveId=archive)
    version = [("x-amz-glacier-version", "2012-06-01")]
    target = presigned(wire, "GET", f"/-/vaults/films/jobs/{job}/output", headers=version)
    answer = wire.request("GET", target, sign=False)
    assert (answer.status, answer.body) == (200, b"by a link"), answer
    assert wire.request("GET", target.replace("Expires=300", "Expires=301"), sign=False).status == 403


def test_an_archive_is_uploaded_by_a_presigned_request(owner):
    from Support.hashes import linear_hash, tree_hash

    wire = Wire(owner)
    body = b"presigned body"
    headers = [
        ("x-amz-glacier-version", "2012-06-01"),
        ("x-amz-content-sha256", linear_hash(body)),
        ("x-amz-sha256-tree-hash", tree_hash(body)),
    ]
    target = presigned(wire, "POST", "/-/vaults/films/archives", headers=headers)
    answer = wire.request("POST", target, headers[1:], body, sign=False)
    assert answer.status == 201, answer
    assert wire.retrieve("films", answer.header("x-amz-archive-id")) == body
