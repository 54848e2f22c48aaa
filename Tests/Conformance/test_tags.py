# SPDX-License-Identifier: Apache-2.0
"""AddTagsToVault, RemoveTagsFromVault, ListTagsForVault: shapes, limits, characters, and that nothing happens on error."""

import json

import pytest

from Support.checks import assert_document, assert_error, assert_no_content, vault_arn

ME = ("--account-id", "-")
FULL = "The quota for the number of tags that can be assigned to this resource has been reached."


def add(wire, vault, tags, operation="add", **options):
    body = tags if isinstance(tags, bytes) else json.dumps({"Tags": tags}).encode()
    return wire.request("POST", f"/-/vaults/{vault}/tags?operation={operation}", body=body, **options)


def remove(wire, vault, keys, member="TagKeys"):
    return wire.request("POST", f"/-/vaults/{vault}/tags?operation=remove", body=json.dumps({member: keys}).encode())


def tags(wire, vault):
    return assert_document(wire.request("GET", f"/-/vaults/{vault}/tags"), ["Tags"])["Tags"]


def test_a_new_vault_has_no_tags(wire, vault):
    assert tags(wire, vault) == {}


def test_tags_are_added_overwritten_and_removed(wire, vault):
    assert_no_content(add(wire, vault, {"team": "films", "cost": "1/2"}))
    assert_no_content(add(wire, vault, {"team": "letters", "empty": ""}))
    assert tags(wire, vault) == {"cost": "1/2", "empty": "", "team": "letters"}
    assert_no_content(remove(wire, vault, ["cost", "never there"]))
    assert_no_content(remove(wire, vault, ["empty"], member="TagsKeys"))
    assert tags(wire, vault) == {"team": "letters"}


def test_keys_are_case_sensitive_and_may_hold_letters_of_any_script(wire, vault):
    wanted = {"Team": "a", "team": "b", "équipe": "Ünïcode 漢字", "a b_c.d/e=f+g-h@i": "_ . / = + - @"}
    assert_no_content(add(wire, vault, wanted))
    assert tags(wire, vault) == wanted


def test_a_vault_takes_fifty_tags_and_not_one_more(wire, vault):
    for start in range(0, 50, 10):
        assert_no_content(add(wire, vault, {f"key{index}": "v" * 255 for index in range(start, start + 10)}))
    assert_error(add(wire, vault, {"key50": "v", "key0": "changed"}), 400, "LimitExceededException", FULL)
    held = tags(wire, vault)
    assert len(held) == 50 and held["key0"] == "v" * 255
    assert_no_content(add(wire, vault, {"key0": "changed"}))
    assert_no_content(remove(wire, vault, ["key1"]))
    assert_no_content(add(wire, vault, {"key50": "v"}))
    assert len(tags(wire, vault)) == 50


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"": "v"},
        {"k" * 129: "v"},
        {"k": "v" * 256},
        {"aws:mine": "v"},
        {"k": None},
        {"k": 1},
        {"k\n": "v"},
        {"k": "a;b"},
        {"k": "\u0000"},
        {f"k{index}": "v" for index in range(11)},
    ],
    ids=lambda tags: json.dumps(tags)[:30],
)
def test_bad_tags_are_refused_and_nothing_is_added(wire, vault, wrong):
    assert_error(add(wire, vault, wrong), 400, "InvalidParameterValueException")
    assert tags(wire, vault) == {}


def test_the_longest_key_and_value_fit(wire, vault):
    wanted = {"é" * 128: "漢" * 255}
    assert_no_content(add(wire, vault, wanted))
    assert tags(wire, vault) == wanted


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"{\"Tags\": []}", b"{\"Tags\": \"a\"}", b"not json", b"{\"Tags\":" * 50])
def test_bodies_that_are_no_tags_are_refused(wire, vault, body):
    answer = add(wire, vault, body)
    assert answer.status == 400, answer
    assert answer.json["code"] in (
        "InvalidParameterValueException", "MissingParameterValueException", "SerializationException"
    )


@pytest.mark.parametrize("query", ["", "?operation=", "?operation=replace", "?operation=add&operation=remove"])
def test_other_operations_are_refused(wire, vault, query):
    answer = wire.request("POST", f"/-/vaults/{vault}/tags{query}", body=json.dumps({"TagKeys": ["a"]}).encode())
    assert answer.status == 400, answer


def test_an_absent_vault_has_no_tags_to_show(wire, server):
    for answer in (add(wire, "absent", {"k": "v"}), remove(wire, "absent", ["k"]), wire.request("GET", "/-/vaults/absent/tags")):
        expected = f"Vault not found for ARN: {vault_arn(server, 'absent')}"
        assert_error(answer, 404, "ResourceNotFoundException", expected)


def test_tags_survive_a_restart_and_go_with_the_vault(make_server):
    from Support.wire import Wire

    server = make_server("tags")
    wire = Wire(server)
    wire.create_vault("v")
    assert_no_content(add(wire, "v", {"secret-looking": "plain-tag-value"}))
    server.kill()
    server.start()
    assert tags(wire, "v") == {"secret-looking": "plain-tag-value"}
    for path in server.data_dir.rglob("*"):
        if path.is_file():
            assert b"plain-tag-value" not in path.read_bytes(), path
    assert wire.request("DELETE", "/-/vaults/v").status == 204
    wire.create_vault("v")
    assert tags(wire, "v") == {}


def test_boto3(glacier, vault):
    glacier.add_tags_to_vault(vaultName=vault, Tags={"a": "1", "b": "2"})
    glacier.remove_tags_from_vault(vaultName=vault, TagKeys=["a"])
    assert glacier.list_tags_for_vault(vaultName=vault)["Tags"] == {"b": "2"}


def test_the_aws_cli(aws, vault):
    assert aws("add-tags-to-vault", *ME, "--vault-name", vault, "--tags", "id=1234,date=july2015") is None
    assert aws("list-tags-for-vault", *ME, "--vault-name", vault) == {"Tags": {"id": "1234", "date": "july2015"}}
    assert aws("remove-tags-from-vault", *ME, "--vault-name", vault, "--tag-keys", "date", "x") is None
    assert aws("list-tags-for-vault", *ME, "--vault-name", vault) == {"Tags": {"id": "1234"}}
