# SPDX-License-Identifier: Apache-2.0
"""The client verbs of the binary against a fake service that checks signatures and misbehaves on request.

Run: COLDVAULT_BINARY=.build/debug/coldvault python3 -m pytest Tests/ClientCLI
"""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tools"))
from fake_glacier import ACCESS_KEY, MIB, REGION, SECRET_KEY, FakeGlacier, Fault, tree_hash  # noqa: E402

BINARY = os.environ.get("COLDVAULT_BINARY", ".build/debug/coldvault")
USAGE, NOT_FOUND, ACCESS, INTEGRITY, JOB_FAILED, INTERRUPTED, NETWORK = 2, 3, 4, 5, 6, 7, 8


class CLI:
    """Runs the binary in a directory of its own with nothing but the environment it is given."""

    def __init__(self, fake, home):
        self.fake, self.home = fake, home
        self.environment = {
            "HOME": str(home), "PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION, "AWS_ENDPOINT_URL_GLACIER": fake.url,
        }
        if "LD_LIBRARY_PATH" in os.environ:
            self.environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]

    def start(self, *arguments):
        return subprocess.Popen(
            [os.path.abspath(BINARY), *map(str, arguments)], cwd=self.home, env=self.environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def run(self, *arguments, expect=0):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        assert process.returncode == expect, f"exit {process.returncode}, expected {expect}\n{out}\n{err}"
        assert SECRET_KEY not in out + err
        self.stderr = err
        return out

    def json(self, *arguments, expect=0):
        return json.loads(self.run(*arguments, "--output", "json", expect=expect))

    def file(self, name, size, seed=1):
        path = self.home / name
        path.write_bytes(random.Random(seed).randbytes(size))
        return path

    def requests(self, pattern):
        with self.fake.lock:
            return [line for line in self.fake.log if re.search(pattern, line)]

    def forget_requests(self):
        with self.fake.lock:
            self.fake.log.clear()


@pytest.fixture
def fake():
    with FakeGlacier() as service:
        yield service


@pytest.fixture
def cli(fake, tmp_path):
    cli = CLI(fake, tmp_path)
    cli.run("vault", "create", "v")
    return cli


def stored(fake, archive_id, vault="v"):
    return fake.vaults[vault].archives[archive_id][0]


def upload(cli, path, *more):
    return cli.json("archive", "upload", path, "--vault", "v", *more)


# -- vaults ------------------------------------------------------------------------------------------------------------------


def test_vaults_are_created_listed_over_pages_described_and_deleted(cli, fake):
    fake.page_limit = 2
    for index in range(5):
        cli.run("vault", "create", f"vault{index}")
    names = [v["VaultName"] for v in cli.json("vault", "list")["VaultList"]]
    assert names == ["v"] + [f"vault{i}" for i in range(5)]
    assert cli.json("vault", "describe", "vault3")["NumberOfArchives"] == 0
    assert "vault3" in cli.run("vault", "list")
    cli.run("vault", "delete", "--vault", "vault3")
    assert "vault3" not in fake.vaults
    cli.run("vault", "describe", "vault3", expect=NOT_FOUND)


def test_a_vault_that_is_not_empty_is_refused_with_the_services_words(cli):
    upload(cli, cli.file("f", 10))
    cli.run("vault", "delete", "v", expect=1)
    assert "Vault not empty" in cli.stderr


# -- uploads -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, MIB - 1, MIB, MIB + 1, 5 * MIB + 123])
@pytest.mark.parametrize("more", [(), ("--part-size", "1MiB"), ("--part-size", "4194304", "--parallel", "2")])
def test_uploaded_bytes_and_tree_hash_are_the_files(cli, fake, size, more):
    path = cli.file("f", size)
    result = upload(cli, path, *more)
    assert stored(fake, result["ArchiveId"]) == path.read_bytes()
    assert result["SHA256TreeHash"] == tree_hash(path.read_bytes()) and result["SizeInBytes"] == size
    assert list(cli.home.glob(".*upload*")) == [], "the note next to the source must go"


def test_a_description_travels_with_the_archive(cli, fake):
    result = upload(cli, cli.file("f", 100), "--description", "two  blanks - and a dash")
    assert fake.vaults["v"].archives[result["ArchiveId"]][1] == "two  blanks - and a dash"


def test_an_empty_file_and_an_impossible_part_size_are_explained(cli):
    (cli.home / "empty").touch()
    cli.run("archive", "upload", "empty", "--vault", "v", expect=USAGE)
    assert "at least one byte" in cli.stderr
    cli.run("archive", "upload", cli.file("f", 10), "--vault", "v", "--part-size", "3MiB", expect=USAGE)
    huge = cli.home / "huge"
    with open(huge, "wb") as sparse:
        sparse.truncate(20_000 * MIB)
    cli.run("archive", "upload", huge, "--vault", "v", "--part-size", "1MiB", expect=USAGE)
    assert "20000 parts" in cli.stderr and "2MiB" in cli.stderr


def test_transient_errors_are_retried_and_others_are_not(cli, fake):
    path = cli.file("f", 3 * MIB)
    fake.faults += [Fault("PUT .*multipart", status=503, times=2), Fault("POST .*multipart", status=400, code="ThrottlingException")]
    upload(cli, path, "--part-size", "1MiB")
    assert len(cli.requests("PUT .*multipart")) == 5
    fake.faults[:] = [Fault("PUT .*multipart", status=400, code="InvalidParameterValueException", times=99)]
    cli.forget_requests()
    cli.run("archive", "upload", path, "--vault", "v", "--part-size", "4MiB", expect=1)
    assert len(cli.requests("PUT .*multipart")) == 1


def test_an_upload_whose_outcome_is_unknown_is_not_repeated(cli, fake):
    fake.faults.append(Fault("POST .*archives", drop_after=0))
    cli.run("archive", "upload", cli.file("f", 100), "--vault", "v", expect=NETWORK)
    assert "may or may not" in cli.stderr
    assert len(fake.vaults["v"].archives) == 1


def interrupted(cli, fake, path, parts_that_arrive, *more):
    """Leaves an upload with that many parts behind."""
    fault = Fault("PUT .*multipart", status=500, times=99, skip=parts_that_arrive)
    fake.faults.append(fault)
    cli.run("archive", "upload", path, "--vault", "v", "--part-size", "1MiB", "--parallel", "1", "--max-attempts", "1", *more, expect=1)
    fake.faults.remove(fault)
    cli.forget_requests()


@pytest.mark.parametrize("way", ["by its note", "by listing", "by its id"])
def test_an_interrupted_upload_goes_on_without_sending_parts_again(cli, fake, way):
    path = cli.file("f", 5 * MIB + 7)
    interrupted(cli, fake, path, 3)
    (upload_id,) = fake.vaults["v"].uploads
    note = cli.home / ".f.coldvault-upload"
    assert note.exists()
    arguments = ["--resume"]
    if way != "by its note":
        note.unlink()
    if way == "by its id":
        arguments = [f"--resume={upload_id}"]
    result = upload(cli, path, *arguments)
    assert stored(fake, result["ArchiveId"]) == path.read_bytes()
    assert result["ResumedBytes"] == 3 * MIB
    assert len(cli.requests("PUT .*multipart")) == 3
    assert not note.exists()


def test_resume_takes_the_word_after_it_for_the_file_when_there_is_no_other(cli, fake):
    path = cli.file("f", 3 * MIB)
    interrupted(cli, fake, path, 2)
    result = cli.json("archive", "upload", "--vault", "v", "--resume", "f")
    assert result["ResumedBytes"] == 2 * MIB


def test_a_wrong_part_at_the_service_is_replaced_on_resumption(cli, fake):
    path = cli.file("f", 4 * MIB)
    interrupted(cli, fake, path, 3)
    (open_upload,) = fake.vaults["v"].uploads.values()
    open_upload.parts[2 * MIB] = bytes(MIB)
    result = upload(cli, path, "--resume")
    assert stored(fake, result["ArchiveId"]) == path.read_bytes()
    assert result["ResumedBytes"] == 2 * MIB


def test_parts_of_another_file_are_never_taken_over(cli, fake):
    interrupted(cli, fake, cli.file("other", 4 * MIB, seed=2), 2)
    (upload_id,) = fake.vaults["v"].uploads
    path = cli.file("f", 4 * MIB)
    cli.run("archive", "upload", path, "--vault", "v", f"--resume={upload_id}", expect=USAGE)
    assert "another file" in cli.stderr
    result = upload(cli, path, "--resume", "--part-size", "1MiB")
    assert result["ResumedBytes"] == 0 and stored(fake, result["ArchiveId"]) == path.read_bytes()
    assert upload_id in fake.vaults["v"].uploads


def test_an_interrupt_stops_an_upload_with_its_own_exit_code_and_it_can_be_resumed(cli, fake):
    path = cli.file("f", 4 * MIB)
    stall = Fault("PUT .*multipart", stall=5, times=99, skip=1)
    fake.faults.append(stall)
    process = cli.start("archive", "upload", path, "--vault", "v", "--part-size", "1MiB", "--parallel", "1")
    deadline = time.monotonic() + 20
    while not cli.requests("PUT .*multipart") and time.monotonic() < deadline:
        time.sleep(0.02)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == INTERRUPTED and "--resume" in err
    assert time.monotonic() - started < 4, "an interrupt must not wait for the service"
    fake.faults.clear()
    assert upload(cli, path, "--resume")["SizeInBytes"] == 4 * MIB


# -- retrievals --------------------------------------------------------------------------------------------------------------


def retrieve(cli, archive_id, target, *more, expect=0):
    return cli.run("archive", "retrieve", "--vault", "v", "--archive-id", archive_id, "--output-file", target, *more, expect=expect)


@pytest.mark.parametrize("size", [1, MIB, 5 * MIB + 123])
def test_a_retrieved_file_is_the_archive(cli, fake, size):
    path = cli.file("f", size)
    fake.job_delay = 0.5
    archive_id = upload(cli, path)["ArchiveId"]
    result = cli.json("archive", "retrieve", "--vault", "v", "--archive-id", archive_id, "--output-file", "out", "--chunk-size", "1MiB")
    assert (cli.home / "out").read_bytes() == path.read_bytes()
    assert result["Verified"] is True and result["SHA256TreeHash"] == tree_hash(path.read_bytes())
    assert sorted(p.name for p in cli.home.iterdir()) == ["f", "out"]


def test_an_existing_file_is_replaced_only_by_force(cli, fake):
    archive_id = upload(cli, cli.file("f", 1000))["ArchiveId"]
    (cli.home / "out").write_text("precious")
    retrieve(cli, archive_id, "out", expect=1)
    assert (cli.home / "out").read_text() == "precious" and "--force" in cli.stderr
    assert cli.requests("POST .*jobs") == [], "no job may be begun for nothing"
    retrieve(cli, archive_id, "out", "--force")
    assert (cli.home / "out").read_bytes() == (cli.home / "f").read_bytes()


def test_an_interrupted_download_keeps_what_was_verified(cli, fake):
    path = cli.file("f", 6 * MIB + 5)
    archive_id = upload(cli, path)["ArchiveId"]
    fault = Fault("GET .*output", status=500, times=99, skip=4)
    fake.faults.append(fault)
    more = ("--chunk-size", "1MiB", "--parallel", "1", "--max-attempts", "1")
    retrieve(cli, archive_id, "out", *more, expect=1)
    assert not (cli.home / "out").exists()
    fake.faults.clear()
    # One of the four kept ranges is damaged on this machine's disk meanwhile.
    with open(cli.home / "out.part", "r+b") as part:
        part.seek(2 * MIB + 17)
        part.write(b"\0\1\2")
    cli.forget_requests()
    result = json.loads(retrieve(cli, archive_id, "out", *more, "--output", "json"))
    assert (cli.home / "out").read_bytes() == path.read_bytes()
    assert result["ResumedBytes"] == 3 * MIB
    assert len(cli.requests("GET .*output")) == 4
    assert cli.requests("POST .*jobs") == [], "the job of the interrupted download is still good"


def test_a_new_job_is_begun_when_the_old_one_has_expired(cli, fake):
    path = cli.file("f", 3 * MIB)
    archive_id = upload(cli, path)["ArchiveId"]
    fake.faults.append(Fault("GET .*output", status=500, times=99, skip=2))
    more = ("--chunk-size", "1MiB", "--parallel", "1", "--max-attempts", "1")
    retrieve(cli, archive_id, "out", *more, expect=1)
    fake.faults.clear()
    fake.vaults["v"].jobs.clear()
    result = json.loads(retrieve(cli, archive_id, "out", *more, "--output", "json"))
    assert (cli.home / "out").read_bytes() == path.read_bytes() and result["ResumedBytes"] == 2 * MIB


def test_files_of_another_download_are_left_alone(cli, fake):
    archive_id = upload(cli, cli.file("f", 100))["ArchiveId"]
    (cli.home / "out.part").write_text("somebody's")
    retrieve(cli, archive_id, "out", expect=1)
    assert (cli.home / "out.part").read_text() == "somebody's"


@pytest.mark.parametrize("fault", [Fault("GET .*output", corrupt=True), Fault("GET .*output", drop_after=1000)])
def test_a_damaged_or_broken_answer_is_fetched_again(cli, fake, fault):
    path = cli.file("f", 3 * MIB)
    archive_id = upload(cli, path)["ArchiveId"]
    fault.times = 1
    fake.faults.append(fault)
    retrieve(cli, archive_id, "out", "--chunk-size", "1MiB")
    assert (cli.home / "out").read_bytes() == path.read_bytes()


def test_a_service_that_serves_wrong_bytes_never_yields_a_file(cli, fake):
    archive_id = upload(cli, cli.file("f", 3 * MIB))["ArchiveId"]
    fake.faults.append(Fault("GET .*output", corrupt=True, times=99))
    retrieve(cli, archive_id, "out", "--max-attempts", "2", expect=INTEGRITY)
    assert not (cli.home / "out").exists()


def test_a_range_is_verified_when_it_can_be_and_refused_otherwise(cli, fake):
    path = cli.file("f", 5 * MIB + 9)
    archive_id = upload(cli, path)["ArchiveId"]
    data = path.read_bytes()
    retrieve(cli, archive_id, "a", "--range", f"{2 * MIB}-{4 * MIB - 1}")
    assert (cli.home / "a").read_bytes() == data[2 * MIB:4 * MIB]
    retrieve(cli, archive_id, "tail", "--range", f"{4 * MIB}-{len(data) - 1}")
    assert (cli.home / "tail").read_bytes() == data[4 * MIB:]
    retrieve(cli, archive_id, "b", "--range", f"{MIB}-{4 * MIB - 1}", expect=INTEGRITY)
    assert not (cli.home / "b").exists()
    assert "NOT VERIFIED" in retrieve(cli, archive_id, "b", "--range", f"{MIB}-{4 * MIB - 1}", "--allow-unverified")
    assert (cli.home / "b").read_bytes() == data[MIB:4 * MIB]
    retrieve(cli, archive_id, "c", "--range", "5-10", expect=USAGE)


def test_a_failed_job_has_its_own_exit_code_and_gives_the_reason(cli, fake):
    archive_id = upload(cli, cli.file("f", 100))["ArchiveId"]
    fake.jobs_fail = True
    retrieve(cli, archive_id, "out", expect=JOB_FAILED)
    assert "The tape was eaten." in cli.stderr


def test_a_deleted_archive_is_not_found(cli, fake):
    archive_id = upload(cli, cli.file("f", 100))["ArchiveId"]
    for _ in range(2):
        cli.run("archive", "delete", "--vault", "v", "--archive-id", archive_id)
    retrieve(cli, archive_id, "out", expect=NOT_FOUND)


# -- jobs and inventories ----------------------------------------------------------------------------------------------------


def test_jobs_are_begun_listed_described_watched_and_their_output_fetched(cli, fake):
    path = cli.file("f", 100)
    archive_id = upload(cli, path)["ArchiveId"]
    fake.job_delay = 0.4
    job = cli.json("archive", "retrieve", "--vault", "v", "--archive-id", archive_id, "--no-wait", "--tier", "Bulk")["JobId"]
    assert [j["JobId"] for j in cli.json("job", "list", "--vault", "v", "--status", "InProgress")["JobList"]] == [job]
    assert cli.json("job", "describe", "--vault", "v", "--job-id", job)["Tier"] == "Bulk"
    assert cli.json("job", "watch", "--vault", "v", "--job-id", job)["StatusCode"] == "Succeeded"
    assert cli.json("job", "list", "--vault", "v", "--no-completed")["JobList"] == []
    cli.run("archive", "retrieve", "--vault", "v", "--job-id", job, "--output-file", "out")
    assert (cli.home / "out").read_bytes() == path.read_bytes()
    cli.run("job", "describe", "--vault", "v", "--job-id", "unknown", expect=NOT_FOUND)


def test_watching_a_job_that_fails_exits_with_its_code(cli, fake):
    archive_id = upload(cli, cli.file("f", 100))["ArchiveId"]
    fake.jobs_fail = True
    job = cli.json("archive", "retrieve", "--vault", "v", "--archive-id", archive_id, "--no-wait")["JobId"]
    cli.run("job", "watch", "--vault", "v", "--job-id", job, expect=JOB_FAILED)


def test_an_inventory_is_a_table_json_csv_or_a_file(cli, fake):
    ids = [upload(cli, cli.file("f", 100 + i, seed=i), "--description", f'no {i} "quoted", \\ {{[')["ArchiveId"] for i in range(3)]
    table = cli.run("inventory", "--vault", "v")
    assert all(i in table for i in ids) and "3 archives, 303 bytes" in cli.stderr
    assert [a["ArchiveId"] for a in cli.json("inventory", "--vault", "v")["ArchiveList"]] == ids
    assert cli.run("inventory", "--vault", "v", "--format", "csv").startswith("ArchiveId,ArchiveDescription,")
    cli.run("inventory", "--vault", "v", "--output-file", "list.json")
    assert len(json.loads((cli.home / "list.json").read_text())["ArchiveList"]) == 3
    cli.run("inventory", "--vault", "v", "--output-file", "list.json", expect=1)
    cli.run("inventory", "--vault", "v", "--output-file", "list.json", "--format", "csv", "--force")
    assert (cli.home / "list.json").read_text().startswith("ArchiveId,")


def test_a_cut_off_inventory_is_an_error(cli, fake):
    upload(cli, cli.file("f", 100))
    fake.faults.append(Fault("GET .*output", drop_after=150, times=99))
    cli.run("inventory", "--vault", "v", expect=NETWORK)
    cli.run("inventory", "--vault", "v", "--output-file", "list", "--max-attempts", "2", expect=NETWORK)
    assert not (cli.home / "list").exists()


# -- settings, credentials, errors -------------------------------------------------------------------------------------------


def test_settings_come_from_the_files_of_the_aws_tools(cli, fake):
    cli.environment = {k: v for k, v in cli.environment.items() if not k.startswith("AWS_")}
    aws = cli.home / ".aws"
    aws.mkdir()
    (aws / "config").write_text(
        f"[profile cold]\nregion = {REGION}\nservices = here\n\n[services here]\nglacier =\n  endpoint_url = {fake.url}\n")
    (aws / "credentials").write_text(f"[cold]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")
    assert len(cli.json("vault", "list", "--profile", "cold")["VaultList"]) == 1
    cli.environment["AWS_PROFILE"] = "cold"
    assert len(cli.json("vault", "list")["VaultList"]) == 1
    cli.run("vault", "list", "--profile", "warm", expect=USAGE)


def test_missing_and_wrong_credentials_exit_with_their_code(cli):
    cli.environment["AWS_SECRET_ACCESS_KEY"] = "wrong" * 8
    cli.run("vault", "list", expect=ACCESS)
    cli.environment["AWS_SECRET_ACCESS_KEY"] = ""
    cli.run("vault", "list", expect=ACCESS)
    assert "half of a key pair" in cli.stderr
    cli.environment["AWS_ACCESS_KEY_ID"] = ""
    cli.run("vault", "list", expect=ACCESS)
    assert "AWS_ACCESS_KEY_ID" in cli.stderr


def test_the_wrong_region_is_told_from_the_wrong_secret(cli):
    cli.run("vault", "list", "--region", "eu-west-9", expect=ACCESS)
    assert "--region" in cli.stderr


def test_an_unreachable_service_is_retried_and_has_its_own_exit_code(cli):
    cli.run("vault", "list", "--endpoint-url", "http://127.0.0.1:1", "--max-attempts", "2", expect=NETWORK)
    assert "2 attempts" in cli.stderr


def test_mistakes_on_the_command_line_exit_with_2(cli):
    for arguments in (["vault", "frobnicate"], ["vault", "create"], ["vault", "create", "no/slash"],
                      ["archive", "upload", "--vault", "v"], ["vault", "list", "--endpoint-url", "localhost:80"],
                      ["archive", "retrieve", "--vault", "v", "--archive-id", "a b", "--output-file", "o"]):
        cli.run(*arguments, expect=USAGE)
    cli.run("archive", "upload", "absent", "--vault", "v", expect=1)
    assert "no such file" in cli.stderr


def test_errors_are_json_when_json_is_asked_for(cli):
    cli.run("vault", "describe", "absent", "--output", "json", expect=NOT_FOUND)
    error = json.loads(cli.stderr)["error"]
    assert error["code"] == "ResourceNotFoundException" and error["kind"] == "notFound" and error["requestId"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_https_needs_a_trusted_certificate(cli, fake, tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem",
         "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    fake.server.socket = context.wrap_socket(fake.server.socket, server_side=True)
    cli.environment["AWS_ENDPOINT_URL_GLACIER"] = fake.url.replace("http://", "https://")
    cli.run("vault", "list", "--max-attempts", "1", expect=NETWORK)
    assert "--ca-bundle" in cli.stderr
    assert len(cli.json("vault", "list", "--ca-bundle", tmp_path / "cert.pem")["VaultList"]) == 1
    cli.environment["AWS_CA_BUNDLE"] = str(tmp_path / "cert.pem")
    path = cli.file("f", 3 * MIB)
    result = upload(cli, path, "--part-size", "1MiB")
    assert stored(fake, result["ArchiveId"]) == path.read_bytes()


def test_two_processes_never_download_into_the_same_file(cli, fake):
    path = cli.file("f", 2 * MIB)
    archive_id = upload(cli, path)["ArchiveId"]
    fake.job_delay = 3600
    first = cli.start("archive", "retrieve", "--vault", "v", "--archive-id", archive_id, "--output-file", "out")
    deadline = time.monotonic() + 20
    while not cli.requests("GET .*jobs/") and time.monotonic() < deadline:
        time.sleep(0.02)
    retrieve(cli, archive_id, "out", expect=1)
    assert "Another process" in cli.stderr
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=20)
    assert first.returncode == INTERRUPTED
    with fake.lock:
        for job in fake.vaults["v"].jobs.values():
            job["ready"] = 0
    retrieve(cli, archive_id, "out")
    assert (cli.home / "out").read_bytes() == path.read_bytes()
    assert len(cli.requests("POST .*jobs")) == 1, "the job that the first was waiting for is used"


def test_a_download_named_by_its_job_is_not_continued_with_another_job(cli, fake):
    ids = [upload(cli, cli.file(f"f{i}", 2 * MIB, seed=i))["ArchiveId"] for i in range(2)]
    jobs = [cli.json("archive", "retrieve", "--vault", "v", "--archive-id", i, "--no-wait")["JobId"] for i in ids]
    fake.faults.append(Fault("GET .*output", status=500, times=99, skip=1))
    arguments = ("archive", "retrieve", "--vault", "v", "--output-file", "out", "--chunk-size", "1MiB", "--max-attempts", "1", "--parallel", "1")
    cli.run(*arguments, "--job-id", jobs[0], expect=1)
    fake.faults.clear()
    cli.run(*arguments, "--job-id", jobs[1], expect=1)
    assert "another download" in cli.stderr
    cli.run(*arguments, "--job-id", jobs[0])
    assert (cli.home / "out").read_bytes() == (cli.home / "f0").read_bytes()
