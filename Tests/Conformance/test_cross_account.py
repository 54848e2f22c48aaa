# SPDX-License-Identifier: Apache-2.0
"""One account using another's vault: only with both sides' consent, and without it nothing can be learnt."""

import json

import pytest

from Support.checks import assert_error, vault_arn
from Support.clients import boto_client
from Support.hashes import MIB
from Support.identity import allow, create_account, create_user, deny, policy
from Support.wire import Wire

NEVER = "A" * 138


class Shared:
    """Our vault `shared`, opened to another account for some actions; `closed` is not."""

    ACTIONS = ["glacier:UploadArchive", "glacier:InitiateJob", "glacier:DescribeJob", "glacier:GetJobOutput", "glacier:ListJobs"]

    def __init__(self, server):
        self.server = server
        self.ours = Wire(server)
        self.friend = create_account(server)
        self.stranger = create_account(server)
        for vault in ("shared", "closed"):
            self.ours.create_vault(vault)
        self.archive = self.ours.upload_archive("shared", b"to be shared")
        self.hidden = self.ours.upload_archive("closed", b"not to be shared")
        self.grant(policy({**allow(self.ACTIONS, vault_arn(server, "shared")), "Principal": {"AWS": self.friend.number}}))

    def grant(self, document):
        body = json.dumps({"Policy": json.dumps(document)}).encode()
        assert self.ours.request("PUT", "/-/vaults/shared/access-policy", body=body).status == 204

    @property
    def path(self):
        return f"/{self.server.account.number}/vaults"


@pytest.fixture(scope="module")
def shared(make_server_for_session):
    return Shared(make_server_for_session("cross-account"))


def no_access(answer, shared):
    expected = f"Access denied for account ID: {shared.server.account.number}"
    assert_error(answer, 403, "AccessDeniedException", expected)


def test_the_other_account_uses_the_vault_as_far_as_it_may(shared):
    glacier = boto_client(shared.server, account=shared.friend)
    owner = shared.server.account.number
    made = glacier.upload_archive(accountId=owner, vaultName="shared", body=b"from a friend")
    assert made["location"].startswith(f"/{owner}/vaults/shared/archives/")
    wire = Wire(shared.server, account=shared.friend)
    parameters = {"Type": "archive-retrieval", "ArchiveId": made["archiveId"]}
    job = wire.request("POST", f"{shared.path}/shared/jobs", body=json.dumps(parameters).encode())
    assert job.status == 202, job
    shared.ours.finished_job("shared", job.header("x-amz-job-id"))
    output = glacier.get_job_output(accountId=owner, vaultName="shared", jobId=job.header("x-amz-job-id"))
    assert output["body"].read() == b"from a friend"
    # It is an archive of the owner's: counted there, retrieved there.
    assert shared.ours.retrieve("shared", made["archiveId"]) == b"from a friend"
    assert glacier.list_vaults()["VaultList"] == []


def test_it_may_do_nothing_else(shared):
    wire = Wire(shared.server, account=shared.friend)
    no_access(wire.request("DELETE", f"{shared.path}/shared/archives/{shared.archive}"), shared)
    no_access(wire.request("GET", f"{shared.path}/shared"), shared)
    no_access(wire.request("DELETE", f"{shared.path}/shared"), shared)
    no_access(wire.request("GET", f"{shared.path}/shared/access-policy"), shared)
    no_access(wire.request("GET", shared.path), shared)
    no_access(wire.request("GET", f"{shared.path}/closed/jobs"), shared)


def test_a_stranger_cannot_tell_what_is_there_from_what_is_not(shared):
    wire = Wire(shared.server, account=shared.stranger)
    for vault in ("shared", "closed", "absent", "in.valid"):
        for archive in (shared.archive, shared.hidden, NEVER):
            no_access(wire.request("DELETE", f"{shared.path}/{vault}/archives/{archive}"), shared)
        no_access(wire.request("GET", f"{shared.path}/{vault}"), shared)


def test_an_account_that_does_not_exist_looks_like_one_that_refuses(shared):
    wire = Wire(shared.server, account=shared.stranger)
    answer = wire.request("GET", "/999999999999/vaults/shared")
    assert_error(answer, 403, "AccessDeniedException", "Access denied for account ID: 999999999999")


def test_a_user_of_the_other_account_needs_its_own_grant_too(shared):
    silent = create_user(shared.server, "silent", account=shared.friend)
    no_access(Wire(shared.server, account=silent).request("GET", f"{shared.path}/shared/jobs"), shared)
    named = create_user(shared.server, "named", policy(allow("glacier:ListJobs")), account=shared.friend)
    assert Wire(shared.server, account=named).request("GET", f"{shared.path}/shared/jobs").status == 200


