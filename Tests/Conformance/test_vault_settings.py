# SPDX-License-Identifier: Apache-2.0
"""Notification configurations and access policies of vaults, data retrieval policies and provisioned capacity: as documented."""

import calendar
import datetime
import json

import pytest

from Support.checks import MILLISECOND_DATE, assert_created, assert_document, assert_error, assert_no_content, vault_arn

ME = ("--account-id", "-")
TOPIC = "arn:aws:sns:us-east-1:012345678901:mytopic"
BOTH = ["ArchiveRetrievalCompleted", "InventoryRetrievalCompleted"]


def put(wire, target, document):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return wire.request("PUT", target, body=body)


def refused(answer):
    assert answer.status == 400, answer
    assert answer.json["code"] in (
        "InvalidParameterValueException", "MissingParameterValueException", "SerializationException"
    ), answer
    assert len(answer.json["message"]) > 10, answer


# Notifications


def test_a_notification_configuration_is_set_replaced_shown_and_removed(wire, vault):
    path = f"/-/vaults/{vault}/notification-configuration"
    assert_error(wire.request("GET", path), 404, "ResourceNotFoundException")
    assert_no_content(put(wire, path, {"SNSTopic": TOPIC, "Events": BOTH}))
    assert assert_document(wire.request("GET", path), ["SNSTopic", "Events"]) == {"SNSTopic": TOPIC, "Events": BOTH}
    assert_no_content(put(wire, path, {"SNSTopic": TOPIC, "Events": BOTH[1:]}))
    assert wire.request("GET", path).json["Events"] == BOTH[1:]
    for _ in range(2):
        assert_no_content(wire.request("DELETE", path))
    assert_error(wire.request("GET", path), 404, "ResourceNotFoundException")


@pytest.mark.parametrize(
    "document",
    [
        {"SNSTopic": TOPIC, "Events": []},
        {"SNSTopic": TOPIC, "Events": ["ArchiveDeleted"]},
        {"SNSTopic": TOPIC},
        {"Events": BOTH},
        {"SNSTopic": "mytopic", "Events": BOTH},
        {"SNSTopic": "arn:aws:sqs:us-east-1:012345678901:queue", "Events": BOTH},
        {"SNSTopic": "http://127.0.0.1/", "Events": BOTH},
        {"SNSTopic": 1, "Events": BOTH},
        {"SNSTopic": TOPIC, "Events": "ArchiveRetrievalCompleted"},
        b"",
        b"nothing",
    ],
    ids=lambda document: str(document)[:60],
)
def test_a_bad_notification_configuration_is_refused(wire, vault, document):
    path = f"/-/vaults/{vault}/notification-configuration"
    refused(put(wire, path, document))
    assert_error(wire.request("GET", path), 404, "ResourceNotFoundException")


def test_notifications_by_boto3_and_the_aws_cli(glacier, aws, vault):
    glacier.set_vault_notifications(vaultName=vault, vaultNotificationConfig={"SNSTopic": TOPIC, "Events": BOTH})
    shown = glacier.get_vault_notifications(vaultName=vault)["vaultNotificationConfig"]
    assert shown == {"SNSTopic": TOPIC, "Events": BOTH}
    assert aws("get-vault-notifications", *ME, "--vault-name", vault)["vaultNotificationConfig"] == shown
    document = json.dumps({"SNSTopic": TOPIC, "Events": BOTH[:1]})
    assert aws("set-vault-notifications", *ME, "--vault-name", vault, "--vault-notification-config", document) is None
    assert glacier.get_vault_notifications(vaultName=vault)["vaultNotificationConfig"]["Events"] == BOTH[:1]
    assert aws("delete-vault-notifications", *ME, "--vault-name", vault) is None
    with pytest.raises(glacier.exceptions.ResourceNotFoundException):
        glacier.get_vault_notifications(vaultName=vault)


def test_notifications_by_the_boto3_resource(glacier_resource, server, vault):
    notification = glacier_resource.Notification(server.account.number, vault)
    notification.set(vaultNotificationConfig={"SNSTopic": TOPIC, "Events": BOTH})
    notification.reload()
    assert (notification.sns_topic, notification.events) == (TOPIC, BOTH)
    notification.delete()


# Access policies


def access_policy(server, vault, account="123456789012", padding=0):
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Id": "x" * padding,
            "Statement": [
                {
                    "Sid": "cross-account-upload",
                    "Principal": {"AWS": [account]},
                    "Effect": "Allow",
                    "Action": ["glacier:UploadArchive", "glacier:InitiateMultipartUpload"],
                    "Resource": [vault_arn(server, vault)],
                }
            ],
        }
    )


