// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import Testing

/// Docs/Formats/Manifest-v1.md and Record-v1.md against Tests/Vectors/documents.json.
@Suite struct DocumentTests {
    let file = try! Vectors.load("documents.json")

    private func opened(_ vector: JSONValue, _ kind: BlobKind) throws -> [UInt8] {
        try SealedBlob.open(
            vector.hex("blob"), expecting: BlobExpectation(kind), account: vector.text("account"),
            vaultUID: vector.hex("vault"), key: .vector(vector.hex("key"))
        ).plaintext
    }

    @Test func manifestsComeBackByteForByte() throws {
        for vector in file.list("manifests") {
            let bytes = try opened(vector, .manifest)
            #expect(bytes == Array(vector.text("document").utf8))
            let manifest = try Manifest(decoding: bytes)
            #expect(manifest.encode() == bytes, "\(vector.text("name"))")
            #expect(manifest.account == "123456789012")
            #expect(manifest.size == 1000 && manifest.parts.count == 1)
            #expect(manifest.description.contains("雪"))
            #expect(manifest.archiveID.utf8.count == 138)
        }
    }

    @Test func membersOfTheFutureAreKept() throws {
        let manifest = try Manifest(decoding: Array(file.list("manifests")[1].text("document").utf8))
        #expect(manifest.unknownMembers["storageClass"] == "cold")
        #expect(manifest.parts[0].unknownMembers["etag"] == "abc")
        #expect(manifest.keys.map(\.kind) == ["service", "kms"])
        var rewritten = manifest
        rewritten.generation += 1
        let again = try Manifest(decoding: rewritten.encode())
        #expect(again == rewritten && again.unknownMembers == manifest.unknownMembers)
        #expect(String(decoding: again.encode(), as: UTF8.self).contains(#""owner":"someone""#))
    }

    @Test func recordsComeBackByteForByte() throws {
        for vector in file.list("records") {
            let bytes = try opened(vector, .record)
            let record = try StateRecord(decoding: bytes, expecting: .vault)
            #expect(record.encode() == bytes)
            #expect(record.body["name"] == "photos")
            #expect(throws: FormatError.wrongIdentity("record type is vault, wanted upload")) {
                try StateRecord(decoding: bytes, expecting: .upload)
            }
        }
    }

    @Test func whatMustFailFailsWithItsClass() {
        #expect(file.list("mustFail").count >= 35)
        for failing in file.list("mustFail") {
            let bytes = Array(failing.text("document").utf8)
            do throws(FormatError) {
                if failing.text("kind") == "manifest" {
                    _ = try Manifest(decoding: bytes)
                } else {
                    _ = try StateRecord(decoding: bytes)
                }
                Issue.record("\(failing.text("name")) was accepted")
            } catch {
                #expect(failureClass(error) == failing.text("error"), "\(failing.text("name")): \(error)")
            }
        }
    }

    @Test func tenThousandPartsAreTheLimit() throws {
        var manifest = try Manifest(decoding: Array(file.list("manifests")[0].text("document").utf8))
        manifest.parts = Array(repeating: manifest.parts[0], count: Manifest.maxParts)
        manifest.size = 1000 * UInt64(Manifest.maxParts)
        let bytes = manifest.encode()
        #expect(bytes.count < Manifest.maxBytes)
        #expect(try Manifest(decoding: bytes) == manifest)
        manifest.parts.append(manifest.parts[0])
        manifest.size += 1000
        do {
            _ = try Manifest(decoding: manifest.encode())
            Issue.record("10,001 parts were accepted")
        } catch {
            #expect(failureClass(error) == "limitExceeded")
        }
    }

    @Test func everyDamagedByteOfAManifestIsAnErrorOrAnotherManifest() throws {
        let bytes = Array(file.list("manifests")[0].text("document").utf8)
        let good = try Manifest(decoding: bytes)
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 0x11
            if let other = try? Manifest(decoding: damaged) {
                #expect(other.encode() == damaged && other != good)
            }
        }
    }

    @Test func upgradesAreToldFromDamage() {
        #expect(FormatError.newerVersion("x").needsNewerVersion && FormatError.unknownCritical(["x"]).needsNewerVersion)
        #expect(!FormatError.malformed("x").needsNewerVersion && !FormatError.seal(.truncated).needsNewerVersion)
    }
}
