# SPDX-License-Identifier: Apache-2.0
"""`coldvault init` and `serve` as an operator meets them."""

import json
import os
import re
import socket
import stat
import time
import urllib.request

from Support.server import Server
from Support.wire import Wire


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_init_makes_private_folders_and_keys_and_prints_the_secrets_once(make_server):
    server = make_server("init", start=False)
    assert mode(server.data_dir) == 0o700
    assert mode(server.root_key_file) == 0o600
    assert server.root_key_file.stat().st_size == 32
    assert re.fullmatch(r"\d{12}", server.account.number)
    assert re.fullmatch(r"[A-Z0-9]{20}", server.account.access_key)
    assert len(server.account.secret) == 40
    assert server.recovery_key.startswith("CVRK1-")


def test_init_never_overwrites(make_server):
    server = make_server("init-again", start=False)
    key = server.root_key_file.read_bytes()
    again = [
        "init",
        "--data-dir",
        str(server.data_dir),
        "--root-key-file",
        str(server.root_key_file),
        "--output",
        "json",
    ]
    assert server.command(again, check=False).returncode != 0
    elsewhere = [
        "init",
        "--data-dir",
        str(server.folder / "other"),
        "--root-key-file",
        str(server.root_key_file),
        "--output",
        "json",
    ]
    server.command(elsewhere, check=False)
    assert server.root_key_file.read_bytes() == key, "an existing root key may be used, never replaced"


def test_init_takes_an_account_number_and_a_region(work_dir):
    server = Server(work_dir / "init-options", account_id="123456789012", region="eu-central-1")
    try:
        answer = server.initialise()
        assert (answer["accountId"], answer["region"]) == ("123456789012", "eu-central-1")
        server.settings["regions"] = "eu-central-1"
        server.start()
        wire = Wire(server)
        wire.create_vault("v")
        assert (
            wire.request("GET", "/-/vaults/v").json["VaultARN"] == "arn:aws:glacier:eu-central-1:123456789012:vaults/v"
        )
    finally:
        server.dispose()


def test_a_wrong_root_key_is_refused_at_the_start(make_server):
    server = make_server("wrong-root", start=False)
    for content in (os.urandom(32), os.urandom(31), b"", b"\0" * 32 + b"\n"):
        server.root_key_file.chmod(0o600)
        server.root_key_file.write_bytes(content)
        result = server.command(
            [
                "serve",
                "--data-dir",
                str(server.data_dir),
                "--root-key-file",
                str(server.root_key_file),
                "--listen",
                "127.0.0.1:0",
            ],
            check=False,
            timeout=30,
        )
        assert result.returncode != 0 and "listening" not in result.stdout


def test_a_second_process_on_the_same_data_directory_is_refused(make_server):
    server = make_server("second")
    result = server.command(
        [
            "serve",
            "--data-dir",
            str(server.data_dir),
            "--root-key-file",
            str(server.root_key_file),
            "--listen",
            "127.0.0.1:0",
            "--operator-listen",
            "off",
        ],
        check=False,
        timeout=30,
    )
    assert result.returncode != 0 and "listening" not in result.stdout
    assert Wire(server).request("GET", "/-/vaults").status == 200


def test_a_newer_data_format_is_refused(make_server):
    server = make_server("newer", start=False)
    path = server.data_dir / "format.json"
    document = json.loads(path.read_text())
    document["version"] += 1
    path.chmod(0o600)
    path.write_text(json.dumps(document))
    result = server.command(
        [
            "serve",
            "--data-dir",
            str(server.data_dir),
            "--root-key-file",
            str(server.root_key_file),
            "--listen",
            "127.0.0.1:0",
        ],
        check=False,
        timeout=30,
    )
    assert result.returncode != 0 and "listening" not in result.stdout


def test_the_service_stops_with_status_zero_on_sigterm(make_server):
    server = make_server("stopping")
    assert server.stop() == 0


def test_every_log_line_is_json_with_a_level_and_no_secret(make_server):
    server = make_server("logging")
    wire = Wire(server)
    wire.create_vault("v")
    wire.upload_archive("v", b"body-that-nobody-logs", "description-that-nobody-logs")
    wire.request("GET", "/-/vaults/absent")
    wire.request("GET", "/-/vaults", secret="w" * 40)
    server.stop()
    records = server.log_records()
    assert records and all("level" in record and "message" in record for record in records)
    text = server.log_file.read_text()
    for secret in (server.account.secret, server.recovery_key, "body-that-nobody-logs", "description-that-nobody-logs"):
        assert secret not in text


def test_core_dumps_are_off(make_server):
    server = make_server("cores")
    limits = open(f"/proc/{server.pid}/limits").read()
    assert re.search(r"Max core file size\s+0\s+0\s", limits)


def test_health_and_metrics_are_on_the_operator_listener_only(make_server):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = make_server("operator", settings={"operator-listen": f"127.0.0.1:{port}"})
    wire = Wire(server)
    wire.create_vault("v")
    wire.upload_archive("v", b"counted")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert re.search(r"^coldvault_\w+(\{[^}]*\})? [0-9.e+]+$", text, re.MULTILINE)
    assert wire.request("GET", "/health").status == 400
    assert wire.request("GET", "/metrics").status == 400


def test_a_bad_setting_is_named_with_its_value(make_server):
    server = make_server("settings", start=False)
    result = server.command(
        [
            "serve",
            "--data-dir",
            str(server.data_dir),
            "--root-key-file",
            str(server.root_key_file),
            "--listen",
            "127.0.0.1:0",
            "--retrieval-delay",
            "standard=soon",
        ],
        check=False,
        timeout=30,
    )
    assert result.returncode != 0
    assert "soon" in result.stderr + result.stdout and "delay" in (result.stderr + result.stdout).lower()


def test_the_environment_and_a_file_configure_too_and_flags_win(make_server):
    server = make_server("precedence", start=False)
    config = server.folder / "coldvault.yaml"
    config.write_text("retrievalDelay: standard=1h\n")
    server.settings["config"] = str(config)
    server.start()
    wire = Wire(server)
    wire.create_vault("v")
    archive = wire.upload_archive("v", b"x")
    job = wire.start_job("v", Type="archive-retrieval", ArchiveId=archive)
    time.sleep(1)
    assert not wire.describe_job("v", job)["Completed"]
    server.stop()
    server.settings["retrieval-delay"] = "standard=0s"
    server.start()
    assert wire.finished_job("v", wire.start_job("v", Type="archive-retrieval", ArchiveId=archive))["Completed"]


def test_a_backup_of_the_catalog_and_of_the_keyring_is_made_on_a_running_service(make_server):
    server = make_server("backup")
    Wire(server).create_vault("v")
    target = server.folder / "backup"
    target.mkdir(mode=0o700)
    server.admin("backup", "create", "--to", str(target))
    names = sorted(path.name.split("-")[0] for path in target.iterdir())
    assert names == ["catalog", "keyring"]


def test_rotating_the_master_key_keeps_everything_readable(make_server):
    server = make_server("rotation")
    wire = Wire(server)
    wire.create_vault("v")
    archive = wire.upload_archive("v", b"sealed under version one")
    before = server.admin("key", "list")
    server.admin("key", "rotate")
    assert server.admin("key", "list") != before
    assert wire.retrieve("v", archive) == b"sealed under version one"
    after = wire.upload_archive("v", b"sealed after the rotation")
    server.restart()
    assert wire.retrieve("v", archive) == b"sealed under version one"
    assert wire.retrieve("v", after) == b"sealed after the rotation"
