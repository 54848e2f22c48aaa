// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Cryptography

@Suite struct SealTests {
    private let key = SecretKey(random: SeededRandomBytes(seed: 1))
    private let context = Array("a context".utf8)

    private func sealed(_ plaintext: [UInt8], seed: UInt64 = 7) throws -> [UInt8] {
        try Seal.seal(plaintext, key: key, context: context, random: SeededRandomBytes(seed: seed))
    }

    @Test(arguments: [0, 1, 16383, 16384, 16385, 32768, 1 << 20, (1 << 32) + 5, Seal.maxPlaintextBytes] as [UInt64])
    func lengthsAreInverse(_ length: UInt64) throws {
        #expect(try Seal.plaintextLength(Seal.sealedLength(length)) == length)
    }

    @Test func everyLengthIsEitherThatOfAMessageOrTruncated() {
        // Docs/Formats/Seal-v1.md §4.1, two chunks around.
        for sealed in UInt64(0)...UInt64(56 + 2 * 16400 + 40) {
            let valid = sealed >= 72 && (sealed - 56) % 16400 >= 16
            do {
                let length = try Seal.plaintextLength(sealed)
                #expect(valid && Seal.sealedLength(length) == sealed)
            } catch {
                #expect(!valid && error == .truncated)
            }
        }
    }

    @Test func lengthsBeyondTheLastChunkAreRefused() {
        let tooLong = Seal.sealedLength(Seal.maxPlaintextBytes) + 17
        #expect(throws: SealError.messageTooLong) { try Seal.plaintextLength(tooLong) }
        #expect(throws: SealError.self) { try Seal.plaintextLength(.max) }
    }

    @Test func chunkRangesCoverPlaintextRanges() {
        #expect(Seal.chunkRange(forPlaintext: 0..<1) == 0..<1)
        #expect(Seal.chunkRange(forPlaintext: 16383..<16385) == 0..<2)
        #expect(Seal.chunkRange(forPlaintext: 16384..<32768) == 1..<2)
        #expect(Seal.chunkRange(forPlaintext: 5..<5).isEmpty)
        #expect(Seal.sealedRange(ofChunks: 1..<2, sealedLength: 56 + 16400 + 20) == 16456..<16476)
    }

    @Test func piecesOfAnySizeGiveTheSameMessage() throws {
        let plaintext = SeededRandomBytes(seed: 3).bytes(100_000)
        let whole = try sealed(plaintext)
        var seed: UInt64 = 11
        for _ in 0..<8 {
            let sealer = try MessageSealer(key: key, context: context, salt: Array(whole.prefix(24)))
            var message = sealer.header.bytes
            var start = 0
            while start < plaintext.count {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let end = min(plaintext.count, start + Int(seed >> 33) % 40_000)
                var output = [UInt8](repeating: 0, count: MessageSealer.maxOutputBytes(forPlaintextBytes: end - start))
                let written = try output.withUnsafeMutableBytes { output in
                    try sealer.seal(plaintext.span.bytes.extracting(start..<end), into: output)
                }
                message += output.prefix(written)
                start = end
            }
            var last = [UInt8](repeating: 0, count: MessageSealer.finishBytes)
            _ = try last.withUnsafeMutableBytes { try sealer.finish(into: $0) }
            #expect(message + last == whole)
        }
    }

    @Test func anyChunksOpenInAnyOrder() throws {
        let plaintext = SeededRandomBytes(seed: 4).bytes(5 * 16384)
        let message = try sealed(plaintext)
        let opener = try MessageOpener(
            key: key, context: context, header: SealHeader(bytes: message.prefix(56))!,
            sealedLength: UInt64(message.count))
        #expect(opener.chunkCount == 6)
        for chunks in [4..<6, 0..<1, 5..<6, 1..<4, 0..<6] as [Range<UInt64>] {
            let range = opener.sealedRange(ofChunks: chunks)
            let piece = Array(message[Int(range.lowerBound)..<Int(range.upperBound)])
            var output = [UInt8](repeating: 0xEE, count: 6 * 16384)
            let count = try output.withUnsafeMutableBytes {
                try opener.open(chunks: chunks, ciphertext: piece.span.bytes, into: $0)
            }
            let plain = opener.plaintextRange(ofChunks: chunks)
            #expect(Array(output.prefix(count)) == Array(plaintext[Int(plain.lowerBound)..<Int(plain.upperBound)]))
        }
    }

