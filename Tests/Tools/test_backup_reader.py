# SPDX-License-Identifier: Apache-2.0
"""The stand-alone reader against Tests/Vectors/backup.json, which another program made."""

import json
import pathlib
import subprocess
import sys

import pytest

TOOLS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TOOLS))

import coldvault_reader as reader  # noqa: E402

VECTORS = json.loads((TOOLS.parent / "Vectors" / "backup.json").read_text())


def opened(tmp_path, data, private=None):
    path = tmp_path / "backup"
    path.write_bytes(bytes.fromhex(data))
    backup = reader.Backup(path)
    return backup.payload(bytes.fromhex(private)) if private else backup


@pytest.mark.parametrize("key", VECTORS["keys"], ids=lambda key: key["id"][:8])
def test_each_recipient_opens_the_vector(tmp_path, key):
    assert opened(tmp_path, VECTORS["catalog"]["file"], key["private"]).hex() == VECTORS["catalog"]["payload"]
    assert reader.recovery_key(key["text"], "CVBK1", b"coldvault/backup-key/v1").hex() == key["private"]


@pytest.mark.parametrize("case", VECTORS["mustFail"], ids=lambda case: case["name"])
def test_what_is_wrong_without_a_key_is_named(tmp_path, case):
    with pytest.raises(reader.FormatError) as error:
        opened(tmp_path, case["file"])
    assert error.value.failure == case["error"]


@pytest.mark.parametrize("case", VECTORS["mustFailToOpen"], ids=lambda case: case["name"])
def test_what_only_opening_finds_is_named(tmp_path, case):
    with pytest.raises(reader.FormatError) as error:
        opened(tmp_path, case["file"], VECTORS["keys"][0]["private"])
    assert error.value.failure == case["error"]


def test_the_command_writes_what_the_backup_holds(tmp_path):
    (tmp_path / "backup").write_bytes(bytes.fromhex(VECTORS["keyring"]["file"]))
    (tmp_path / "key").write_text(VECTORS["keys"][0]["text"] + "\n")
    command = [sys.executable, TOOLS / "coldvault_reader.py", "backup", "--file", tmp_path / "backup"]
    assert "keyring" in subprocess.run(command, check=True, capture_output=True, text=True).stdout
    subprocess.run([*command, "--backup-key-file", tmp_path / "key", "--output", tmp_path / "out"], check=True)
    assert (tmp_path / "out").read_text() == VECTORS["keyring"]["document"]
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600
