// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Testing

@testable import RequestSignature

/// The rules of canonical paths, queries and headers, one by one.
@Suite struct CanonicalFormTests {
    @Test(arguments: [
        ("", "/"), ("/", "/"), ("//", "/"), ("/.", "/"), ("/./", "/"), ("/..", "/"), ("/../", "/"), ("/../..", "/"),
        ("/a", "/a"), ("/a/", "/a/"), ("/a//", "/a/"), ("//a", "/a"), ("/a//b", "/a/b"), ("/a/./b", "/a/b"),
        ("/a/../b", "/b"), ("/a/b/..", "/a"), ("/a/b/../", "/a/"), ("/a/..", "/"), ("/../a", "/a"), ("/.a", "/.a"),
        ("/..a/b..", "/..a/b.."), ("/...", "/..."), ("/%2e%2e/a", "/%2e%2e/a"), ("/a?b/../c", "/a"), ("a/b", "a/b"),
    ])
    func pathsAreNormalized(_ target: String, _ normalized: String) {
        #expect(WireTarget(target).normalizedPath == normalized)
    }

    @Test(arguments: [
        ("/a%20b", "/a%2520b"), ("/a b", "/a%20b"), ("/-._~", "/-._~"), ("/a+b", "/a%2Bb"), ("/ü", "/%C3%BC"),
        ("/e\u{301}", "/e%CC%81"), ("/\u{e9}", "/%C3%A9"),
    ])
    func thePathIsEncodedOnceMore(_ path: String, _ encoded: String) {
        let canonical = CanonicalRequest(
            method: "get", target: WireTarget(path), excludingSignature: false, headers: HeaderTable([]),
            signedHeaders: [])
        #expect(canonical.head == "GET\n\(encoded)\n\n\n\n")
    }

    @Test(arguments: [
        ("/", ""), ("/?", ""), ("/?a", "a="), ("/?a=", "a="), ("/?a=b=c", "a=b%3Dc"), ("/?b=1&a=2", "a=2&b=1"),
        ("/?a=2&a=10&a=1", "a=1&a=10&a=2"), ("/?a=%2f", "a=%2F"), ("/?a=/", "a=%2F"), ("/?a=%7E", "a=~"),
        ("/?a=x%20y", "a=x%20y"), ("/?a=x+y", "a=x%2By"), ("/?a=x y", "a=x%20y"), ("/?%61=1", "a=1"),
        ("/?a=%", "a=%25"), ("/?a=%4", "a=%254"), ("/?a=%zz", "a=%25zz"), ("/?a=1?b=2", "a=1%3Fb%3D2"),
        ("/?A=1&a=2&_=3", "A=1&_=3&a=2"), ("/?a-b=1&a=2&a.b=3", "a=2&a-b=1&a.b=3"), ("/?&", "=&="), ("/?=1", "=1"),
        ("/?ሴ=bar", "%E1%88%B4=bar"), ("/?a=%FF", "a=%FF"), ("/?X-Amz-Signature=1", "X-Amz-Signature=1"),
    ])
    func queriesAreDecodedEncodedAndSorted(_ target: String, _ canonical: String) {
        #expect(WireTarget(target).canonicalQuery(excludingSignature: false) == canonical)
    }

    @Test func onlyTheSignatureIsLeftOutOfAPresignedQuery() {
        let target = WireTarget("/?b=1&X-Amz-Signature=00&a=2&X-Amz-SignatureX=3&%58-Amz-Signature=4")
        #expect(target.canonicalQuery(excludingSignature: true) == "X-Amz-SignatureX=3&a=2&b=1")
    }

    @Test(arguments: [
        ("a", "a"), ("  a  ", "a"), ("a   b", "a b"), ("a \t b", "a b"), ("\ta\t", "a"), ("", ""), ("   ", ""),
        ("\"a   b\"", "\"a b\""), ("a\r\n  b", "a b"), ("a\u{a0}\u{a0}b", "a\u{a0}\u{a0}b"), ("a , b", "a , b"),
    ])
    func headerValuesAreFoldedByTheASCIIRule(_ value: String, _ folded: String) {
        #expect(HeaderTable([(name: "x", value: value)]).joined("x") == folded)
    }

    @Test func repeatedHeadersAreJoinedInTheOrderReceived() {
        let table = HeaderTable([
            (name: "My-H", value: " value4 "), (name: "other", value: "x"), (name: "my-h", value: "value1"),
            (name: "MY-H", value: ""),
        ])
        #expect(table.joined("my-h") == "value4,value1,")
        #expect(table.joined("absent") == nil)
    }

    @Test func theMethodIsSignedInUpperCase() throws {
        let lower = try Example.signer().sign(
            Example.request("get"), payloadHash: Example.emptyDigest, at: Example.now)
        let upper = try Example.signer().sign(
            Example.request("GET"), payloadHash: Example.emptyDigest, at: Example.now)
        #expect(lower.last?.value == upper.last?.value)
    }
}