def test_an_access_policy_is_set_shown_verbatim_and_removed(wire, server, vault):
    path = f"/-/vaults/{vault}/access-policy"
    assert_error(wire.request("GET", path), 404, "ResourceNotFoundException")
    text = access_policy(server, vault).replace(",", " ,\n ")
    assert_no_content(put(wire, path, {"Policy": text}))
    assert assert_document(wire.request("GET", path), ["Policy"]) == {"Policy": text}
    other = access_policy(server, vault, "111122223333")
    assert_no_content(put(wire, path, {"Policy": other}))
    assert wire.request("GET", path).json["Policy"] == other
    for _ in range(2):
        assert_no_content(wire.request("DELETE", path))
    assert_error(wire.request("GET", path), 404, "ResourceNotFoundException")


def test_twenty_kilobytes_are_the_limit_of_an_access_policy(wire, server, vault):
    path = f"/-/vaults/{vault}/access-policy"
    room = 20 * 1024 - len(access_policy(server, vault))
    assert_no_content(put(wire, path, {"Policy": access_policy(server, vault, padding=room)}))
    refused(put(wire, path, {"Policy": access_policy(server, vault, padding=room + 1)}))


def variant(server, vault, **changes):
    document = json.loads(access_policy(server, vault))
    document["Statement"][0].update(changes)
    return json.dumps(document)


