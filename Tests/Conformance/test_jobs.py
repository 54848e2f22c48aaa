# SPDX-License-Identifier: Apache-2.0
"""InitiateJob, DescribeJob, ListJobs: the life of a job as its owner sees it."""

import time

import pytest

from Support.bodies import incompressible, numbered_mebibytes
from Support.checks import MILLISECOND_DATE, assert_created, assert_document, assert_error, is_identifier, vault_arn
from Support.hashes import MIB, is_tree_hash_aligned, tree_hash
from Support.wire import Wire

JOB = [
    "Action",
    "ArchiveId",
    "ArchiveSHA256TreeHash",
    "ArchiveSizeInBytes",
    "Completed",
    "CompletionDate",
    "CreationDate",
    "InventoryRetrievalParameters",
    "InventorySizeInBytes",
    "JobDescription",
    "JobId",
    "JobOutputPath",
    "OutputLocation",
    "RetrievalByteRange",
    "SHA256TreeHash",
    "SNSTopic",
    "SelectParameters",
    "StatusCode",
    "StatusMessage",
    "Tier",
    "VaultARN",
]
NEVER_ISSUED = "Q" * 92


@pytest.fixture(scope="module")
def slow_server(make_server_for_session):
    """Standard and Bulk wait an hour; Expedited does not wait."""
    return make_server_for_session("slow-jobs", settings={"retrieval-delay": "expedited=0s,standard=1h,bulk=1h"})


@pytest.fixture
def slow(slow_server, vault_name):
    wire = Wire(slow_server)
    wire.create_vault(vault_name)
    return wire


def describe(wire, vault, job):
    return assert_document(wire.request("GET", f"/-/vaults/{vault}/jobs/{job}"), JOB)


# Initiate


def test_a_job_is_accepted_with_202_location_and_identifier(wire, server, vault):
    archive = wire.upload_archive(vault, b"wanted")
    answer = wire.post_job(vault, {"Type": "archive-retrieval", "ArchiveId": archive})
    assert_created(answer, 202)
    job = answer.header("x-amz-job-id")
    assert is_identifier(job, 92)
    assert answer.header("Location") == f"/{server.account.number}/vaults/{vault}/jobs/{job}"
    assert answer.header("x-amz-job-output-path") is None


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/x-www-form-urlencoded; charset=utf-8", "application/x-amz-json-1.0", None],
)
def test_a_job_request_of_any_content_type_is_read_as_json(wire, vault, content_type):
    headers = [("Content-Type", content_type)] if content_type else []
    answer = wire.request("POST", f"/-/vaults/{vault}/jobs", headers, b'{"Type":"inventory-retrieval"}')
    assert answer.status == 202, answer


def test_nulls_mean_absent(wire, vault):
    archive = wire.upload_archive(vault, b"null")
    assert (
        wire.post_job(
            vault,
            {
                "Type": "archive-retrieval",
                "ArchiveId": archive,
                "Description": None,
                "Tier": None,
                "SNSTopic": None,
                "RetrievalByteRange": None,
                "Format": None,
                "InventoryRetrievalParameters": None,
            },
        ).status
        == 202
    )


def test_an_empty_body_lacks_the_job_parameters(wire, vault):
    assert_error(
        wire.post_job(vault, b""), 400, "MissingParameterValueException", "Required parameter missing: Job Parameters"
    )


@pytest.mark.parametrize("body", [b"{}", b'{"ArchiveId":"x"}', b'{"Type":null}'])
def test_a_body_without_type_lacks_the_type(wire, vault, body):
    assert_error(wire.post_job(vault, body), 400, "MissingParameterValueException", "Required parameter missing: type")


