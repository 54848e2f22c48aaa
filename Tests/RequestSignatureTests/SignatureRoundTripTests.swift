// SPDX-License-Identifier: Apache-2.0

import Cryptography
import RequestSignature
import Testing

/// Properties over random requests: what the signer signs is verified, and no signed element can be changed.
/// `PROPERTY_SEED` replays a run, `PROPERTY_CASES` lengthens it.
@Suite struct SignatureRoundTripTests {
    @Test func whateverIsSignedIsVerified() throws {
        try forEachRandomRequest { request, body, random, context in
            let token = Bool.random(using: &random) ? "token+/=" : nil
            let added = try Example.signer(token: token).sign(request, payloadHash: body, at: Example.now)
            let lines = (request.headers + added).shuffledKeepingRepeats(using: &random)
            let signed = SignedRequest(method: request.method, rawTarget: request.rawTarget, headers: lines)
            #expect(Example.failure(signed, body: body) == nil, "\(context)")
        }
    }

    @Test func whateverIsPresignedIsVerified() throws {
        try forEachRandomRequest { request, body, random, context in
            let life = Int64.random(in: 1...604_800, using: &random)
            let target = try Example.signer().presign(
                request, payloadHash: body, at: Example.now, expiresSeconds: life)
            let presigned = SignedRequest(method: request.method, rawTarget: target, headers: request.headers)
            #expect(Example.failure(presigned, body: body) == nil, "\(context)")
            let other = SignedRequest(method: request.method, rawTarget: target + "&a=b", headers: request.headers)
            #expect(Example.failure(other, body: body) != nil, "\(context)")
        }
    }

    @Test func noSignedElementCanBeChanged() throws {
        try forEachRandomRequest { request, body, random, context in
            let added = try Example.signer().sign(request, payloadHash: body, at: Example.now)
            let lines = request.headers + added
            func fails(
                _ change: String, method: String = request.method, target: String = request.rawTarget,
                headers: [(name: String, value: String)] = lines, body: SHA256Digest = body
            ) {
                let tampered = SignedRequest(method: method, rawTarget: target, headers: headers)
                #expect(Example.failure(tampered, body: body) != nil, "\(change) was accepted; \(context)")
            }
            fails("another method", method: request.method + "X")
            fails("another body", body: SHA256Hasher.hash(body.bytes))
            let halves = request.rawTarget.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            fails("a longer path", target: ([halves[0] + "x"] + halves.dropFirst()).joined(separator: "?"))
            fails("a longer query", target: request.rawTarget + (request.rawTarget.contains("?") ? "&" : "?") + "z=9")
            // One visible character more in any header line, the Authorization included, or the line gone.
            let index = Int.random(in: 0..<lines.count, using: &random)
            var changed = lines
            changed[index].value += "x"
            fails("header \(index) changed", headers: changed)
            var shorter = lines
            shorter.remove(at: index)
            fails("header \(index) gone", headers: shorter)
        }
    }

    // MARK: random requests

    private func forEachRandomRequest(
        _ property: (SignedRequest, SHA256Digest, inout SeededGenerator, String) throws -> Void
    ) throws {
        let seed = SeededGenerator.freshSeed()
        var random = SeededGenerator(seed: seed)
        for index in 0..<SeededGenerator.cases {
            let request = Self.randomRequest(using: &random)
            let body = SHA256Hasher.hash((0..<Int.random(in: 0...9, using: &random)).map { UInt8($0) })
            try property(request, body, &random, "seed \(seed), case \(index), target \(request.rawTarget)")
        }
    }

    private static func randomRequest(using random: inout SeededGenerator) -> SignedRequest {
        let alphabet = [
            "a", "Z", "0", "-", ".", "_", "~", "%20", "%2F", "%c3%a9", "+", "'", "(", ":", "@", "..", "é", "ሴ",
        ]
        func word(_ range: ClosedRange<Int>) -> String {
            (0..<Int.random(in: range, using: &random))
                .map { _ in alphabet.randomElement(using: &random) ?? "" }.joined()
        }
        var target = ""
        for _ in 0..<Int.random(in: 1...6, using: &random) { target += "/" + word(0...4) }
        if Bool.random(using: &random) {
            let pairs = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                word(1...3) + (Bool.random(using: &random) ? "=" + word(0...4) : "")
            }
            target += "?" + pairs.joined(separator: "&")
        }
        var headers = [(name: "Host", value: "vault.example:" + String(Int.random(in: 1...65_535, using: &random)))]
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            let name = ["X-", "x-amz-", "Content-"].randomElement(using: &random) ?? ""
            let number = String(Int.random(in: 0...9, using: &random))
            let blanks = String(repeating: " ", count: Int.random(in: 0...3, using: &random))
            headers.append((name: name + number, value: blanks + word(0...3) + blanks + word(1...3)))
        }
        let method = ["GET", "PUT", "POST", "DELETE"].randomElement(using: &random) ?? "GET"
        return SignedRequest(method: method, rawTarget: target, headers: headers)
    }
}

extension [(name: String, value: String)] {
    /// Another order of the lines in which lines of one name keep theirs, as HTTP intermediaries may produce.
    fileprivate func shuffledKeepingRepeats(using random: inout SeededGenerator) -> Self {
        var queues = Dictionary(grouping: self) { $0.name.lowercased() }
        return map { $0.name.lowercased() }.shuffled(using: &random).compactMap { queues[$0]?.removeFirst() }
    }
}