    @Test func aFailedOpeningLeavesNoPlaintext() throws {
        let plaintext = [UInt8](repeating: 0x55, count: 40_000)
        var message = try sealed(plaintext)
        message[message.count - 1] ^= 1
        let opener = try MessageOpener(
            key: key, context: context, header: SealHeader(bytes: message.prefix(56))!,
            sealedLength: UInt64(message.count))
        var output = [UInt8](repeating: 0xEE, count: 40_000)
        let body = Array(message.dropFirst(56))
        #expect(throws: SealError.tampered(chunk: 2)) {
            try output.withUnsafeMutableBytes { try opener.open(chunks: 0..<3, ciphertext: body.span.bytes, into: $0) }
        }
        #expect(output.allSatisfy { $0 == 0 })
    }

    @Test func aPieceOfTheWrongLengthIsRefused() throws {
        let message = try sealed([1, 2, 3])
        let opener = try MessageOpener(
            key: key, context: context, header: SealHeader(bytes: message.prefix(56))!,
            sealedLength: UInt64(message.count))
        var output = [UInt8](repeating: 0, count: 16)
        let short = Array(message.dropFirst(57))
        #expect(throws: SealError.invalidLength(expected: 19, actual: 18)) {
            try output.withUnsafeMutableBytes { try opener.open(chunks: 0..<1, ciphertext: short.span.bytes, into: $0) }
        }
    }

    @Test func everyFlippedByteFails() throws {
        let message = try sealed(SeededRandomBytes(seed: 5).bytes(3000))
        for index in message.indices {
            var damaged = message
            damaged[index] ^= 1 << UInt8(index % 8)
            #expect(throws: index < 56 ? SealError.wrongKeyOrContext : .tampered(chunk: 0)) {
                try Seal.open(damaged, key: key, context: context)
            }
        }
    }

    @Test func everyTruncationAndExtensionFails() throws {
        let message = try sealed(SeededRandomBytes(seed: 6).bytes(16384 + 300))
        for length in 0..<message.count {
            #expect(throws: SealError.self) {
                try Seal.open(Array(message.prefix(length)), key: key, context: context)
            }
        }
        for extra in [1, 15, 16, 17, 16384, 16400] {
            #expect(throws: SealError.self) {
                try Seal.open(message + [UInt8](repeating: 0, count: extra), key: key, context: context)
            }
        }
    }

    @Test func twoSealsOfOnePlaintextDiffer() throws {
        let random = SeededRandomBytes(seed: 8)
        let first = try Seal.seal([1], key: key, context: context, random: random)
        let second = try Seal.seal([1], key: key, context: context, random: random)
        #expect(first != second)
    }

    @Test func sealedKeysComeBackAndAreBoundToTheirContext() throws {
        let random = SeededRandomBytes(seed: 9)
        let inner = SecretKey(random: random)
        let wrapped = try Seal.seal(keyMaterial: inner, key: key, context: context, random: random)
        #expect(wrapped.count == 104)
        #expect(try Seal.openKeyMaterial(wrapped, key: key, context: context).isEqual(to: inner))
        #expect(throws: SealError.wrongKeyOrContext) { try Seal.openKeyMaterial(wrapped, key: key, context: []) }
        #expect(throws: SealError.invalidLength(expected: 104, actual: 103)) {
            try Seal.openKeyMaterial(Array(wrapped.dropLast()), key: key, context: context)
        }
        var damaged = wrapped
        damaged[60] ^= 1
        #expect(throws: SealError.tampered(chunk: 0)) {
            try Seal.openKeyMaterial(damaged, key: key, context: context)
        }
    }
}
