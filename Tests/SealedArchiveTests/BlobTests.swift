// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import Testing

/// Docs/Formats/Blob-v1.md against Tests/Vectors/blob.json.
@Suite struct BlobTests {
    let file = try! Vectors.load("blob.json")

    @Test func preamblesAndContextsAreTheVectorsBytes() throws {
        for vector in file.list("vectors") {
            let preamble = BlobPreamble(
                kind: BlobKind(rawValue: UInt8(vector.int("kind")))!, uid: vector.hex("uid"),
                index: UInt32(vector.int("index")), number: UInt64(vector.text("number"))!)
            #expect(preamble.bytes == vector.hex("preamble"))
            #expect(try BlobPreamble(parsing: vector.hex("blob")) == preamble)
            let context = BlobContext(
                preamble: preamble, account: vector.text("account"), vaultUID: vector.hex("vault"))
            #expect(context.bytes == vector.hex("context"))
        }
    }

    @Test func sealedBlobsAreTheVectorsBytesAndOpen() throws {
        for vector in file.list("vectors") {
            let preamble = try BlobPreamble(parsing: vector.hex("preamble"))
            let key = SecretKey.vector(vector.hex("key"))
            let blob = try SealedBlob.seal(
                plaintext: vector.hex("plaintext"), preamble: preamble, account: vector.text("account"),
                vaultUID: vector.hex("vault"), key: key, random: FixedBytes(vector.hex("salt")))
            #expect(blob == vector.hex("blob"))
            let opened = try SealedBlob.open(
                blob, expecting: BlobExpectation(preamble.kind), account: vector.text("account"),
                vaultUID: vector.hex("vault"), key: key)
            #expect(opened.preamble == preamble)
            #expect(opened.plaintext == vector.hex("plaintext"))
        }
    }

    @Test func badPreamblesFailWithTheirClass() {
        for failing in file.list("mustFail") {
            do {
                _ = try BlobPreamble(parsing: failing.hex("bytes"))
                Issue.record("\(failing.text("name")) was accepted")
            } catch {
                #expect(failureClass(error) == failing.text("error"), "\(failing.text("name"))")
            }
        }
    }

    @Test func everyFlippedByteAndTruncationOfABlobFails() throws {
        let vector = file.list("vectors")[2]
        let blob = vector.hex("blob")
        let expectation = BlobExpectation(try BlobPreamble(parsing: blob))
        func open(_ blob: [UInt8]) throws(FormatError) {
            _ = try SealedBlob.open(
                blob, expecting: expectation, account: vector.text("account"), vaultUID: vector.hex("vault"),
                key: .vector(vector.hex("key")))
        }
        try open(blob)
        for index in blob.indices {
            for bit in 0..<8 {
                var damaged = blob
                damaged[index] ^= 1 << UInt8(bit)
                #expect(throws: FormatError.self) { try open(damaged) }
            }
            #expect(throws: FormatError.self) { try open(Array(blob.prefix(index))) }
        }
        #expect(throws: FormatError.self) { try open(blob + [0]) }
    }

    @Test func aBlobOpensOnlyInItsOwnPlace() throws {
        let vector = file.list("vectors")[1]
        let blob = vector.hex("blob")
        let key = SecretKey.vector(vector.hex("key"))
        #expect(throws: FormatError.seal(.wrongKeyOrContext)) {
            try SealedBlob.open(
                blob, expecting: BlobExpectation(.manifest), account: "000000000000", vaultUID: vector.hex("vault"),
                key: key)
        }
        #expect(throws: FormatError.seal(.wrongKeyOrContext)) {
            try SealedBlob.open(
                blob, expecting: BlobExpectation(.manifest), account: vector.text("account"),
                vaultUID: BlobContext.noVault, key: key)
        }
        #expect(throws: FormatError.wrongIdentity("kind is manifest, wanted record")) {
            try SealedBlob.open(
                blob, expecting: BlobExpectation(.record), account: vector.text("account"),
                vaultUID: vector.hex("vault"), key: key)
        }
    }

    @Test func namesAreTheDocumentsNamesAndParseBack() throws {
        for (text, expected) in file["names"]!.objectValue! {
            let name = try #require(BlobName(text), "\(text)")
            #expect(name.text == text)
            switch name {
            case .account(_, let generation), .vault(_, _, let generation), .upload(_, _, _, let generation),
                .manifest(_, _, _, let generation), .deletion(_, _, _, let generation):
                #expect(generation == UInt64(expected.int("generation")))
            case .part(_, _, _, let index, let number):
                #expect(index == UInt32(expected.int("index")) && number == UInt64(expected.int("number")))
            case .staged: #expect(expected.text("is") == "staged")
            case .checkpoint(let generation): #expect(generation == UInt64(expected.int("generation")))
            case .audit(let first): #expect(first == UInt64(expected.int("first")))
            }
        }
    }

    @Test func otherTextsAreNoNames() {
        for text in file.list("badNames") {
            #expect(BlobName(text.stringValue!) == nil, "\(text.stringValue!)")
        }
    }

    @Test func accountRecordsHaveTheirAccountAsUID() {
        #expect(BlobPreamble.uid(ofAccount: "123456789012") == Array("123456789012".utf8) + [0, 0, 0, 0])
    }
}
