# SPDX-License-Identifier: Apache-2.0
"""CreateVault, DescribeVault, DeleteVault, ListVaults."""

import string
from unittest.mock import ANY

import botocore.exceptions
import pytest

from Support.checks import MILLISECOND_DATE, assert_created, assert_document, assert_error, assert_no_content, vault_arn
from Support.wire import Wire

VAULT_MEMBERS = ["VaultARN", "VaultName", "CreationDate", "LastInventoryDate", "NumberOfArchives", "SizeInBytes"]


def describe(wire, name):
    return assert_document(wire.request("GET", f"/-/vaults/{name}"), VAULT_MEMBERS)


def test_creating_a_vault_answers_201_and_its_location_under_the_real_account_number(wire, server, vault_name):
    answer = wire.request("PUT", f"/-/vaults/{vault_name}")
    assert_created(answer)
    assert answer.header("Location") == f"/{server.account.number}/vaults/{vault_name}"


def test_the_account_number_in_the_path_means_the_same_as_a_hyphen(wire, server, vault_name):
    assert_created(wire.request("PUT", f"/{server.account.number}/vaults/{vault_name}"))
    assert describe(wire, vault_name)["VaultName"] == vault_name


def test_creating_a_vault_again_answers_201_and_changes_nothing(wire, vault):
    wire.upload_archive(vault, b"kept")
    before = describe(wire, vault)
    assert_created(wire.request("PUT", f"/-/vaults/{vault}"))
    assert describe(wire, vault) == {**before, "LastInventoryDate": ANY}


def test_a_new_vault_is_described_with_zero_counts(wire, server, vault):
    document = describe(wire, vault)
    assert document["VaultARN"] == vault_arn(server, vault)
    assert document["VaultName"] == vault
    assert MILLISECOND_DATE.fullmatch(document["CreationDate"])
    assert (document["NumberOfArchives"], document["SizeInBytes"]) == (0, 0)


def test_counts_are_live_and_sizes_are_true_archive_bytes(wire, vault):
    first = wire.upload_archive(vault, b"x" * 1000)
    wire.upload_archive(vault, b"y" * 2345)
    document = describe(wire, vault)
    assert (document["NumberOfArchives"], document["SizeInBytes"]) == (2, 3345)
    assert MILLISECOND_DATE.fullmatch(document["LastInventoryDate"])
    wire.request("DELETE", f"/-/vaults/{vault}/archives/{first}")
    document = describe(wire, vault)
    assert (document["NumberOfArchives"], document["SizeInBytes"]) == (1, 2345)


def test_describing_a_missing_vault_is_404_and_names_its_arn(wire, server):
    answer = wire.request("GET", "/-/vaults/never-made")
    assert_error(
        answer, 404, "ResourceNotFoundException", f"Vault not found for ARN: {vault_arn(server, 'never-made')}"
    )


def test_deleting_an_empty_vault_answers_204_and_it_is_gone(wire, vault):
    assert_no_content(wire.request("DELETE", f"/-/vaults/{vault}"))
    assert wire.request("GET", f"/-/vaults/{vault}").status == 404


def test_deleting_a_vault_that_does_not_exist_answers_204(wire, vault):
    for _ in range(2):
        assert_no_content(wire.request("DELETE", f"/-/vaults/{vault}"))
    assert_no_content(wire.request("DELETE", "/-/vaults/never-made"))


def test_a_vault_with_an_archive_cannot_be_deleted_and_can_as_soon_as_it_is_empty(wire, server, vault):
    archive = wire.upload_archive(vault, b"in the way")
    assert_error(
        wire.request("DELETE", f"/-/vaults/{vault}"),
        400,
        "InvalidParameterValueException",
        f"Vault not empty or recently written to: {vault_arn(server, vault)}",
    )
    assert_no_content(wire.request("DELETE", f"/-/vaults/{vault}/archives/{archive}"))
    assert_no_content(wire.request("DELETE", f"/-/vaults/{vault}"))


def test_a_vault_made_again_under_a_deleted_name_is_another_vault(wire, vault):
    archive = wire.upload_archive(vault, b"of the first")
    wire.request("DELETE", f"/-/vaults/{vault}/archives/{archive}")
    first = describe(wire, vault)["CreationDate"]
    assert_no_content(wire.request("DELETE", f"/-/vaults/{vault}"))
    assert_created(wire.request("PUT", f"/-/vaults/{vault}"))
    assert describe(wire, vault)["CreationDate"] > first
    answer = wire.post_job(vault, {"Type": "archive-retrieval", "ArchiveId": archive})
    assert answer.status in (400, 404), answer


