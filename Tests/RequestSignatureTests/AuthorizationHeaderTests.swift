// SPDX-License-Identifier: Apache-2.0

import RequestSignature
import Testing

@Suite struct AuthorizationHeaderTests {
    private let credential = "Credential=AKID/20260301/us-east-1/glacier/aws4_request"
    private let names = "SignedHeaders=host;x-amz-date"
    private let signature = "Signature=abc"

    @Test func thePartsMayComeInAnyOrderAndWithAnyBlanks() throws {
        let expected = try AuthorizationHeader(parsing: "AWS4-HMAC-SHA256 \(credential), \(names), \(signature)")
        #expect(expected.accessKeyID == "AKID")
        #expect(expected.scope == CredentialScope(date: "20260301", region: "us-east-1", service: "glacier"))
        #expect(expected.signedHeaders == ["host", "x-amz-date"])
        #expect(expected.signature == "abc")
        let orders = [
            [credential, names, signature], [credential, signature, names], [names, credential, signature],
            [names, signature, credential], [signature, credential, names], [signature, names, credential],
        ]
        for order in orders {
            for separator in [",", ", ", " , ", ",\t"] {
                let value = " AWS4-HMAC-SHA256  " + order.joined(separator: separator) + " "
                #expect(try AuthorizationHeader(parsing: value) == expected)
            }
        }
    }

    @Test func theLongestHeaderIsParsedAndOneByteMoreIsNot() throws {
        let value = "AWS4-HMAC-SHA256 \(credential), \(names), \(signature)"
        let padding = SignatureLimits.authorizationBytes - value.utf8.count
        let longest = value.replacing(", ", with: "," + String(repeating: " ", count: padding + 1), maxReplacements: 1)
        #expect(longest.utf8.count == SignatureLimits.authorizationBytes)
        _ = try AuthorizationHeader(parsing: longest)
        #expect(throws: SignatureError.self) { try AuthorizationHeader(parsing: longest + " ") }
    }

    @Test func oneHundredSignedHeadersAreParsedAndOneMoreIsNot() throws {
        func value(_ count: Int) -> String {
            let list = (0..<count).map { "x" + String($0 + 1_000) }.joined(separator: ";")
            return "AWS4-HMAC-SHA256 \(credential), SignedHeaders=\(list), \(signature)"
        }
        #expect(try AuthorizationHeader(parsing: value(100)).signedHeaders.count == 100)
        #expect(throws: SignatureError.self) { try AuthorizationHeader(parsing: value(101)) }
    }

    @Test func allThatIsMissingIsListedAtOnce() {
        #expect(
            throws: SignatureError.incomplete(
                "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' "
                    + "parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header "
                    + "requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        ) { try AuthorizationHeader(parsing: "AWS4-HMAC-SHA256", dateMissing: true) }
    }

    @Test(arguments: ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Bearer hunter2hunter2", "AWS AKID:hunter2"])
    func anotherSchemesSecretIsNeverQuoted(_ value: String) throws {
        let error = #expect(throws: SignatureError.self) { try AuthorizationHeader(parsing: value) }
        let secret = try #require(value.split(separator: " ").last)
        #expect(error?.message.contains(secret) == false)
    }

    @Test(arguments: ["", " ", "AWS4-HMAC-SHA256,", "aws4-hmac-sha256 x=y", "AWS4-HMAC-SHA256Credential=x", "\u{0}"])
    func anythingElseIsIncomplete(_ value: String) {
        let error = #expect(throws: SignatureError.self) { try AuthorizationHeader(parsing: value) }
        #expect(error?.code == .incompleteSignature)
    }

    @Test(arguments: ["host;", ";host", "host;;x", "ho st", "host,x", "hóst", "Host", "x;host", "host;host"])
    func aListOfSignedHeadersHasOneFormOnly(_ list: String) {
        #expect(throws: SignatureError.self) {
            try AuthorizationHeader(parsing: "AWS4-HMAC-SHA256 \(credential), SignedHeaders=\(list), \(signature)")
        }
    }

    @Test(arguments: [
        "A B/20260301/r/s/aws4_request", "é/20260301/r/s/aws4_request", "A/2026030/r/s/aws4_request",
        "A/20260301//s/aws4_request", "A/20260301/r//aws4_request", "A/20260301/r/s/", "A",
        String(repeating: "A", count: 129) + "/20260301/r/s/aws4_request",
        "A/20260301/" + String(repeating: "r", count: 65) + "/s/aws4_request",
    ])
    func aMalformedCredentialIsIncomplete(_ credential: String) {
        let error = #expect(throws: SignatureError.self) {
            try AuthorizationHeader(parsing: "AWS4-HMAC-SHA256 Credential=\(credential), \(names), \(signature)")
        }
        #expect(error?.code == .incompleteSignature)
        #expect(error?.message.utf8.allSatisfy { (0x20...0x7E).contains($0) } == true)
    }

    @Test func mutilatedHeadersAreRefusedOrParsedButNeverTrap() {
        let seed = SeededGenerator.freshSeed()
        var random = SeededGenerator(seed: seed)
        let whole = Array("AWS4-HMAC-SHA256 \(credential), \(names), \(signature)".utf8)
        var refused = 0
        for _ in 0..<(20 * SeededGenerator.cases) {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes.remove(at: index)
                case 1: bytes.insert(Array(" ,;=/%\u{0}\n".utf8).randomElement(using: &random) ?? 0, at: index)
                case 2: bytes[index] = UInt8.random(in: 0...255, using: &random)
                default: bytes.swapAt(index, Int.random(in: 0..<bytes.count, using: &random))
                }
            }
            do {
                _ = try AuthorizationHeader(parsing: String(decoding: bytes, as: UTF8.self))
            } catch {
                refused += 1
                #expect(error.code == .incompleteSignature, "seed \(seed)")
            }
        }
        #expect(refused > 0, "seed \(seed)")
    }
}
