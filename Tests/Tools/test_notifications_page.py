# SPDX-License-Identifier: Apache-2.0
"""The receiver on Docs/Operations/Notifications.md does what the page says, with the vectors of the envelope."""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def example():
    page = (ROOT / "Docs/Operations/Notifications.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) == 1
    names = {}
    exec(compile(blocks[0], "Notifications.md", "exec"), names)  # noqa: S102
    return names["verified"]


def cases():
    return json.loads((ROOT / "Tests/Vectors/envelope.json").read_text())["cases"]


def test_the_example_accepts_what_the_service_signs():
    verified = example()
    for case in cases():
        body, now = bytes.fromhex(case["envelope"]), case["attempt"] // 1000
        assert verified(body, case["signature"], case["secret"], now=now)
        assert verified(body, case["signature"] + ",v2=later", case["secret"], now=now + 300)


def test_the_example_refuses_everything_else():
    verified = example()
    for case in cases():
        body, now, signature = bytes.fromhex(case["envelope"]), case["attempt"] // 1000, case["signature"]
        other = ("00" if case["secret"][:2] != "00" else "01") + case["secret"][2:]
        assert not verified(body + b" ", signature, case["secret"], now=now)
        assert not verified(body, signature, other, now=now)
        assert not verified(body, signature, case["secret"], now=now + 301)
        assert not verified(body, signature.replace("t=", "t=1"), case["secret"], now=now)
        for broken in ["", "t=,v1=", "t=-1,v1=00", "t=١,v1=00", "v1=00", signature.split(",")[0], signature[:-1] + "é"]:
            assert not verified(body, broken, case["secret"], now=now), broken
