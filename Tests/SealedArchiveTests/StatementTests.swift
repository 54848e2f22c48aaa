// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import Testing

/// Docs/Formats/Statement-v1.md against Tests/Vectors/statements.json.
@Suite struct StatementTests {
    let file = try! Vectors.load("statements.json")

    private var text: [UInt8] { Array(file.text("statement").utf8) }

    @Test func aStatementMadeHereIsTheVectorsBytes() throws {
        let seed = SecretKey.vector(file.hex("seed"))
        let statement = try SignedStatement(
            .certificate, createdMilliseconds: 1_700_000_000_000,
            body: ["scope": "vault", "keyVersion": 3, "blobsNaming": 0, "vaultName": "Häuser"],
            service: file.hex("publicKey")
        ) { try Ed25519.sign($0, seed: seed) }
        #expect(statement.encode() == text)
        #expect(try SignedStatement(decoding: text, signedBy: file.hex("publicKey")) == statement)
    }

    @Test func membersAndTypesOfNewerServicesAreVerifiedAndKept() throws {
        let bytes = Array(file.text("withUnknownMembers").utf8)
        let statement = try SignedStatement(decoding: bytes)
        #expect(statement.type.name == "something-new" && statement.unknownMembers["note"] != nil)
        #expect(statement.encode() == bytes)
    }

    @Test func anotherServicesStatementIsNotOurs() throws {
        let bytes = Array(file.text("ofAStranger").utf8)
        #expect(try SignedStatement(decoding: bytes).service == file.hex("otherPublicKey"))
        do {
            _ = try SignedStatement(decoding: bytes, signedBy: file.hex("publicKey"))
            Issue.record("a stranger's statement was accepted")
        } catch {
            #expect(failureClass(error) == "wrongIdentity")
        }
    }

    @Test func badStatementsFailWithTheirClass() {
        #expect(file.list("mustFail").count > 15)
        for failing in file.list("mustFail") {
            do {
                _ = try SignedStatement(decoding: Array(failing.text("document").utf8))
                Issue.record("\(failing.text("name")) was accepted")
            } catch {
                #expect(failureClass(error) == failing.text("error"), "\(failing.text("name")): \(error)")
            }
        }
    }

    @Test func everyChangedByteIsFound() {
        for index in text.indices {
            var changed = text
            changed[index] ^= 1
            #expect(throws: FormatError.self, "byte \(index)") { try SignedStatement(decoding: changed) }
        }
    }
}
