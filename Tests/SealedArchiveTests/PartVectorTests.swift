// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import Testing
import TreeHash

/// Docs/Formats/Part-v1.md against Tests/Vectors/part.json.
@Suite struct PartVectorTests {
    let file = try! Vectors.load("part.json")

    private func preamble(_ vector: JSONValue) -> BlobPreamble {
        BlobPreamble(
            kind: BlobKind(rawValue: UInt8(vector.int("kind")))!, uid: vector.hex("uid"),
            index: UInt32(vector.int("index")), number: UInt64(vector.int("number")))
    }

    @Test func writingWithoutCompressionGivesTheVectorsBlobs() throws {
        #expect(file.list("vectors").count == 9)
        for vector in file.list("vectors") {
            let content = content(vector["content"]!)
            let (blob, summary) = try PartBlob.seal(
                content, preamble: preamble(vector), account: vector.text("account"), vaultUID: vector.hex("vault"),
                key: .vector(vector.hex("key")), compress: false, random: FixedBytes(vector.hex("salt")))
            let name = Comment(rawValue: vector.text("name"))
            #expect(blob.count == vector.int("blobBytes"), name)
            #expect(SHA256Hasher.hash(blob).hex == vector.text("blobSHA256"), name)
            #expect(summary.ciphertextSHA256.hex == vector.text("blobSHA256"), name)
            #expect(summary.sealedBytes == UInt64(blob.count), name)
            #expect(summary.treeHash.hex == vector.text("treeHash"), name)
            #expect(summary.linearHash?.hex == vector.text("contentSHA256"), name)
            #expect(summary.sealHeader.hex == vector.text("sealHeader"), name)
            #expect(PartSealer.maxBlobBytes(contentBytes: UInt64(content.count)) == UInt64(blob.count), name)
            let opened = try PartBlob.open(
                blob, expecting: BlobExpectation(preamble(vector)), account: vector.text("account"),
                vaultUID: vector.hex("vault"), key: .vector(vector.hex("key")), expectedSealHeader: summary.sealHeader)
            #expect(opened == content, name)
        }
    }

    @Test func blobsOfAnotherImplementationOpen() throws {
        for vector in file.list("openOnly") {
            let opened = try open(vector, blob: Base64.decode(vector.text("blob"))!, with: .object([:]))
            #expect(SHA256Hasher.hash(opened).hex == vector.text("contentSHA256"))
            #expect(TreeHash.hash(of: opened).hex == vector.text("treeHash"))
        }
    }

    @Test func whatMustFailFailsWithItsClass() throws {
        #expect(file.list("mustFail").count >= 40)
        for failing in file.list("mustFail") {
            let base = file.list("openOnly").first { $0.text("name") == failing.text("base") }!
            let own = failing["blob"]?.stringValue
            let blob = Vectors.mutate(Base64.decode(own ?? base.text("blob"))!, failing["mutations"])
            do {
                _ = try open(base, blob: blob, with: own == nil ? failing["with"]! : ["sealHeader": nil])
                Issue.record("\(failing.text("name")) was opened")
            } catch {
                #expect(failureClass(error) == failing.text("error"), "\(failing.text("name")): \(error)")
            }
        }
    }

    /// Staging verifies all that opening verifies, and what it keeps is the content.
    @Test func stagedFramesAreVerifiedAndComeBack() throws {
        for vector in file.list("openOnly") where vector.int("kind") == 1 {
            let opened = try staged(vector, blob: Base64.decode(vector.text("blob"))!, with: .object([:]))
            #expect(SHA256Hasher.hash(opened).hex == vector.text("contentSHA256"), "\(vector.text("name"))")
        }
        var wrongLeaves = 0
        for failing in file.list("mustFail") {
            let base = file.list("openOnly").first { $0.text("name") == failing.text("base") }!
            guard base.int("kind") == 1 else { continue }
            let own = failing["blob"]?.stringValue
            let blob = Vectors.mutate(Base64.decode(own ?? base.text("blob"))!, failing["mutations"])
            do {
                _ = try staged(base, blob: blob, with: own == nil ? failing["with"]! : ["sealHeader": nil])
                Issue.record("\(failing.text("name")) was staged")
            } catch {
                #expect(failureClass(error) == failing.text("error"), "\(failing.text("name")): \(error)")
                if case .wrongLeafHash = error { wrongLeaves += 1 }
            }
        }
        #expect(wrongLeaves > 0)
    }

    /// The content by way of a staged blob.
    private func staged(_ vector: JSONValue, blob: [UInt8], with changes: JSONValue) throws(FormatError) -> [UInt8] {
        try Staging.content(of: try opener(vector, blob: blob, with: changes), blob: blob)
    }

    private func open(_ vector: JSONValue, blob: [UInt8], with changes: JSONValue) throws(FormatError) -> [UInt8] {
        let (expectation, account, vault, key, header) = identity(vector, with: changes)
        return try PartBlob.open(
            blob, expecting: expectation, account: account, vaultUID: vault, key: key, expectedSealHeader: header)
    }

    private func opener(_ vector: JSONValue, blob: [UInt8], with changes: JSONValue) throws(FormatError) -> PartOpener {
        let (expectation, account, vault, key, header) = identity(vector, with: changes)
        return try PartOpener(
            prefix: blob, blobBytes: UInt64(blob.count), expecting: expectation, account: account, vaultUID: vault, key: key,
            expectedSealHeader: header)
    }

    private func identity(
        _ vector: JSONValue, with changes: JSONValue
    ) -> (BlobExpectation, account: String, vault: [UInt8], key: SecretKey, header: SealHeader?) {
        func hex(_ name: String) -> [UInt8] { changes[name] == nil ? vector.hex(name) : changes.hex(name) }
        func int(_ name: String) -> Int { changes[name] == nil ? vector.int(name) : changes.int(name) }
        let header =
            switch changes["sealHeader"] {
            case .none: SealHeader(hex: vector.text("sealHeader"))
            case .some(.string(let text)): SealHeader(hex: text)
            default: nil as SealHeader?
            }
        let expectation = BlobExpectation(
            BlobKind(rawValue: UInt8(int("kind")))!, uid: hex("uid"), index: UInt32(int("index")),
            number: UInt64(int("number")))
        return (
            expectation, changes["account"]?.stringValue ?? vector.text("account"), hex("vault"), .vector(hex("key")), header
        )
    }
}