def test_a_grant_to_one_user_is_for_that_user(shared):
    user = create_user(shared.server, "chosen", policy(allow()), account=shared.stranger)
    other = create_user(shared.server, "other", policy(allow()), account=shared.stranger)
    statement = {**allow("glacier:DescribeVault", vault_arn(shared.server, "shared"))}
    friend = {**allow(shared.ACTIONS, vault_arn(shared.server, "shared")), "Principal": {"AWS": shared.friend.number}}
    chosen = {**statement, "Principal": {"AWS": f"arn:aws:iam::{shared.stranger.number}:user/chosen"}}
    shared.grant(policy(friend, chosen))
    assert Wire(shared.server, account=user).request("GET", f"{shared.path}/shared").status == 200
    no_access(Wire(shared.server, account=other).request("GET", f"{shared.path}/shared"), shared)


def test_identifiers_of_another_account_open_nothing_in_ones_own_vault(shared):
    wire = Wire(shared.server, account=shared.stranger)
    wire.create_vault("shared")
    for archive in (shared.archive, shared.hidden, NEVER):
        answer = wire.request("DELETE", f"/-/vaults/shared/archives/{archive}")
        assert_error(answer, 404, "ResourceNotFoundException", f"The archive ID was not found: {archive}")
        answer = wire.post_job("shared", {"Type": "archive-retrieval", "ArchiveId": archive})
        assert_error(answer, 404, "ResourceNotFoundException", f"The archive ID was not found: {archive}")


def test_a_denial_for_everybody_binds_the_owner_until_the_owner_lifts_it(shared):
    ours = shared.ours
    ours.create_vault("self-denied")
    archive = ours.upload_archive("self-denied", b"x")
    statement = {**deny("glacier:DeleteArchive", vault_arn(shared.server, "self-denied")), "Principal": "*"}
    body = json.dumps({"Policy": json.dumps(policy(statement))}).encode()
    assert ours.request("PUT", "/-/vaults/self-denied/access-policy", body=body).status == 204
    assert ours.request("DELETE", f"/-/vaults/self-denied/archives/{archive}").status == 403
    assert ours.request("DELETE", "/-/vaults/self-denied/access-policy").status == 204
    assert ours.request("DELETE", f"/-/vaults/self-denied/archives/{archive}").status == 204


def test_no_operation_tells_a_stranger_anything(shared):
    """All operations on another account's vault, real or absent: one and the same answer."""
    upload = shared.ours.initiate_upload("closed", MIB)
    job = shared.ours.start_job("closed", Type="inventory-retrieval")
    wire = Wire(shared.server, account=shared.stranger)
    text = json.dumps(policy({**deny(resource=vault_arn(shared.server, "closed")), "Principal": "*"}))
    settings = {
        "access-policy": {"Policy": text},
        "notification-configuration": {
            "SNSTopic": "arn:aws:sns:us-east-1:012345678901:t", "Events": ["ArchiveRetrievalCompleted"]
        },
    }
    requests = [
        ("PUT", "", None), ("GET", "", None), ("DELETE", "", None),
        ("DELETE", f"/archives/{shared.hidden}", None),
        ("POST", "/multipart-uploads", None), ("GET", "/multipart-uploads", None),
        ("GET", f"/multipart-uploads/{upload}", None), ("DELETE", f"/multipart-uploads/{upload}", None),
        ("POST", f"/multipart-uploads/{upload}", None),
        ("POST", "/jobs", {"Type": "inventory-retrieval"}), ("GET", "/jobs", None), ("GET", f"/jobs/{job}", None),
        ("GET", f"/jobs/{job}/output", None),
        ("POST", "/lock-policy", {"Policy": text}), ("GET", "/lock-policy", None), ("DELETE", "/lock-policy", None),
        ("POST", "/lock-policy/some-id", None),
        ("POST", "/tags?operation=add", {"Tags": {"a": "b"}}), ("POST", "/tags?operation=remove", {"TagKeys": ["a"]}),
        ("GET", "/tags", None),
    ]
    for member, document in settings.items():
        requests += [("PUT", f"/{member}", document), ("GET", f"/{member}", None), ("DELETE", f"/{member}", None)]
    for method, rest, document in requests:
        body = json.dumps(document).encode() if document else b""
        answers = []
        for vault in ("closed", "absent"):
            answer = wire.request(method, f"{shared.path}/{vault}{rest}", body=body)
            answers.append((answer.status, answer.body))
        assert answers[0] == answers[1], (method, rest, answers)
        assert answers[0][0] == 403, (method, rest, answers)
    for member in ("policies/data-retrieval", "provisioned-capacity"):
        no_access(wire.request("GET", f"/{shared.server.account.number}/{member}"), shared)
    assert shared.ours.request("GET", f"/-/vaults/closed/multipart-uploads/{upload}").status == 200