@pytest.mark.parametrize("name", ["a", "A" * 255, string.ascii_letters + string.digits + "_-.", "...", "-", "_", "a.b"])
def test_a_name_within_the_limits_is_accepted(wire, server, name):
    assert_created(wire.request("PUT", f"/-/vaults/{name}"))
    assert describe(wire, name)["VaultARN"] == vault_arn(server, name)
    assert_no_content(wire.request("DELETE", f"/-/vaults/{name}"))


@pytest.mark.parametrize(
    "name", ["a" * 256, "a%20b", "a%2Fb", "%C3%A9", "a%00b", "a:b", "a~b", "a,b", "%2E", "%2E%2E", "a@b", "a%25b"]
)
def test_a_name_outside_the_limits_is_refused(wire, name):
    assert_error(wire.request("PUT", f"/-/vaults/{name}"), 400, "InvalidParameterValueException")


@pytest.mark.parametrize("name", ["a" * 256, "a%20b", "%C3%A9"])
def test_describing_a_name_that_cannot_exist_is_404(wire, name):
    message = assert_error(wire.request("GET", f"/-/vaults/{name}"), 404, "ResourceNotFoundException")
    assert message.startswith("Vault not found for ARN: ")


def test_names_are_case_sensitive(wire, vault):
    assert wire.request("GET", f"/-/vaults/{vault.upper()}").status == 404


def test_vaults_are_listed_in_ascii_order_of_their_names(make_server):
    wire = Wire(make_server("list-order"))
    names = ["b", "a", "B", "A", "0", "_", "-", "a.b", "a-b"]
    for name in names:
        wire.create_vault(name)
    answer = wire.request("GET", "/-/vaults")
    document = assert_document(answer, ["Marker", "VaultList"])
    assert [entry["VaultName"] for entry in document["VaultList"]] == sorted(names)
    assert document["Marker"] is None
    assert all(list(entry) == sorted(VAULT_MEMBERS) for entry in document["VaultList"])


def test_an_account_without_vaults_lists_none(make_server):
    wire = Wire(make_server("list-empty"))
    assert wire.request("GET", "/-/vaults").body == b'{"Marker":null,"VaultList":[]}'


def test_an_account_holds_at_most_a_thousand_vaults_in_a_region(make_server):
    wire = Wire(make_server("vault-limit"))
    with wire.connect() as connection:
        for index in range(1000):
            assert wire.request("PUT", f"/-/vaults/v{index}", connection=connection).status == 201
        assert_error(
            wire.request("PUT", "/-/vaults/one-too-many", connection=connection), 400, "LimitExceededException"
        )
        assert_created(wire.request("PUT", "/-/vaults/v7", connection=connection))
        assert_no_content(wire.request("DELETE", "/-/vaults/v7", connection=connection))
        assert_created(wire.request("PUT", "/-/vaults/now-it-fits", connection=connection))


def test_each_accepted_region_is_its_own_namespace(make_server):
    server = make_server("regions", settings={"regions": "us-east-1,us-west-2"})
    east, west = Wire(server, region="us-east-1"), Wire(server, region="us-west-2")
    east.create_vault("same")
    assert west.request("GET", "/-/vaults/same").status == 404
    west.create_vault("same")
    assert ":us-west-2:" in west.request("GET", "/-/vaults/same").json["VaultARN"]
    west.upload_archive("same", b"only in the west")
    assert east.request("GET", "/-/vaults/same").json["NumberOfArchives"] == 0


def test_boto3_client_makes_describes_and_deletes_a_vault(glacier, server, vault_name):
    made = glacier.create_vault(vaultName=vault_name)
    assert made["location"] == f"/{server.account.number}/vaults/{vault_name}"
    described = glacier.describe_vault(accountId=server.account.number, vaultName=vault_name)
    assert described["VaultARN"] == vault_arn(server, vault_name)
    glacier.delete_vault(vaultName=vault_name)
    with pytest.raises(glacier.exceptions.ResourceNotFoundException):
        glacier.describe_vault(vaultName=vault_name)


def test_boto3_waiters_see_a_vault_come_and_go(glacier, vault_name):
    soon = {"Delay": 1, "MaxAttempts": 2}
    glacier.get_waiter("vault_not_exists").wait(vaultName=vault_name, WaiterConfig=soon)
    glacier.create_vault(vaultName=vault_name)
    glacier.get_waiter("vault_exists").wait(vaultName=vault_name, WaiterConfig=soon)
    glacier.delete_vault(vaultName=vault_name)
    glacier.get_waiter("vault_not_exists").wait(vaultName=vault_name, WaiterConfig=soon)


def test_boto3_resource_makes_loads_lists_and_deletes_a_vault(glacier_resource, vault_name):
    vault = glacier_resource.create_vault(vaultName=vault_name)
    vault.load()
    assert vault.number_of_archives == 0
    assert vault_name in [each.name for each in glacier_resource.Account("-").vaults.all()]
    vault.delete()
    with pytest.raises(botocore.exceptions.ClientError):
        vault.reload()
