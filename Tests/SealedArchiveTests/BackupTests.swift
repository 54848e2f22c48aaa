// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import Testing

/// Docs/Formats/Backup-v1.md against Tests/Vectors/backup.json, and its laws by property.
@Suite struct BackupTests {
    let file = try! Vectors.load("backup.json")

    private var privateKeys: [SecretKey] { file.list("keys").map { .vector($0.hex("private")) } }
    private var recipients: [BackupRecipient] { file.list("keys").map { BackupRecipient(publicKey: $0.hex("public"))! } }

    /// The whole of a file, or the class of what is wrong with it; without a key, header and trailer only.
    private func read(_ bytes: [UInt8], key: SecretKey?) throws -> [UInt8] {
        let header = try BackupHeader(parsing: bytes)
        guard bytes.count > BackupTrailer.byteCount else { throw FormatError.seal(.truncated) }
        let trailer = try BackupTrailer(parsing: bytes.suffix(BackupTrailer.byteCount), header: header, fileBytes: UInt64(bytes.count))
        let body = Array(bytes.dropLast(BackupTrailer.byteCount))
        try trailer.check(digest: SHA256Hasher.hash(body), header: header)
        guard let key else { return [] }
        let opener = try BackupOpener(
            header: header, privateKey: key, sealHeader: SealHeader(bytes: body[header.byteCount..<header.byteCount + 56])!,
            messageBytes: UInt64(body.count - header.byteCount))
        var payload: [UInt8] = []
        for step in 0..<opener.stepCount {
            let range = opener.fileRange(ofStep: step)
            payload += try opener.open(Array(body[Int(range.lowerBound)..<Int(range.upperBound)]).span.bytes, step: step)
        }
        #expect(UInt64(payload.count) == opener.payloadBytes)
        return payload
    }

    private func seal(_ payload: [UInt8], to recipients: [BackupRecipient], pieces: Int, seed: UInt64) throws -> [UInt8] {
        let random = SeededRandomBytes(seed: seed)
        let service = SecretKey(random: random)
        let (header, fileKey) = try BackupHeader.make(
            .catalog, createdMilliseconds: 7, generation: 9, service: try Ed25519.publicKey(seed: service), recipients: recipients,
            random: random)
        let sealer = try BackupSealer(header: header, fileKey: fileKey, random: random)
        var bytes = sealer.prefix
        for start in stride(from: 0, to: payload.count, by: pieces) {
            bytes += try sealer.seal(Array(payload[start..<min(start + pieces, payload.count)]).span.bytes)
        }
        return bytes + (try sealer.finish { try Ed25519.sign($0, seed: service) })
    }

    @Test func keysAndTheirTextsAreTheVectors() throws {
        for vector in file.list("keys") {
            let key = SecretKey.vector(vector.hex("private"))
            let recipient = try BackupRecipient(privateKey: key)
            #expect(recipient.publicKey == vector.hex("public"))
            #expect(recipient.keyID == vector.hex("id"))
            #expect(BackupKeyText.encode(key) == vector.text("text"))
            #expect(try BackupKeyText.parse(" " + vector.text("text").lowercased() + "\n").isEqual(to: key))
        }
        for vector in file.list("badKeyTexts") {
            #expect(throws: BackupKeyText.ParseError.self, "\(vector.text("name"))") { try BackupKeyText.parse(vector.text("text")) }
        }
    }

    @Test func theHeaderIsTheVectorsBytes() throws {
        // In the order in which a writer draws: file key, ephemeral key, salt, one salt for each wrap.
        let vector = file["catalog"]!
        let random = FixedBytes(
            file.hex("fileKey") + file.hex("ephemeralPrivate") + Array(file.hex("fixedHeader")[64..<96])
                + file.list("wrapSalts").flatMap { Hex.decode($0.stringValue!)! } + file.hex("bodySalt"))
        let seed = SecretKey.vector(file["service"]!.hex("seed"))
        let (header, fileKey) = try BackupHeader.make(
            .catalog, createdMilliseconds: UInt64(vector.int("created")), generation: UInt64(vector.int("generation")),
            service: file["service"]!.hex("public"), recipients: recipients, random: random)
        #expect(Array(header.bytes.prefix(BackupHeader.fixedBytes)) == file.hex("fixedHeader"))
        #expect(try BackupHeader(parsing: header.bytes) == header)
        let sealer = try BackupSealer(header: header, fileKey: fileKey, random: random)
        let bytes = try sealer.prefix + sealer.seal(vector.hex("payload").span.bytes) + sealer.finish { try Ed25519.sign($0, seed: seed) }
        #expect(bytes == vector.hex("file"))
    }

