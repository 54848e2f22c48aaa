# SPDX-License-Identifier: Apache-2.0
"""Inventory jobs: both forms, all filters, live."""

import datetime
import json
import time

import pytest

from Support.checks import SECOND_DATE, assert_error, vault_arn
from Support.hashes import tree_hash
from Support.wire import Wire

CSV_HEADER = "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash"


def run(wire, vault, **parameters):
    job = wire.succeeded_job(vault, Type="inventory-retrieval", **parameters)
    answer = wire.job_output(vault, job)
    assert answer.status == 200, answer
    return answer, wire.describe_job(vault, job)


def inventory(wire, vault, **parameters):
    answer, document = run(wire, vault, **parameters)
    return answer.json, document


def csv_fields(line):
    """One line in Glacier's own dialect: a quote inside quotes is backslash + quote, backslashes stand alone."""
    fields, at = [], 0
    while True:
        if at < len(line) and line[at] == '"':
            at += 1
            field = ""
            while line[at] != '"' or (at + 1 < len(line) and line[at + 1] != ","):
                if line[at] == "\\" and line[at + 1] == '"':
                    at += 1
                field += line[at]
                at += 1
            at += 1
        else:
            end = line.find(",", at)
            end = len(line) if end < 0 else end
            field = line[at:end]
            at = end
        fields.append(field)
        if at >= len(line):
            return fields
        at += 1


def test_the_json_form_has_its_members_in_the_documented_order(wire, server, vault):
    bodies = {
        wire.upload_archive(vault, body, text): (body, text)
        for body, text in [(b"first", "one"), (b"second", None), (b"x" * 3000000, 'comma, "quote"')]
    }
    answer, _ = run(wire, vault)
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("x-amz-sha256-tree-hash") is None
    assert answer.header("x-amz-archive-description") is None
    document = answer.json
    assert list(document) == ["VaultARN", "InventoryDate", "ArchiveList"]
    assert document["VaultARN"] == vault_arn(server, vault)
    assert SECOND_DATE.fullmatch(document["InventoryDate"])
    assert {entry["ArchiveId"] for entry in document["ArchiveList"]} == set(bodies)
    for entry in document["ArchiveList"]:
        body, text = bodies[entry["ArchiveId"]]
        assert list(entry) == ["ArchiveId", "ArchiveDescription", "CreationDate", "Size", "SHA256TreeHash"]
        assert entry["ArchiveDescription"] == (text or "")
        assert SECOND_DATE.fullmatch(entry["CreationDate"])
        assert (entry["Size"], entry["SHA256TreeHash"]) == (len(body), tree_hash(body))


def test_the_csv_form_quotes_in_glaciers_own_way(wire, vault):
    texts = ["plain", "with, comma", 'with "quotes"', "back\\slash", 'both \\" of them', "", "  leading", 'ends with "']
    expected = {wire.upload_archive(vault, text.encode() or b"-", text): text.strip(" ") for text in texts}
    answer, _ = run(wire, vault, Format="CSV")
    assert answer.header("Content-Type") == "text/csv"
    lines = answer.body.decode().splitlines()
    assert lines[0] == CSV_HEADER
    rows = [csv_fields(line) for line in lines[1:]]
    assert all(len(row) == 5 for row in rows)
    assert {row[0]: row[1] for row in rows} == expected
    text = answer.body.decode()
    assert '"with, comma"' in text and '"with \\"quotes\\""' in text and '"both \\\\" of them"' in text


def test_an_empty_vault_has_an_empty_inventory(wire, vault):
    document, job = inventory(wire, vault)
    assert document["ArchiveList"] == []
    answer, _ = run(wire, vault, Format="CSV")
    assert answer.body.decode().splitlines() == [CSV_HEADER]
    assert job["StatusCode"] == "Succeeded"


def test_the_inventory_is_live(wire, vault):
    first = wire.upload_archive(vault, b"1")
    assert [entry["ArchiveId"] for entry in inventory(wire, vault)[0]["ArchiveList"]] == [first]
    second = wire.upload_archive(vault, b"2")
    wire.request("DELETE", f"/-/vaults/{vault}/archives/{first}")
    assert [entry["ArchiveId"] for entry in inventory(wire, vault)[0]["ArchiveList"]] == [second]


