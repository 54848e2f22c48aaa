# SPDX-License-Identifier: Apache-2.0
"""The real `aws glacier`, as its manual shows it: `--account-id -`, multipart in pieces, jobs, both inventory forms."""

import json

from Support.bodies import mixed
from Support.hashes import MIB, tree_hash

ME = ("--account-id", "-")


def test_vaults(aws, server, vault_name):
    made = aws("create-vault", *ME, "--vault-name", vault_name)
    assert made["location"] == f"/{server.account.number}/vaults/{vault_name}"
    assert aws("describe-vault", *ME, "--vault-name", vault_name)["VaultName"] == vault_name
    listed = aws("list-vaults", *ME)
    assert vault_name in [vault["VaultName"] for vault in listed["VaultList"]]
    assert aws("delete-vault", *ME, "--vault-name", vault_name) is None
    missing = aws.run("describe-vault", *ME, "--vault-name", vault_name, check=False)
    assert missing.returncode != 0 and "ResourceNotFoundException" in missing.stderr


def test_one_archive_there_and_back(aws, wire, vault, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(mixed(MIB + 3))
    uploaded = aws(
        "upload-archive", *ME, "--vault-name", vault, "--body", source, "--archive-description", "by the CLI"
    )
    assert uploaded["checksum"] == tree_hash(source.read_bytes())
    archive = uploaded["archiveId"]
    parameters = json.dumps({"Type": "archive-retrieval", "ArchiveId": archive, "Tier": "Expedited"})
    job = aws("initiate-job", *ME, "--vault-name", vault, "--job-parameters", parameters)["jobId"]
    wire.finished_job(vault, job)
    assert aws("describe-job", *ME, "--vault-name", vault, f"--job-id={job}")["StatusCode"] == "Succeeded"
    output = aws("get-job-output", *ME, "--vault-name", vault, f"--job-id={job}", target)
    assert (output["status"], output["archiveDescription"]) == (200, "by the CLI")
    assert target.read_bytes() == source.read_bytes()
    part = aws("get-job-output", *ME, "--vault-name", vault, f"--job-id={job}", "--range", f"bytes=0-{MIB - 1}", target)
    assert (part["status"], part["checksum"]) == (206, tree_hash(source.read_bytes()[:MIB]))
    listed = aws("list-jobs", *ME, "--vault-name", vault, "--completed", "true")
    assert [entry["JobId"] for entry in listed["JobList"]] == [job]
    assert aws("delete-archive", *ME, "--vault-name", vault, f"--archive-id={archive}") is None


def test_multipart_as_the_manual_shows_it(aws, wire, vault, tmp_path):
    body = mixed(2 * MIB + MIB // 2)
    upload = aws(
        "initiate-multipart-upload", *ME, "--vault-name", vault, "--part-size", MIB, "--archive-description", "in parts"
    )["uploadId"]
    for at in range(0, len(body), MIB):
        piece = tmp_path / "piece"
        piece.write_bytes(body[at : at + MIB])
        sent = aws(
            "upload-multipart-part",
            *ME,
            "--vault-name",
            vault,
            f"--upload-id={upload}",
            "--body",
            piece,
            "--range",
            f"bytes {at}-{at + len(piece.read_bytes()) - 1}/*",
        )
        assert sent["checksum"] == tree_hash(piece.read_bytes())
    listed = aws("list-parts", *ME, "--vault-name", vault, f"--upload-id={upload}")
    assert len(listed["Parts"]) == 3
    uploads = aws("list-multipart-uploads", *ME, "--vault-name", vault)
    assert [entry["MultipartUploadId"] for entry in uploads["UploadsList"]] == [upload]
    done = aws(
        "complete-multipart-upload",
        *ME,
        "--vault-name",
        vault,
        f"--upload-id={upload}",
        "--archive-size",
        len(body),
        "--checksum",
        tree_hash(body),
    )
    assert wire.retrieve(vault, done["archiveId"]) == body
    other = aws("initiate-multipart-upload", *ME, "--vault-name", vault, "--part-size", MIB)["uploadId"]
    assert aws("abort-multipart-upload", *ME, "--vault-name", vault, f"--upload-id={other}") is None


def test_inventories(aws, wire, vault, tmp_path):
    archive = wire.upload_archive(vault, b"counted", "one, two")
    target = tmp_path / "inventory"
    for form, expected in (("JSON", '"ArchiveList":[{"ArchiveId":"%s"'), ("CSV", '\n%s,"one, two",')):
        job = aws(
            "initiate-job",
            *ME,
            "--vault-name",
            vault,
            "--job-parameters",
            json.dumps({"Type": "inventory-retrieval", "Format": form}),
        )["jobId"]
        wire.finished_job(vault, job)
        aws("get-job-output", *ME, "--vault-name", vault, f"--job-id={job}", target)
        assert expected % archive in target.read_text()