    @Test func eachRecipientOpensAndNobodyElseDoes() throws {
        let vector = file["catalog"]!
        for key in privateKeys { #expect(try read(vector.hex("file"), key: key) == vector.hex("payload")) }
        #expect(try read(file["empty"]!.hex("file"), key: privateKeys[0]).isEmpty)
        let header = try BackupHeader(parsing: vector.hex("file"))
        #expect(throws: FormatError.self) { try header.fileKey(privateKey: .vector(file.hex("stranger"))) }
        #expect(header.kind == .catalog && header.generation == 42 && header.createdMilliseconds == 1_790_000_000_123)
    }

    @Test func whatIsWrongWithoutAKeyIsNamed() throws {
        #expect(file.list("mustFail").count > 30)
        for vector in file.list("mustFail") {
            do {
                _ = try read(vector.hex("file"), key: nil)
                Issue.record("\(vector.text("name")) was accepted")
            } catch let error as FormatError {
                #expect(failureClass(error) == vector.text("error"), "\(vector.text("name")): \(error)")
            }
        }
    }

    @Test func whatOnlyOpeningFindsIsNamed() throws {
        for vector in file.list("mustFailToOpen") {
            // The trailer fits: it was made by somebody with the signing key.
            _ = try read(vector.hex("file"), key: nil)
            do {
                _ = try read(vector.hex("file"), key: privateKeys[0])
                // The second recipient's wrap is not looked at by the first, but it is bound to the payload.
                Issue.record("\(vector.text("name")) was opened")
            } catch let error as FormatError {
                #expect(failureClass(error) == vector.text("error"), "\(vector.text("name")): \(error)")
            }
        }
    }

    @Test func keyringDocumentsAreTheVectorsAndBadOnesFail() throws {
        let vector = file["keyring"]!
        let opened = try read(vector.hex("file"), key: privateKeys[0])
        #expect(opened == Array(vector.text("document").utf8))
        let keyring = try KeyringBackup(decoding: opened)
        #expect(try keyring.encode() == opened)
        #expect(keyring.files == Dictionary(uniqueKeysWithValues: vector.list("files").map { ($0.text("name"), $0.hex("content")) }))
        for vector in file.list("badDocuments") {
            do {
                _ = try KeyringBackup(decoding: Array(vector.text("document").utf8))
                Issue.record("\(vector.text("name")) was accepted")
            } catch {
                #expect(failureClass(error) == vector.text("error"), "\(vector.text("name")): \(error)")
            }
        }
    }

    @Test(arguments: [0, 1, 16383, 16384, 16385, 1 << 20, (1 << 20) + 1, 2_100_000])
    func anyLengthComesBackInWhateverPiecesItWent(length: Int) throws {
        let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        for pieces in [1 << 20, 70_001] {
            let bytes = try seal(payload, to: recipients, pieces: pieces, seed: UInt64(length))
            #expect(try read(bytes, key: privateKeys[1]) == payload)
        }
    }

    @Test func everyFlippedByteIsFoundWithoutAKey() throws {
        let bytes = try seal(Array("SQLite format 3\0".utf8), to: recipients, pieces: 100, seed: 3)
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x40
            #expect(throws: FormatError.self, "byte \(index)") { try read(changed, key: nil) }
        }
        for length in bytes.indices { #expect(throws: FormatError.self) { try read(Array(bytes.prefix(length)), key: nil) } }
    }

    @Test func aPublicKeyThatNobodyCanHoldIsRefused() throws {
        let none = try #require(BackupRecipient(publicKey: [UInt8](repeating: 0, count: 32)))
        #expect(throws: (any Error).self) { try seal([1], to: [none], pieces: 1, seed: 1) }
        #expect(throws: (any Error).self) { try seal([1], to: [], pieces: 1, seed: 1) }
        #expect(throws: (any Error).self) { try seal([1], to: [recipients[0], recipients[0]], pieces: 1, seed: 1) }
        #expect(BackupRecipient(publicKey: [1]) == nil)
    }
}
