#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes Tests/Vectors/envelope.json from Docs/Formats/Envelope-v1.md, with Python's own JSON and HMAC.

    Tests/Tools/make_envelope_vectors.py > Tests/Vectors/envelope.json
"""

import datetime
import hashlib
import hmac
import json
import sys

CASES = [
    ("00112233445566770000000000000001", "arn:aws:sns:us-east-1:123456789012:ready", "ArchiveRetrievalCompleted",
     '{"Action":"ArchiveRetrieval","JobId":"j"}', 1_767_323_045_678, bytes(range(32)), 1_767_323_046_999),
    ("ffffffffffffffffffffffffffffffff", "arn:aws:sns:eu-central-1:000000000001:A_b-9", "InventoryRetrievalCompleted",
     '{"JobDescription":"Umlaut ä, quote \\", tab \\t, \U0001f600"}', 0, bytes(32), 0),
    ("0123456789abcdef0123456789abcdef", "arn:aws:sns:us-west-2:999999999999:t", "Test", "\x00\x1f\x7f\n\r\b\f\\/", 1,
     b"\xff" * 32, 253_402_300_799_999),
]


def moment(milliseconds):
    epoch = datetime.datetime(1970, 1, 1)
    return (epoch + datetime.timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds") + "Z"


def vector(message_id, topic, subject, message, created, secret, attempt):
    envelope = json.dumps(
        {"Message": message, "MessageId": message_id, "Subject": subject, "Timestamp": moment(created), "TopicArn": topic,
         "Type": "Notification"}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    seconds = str(attempt // 1000)
    code = hmac.new(secret, seconds.encode() + b"." + envelope, hashlib.sha256).hexdigest()
    name = f"{moment(created).replace('-', '').replace(':', '')}-{message_id}.json"
    return {"messageId": message_id, "topic": topic, "subject": subject, "message": message, "created": created,
            "secret": secret.hex(), "attempt": attempt, "envelope": envelope.hex(), "signature": f"t={seconds},v1={code}",
            "fileName": name}


json.dump({"cases": [vector(*case) for case in CASES]}, sys.stdout, indent=1, ensure_ascii=True)
print()
