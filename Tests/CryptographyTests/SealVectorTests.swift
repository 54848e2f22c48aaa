// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Testing

@testable import Cryptography

/// Docs/Formats/Seal-v1.md against Tests/Vectors/seal.json.
@Suite struct SealVectorTests {
    let file = try! Vectors.load("seal.json")

    private func sealed(_ vector: JSONValue) throws -> [UInt8] {
        let sealer = try MessageSealer(
            key: .vector(vector.hex("inputKey")), context: vector.hex("context"), salt: vector.hex("salt"))
        return try Seal.seal(plaintext(vector).span.bytes, with: sealer)
    }

    private func plaintext(_ vector: JSONValue) -> [UInt8] {
        let count = vector.int("plaintextLength")
        return shake256(Array("coldvault vector \(count)".utf8), count: count)
    }

    @Test func theGeneratorIsTheVectorsOwn() {
        for vector in file.list("vectors") {
            #expect(SHA256Hasher.hash(plaintext(vector)).hex == vector.text("plaintextSHA256"))
        }
    }

    @Test func sealingGivesTheVectorsBytes() throws {
        #expect(file.list("vectors").count == 7)
        for vector in file.list("vectors") {
            let sealed = try sealed(vector)
            #expect(sealed.count == vector.int("ciphertextLength"))
            #expect(UInt64(sealed.count) == Seal.sealedLength(UInt64(vector.int("plaintextLength"))))
            #expect(Hex.encode(sealed.prefix(96)) == vector.text("firstCiphertextBytes"))
            #expect(SHA256Hasher.hash(sealed).hex == vector.text("ciphertextSHA256"))
            #expect(Hex.encode(sealed[24..<56]) == vector.text("commitment"))
        }
    }

    @Test func openingGivesThePlaintextBack() throws {
        for vector in file.list("vectors") {
            let opened = try Seal.open(
                try sealed(vector), key: .vector(vector.hex("inputKey")), context: vector.hex("context"))
            #expect(opened == plaintext(vector))
        }
    }

    @Test func whatMustFailFailsWithItsClass() throws {
        #expect(file.list("mustFail").count >= 15)
        for failing in file.list("mustFail") {
            let base = file.list("vectors").first { $0.int("plaintextLength") == failing.int("base") }!
            let message = Vectors.mutate(try sealed(base), failing["mutations"])
            let key = failing["with"]?["inputKey"] == nil ? base.hex("inputKey") : failing["with"]!.hex("inputKey")
            let context = failing["with"]?["context"] == nil ? base.hex("context") : failing["with"]!.hex("context")
            do {
                _ = try Seal.open(message, key: .vector(key), context: context)
                Issue.record("\(failing.text("name")) was opened")
            } catch {
                #expect(failureClass(error) == failing.text("error"), "\(failing.text("name"))")
            }
        }
    }
}