@pytest.mark.parametrize(
    "parameters",
    [
        {"Type": "archive_retrieval"},
        {"Type": "ArchiveRetrieval"},
        {"Type": "select"},
        {"Type": 7},
        {"Type": ""},
        {"Type": "inventory-retrieval", "ArchiveId": "A" * 138},
        {"Type": "inventory-retrieval", "RetrievalByteRange": "0-0"},
        {"Type": "inventory-retrieval", "Format": "XML"},
        {"Type": "inventory-retrieval", "Format": "json5"},
        {"Type": "inventory-retrieval", "Description": "d" * 1025},
        {"Type": "inventory-retrieval", "Description": "line\nfeed"},
        {"Type": "inventory-retrieval", "Description": "é"},
        {"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"Limit": 0}},
        {"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"Limit": "-1"}},
        {"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"Limit": "many"}},
        {"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"StartDate": "yesterday"}},
        {"Type": "inventory-retrieval", "InventoryRetrievalParameters": {"EndDate": "2013-13-45T00:00:00Z"}},
    ],
    ids=str,
)
def test_a_bad_parameter_is_refused(wire, vault, parameters):
    answer = wire.post_job(vault, parameters)
    assert answer.status == 400, answer
    assert answer.json["code"] in ("InvalidParameterValueException", "SerializationException"), answer
    assert wire.request("GET", f"/-/vaults/{vault}/jobs").json["JobList"] == []


def test_a_retrieval_without_archive_is_refused(wire, vault):
    answer = wire.post_job(vault, {"Type": "archive-retrieval"})
    assert answer.status == 400 and answer.json["code"] in (
        "MissingParameterValueException",
        "InvalidParameterValueException",
    ), answer


def test_an_unknown_tier_is_refused(wire, vault):
    archive = wire.upload_archive(vault, b"x")
    answer = wire.post_job(vault, {"Type": "archive-retrieval", "ArchiveId": archive, "Tier": "Overnight"})
    assert_error(answer, 400, "InvalidParameterValueException")


def test_an_archive_never_issued_is_not_found(wire, vault):
    archive = "N" * 138
    assert_error(
        wire.post_job(vault, {"Type": "archive-retrieval", "ArchiveId": archive}),
        404,
        "ResourceNotFoundException",
        f"The archive ID was not found: {archive}",
    )


def test_an_archive_of_another_vault_is_a_bad_vault_name(wire, server, vault):
    archive = wire.upload_archive(wire.create_vault(f"{vault}-other"), b"elsewhere")
    assert_error(
        wire.post_job(vault, {"Type": "archive-retrieval", "ArchiveId": archive}),
        400,
        "InvalidParameterValueException",
        f"Invalid vault name: {vault_arn(server, vault)}",
    )


@pytest.mark.parametrize(
    "byte_range",
    [
        "0-1048575",
        "1048576-2097151",
        "1048576-6815743",
        "6291456-6815743",
        "0-6815743",
        "2097152-4194303",
        "1048576-3145727",
    ],
)
def test_a_mebibyte_aligned_range_is_accepted_and_hashed_only_when_tree_hash_aligned(wire, vault, byte_range):
    body = numbered_mebibytes()
    archive = wire.upload_archive(vault, body)
    job = wire.succeeded_job(vault, Type="archive-retrieval", ArchiveId=archive, RetrievalByteRange=byte_range)
    document = describe(wire, vault, job)
    first, last = map(int, byte_range.split("-"))
    assert document["RetrievalByteRange"] == byte_range
    assert document["ArchiveSHA256TreeHash"] == tree_hash(body)
    assert document["ArchiveSizeInBytes"] == len(body)
    expected = tree_hash(body[first : last + 1]) if is_tree_hash_aligned(first, last, len(body)) else None
    assert document["SHA256TreeHash"] == expected


@pytest.mark.parametrize(
    "byte_range",
    [
        "1-1048576",
        "0-1048576",
        "0-100",
        "1048576-1048575",
        "6815744-7340031",
        "0-",
        "-5",
        "bytes=0-1048575",
        "a-b",
        "",
        "0-9999999999999999999999",
        "0-8388607",
    ],
)
def test_another_range_is_refused(wire, vault, byte_range):
    archive = wire.upload_archive(vault, numbered_mebibytes())
    answer = wire.post_job(vault, {"Type": "archive-retrieval", "ArchiveId": archive, "RetrievalByteRange": byte_range})
    assert_error(answer, 400, "InvalidParameterValueException")


# The document


def test_a_finished_retrieval_is_described_in_full(wire, server, vault):
    body = incompressible(2 * MIB + 3)
    archive = wire.upload_archive(vault, body)
    job = wire.succeeded_job(
        vault,
        Type="archive-retrieval",
        ArchiveId=archive,
        Tier="Bulk",
        Description="why",
        SNSTopic="arn:aws:sns:us-east-1:123456789012:topic",
    )
    document = describe(wire, vault, job)
    assert MILLISECOND_DATE.fullmatch(document.pop("CreationDate"))
    assert MILLISECOND_DATE.fullmatch(document.pop("CompletionDate"))
    assert document == {
        "Action": "ArchiveRetrieval",
        "ArchiveId": archive,
        "ArchiveSHA256TreeHash": tree_hash(body),
        "ArchiveSizeInBytes": len(body),
        "Completed": True,
        "InventoryRetrievalParameters": None,
        "InventorySizeInBytes": None,
        "JobDescription": "why",
        "JobId": job,
        "JobOutputPath": None,
        "OutputLocation": None,
        "RetrievalByteRange": f"0-{len(body) - 1}",
        "SHA256TreeHash": tree_hash(body),
        "SNSTopic": "arn:aws:sns:us-east-1:123456789012:topic",
        "SelectParameters": None,
        "StatusCode": "Succeeded",
        "StatusMessage": "Succeeded",
        "Tier": "Bulk",
        "VaultARN": vault_arn(server, vault),
    }


def test_a_job_without_tier_is_standard(wire, vault):
    job = wire.start_job(vault, Type="archive-retrieval", ArchiveId=wire.upload_archive(vault, b"t"))
    assert describe(wire, vault, job)["Tier"] == "Standard"


def test_a_job_in_progress_has_its_tree_hash_and_no_completion(slow, vault_name):
    body = incompressible(MIB)
    archive = slow.upload_archive(vault_name, body)
    job = slow.start_job(vault_name, Type="archive-retrieval", ArchiveId=archive)
    document = describe(slow, vault_name, job)
    assert (document["Completed"], document["StatusCode"], document["StatusMessage"]) == (False, "InProgress", None)
    assert document["CompletionDate"] is None
    assert document["SHA256TreeHash"] == tree_hash(body)


def test_the_output_of_a_job_in_progress_is_not_available(slow, vault_name):
    archive = slow.upload_archive(vault_name, b"later")
    job = slow.start_job(vault_name, Type="archive-retrieval", ArchiveId=archive)
    assert_error(
        slow.job_output(vault_name, job),
        400,
        "InvalidParameterValueException",
        f"The job is not currently available for download: {job}",
    )


def test_a_tier_without_delay_overtakes_one_with(slow, vault_name):
    archive = slow.upload_archive(vault_name, b"now")
    standard = slow.start_job(vault_name, Type="archive-retrieval", ArchiveId=archive, Tier="Standard")
    expedited = slow.start_job(vault_name, Type="archive-retrieval", ArchiveId=archive, Tier="Expedited")
    assert slow.finished_job(vault_name, expedited)["StatusCode"] == "Succeeded"
    assert describe(slow, vault_name, standard)["StatusCode"] == "InProgress"


def test_a_short_delay_is_kept(make_server):
    wire = Wire(make_server("delay", settings={"retrieval-delay": "expedited=0s,standard=2s,bulk=0s"}))
    wire.create_vault("v")
    archive = wire.upload_archive("v", b"in two seconds")
    began = time.monotonic()
    job = wire.start_job("v", Type="archive-retrieval", ArchiveId=archive)
    wire.finished_job("v", job)
    assert 1.9 <= time.monotonic() - began < 10


def test_without_delay_a_small_job_is_finished_within_a_second(wire, vault):
    archive = wire.upload_archive(vault, b"at once")
    job = wire.start_job(vault, Type="archive-retrieval", ArchiveId=archive)
    wire.finished_job(vault, job, timeout=1.0)


@pytest.mark.parametrize("job", [NEVER_ISSUED, "short", "Q" * 93])
def test_an_unknown_job_is_not_found(wire, vault, job):
    for path in (f"/-/vaults/{vault}/jobs/{job}", f"/-/vaults/{vault}/jobs/{job}/output"):
        assert_error(wire.request("GET", path), 404, "ResourceNotFoundException", f"The job ID was not found: {job}")


def test_a_job_of_another_vault_is_not_found(wire, vault):
    other = wire.create_vault(f"{vault}-other")
    job = wire.start_job(other, Type="inventory-retrieval")
    assert wire.request("GET", f"/-/vaults/{vault}/jobs/{job}").status in (400, 404)


# Deletion and expiry


def test_the_output_of_a_finished_job_outlives_its_archive(wire, vault):
    body = incompressible(MIB + 1)
    archive = wire.upload_archive(vault, body)
    job = wire.succeeded_job(vault, Type="archive-retrieval", ArchiveId=archive)
    assert wire.request("DELETE", f"/-/vaults/{vault}/archives/{archive}").status == 204
    assert wire.job_output(vault, job).body == body


@pytest.mark.parametrize("mode", ["inPlace", "staged"])
def test_with_no_deletion_grace_the_output_still_outlives_its_archive(make_server, mode):
    wire = Wire(make_server("no-grace", settings={"deletion-grace": "0s", "output-mode": mode}))
    wire.create_vault("v")
    body = incompressible(3 * MIB)
    archive = wire.upload_archive("v", body)
    job = wire.succeeded_job("v", Type="archive-retrieval", ArchiveId=archive)
    assert wire.request("DELETE", f"/-/vaults/v/archives/{archive}").status == 204
    time.sleep(2)
    assert wire.job_output("v", job).body == body


def test_a_job_whose_archive_is_deleted_before_it_began_ends_failed_with_a_reason(make_server):
    wire = Wire(
        make_server("deleted", settings={"retrieval-delay": "expedited=0s,standard=2s,bulk=0s", "deletion-grace": "0s"})
    )
    wire.create_vault("v")
    archive, other = wire.upload_archive("v", b"going"), wire.upload_archive("v", b"staying")
    job = wire.start_job("v", Type="archive-retrieval", ArchiveId=archive)
    assert wire.request("DELETE", f"/-/vaults/v/archives/{archive}").status == 204
    document = wire.finished_job("v", job)
    assert (document["Completed"], document["StatusCode"]) == (True, "Failed")
    assert document["StatusMessage"] not in (None, "", "Succeeded")
    assert MILLISECOND_DATE.fullmatch(document["CompletionDate"])
    answer = wire.job_output("v", job)
    assert answer.status in (400, 404), answer
    assert wire.retrieve("v", other) == b"staying"


def test_a_job_for_an_archive_already_deleted_is_refused_or_fails(wire, vault):
    archive = wire.upload_archive(vault, b"gone")
    wire.request("DELETE", f"/-/vaults/{vault}/archives/{archive}")
    answer = wire.post_job(vault, {"Type": "archive-retrieval", "ArchiveId": archive})
    if answer.status == 202:
        assert wire.finished_job(vault, answer.header("x-amz-job-id"))["StatusCode"] == "Failed"
    else:
        assert_error(answer, 404, "ResourceNotFoundException", f"The archive ID was not found: {archive}")


@pytest.mark.parametrize("mode", ["inPlace", "staged"])
def test_output_expires_after_its_retention_and_not_before(make_server, mode):
    wire = Wire(make_server("retention", settings={"output-retention": "4s", "output-mode": mode}))
    wire.create_vault("v")
    archive = wire.upload_archive("v", b"for four seconds")
    job = wire.succeeded_job("v", Type="archive-retrieval", ArchiveId=archive)
    assert wire.job_output("v", job).status == 200
    deadline = time.monotonic() + 20
    while wire.job_output("v", job).status == 200:
        assert time.monotonic() < deadline, "the output never expired"
        time.sleep(0.2)
    assert_error(wire.job_output("v", job), 404, "ResourceNotFoundException", f"The job ID was not found: {job}")
    assert wire.retrieve("v", archive) == b"for four seconds"


def test_finished_and_waiting_jobs_survive_a_restart(make_server):
    server = make_server("restart", settings={"retrieval-delay": "expedited=0s,standard=3s,bulk=0s"})
    wire = Wire(server)
    wire.create_vault("v")
    body = incompressible(2 * MIB)
    archive = wire.upload_archive("v", body)
    finished = wire.succeeded_job("v", Type="archive-retrieval", ArchiveId=archive, Tier="Expedited")
    waiting = wire.start_job("v", Type="archive-retrieval", ArchiveId=archive, Tier="Standard")
    server.restart()
    assert wire.job_output("v", finished).body == body
    assert wire.finished_job("v", waiting)["StatusCode"] == "Succeeded"
    assert wire.job_output("v", waiting).body == body


# Lists


def test_jobs_are_listed_and_filtered_by_status_and_completion(slow, vault_name):
    archive = slow.upload_archive(vault_name, b"x")
    done = slow.succeeded_job(vault_name, Type="archive-retrieval", ArchiveId=archive, Tier="Expedited")
    waiting = slow.start_job(vault_name, Type="archive-retrieval", ArchiveId=archive, Tier="Bulk")

    def listed(query=""):
        document = assert_document(slow.request("GET", f"/-/vaults/{vault_name}/jobs{query}"), ["JobList", "Marker"])
        assert all(list(entry) == JOB for entry in document["JobList"])
        return {entry["JobId"] for entry in document["JobList"]}

    assert listed() == {done, waiting}
    assert listed("?statuscode=Succeeded") == listed("?completed=true") == {done}
    assert listed("?statuscode=InProgress") == listed("?completed=false") == {waiting}
    assert listed("?statuscode=Failed") == set()
    assert listed("?completed=true&statuscode=InProgress") == set()
    assert listed("?completed=true&statuscode=Succeeded") == {done}


def test_a_job_is_listed_as_it_is_described(wire, vault):
    job = wire.succeeded_job(
        vault, Type="archive-retrieval", ArchiveId=wire.upload_archive(vault, b"x"), Description="d"
    )
    listed = wire.request("GET", f"/-/vaults/{vault}/jobs").json["JobList"]
    assert listed == [describe(wire, vault, job)]


def test_a_bad_status_filter_is_refused(wire, vault):
    assert_error(
        wire.request("GET", f"/-/vaults/{vault}/jobs?statuscode=finished"),
        400,
        "InvalidParameterValueException",
        "The job status code is not valid: finished",
    )


def test_a_bad_completed_filter_is_refused(wire, vault):
    assert_error(
        wire.request("GET", f"/-/vaults/{vault}/jobs?completed=perhaps"), 400, "InvalidParameterValueException"
    )


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "jobs"),
        ("POST", "jobs"),
        ("GET", "multipart-uploads"),
        ("GET", f"jobs/{NEVER_ISSUED}"),
        ("DELETE", "archives/" + "A" * 138),
    ],
)
def test_every_operation_on_a_missing_vault_says_so(wire, server, method, path):
    body = b'{"Type":"inventory-retrieval"}' if method == "POST" else b""
    answer = wire.request(method, f"/-/vaults/no-such-vault/{path}", body=body)
    assert_error(
        answer, 404, "ResourceNotFoundException", f"Vault not found for ARN: {vault_arn(server, 'no-such-vault')}"
    )


# The clients' own calls


def test_boto3_client_runs_a_retrieval(glacier, wire, vault):
    body = incompressible(MIB + 5)
    archive = wire.upload_archive(vault, body, "described")
    job = glacier.initiate_job(vaultName=vault, jobParameters={"Type": "archive-retrieval", "ArchiveId": archive})
    wire.finished_job(vault, job["jobId"])
    assert glacier.describe_job(vaultName=vault, jobId=job["jobId"])["StatusCode"] == "Succeeded"
    output = glacier.get_job_output(vaultName=vault, jobId=job["jobId"])
    assert (output["status"], output["contentType"]) == (200, "application/octet-stream")
    assert output["checksum"] == tree_hash(body)
    assert output["archiveDescription"] == "described"
    assert output["body"].read() == body


def test_boto3_resource_runs_a_retrieval(glacier_resource, server, wire, vault):
    resource = glacier_resource.Vault(server.account.number, vault)
    archive = resource.upload_archive(body=b"through the resource")
    job = archive.initiate_archive_retrieval()
    wire.finished_job(vault, job.id)
    job.load()
    assert job.completed and job.archive_id == archive.id
    assert job.get_output()["body"].read() == b"through the resource"
    assert [each.id for each in resource.succeeded_jobs.all()] == [job.id]
    assert [each.id for each in resource.completed_jobs.all()] == [job.id]
    assert list(resource.failed_jobs.all()) == [] and list(resource.jobs_in_progress.all()) == []
