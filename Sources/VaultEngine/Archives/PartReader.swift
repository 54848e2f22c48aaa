// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import NIOCore
import SealedArchive
import Storage
import TreeHash
import VaultModel

/// Where one part body lies and who it must be.
struct PartSource: Sendable {
    let blob: BlobID
    /// As the manifest or catalog says; the store's own idea is not asked.
    let blobBytes: UInt64
    /// Nil where nobody has said it yet: then the footer does.
    let length: UInt64?
    let treeHash: SHA256Digest?
    let expectation: BlobExpectation
    let sealHeader: SealHeader
    let account: AccountID
    let vault: VaultUID
    let key: SecretKey
}

/// Reads verified frames of one part or staged object. Opened by reading prefix and tail only; each frame costs one read.
/// Used by one task at a time.
final class PartReader: Sendable {
    let source: PartSource
    /// Bytes of the content.
    let length: UInt64
    let entries: [FrameEntry]
    let opener: PartOpener
    let store: any BlobStore
    let compute: BlockingPool

    /// Enough of a blob's end for the footer and the index of a part of about a gigabyte in one read.
    private static let tailBytes: UInt64 = 64 << 10

    /// What does not verify is read again from each copy that the store keeps, here and frame by frame.
    static func open(
        _ source: PartSource, in store: any BlobStore, compute: BlockingPool, scratch: PartScratch
    ) async throws -> PartReader {
        try await store.readingCopies { copy in
            let (opener, entries, length) = try await open(source, on: copy, compute: compute, scratch: scratch)
            return PartReader(
                source: source, length: length, entries: entries, opener: opener, store: store, compute: compute)
        }
    }

    private static func open(
        _ source: PartSource, on store: any BlobStore, compute: BlockingPool, scratch: PartScratch
    ) async throws -> (PartOpener, [FrameEntry], length: UInt64) {
        // More bytes than expected are damage as well as fewer, though no read would ever touch them.
        guard let stored = try await store.size(of: source.blob) else {
            throw StorageError(.integrity, "The blob \(source.blob) is missing from its store.")
        }
        guard stored == source.blobBytes else {
            throw StorageError(.integrity, "The blob \(source.blob) has \(stored) bytes where \(source.blobBytes) were written.")
        }
        var window = BlobWindow(store: store, blob: source.blob, blobBytes: source.blobBytes)
        let prefix = try await window.read(0..<min(source.blobBytes, UInt64(PartFormat.prefixBytes)))
        let tailStart = source.blobBytes - min(source.blobBytes, tailBytes)
        try await window.load(tailStart..<source.blobBytes)
        let opener = try PartOpener(
            prefix: Array(prefix.readableBytesView), blobBytes: source.blobBytes, expecting: source.expectation,
            account: source.account.digits, vaultUID: source.vault.bytes, key: source.key, expectedSealHeader: source.sealHeader,
            scratch: scratch)
        let footerBytes = try await window.read(opener.footerReadRange)
        let footer = try await compute.run { try opener.readFooter(ciphertext: footerBytes.readableBytesSpan) }
        if let expected = source.length, footer.partLength != expected {
            throw FormatError.malformed("part length: \(footer.partLength) where \(expected) is expected")
        }
        var entries: [FrameEntry] = []
        entries.reserveCapacity(footer.frameCount)
        for first in stride(from: 0, to: footer.frameCount, by: PartFormat.maxEntriesPerRead) {
            let frames = first..<min(first + PartFormat.maxEntriesPerRead, footer.frameCount)
            let index = try await window.read(opener.indexReadRange(footer, frames: frames))
            entries += try await compute.run {
                try opener.parseIndex(footer, frames: frames, ciphertext: index.readableBytesSpan)
            }
        }
        if let expected = source.treeHash, TreeHash.combine(entries.map(\.digest)) != expected {
            throw FormatError.malformed("tree hash of a part's index")
        }
        return (opener, entries, footer.partLength)
    }

    private init(
        source: PartSource, length: UInt64, entries: [FrameEntry], opener: PartOpener, store: any BlobStore, compute: BlockingPool
    ) {
        self.source = source
        self.length = length
        self.entries = entries
        self.opener = opener
        self.store = store
        self.compute = compute
    }

