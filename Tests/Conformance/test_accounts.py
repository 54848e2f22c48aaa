# SPDX-License-Identifier: Apache-2.0
"""Two accounts on one service: nothing of one is visible to the other, by any identifier."""

import re

import pytest

from Support.checks import assert_error, vault_arn
from Support.hashes import MIB, tree_hash
from Support.server import Account
from Support.wire import Wire


def create_account(server):
    number = server.admin("account", "create")["accountId"]
    key = create_key(server, number)
    return Account(number, key["accessKeyId"], key["secretAccessKey"])


def create_key(server, number):
    return server.admin("access-key", "create", "--account-id", number)


class Two:
    """A service with two accounts that each have a vault `shared-name`, an archive, an upload and a job."""

    def __init__(self, server):
        self.server = server
        self.ours, self.theirs = Wire(server), Wire(server, account=create_account(server))
        for wire in (self.ours, self.theirs):
            wire.create_vault("shared-name")
        self.archive = self.theirs.upload_archive("shared-name", b"their secret")
        self.upload = self.theirs.initiate_upload("shared-name", MIB)
        self.theirs.put_part("shared-name", self.upload, 0, b"their part")
        self.job = self.theirs.succeeded_job("shared-name", Type="archive-retrieval", ArchiveId=self.archive)
        self.theirs.create_vault("only-theirs")


@pytest.fixture(scope="module")
def two(make_server_for_session):
    return Two(make_server_for_session("accounts"))


def test_a_new_account_gets_a_number_and_a_working_key(two):
    assert re.fullmatch(r"\d{12}", two.theirs.account.number)
    assert re.fullmatch(r"[A-Z0-9]{20}", two.theirs.account.access_key)
    assert len(two.theirs.account.secret) == 40
    assert two.theirs.account.number != two.ours.account.number
    assert two.theirs.request("GET", "/-/vaults").status == 200


def test_the_same_vault_name_is_two_vaults(two):
    ours = two.ours.request("GET", "/-/vaults/shared-name").json
    theirs = two.theirs.request("GET", "/-/vaults/shared-name").json
    assert (ours["NumberOfArchives"], theirs["NumberOfArchives"]) == (0, 1)
    assert theirs["VaultARN"] == vault_arn(two.server, "shared-name", two.theirs.account.number)


def test_lists_show_only_ones_own(two):
    ours = [vault["VaultName"] for vault in two.ours.request("GET", "/-/vaults").json["VaultList"]]
    assert ours == ["shared-name"]
    assert two.ours.request("GET", "/-/vaults/shared-name/jobs").json["JobList"] == []
    assert two.ours.request("GET", "/-/vaults/shared-name/multipart-uploads").json["UploadsList"] == []


@pytest.mark.parametrize(
    "method, target",
    [
        ("GET", "/vaults"),
        ("GET", "/vaults/shared-name"),
        ("PUT", "/vaults/intruder"),
        ("DELETE", "/vaults/only-theirs"),
        ("GET", "/vaults/shared-name/jobs"),
        ("GET", "/vaults/no-such-vault"),
    ],
)
def test_a_foreign_account_number_is_denied(two, method, target):
    number = two.theirs.account.number
    assert_error(
        two.ours.request(method, f"/{number}{target}"),
        403,
        "AccessDeniedException",
        f"Access denied for account ID: {number}",
    )


def test_a_foreign_vault_is_not_found(two):
    assert_error(
        two.ours.request("GET", "/-/vaults/only-theirs"),
        404,
        "ResourceNotFoundException",
        f"Vault not found for ARN: {vault_arn(two.server, 'only-theirs')}",
    )


def test_a_foreign_archive_was_never_issued(two):
    text = f"The archive ID was not found: {two.archive}"
    answer = two.ours.request("DELETE", f"/-/vaults/shared-name/archives/{two.archive}")
    assert_error(answer, 404, "ResourceNotFoundException", text)
    answer = two.ours.post_job("shared-name", {"Type": "archive-retrieval", "ArchiveId": two.archive})
    assert_error(answer, 404, "ResourceNotFoundException", text)
    assert two.theirs.retrieve("shared-name", two.archive) == b"their secret"


def test_a_foreign_upload_is_not_found(two):
    text = f"The upload ID was not found: {two.upload}"
    path = f"/-/vaults/shared-name/multipart-uploads/{two.upload}"
    for answer in (
        two.ours.request("GET", path),
        two.ours.request("DELETE", path),
        two.ours.put_part("shared-name", two.upload, 0, b"our part!!"),
        two.ours.complete_upload("shared-name", two.upload, 10, tree_hash(b"their part")),
    ):
        assert_error(answer, 404, "ResourceNotFoundException", text)
    assert two.theirs.request("GET", path).json["Parts"][0]["SHA256TreeHash"] == tree_hash(b"their part")


def test_a_foreign_job_is_not_found(two):
    for path in (f"/-/vaults/shared-name/jobs/{two.job}", f"/-/vaults/shared-name/jobs/{two.job}/output"):
        assert_error(
            two.ours.request("GET", path), 404, "ResourceNotFoundException", f"The job ID was not found: {two.job}"
        )


def test_one_accounts_key_with_the_others_secret_is_refused(two):
    answer = two.ours.request("GET", "/-/vaults", access_key=two.theirs.account.access_key)
    assert_error(answer, 403, "InvalidSignatureException")


def test_a_disabled_or_deleted_key_is_unrecognized_at_once_and_another_key_goes_on(two):
    number = two.theirs.account.number
    for verb in ("disable", "delete"):
        key = create_key(two.server, number)
        wire = Wire(two.server, account=Account(number, key["accessKeyId"], key["secretAccessKey"]))
        assert wire.request("GET", "/-/vaults").status == 200
        two.server.admin("access-key", verb, key["accessKeyId"])
        assert_error(wire.request("GET", "/-/vaults"), 400, "UnrecognizedClientException")
        assert two.theirs.request("GET", "/-/vaults").status == 200


def test_a_disabled_account_is_shut_out_and_the_other_is_not(two):
    third = create_account(two.server)
    wire = Wire(two.server, account=third)
    assert wire.request("GET", "/-/vaults").status == 200
    two.server.admin("account", "disable", third.number)
    answer = wire.request("GET", "/-/vaults")
    assert answer.status in (400, 403), answer
    assert answer.json["code"] in ("UnrecognizedClientException", "AccessDeniedException")
    assert two.ours.request("GET", "/-/vaults").status == 200


def test_accounts_and_keys_are_listed_without_secrets(two):
    text = two.server.command(["account", "list", "--data-dir", str(two.server.data_dir), "--output", "json"]).stdout
    text += two.server.command(
        ["access-key", "list", "--data-dir", str(two.server.data_dir), "--output", "json"]
    ).stdout
    assert two.theirs.account.number in text and two.ours.account.number in text
    for secret in (two.theirs.account.secret, two.ours.account.secret):
        assert secret not in text


def test_accounts_and_keys_survive_a_restart(make_server):
    server = make_server("accounts-restart")
    second = create_account(server)
    Wire(server, account=second).create_vault("kept")
    server.restart()
    assert Wire(server, account=second).request("GET", "/-/vaults/kept").status == 200
    assert Wire(server).request("GET", "/-/vaults/kept").status == 404