def test_an_inventory_job_is_described_with_its_parameters_and_size(wire, server, vault):
    wire.upload_archive(vault, b"x")
    answer, job = run(wire, vault, Description="count")
    assert (job["Action"], job["JobDescription"], job["StatusMessage"]) == ("InventoryRetrieval", "count", "Succeeded")
    assert job["InventorySizeInBytes"] == len(answer.body)
    assert job["InventoryRetrievalParameters"] == {
        "EndDate": None,
        "Format": "JSON",
        "Limit": None,
        "Marker": None,
        "StartDate": None,
    }
    assert [
        job[name]
        for name in ("ArchiveId", "ArchiveSHA256TreeHash", "ArchiveSizeInBytes", "RetrievalByteRange", "SHA256TreeHash")
    ] == [None] * 5
    assert job["VaultARN"] == vault_arn(server, vault)


@pytest.mark.parametrize("as_given", [int, str], ids=["number", "string"])
def test_a_limit_makes_pages_that_visit_every_archive_once(wire, vault, as_given):
    archives = {wire.upload_archive(vault, bytes([value])) for value in range(7)}
    seen, marker, pages = [], None, 0
    while True:
        parameters = {"Limit": as_given(3)} | ({"Marker": marker} if marker else {})
        document, job = inventory(wire, vault, InventoryRetrievalParameters=parameters)
        seen += [entry["ArchiveId"] for entry in document["ArchiveList"]]
        assert job["InventoryRetrievalParameters"]["Limit"] == "3"
        pages += 1
        marker = job["InventoryRetrievalParameters"]["Marker"]
        if not marker:
            break
    assert pages == 3 and len(seen) == 7 and set(seen) == archives


def test_start_is_inclusive_and_end_is_exclusive(make_server):
    wire = Wire(make_server("inventory-dates"))
    wire.create_vault("v")
    archives = []
    for value in range(3):
        archives.append(wire.upload_archive("v", bytes([value])))
        time.sleep(1.05)
    whole, _ = inventory(wire, "v")
    dates = [
        next(entry["CreationDate"] for entry in whole["ArchiveList"] if entry["ArchiveId"] == archive)
        for archive in archives
    ]
    assert len(set(dates)) == 3

    def between(**parameters):
        document, job = inventory(wire, "v", InventoryRetrievalParameters=parameters)
        echoed = job["InventoryRetrievalParameters"]
        assert all(echoed[name][:19] == value[:19] for name, value in parameters.items())
        return [entry["ArchiveId"] for entry in document["ArchiveList"]]

    assert set(between(StartDate=dates[1])) == set(archives[1:])
    assert set(between(EndDate=dates[1])) == set(archives[:1])
    assert between(StartDate=dates[1], EndDate=dates[2]) == [archives[1]]
    millisecond = dates[1].replace("Z", ".000Z")
    assert between(StartDate=millisecond, EndDate=dates[2]) == [archives[1]]


def test_a_window_without_archives_is_an_empty_inventory(wire, vault):
    wire.upload_archive(vault, b"now")
    tomorrow = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    document, _ = inventory(wire, vault, InventoryRetrievalParameters={"StartDate": tomorrow})
    assert document["ArchiveList"] == []


def test_a_marker_that_was_never_issued_is_refused(wire, vault):
    answer = wire.post_job(vault, {"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"Marker": "bogus"}})
    assert_error(answer, 400, "InvalidParameterValueException")


def test_an_inventory_can_be_read_in_ranges(wire, vault):
    for value in range(5):
        wire.upload_archive(vault, bytes([value]))
    job = wire.succeeded_job(vault, Type="inventory-retrieval")
    whole = wire.job_output(vault, job).body
    answer = wire.job_output(vault, job, "bytes=10-99")
    assert (answer.status, answer.body) == (206, whole[10:100])
    assert answer.header("Content-Range") == f"bytes 10-99/{len(whole)}"
    assert answer.header("x-amz-sha256-tree-hash") is None


def test_finished_inventories_do_not_change(wire, vault):
    wire.upload_archive(vault, b"before")
    job = wire.succeeded_job(vault, Type="inventory-retrieval")
    before = wire.job_output(vault, job).body
    wire.upload_archive(vault, b"after")
    assert wire.job_output(vault, job).body == before


def test_boto3_resource_runs_an_inventory(glacier_resource, server, wire, vault):
    archive = wire.upload_archive(vault, b"x", "one")
    job = glacier_resource.Vault(server.account.number, vault).initiate_inventory_retrieval()
    wire.finished_job(vault, job.id)
    assert json.loads(job.get_output()["body"].read())["ArchiveList"][0]["ArchiveId"] == archive