    /// The content of frame `index`: decrypted, inflated, its leaf hash checked; or an error and nothing.
    func frame(_ index: Int) async throws -> ByteBuffer {
        let (entry, opener) = (entries[index], opener)
        return try await store.readingCopies { copy in
            let ciphertext = try await copy.read(source.blob, range: opener.frameReadRange(entry))
            return try await compute.run {
                var content = ByteBufferAllocator().buffer(capacity: entry.contentBytes)
                try content.writeWithUnsafeMutableBytes(minimumWritableBytes: entry.contentBytes) { out in
                    try opener.openFrame(entry, ciphertext: ciphertext.readableBytesSpan, into: out)
                }
                return content
            }
        }
    }
}

extension PartReader {
    /// The contents of frame `index` and, if it is not past `last`, of the one after it: one read, one hashing pass.
    func frames(_ index: Int, through last: Int) async throws -> [ByteBuffer] {
        guard index < last else { return [try await frame(index)] }
        let (first, second) = (entries[index], entries[index + 1])
        let opener = opener
        return try await store.readingCopies { copy in
            let ciphertext = try await copy.read(source.blob, range: opener.frameReadRange(first, second))
            return try await compute.run {
                var firstContent = ByteBufferAllocator().buffer(capacity: first.contentBytes)
                var secondContent = ByteBufferAllocator().buffer(capacity: second.contentBytes)
                try firstContent.writeWithUnsafeMutableBytes(minimumWritableBytes: first.contentBytes) { firstOut in
                    try secondContent.writeWithUnsafeMutableBytes(minimumWritableBytes: second.contentBytes) { secondOut in
                        try opener.openFrames(first, second, ciphertext: ciphertext.readableBytesSpan, into: (firstOut, secondOut))
                        return second.contentBytes
                    }
                    return first.contentBytes
                }
                return [firstContent, secondContent]
            }
        }
    }
}

extension PartReader {
    /// Verifies whole frames and seals them again as they are stored; the next are read meanwhile. `visit` gets each leaf hash, in order.
    func transfer(_ frames: ClosedRange<Int>, to step: SealStep, rooms: (PartScratch, PartScratch), _ visit: (SHA256Digest) -> Void) async throws {
        var index = frames.lowerBound
        var ciphertext = try await stored(index, through: frames.upperBound)
        while true {
            let pair = Array(entries[index...min(index + 1, frames.upperBound)])
            let next = index + pair.count
            guard next <= frames.upperBound else {
                try await take(pair, ciphertext, to: step, rooms)
                pair.forEach { visit($0.digest) }
                return
            }
            async let following = stored(next, through: frames.upperBound)
            try await take(pair, ciphertext, to: step, rooms)
            pair.forEach { visit($0.digest) }
            ciphertext = try await following
            index = next
        }
    }

    /// The sealed bytes of frame `index` and, if it is not past `last`, of the one after it.
    private func stored(_ index: Int, through last: Int) async throws -> ByteBuffer {
        let range = index < last ? opener.frameReadRange(entries[index], entries[index + 1]) : opener.frameReadRange(entries[index])
        return try await store.read(source.blob, range: range)
    }

    private func take(
        _ pair: [FrameEntry], _ ciphertext: ByteBuffer, to step: SealStep, _ rooms: (PartScratch, PartScratch)
    ) async throws {
        let opener = opener
        let room = pair.reduce(0) { $0 + PartSealer.maxOutputBytes(frameBytes: $1.bodyRange.count) }
        try await step.take(room: room) { sealer, output in
            try opener.transfer(pair, ciphertext: ciphertext.readableBytesSpan, to: sealer, rooms: rooms, into: output)
        }
    }
}

/// Small reads of one blob out of the last bigger one.
private struct BlobWindow {
    let store: any BlobStore
    let blob: BlobID
    let blobBytes: UInt64
    private var start: UInt64 = 0
    private var bytes = ByteBuffer()

    init(store: any BlobStore, blob: BlobID, blobBytes: UInt64) {
        self.store = store
        self.blob = blob
        self.blobBytes = blobBytes
    }

    mutating func load(_ range: Range<UInt64>) async throws {
        if holds(range) { return }
        bytes = try await store.read(blob, range: range)
        start = range.lowerBound
    }

    mutating func read(_ range: Range<UInt64>) async throws -> ByteBuffer {
        // A small blob is read once, whole.
        if blobBytes <= 128 << 10 { try await load(0..<blobBytes) }
        if holds(range), let slice = bytes.getSlice(at: bytes.readerIndex + Int(range.lowerBound - start), length: range.count) {
            return slice
        }
        return try await store.read(blob, range: range)
    }

    private func holds(_ range: Range<UInt64>) -> Bool {
        range.lowerBound >= start && range.upperBound <= start + UInt64(bytes.readableBytes)
    }
}
