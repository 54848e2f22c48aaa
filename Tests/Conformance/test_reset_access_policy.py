# SPDX-License-Identifier: Apache-2.0
"""The way back in for an owner whom an access policy shuts out, which is none past a lock."""

import json

from Support.checks import vault_arn
from Support.identity import deny, policy
from Support.wire import Wire


def body(*statements):
    return json.dumps({"Policy": json.dumps(policy(*statements))}).encode()


def reset(server, vault, check=True):
    return server.admin(
        "vault", "reset-access-policy", vault, "--region", server.region, "--account-id", server.account.number, check=check
    )


def test_the_operator_lets_a_shut_out_owner_back_in(make_server):
    server = make_server("reset")
    wire = Wire(server)
    wire.create_vault("shut")
    everything = body(deny("glacier:*", vault_arn(server, "shut"), Principal="*"))
    assert wire.request("PUT", "/-/vaults/shut/access-policy", body=everything).status == 204
    for method, target in [("GET", ""), ("GET", "/access-policy"), ("DELETE", "/access-policy")]:
        assert wire.request(method, f"/-/vaults/shut{target}").status == 403
    for _ in range(2):  # Again changes nothing.
        assert reset(server, "shut") == {"vaultArn": vault_arn(server, "shut")}
    assert wire.request("GET", "/-/vaults/shut").status == 200
    assert wire.request("GET", "/-/vaults/shut/access-policy").status == 404


def test_a_lock_stays_in_force(make_server):
    server = make_server("reset-locked")
    wire = Wire(server)
    wire.create_vault("kept")
    archive = wire.upload_archive("kept", b"kept")
    lock = body(deny("glacier:DeleteArchive", vault_arn(server, "kept"), Principal="*"))
    answer = wire.request("POST", "/-/vaults/kept/lock-policy", body=lock)
    assert answer.status == 201
    done = wire.request("POST", f"/-/vaults/kept/lock-policy/{answer.header('x-amz-lock-id')}")
    assert done.status == 204
    reset(server, "kept")
    assert wire.request("GET", "/-/vaults/kept/lock-policy").json["State"] == "Locked"
    assert wire.request("DELETE", f"/-/vaults/kept/archives/{archive}").status == 403


def test_an_unknown_vault_is_said_to_be_unknown(server):
    answer = reset(server, "nothing-here", check=False)
    assert answer.returncode != 0 and "nothing-here" in answer.stderr
