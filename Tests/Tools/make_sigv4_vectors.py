#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes Tests/Vectors/sigv4.json: requests signed by botocore, the SDK most callers use, and requests that must fail.

    python3 Tests/Tools/make_sigv4_vectors.py > Tests/Vectors/sigv4.json

Needs botocore (made with 1.43). The output is deterministic. Each case holds the request exactly as it goes over the
wire, the texts botocore calculated, and what a verifier must make of it: verified, or the kind of failure.
"""
import datetime
import hashlib
import json
import sys
import uuid
from unittest import mock

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session
from botocore.utils import percent_encode_sequence

ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEBYaDExample//////////+token=="
REGION, SERVICE = "us-east-1", "glacier"
NOW = datetime.datetime(2026, 3, 1, 12, 34, 56)
EPOCH = int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp())
EMPTY = hashlib.sha256(b"").hexdigest()
HOST = "http://glacier.us-east-1.amazonaws.com"
cases = []


def case(name, method, target, headers, body, sts=None, canonical=None, expect="verified", now=EPOCH, message=None,
         secret=SECRET, resign=False):
    cases.append({
        "name": name, "method": method, "target": target, "headers": [list(h) for h in headers],
        "bodySHA256": hashlib.sha256(body).hexdigest(), "secret": secret, "region": REGION, "service": SERVICE,
        "now": now, "expect": expect, "canonicalRequest": canonical, "stringToSign": sts, "message": message,
        "resign": resign,
    })


def sign(method, target, headers=(), body=b"", host=HOST, token=None, query_auth=None, region=REGION,
         service=SERVICE, secret=SECRET):
    """Signs with botocore; returns (target, wire headers, canonical request, string to sign)."""
    request = botocore.awsrequest.AWSRequest(method=method, url=host + target, data=body)
    for name, value in headers:
        request.headers[name] = value
    credentials = botocore.credentials.Credentials(ACCESS, secret, token)
    if query_auth:
        signer = botocore.auth.SigV4QueryAuth(credentials, service, region, expires=query_auth)
    else:
        signer = botocore.auth.SigV4Auth(credentials, service, region)
    seen = {}
    original = signer.string_to_sign

    def string_to_sign(request, canonical):
        seen["canonical"], seen["sts"] = canonical, original(request, canonical)
        return seen["sts"]

    signer.string_to_sign = string_to_sign
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *a, **k: NOW):
        signer.add_auth(request)
    wire = [("Host", botocore.auth._host_from_url(host + target))]
    wire += [(n, v) for n, v in request.headers.items()]
    return request.url[len(host):], wire, seen["canonical"], seen["sts"]


def good(name, method, target, headers=(), body=b"", resign=True, **options):
    target, wire, canonical, sts = sign(method, target, headers, body, **options)
    case(name, method, target, wire, body, sts, canonical, resign=resign and "query_auth" not in options)


VERSION = [("x-amz-glacier-version", "2012-06-01")]


def signed_by_hand():
    good("plain put of a vault", "PUT", "/-/vaults/examplevault", VERSION)
    good("account number in the path", "GET", "/123456789012/vaults/a.b_c-d", VERSION)
    good("root path", "GET", "/", VERSION)
    good("empty path and query", "GET", "", VERSION)
    good("percent-encoded space in the path", "GET", "/-/vaults/a%20b", VERSION)
    good("percent-encoded slash in the path", "GET", "/-/vaults/a%2Fb", VERSION)
    good("lower-case escapes in the path", "GET", "/-/vaults/%c3%a9", VERSION)
    good("unicode path, encoded", "GET", "/-/vaults/%E1%88%B4%F0%9F%97%84", VERSION)
    good("unicode path, raw bytes", "GET", "/-/vaults/\u1234", VERSION)
    good("combining mark, raw bytes", "GET", "/-/vaults/e\u0301", VERSION)
    good("double slashes", "GET", "//-//vaults///photos", VERSION)
    good("trailing slash", "GET", "/-/vaults/photos/", VERSION)
    good("trailing double slash", "GET", "/-/vaults/photos//", VERSION)
    good("single dots", "GET", "/./-/vaults/./photos/.", VERSION)
    good("double dots", "GET", "/-/vaults/photos/../music", VERSION)
    good("double dots above the root", "GET", "/../../-/vaults", VERSION)
    good("double dots to the root", "GET", "/-/..", VERSION)
    good("double dots and slash to the root", "GET", "/-/../", VERSION)
    good("encoded dots are no dot segments", "GET", "/-/vaults/%2E%2E/x", VERSION)
    good("three dots are a name", "GET", "/-/vaults/.../x", VERSION)
    good("reserved characters in the path", "GET", "/-/va!u'l(t)s*/a;b=c,d:e@f&g+h$", VERSION)
    good("query without value", "POST", "/-/vaults/v/tags?operation", VERSION)
    good("query with empty value", "POST", "/-/vaults/v/tags?operation=", VERSION)
    good("query out of order", "GET", "/-/vaults?marker=b&limit=10&Marker=a", VERSION)
    good("query names repeated", "GET", "/-/vaults?a=2&a=10&a=1&a", VERSION)
    good("query names one the prefix of another", "GET", "/-/vaults?ab=1&a=2&a-b=3&a1=4", VERSION)
    good("query with encoded ARN", "GET", "/-/vaults?" + percent_encode_sequence(
        {"marker": "arn:aws:glacier:us-east-1:123456789012:vaults/photos", "limit": "10"}), VERSION)
    good("query with space, plus, percent and unicode", "GET", "/-/vaults?" + percent_encode_sequence(
        {"k e+y": "v%a l&u=e", "\u1234": "\u00fc", "~-_.": "~-_."}), VERSION)
    good("lone ampersands", "GET", "/-/vaults?a=1&&b=2&", VERSION)
    good("question mark without query", "GET", "/-/vaults?", VERSION)
    good("host with a port", "GET", "/-/vaults", VERSION, host="http://127.0.0.1:9080")
    good("host with the default port left out", "GET", "/-/vaults", VERSION, host="http://vault.example:80")
    good("other host over TLS", "GET", "/-/vaults", VERSION, host="https://vault.example")
    good("value with blanks to fold", "POST", "/-/vaults/v/archives",
         VERSION + [("x-amz-archive-description", "  two  blanks,   three \t tab  ")])
    good("quotes do not protect blanks", "POST", "/-/vaults/v/archives",
         VERSION + [("x-amz-archive-description", '"a   b   c"')])
    good("empty header value", "POST", "/-/vaults/v/archives", VERSION + [("x-amz-archive-description", "")])
    good("repeated header", "GET", "/-/vaults", VERSION + [("my-h", "value4"), ("my-h", " value1"), ("My-H", "value3 ")])
    good("header name order", "GET", "/-/vaults",
         VERSION + [("x-b", "1"), ("x-a-b", "2"), ("x-a", "3"), ("X-A1", "4")])
    good("hop-by-hop headers stay unsigned", "GET", "/-/vaults", VERSION + [
        ("Connection", "keep-alive"), ("Expect", "100-continue"), ("User-Agent", "x/1"), ("TE", "trailers")])
    good("signed content type and length", "POST", "/-/vaults/v/jobs", VERSION + [
        ("content-type", "application/x-amz-json-1.0"), ("content-length", "21")], b'{"Type":"inventory"}\n')
    good("date header instead of x-amz-date", "GET", "/-/vaults",
         VERSION + [("Date", "overwritten by botocore")], resign=False)
    good("session token", "GET", "/-/vaults", VERSION, token=TOKEN)
    body = b"Welcome to Coldvault."
    good("stated body hash", "POST", "/-/vaults/v/archives", VERSION + [
        ("x-amz-content-sha256", hashlib.sha256(body).hexdigest()),
        ("x-amz-sha256-tree-hash", hashlib.sha256(body).hexdigest())], body)
    upper = hashlib.sha256(body).hexdigest().upper()
    good("stated body hash in upper case", "POST", "/-/vaults/v/archives",
         VERSION + [("x-amz-content-sha256", upper)], body, resign=False)
    good("presigned", "GET", "/-/vaults/v/jobs/j/output", (), query_auth=3600)
    good("presigned with a query of its own", "GET", "/-/vaults?limit=5&marker=a%2Fb", (), query_auth=60)
    good("presigned with a session token and headers", "GET", "/-/vaults", VERSION, query_auth=604800, token=TOKEN)
    good("presigned deletion", "DELETE", "/-/vaults/v/archives/" + "A" * 138, VERSION, query_auth=3600)


def sent_by_a_client():
    """What a real botocore Glacier client puts on the wire."""
    session = botocore.session.Session()
    client = session.create_client(
        SERVICE, region_name=REGION, endpoint_url="http://127.0.0.1:9080", aws_access_key_id=ACCESS,
        aws_secret_access_key=SECRET)
    sent = []

    def capture(request, **_):
        sent.append(request)
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, None)

    client.meta.events.register("before-send.glacier", capture)
    text = lambda value: value.decode() if isinstance(value, bytes) else str(value)

    def call(name, operation, **arguments):
        sent.clear()
        seen = []
        original = botocore.auth.SigV4Auth.string_to_sign

        def string_to_sign(self, request, canonical):
            seen[:] = [canonical, original(self, request, canonical)]
            return seen[1]

        with mock.patch.object(botocore.auth, "get_current_datetime", lambda *a, **k: NOW), \
                mock.patch.object(uuid, "uuid4", lambda: uuid.UUID(int=1)), \
                mock.patch.object(botocore.auth.SigV4Auth, "string_to_sign", string_to_sign):
            try:
                getattr(client, operation)(**arguments)
            except Exception:  # the canned answer suits no operation; only the request matters
                pass
        request = sent[0]
        body = request.body or b""
        body = body.read() if hasattr(body, "read") else body
        body = body.encode() if isinstance(body, str) else bytes(body)
        headers = [("Host", "127.0.0.1:9080")] + [
            (n, "botocore" if n.lower() == "user-agent" else text(v)) for n, v in request.headers.items()]
        case("client: " + name, request.method, request.url[len("http://127.0.0.1:9080"):], headers, body, seen[1],
             seen[0])

    call("create vault", "create_vault", vaultName="photos")
    call("list vaults", "list_vaults", limit="10", marker="arn:aws:glacier:us-east-1:123456789012:vaults/a")
    call("upload archive", "upload_archive", vaultName="photos", archiveDescription="my  first\tarchive",
         body=b"x" * 100)
    call("upload part", "upload_multipart_part", vaultName="photos", uploadId="u" * 92,
         range="bytes 0-1048575/*", body=b"y" * 1048576)
    call("initiate job", "initiate_job", vaultName="photos", jobParameters={"Type": "inventory-retrieval"})
    call("add tags", "add_tags_to_vault", vaultName="photos", Tags={"a": "b"})
    call("delete archive", "delete_archive", vaultName="photos", archiveId="A" * 138)
    call("part of an output", "get_job_output", vaultName="photos", jobId="j" * 92, range="bytes=0-1048575")


def bad():
    target, wire, canonical, sts = sign("PUT", "/-/vaults/photos", VERSION + [("x-amz-archive-description", "d")])
    wire = [tuple(h) for h in wire]
    authorization = dict(wire)["Authorization"]

    def fail(name, expect, message=None, target=target, headers=wire, method="PUT", body=b"", now=EPOCH,
             secret=SECRET):
        case("must fail: " + name, method, target, headers, body, expect=expect, message=message, now=now,
             secret=secret)

    def replaced(name, value):
        return [(n, value if n.lower() == name.lower() else v) for n, v in wire]

    def without(name):
        return [(n, v) for n, v in wire if n.lower() != name.lower()]

    def auth(old, new):
        assert old in authorization, old
        return replaced("Authorization", authorization.replace(old, new))

    mismatch_text = "The request signature we calculated does not match the signature you provided."
    fail("other method", "mismatch", mismatch_text, method="DELETE")
    fail("other path", "mismatch", target="/-/vaults/photo")
    fail("query added", "mismatch", target=target + "?a=1")
    fail("body added", "mismatch", body=b"x")
    fail("other secret", "mismatch", secret=SECRET[:-1] + "Z")
    fail("signed header changed", "mismatch", headers=replaced("x-amz-archive-description", "e"))
    fail("signed header repeated", "mismatch", headers=wire + [("x-amz-archive-description", "d")])
    fail("host changed", "mismatch", headers=replaced("Host", "vault.example"))
    fail("date changed", "mismatch", headers=replaced("X-Amz-Date", "20260301T123457Z"))
    fail("scope of another accepted region", "mismatch", headers=auth("/us-east-1/", "/us-west-2/"))
    fail("header dropped from the list", "mismatch", headers=auth("x-amz-archive-description;", ""))
    signature = authorization[-64:]
    fail("last digit of the signature", "mismatch",
         headers=auth(signature, signature[:-1] + ("0" if signature[-1] != "0" else "1")))
    fail("signature in upper case", "mismatch", headers=auth(signature, signature.upper()))
    fail("signature truncated", "mismatch", headers=auth(signature, signature[:-2]))
    fail("no authentication", "missing", "Missing Authentication Token", headers=without("Authorization"))
    fail("two headers", "incomplete", headers=wire + [("Authorization", authorization)])
    fail("other scheme", "incomplete", headers=replaced("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))
    fail("other algorithm", "incomplete", headers=auth("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"))
    fail("scheme only, no date", "incomplete",
         "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
         "Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either "
         "a 'X-Amz-Date' or a 'Date' header.",
         headers=[(n, "AWS4-HMAC-SHA256" if n == "Authorization" else v) for n, v in without("X-Amz-Date")])
    fail("no credential", "incomplete", "Authorization header requires 'Credential' parameter.",
         headers=replaced("Authorization", "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=" + signature))
    fail("no signature", "incomplete", "Authorization header requires 'Signature' parameter.",
         headers=auth(", Signature=" + signature, ""))
    fail("empty signature", "incomplete", "Authorization header requires 'Signature' parameter.",
         headers=auth(signature, ""))
    fail("no signed headers", "incomplete", "Authorization header requires 'SignedHeaders' parameter.",
         headers=replaced("Authorization", authorization.split(", ")[0] + ", Signature=" + signature))
    fail("no equal-sign", "incomplete", "'x' not a valid key=value pair (missing equal-sign) in Authorization header.",
         headers=auth(", Signature=", ", x, Signature="))
    fail("parameter repeated", "incomplete", headers=auth(", Signature=", ", Signature=0, Signature="))
    fail("parameter unknown", "incomplete", headers=auth(", Signature=", ", Extra=0, Signature="))
    fail("credential of four parts", "incomplete", "Credential must have exactly 5 slash-delimited elements",
         headers=auth("/aws4_request", ""))
    fail("credential of six parts", "incomplete", "Credential must have exactly 5 slash-delimited elements",
         headers=auth("/aws4_request", "/x/aws4_request"))
    fail("empty access key", "incomplete", headers=auth(ACCESS, ""))
    fail("other terminator", "incomplete", "Credential should be scoped with a valid terminator: 'aws4_request', "
         "not 'aws5_request'.", headers=auth("aws4_request", "aws5_request"))
    fail("scope date of letters", "incomplete", headers=auth("/20260301/", "/2026030a/"))
    fail("signed headers unsorted", "incomplete", "SignedHeaders must be sorted",
         headers=auth("host;x-amz-archive-description", "x-amz-archive-description;host"))
    fail("signed header twice", "incomplete", "SignedHeaders must be sorted and must not repeat",
         headers=auth("SignedHeaders=host", "SignedHeaders=host;host"))
    fail("signed header in upper case", "incomplete", headers=auth("SignedHeaders=host", "SignedHeaders=Host"))
    fail("signed headers with an empty name", "incomplete", headers=auth("SignedHeaders=host", "SignedHeaders=;host"))
    many = ";".join(["host"] + [f"x{i:03}" for i in range(100)])
    fail("101 signed headers", "incomplete", "more than 100",
         headers=auth("host;x-amz-archive-description;x-amz-date;x-amz-glacier-version", many))
    fail("oversize header", "incomplete", "longer than 8192 bytes",
         headers=auth(", Signature=", " " * 8192 + ", Signature="))
    fail("host not signed", "invalid", "'Host' must be a 'SignedHeader' in the AWS Authorization.",
         headers=auth("SignedHeaders=host;", "SignedHeaders="))
    fail("signed header absent", "invalid", "The signed header 'x-amz-archive-description' is not present",
         headers=without("x-amz-archive-description"))
    fail("no host header", "invalid", headers=without("Host"))
    fail("two host headers", "invalid", headers=wire + [("Host", "vault.example")])
    fail("date of another form", "incomplete", "Date must be in ISO-8601 'basic format'. Got '2026-03-01T12:34:56Z'.",
         headers=replaced("X-Amz-Date", "2026-03-01T12:34:56Z"))
    fail("date that does not exist", "incomplete", headers=replaced("X-Amz-Date", "20260230T123456Z"))
    fail("date twice", "incomplete", headers=wire + [("X-Amz-Date", "20260301T123456Z")])
    fail("clock 5 minutes and 1 second ahead", "invalid",
         "Signature expired: 20260301T123456Z is now earlier than 20260301T123457Z (20260301T123957Z - 5 min.)",
         now=EPOCH + 301)
    fail("clock 5 minutes and 1 second behind", "invalid",
         "Signature not yet current: 20260301T123456Z is still later than 20260301T123455Z "
         "(20260301T122955Z + 5 min.)", now=EPOCH - 301)
    fail("body differs from the stated hash", "invalid",
         "The value passed in as x-amz-content-sha256 does not match the computed payload hash. Computed digest: "
         + hashlib.sha256(b"two").hexdigest() + " expected hash: " + hashlib.sha256(b"one").hexdigest(),
         target="/-/vaults/v/archives", method="POST", body=b"two", headers=sign(
             "POST", "/-/vaults/v/archives",
             VERSION + [("x-amz-content-sha256", hashlib.sha256(b"one").hexdigest())], b"one")[1])
    fail("stated hash is no hash", "invalid", "must be the SHA-256 hash of the payload",
         headers=sign("PUT", target, VERSION + [("x-amz-content-sha256", "UNSIGNED-PAYLOAD")])[1])

    def scoped(name, message, **options):
        fail(name, "invalid", message, headers=sign("PUT", target, VERSION, **options)[1])

    scoped("other service", "Credential should be scoped to correct service: 'glacier'. ", service="s3")
    scoped("other region", "Credential should be scoped to a valid region, not 'mars-1'. ", region="mars-1")
    scoped("other region and service", "Credential should be scoped to a valid region, not 'mars-1'. "
           "Credential should be scoped to correct service: 'glacier'. ", region="mars-1", service="s3")
    fail("scope of another day", "invalid", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
         "date from HTTP: '20260228' != '20260301', from '20260301T123456Z'.",
         headers=auth("/20260301/", "/20260228/"))

    presigned, headers, _, _ = sign("GET", "/-/vaults", (), query_auth=3600)

    def refuse(name, expect, message=None, old="", new="", headers=headers, now=EPOCH):
        assert old in presigned
        case("must fail: presigned, " + name, "GET", presigned.replace(old, new), headers, b"", expect=expect,
             message=message, now=now)

    refuse("expired", "invalid", "Signature expired: 20260301T123456Z is now earlier than 20260301T123457Z "
           "(20260301T133457Z - 60 min.)", now=EPOCH + 3601)
    refuse("not yet valid", "invalid", "Signature not yet current", now=EPOCH - 301)
    refuse("longer life", "mismatch", old="X-Amz-Expires=3600", new="X-Amz-Expires=3601")
    refuse("life of zero", "incomplete", old="X-Amz-Expires=3600", new="X-Amz-Expires=0")
    refuse("life above seven days", "incomplete", old="X-Amz-Expires=3600", new="X-Amz-Expires=604801")
    refuse("negative life", "incomplete", old="X-Amz-Expires=3600", new="X-Amz-Expires=-1")
    refuse("parameter missing", "incomplete", "AWS query-string parameters must include 'X-Amz-Expires'.",
           old="&X-Amz-Expires=3600")
    refuse("parameter twice", "incomplete", old="&X-Amz-Expires=3600", new="&X-Amz-Expires=3600&X-Amz-Expires=3600")
    refuse("signature twice", "incomplete", old="&X-Amz-Signature=", new="&X-Amz-Signature=0&X-Amz-Signature=")
    refuse("parameter added", "mismatch", old="?", new="?limit=1&")
    refuse("other algorithm", "incomplete", old="AWS4-HMAC-SHA256", new="AWS4-HMAC-SHA1")
    refuse("and a header", "incomplete", headers=headers + [("Authorization", authorization)])


signed_by_hand()
sent_by_a_client()
bad()
assert len({c["name"] for c in cases}) == len(cases)
json.dump({"comment": "Made by Tests/Tools/make_sigv4_vectors.py; do not edit.", "cases": cases}, sys.stdout, indent=1)
sys.stdout.write("\n")
