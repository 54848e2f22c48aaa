# SPDX-License-Identifier: Apache-2.0
"""`coldvault vault|archive|job|inventory` against the real service, and side by side with the AWS CLI."""

import json

import pytest

from Support.bodies import mixed
from Support.hashes import MIB, tree_hash


@pytest.fixture
def coldvault(server, tmp_path):
    """Runs a client verb as a user would: credentials and endpoint from the environment, JSON out."""
    environment = {
        "AWS_ACCESS_KEY_ID": server.account.access_key,
        "AWS_SECRET_ACCESS_KEY": server.account.secret,
        "AWS_REGION": server.region,
        "AWS_ENDPOINT_URL_GLACIER": server.url,
        "HOME": str(tmp_path),
    }

    def run(*arguments):
        result = server.command([*map(str, arguments), "--output", "json"], timeout=180, environment=environment)
        assert server.account.secret not in result.stdout + result.stderr
        return json.loads(result.stdout) if result.stdout.strip() else None

    return run


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(mixed(6 * MIB + 321))
    return path


def test_a_file_goes_up_in_parts_and_comes_back_whole(coldvault, wire, vault_name, source, tmp_path):
    coldvault("vault", "create", vault_name)
    uploaded = coldvault("archive", "upload", source, "--vault", vault_name, "--part-size", "1MiB")
    archive = uploaded["ArchiveId"]
    job = wire.succeeded_job(vault_name, Type="archive-retrieval", ArchiveId=archive)
    assert wire.job_output(vault_name, job).header("x-amz-sha256-tree-hash") == tree_hash(source.read_bytes())
    target = tmp_path / "target"
    coldvault("archive", "retrieve", "--vault", vault_name, f"--archive-id={archive}", "--output-file", target)
    assert target.read_bytes() == source.read_bytes()
    assert [entry["ArchiveId"] for entry in coldvault("inventory", "--vault", vault_name)["ArchiveList"]] == [archive]
    listed = coldvault("job", "list", "--vault", vault_name)["JobList"]
    assert job in [entry["JobId"] for entry in listed]
    coldvault("archive", "delete", "--vault", vault_name, f"--archive-id={archive}")
    coldvault("vault", "delete", vault_name)
    assert wire.request("GET", f"/-/vaults/{vault_name}").status == 404


def test_what_one_client_uploads_the_other_retrieves(coldvault, aws, wire, vault, source, tmp_path):
    theirs = aws("upload-archive", "--account-id", "-", "--vault-name", vault, "--body", source)["archiveId"]
    coldvault("archive", "retrieve", "--vault", vault, f"--archive-id={theirs}", "--output-file", tmp_path / "ours")
    assert (tmp_path / "ours").read_bytes() == source.read_bytes()
    ours = coldvault("archive", "upload", source, "--vault", vault)["ArchiveId"]
    job = aws(
        "initiate-job",
        "--account-id",
        "-",
        "--vault-name",
        vault,
        "--job-parameters",
        json.dumps({"Type": "archive-retrieval", "ArchiveId": ours}),
    )["jobId"]
    wire.finished_job(vault, job)
    aws("get-job-output", "--account-id", "-", "--vault-name", vault, f"--job-id={job}", tmp_path / "theirs")
    assert (tmp_path / "theirs").read_bytes() == source.read_bytes()