@pytest.mark.parametrize(
    "changes",
    [
        {"Effect": "Maybe"},
        {"Action": "s3:GetObject"},
        {"Action": "glacier:NoSuchAction"},
        {"Resource": "arn:aws:glacier:us-east-1:999999999999:vaults/other"},
        {"Principal": {"AWS": "not-an-account"}},
        {"Condition": {"StringLooksLike": {"aws:username": "a"}}},
        {"Condition": {"StringEquals": {"aws:NoSuchKey": "a"}}},
        {"Surprise": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_policy_with_something_unknown_is_refused_and_says_where(wire, server, vault, changes):
    path = f"/-/vaults/{vault}/access-policy"
    answer = put(wire, path, {"Policy": variant(server, vault, **changes)})
    refused(answer)
    assert "Statement" in answer.json["message"], answer
    assert_error(wire.request("GET", path), 404, "ResourceNotFoundException")


@pytest.mark.parametrize(
    "document",
    [b"", b"{}", {"Policy": ""}, {"Policy": "nothing"}, {"Policy": {"Version": "2012-10-17"}}, {"Policy": "[" * 10_000}, {"Policy": None}],
    ids=lambda document: str(document)[:40],
)
def test_what_is_no_policy_is_refused(wire, vault, document):
    refused(put(wire, f"/-/vaults/{vault}/access-policy", document))


def test_access_policies_by_boto3_and_the_aws_cli(glacier, aws, server, vault):
    text = access_policy(server, vault)
    glacier.set_vault_access_policy(vaultName=vault, policy={"Policy": text})
    assert glacier.get_vault_access_policy(vaultName=vault)["policy"]["Policy"] == text
    assert aws("get-vault-access-policy", *ME, "--vault-name", vault)["policy"]["Policy"] == text
    assert aws("delete-vault-access-policy", *ME, "--vault-name", vault) is None
    document = json.dumps({"Policy": text})
    assert aws("set-vault-access-policy", *ME, "--vault-name", vault, "--policy", document) is None
    glacier.delete_vault_access_policy(vaultName=vault)
    with pytest.raises(glacier.exceptions.ResourceNotFoundException):
        glacier.get_vault_access_policy(vaultName=vault)


# Data retrieval policies (of the account: each test leaves it without a limit)


@pytest.fixture
def unlimited(wire):
    path = "/-/policies/data-retrieval"
    yield path
    assert_no_content(put(wire, path, {"Policy": {"Rules": [{"Strategy": "None"}]}}))


def rules(strategy, rate=None):
    rule = {"Strategy": strategy}
    if rate is not None:
        rule["BytesPerHour"] = rate
    return {"Policy": {"Rules": [rule]}}


def test_a_data_retrieval_policy_is_none_until_it_is_set(wire, unlimited):
    def shown():
        return assert_document(wire.request("GET", unlimited), ["Policy"])["Policy"]["Rules"]

    assert shown() == [{"BytesPerHour": None, "Strategy": "None"}]
    for rate in (1, 10737418240, 2**63 - 1):
        assert_no_content(put(wire, unlimited, rules("BytesPerHour", rate)))
        assert shown() == [{"BytesPerHour": rate, "Strategy": "BytesPerHour"}]
    assert_no_content(put(wire, unlimited, rules("FreeTier")))
    assert shown() == [{"BytesPerHour": None, "Strategy": "FreeTier"}]


@pytest.mark.parametrize(
    "document",
    [
        rules("BytesPerHour"),
        rules("BytesPerHour", 0),
        rules("BytesPerHour", -1),
        rules("BytesPerHour", 2**63),
        rules("None", 5),
        rules("FreeTier", 5),
        rules("Unlimited"),
        {"Policy": {"Rules": []}},
        {"Policy": {"Rules": [{"Strategy": "None"}, {"Strategy": "None"}]}},
        {"Policy": {}},
        {},
        b"",
    ],
    ids=lambda document: str(document)[:60],
)
def test_a_bad_data_retrieval_policy_is_refused(wire, unlimited, document):
    refused(put(wire, unlimited, document))
    assert wire.request("GET", unlimited).json["Policy"]["Rules"][0]["Strategy"] == "None"


def test_a_retrieval_beyond_the_policy_is_refused_and_costs_nothing(wire, unlimited, vault):
    archive = wire.upload_archive(vault, b"x" * 5000)
    assert_no_content(put(wire, unlimited, rules("BytesPerHour", 1000)))
    job = {"Type": "archive-retrieval", "ArchiveId": archive}
    answer = wire.post_job(vault, job)
    text = "InitiateJob request denied by current data retrieval policy."
    assert_error(answer, 400, "PolicyEnforcedException", text)
    assert wire.request("GET", f"/-/vaults/{vault}/jobs").json["JobList"] == []
    # The policy is about Standard retrievals only.
    for tier in ("Expedited", "Bulk"):
        assert wire.post_job(vault, {**job, "Tier": tier}).status == 202
    assert wire.post_job(vault, {"Type": "inventory-retrieval"}).status == 202
    assert_no_content(put(wire, unlimited, rules("BytesPerHour", 5000)))
    assert wire.post_job(vault, job).status == 202


def test_data_retrieval_policies_by_boto3_and_the_aws_cli(glacier, aws, unlimited):
    glacier.set_data_retrieval_policy(Policy={"Rules": [{"Strategy": "BytesPerHour", "BytesPerHour": 10737418240}]})
    assert glacier.get_data_retrieval_policy()["Policy"]["Rules"][0]["BytesPerHour"] == 10737418240
    shown = aws("get-data-retrieval-policy", *ME)
    assert shown["Policy"]["Rules"][0]["Strategy"] == "BytesPerHour"
    document = json.dumps({"Rules": [{"Strategy": "FreeTier"}]})
    assert aws("set-data-retrieval-policy", *ME, "--policy", document) is None


# Provisioned capacity


def test_two_units_of_capacity_can_be_bought_and_each_lasts_a_calendar_month(make_server):
    from Support.wire import Wire

    server = make_server("capacity")
    wire = Wire(server)
    path = "/-/provisioned-capacity"
    assert assert_document(wire.request("GET", path), ["ProvisionedCapacityList"]) == {"ProvisionedCapacityList": []}
    bought = []
    for _ in range(2):
        answer = wire.request("POST", path)
        assert_created(answer)
        bought.append(answer.header("x-amz-capacity-id"))
    assert_error(wire.request("POST", path), 400, "LimitExceededException")
    server.kill()
    server.start()
    units = wire.request("GET", path).json["ProvisionedCapacityList"]
    assert [unit["CapacityId"] for unit in units] == bought and len(set(bought)) == 2
    for unit in units:
        assert list(unit) == ["CapacityId", "ExpirationDate", "StartDate"]
        assert MILLISECOND_DATE.fullmatch(unit["StartDate"]) and MILLISECOND_DATE.fullmatch(unit["ExpirationDate"])
        start, end = (datetime.datetime.fromisoformat(unit[key].rstrip("Z")) for key in ("StartDate", "ExpirationDate"))
        year, month = start.year + start.month // 12, start.month % 12 + 1
        day = min(start.day, calendar.monthrange(year, month)[1])
        assert end.replace(microsecond=0) == start.replace(year=year, month=month, day=day, microsecond=0)


def test_capacity_by_boto3_and_the_aws_cli(make_server, tmp_path):
    from Support.clients import AwsCli, boto_client

    server = make_server("capacity-clients")
    first = boto_client(server).purchase_provisioned_capacity()["capacityId"]
    aws = AwsCli(server, tmp_path)
    second = aws("purchase-provisioned-capacity", *ME)["capacityId"]
    listed = aws("list-provisioned-capacity", *ME)["ProvisionedCapacityList"]
    assert [unit["CapacityId"] for unit in listed] == [first, second]


def test_settings_of_an_absent_vault_are_not_found(wire, server):
    expected = f"Vault not found for ARN: {vault_arn(server, 'absent')}"
    policy = json.dumps({"Policy": access_policy(server, "absent")}).encode()
    configuration = json.dumps({"SNSTopic": TOPIC, "Events": BOTH}).encode()
    for member, body in (("access-policy", policy), ("notification-configuration", configuration)):
        path = f"/-/vaults/absent/{member}"
        for answer in (wire.request("PUT", path, body=body), wire.request("GET", path), wire.request("DELETE", path)):
            assert_error(answer, 404, "ResourceNotFoundException", expected)
