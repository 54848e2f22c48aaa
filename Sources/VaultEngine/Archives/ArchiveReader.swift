// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import NIOCore
import SealedArchive
import Storage
import TreeHash
import VaultModel

/// Reads verified bytes of one archive through its manifest. Parts are opened as they are reached and forgotten when left, so memory does not
/// grow with the archive. Used by one task at a time.
struct ArchiveReader: Sendable {
    let engine: VaultEngine
    let vault: VaultRow
    let manifest: Manifest
    /// Where parts are read from.
    private let store: any BlobStore
    private let dataKey: SecretKey
    /// Where each part begins in the archive.
    private let starts: [UInt64]

    /// What the decoded manifest of an archive takes in memory, measured with 10,000 parts; never more than half the budget.
    static func manifestBytes(of archive: ArchiveRow, in engine: VaultEngine) -> Int {
        min(Int(archive.partCount) * 3072, engine.configuration.memoryBudgetBytes / 2)
    }

    /// Opens and verifies the manifest that the catalog names. Cold stores need no recall for it only if their manifests are warm; the caller
    /// recalls first otherwise.
    static func open(_ archive: ArchiveRow, in vault: VaultRow, engine: VaultEngine) async throws -> ArchiveReader {
        try await engine.cold.readingCopies { copy in
            try await open(archive, in: vault, engine: engine, from: copy).reading(from: engine.cold)
        }
    }

    /// From one copy alone, manifest and parts.
    static func open(
        _ archive: ArchiveRow, in vault: VaultRow, engine: VaultEngine, from store: any BlobStore
    ) async throws -> ArchiveReader {
        let (manifest, dataKey) = try await readManifest(of: archive, in: vault, engine: engine, from: store, mayFollow: true)
        return try ArchiveReader(engine: engine, vault: vault, manifest: manifest, store: store, dataKey: dataKey)
    }

    private init(
        engine: VaultEngine, vault: VaultRow, manifest: Manifest, store: any BlobStore, dataKey: SecretKey
    ) throws {
        self.store = store
        self.engine = engine
        self.vault = vault
        self.manifest = manifest
        self.dataKey = dataKey
        var starts: [UInt64] = []
        var position: UInt64 = 0
        for part in manifest.parts {
            // The leaf grids of parts join into the archive's only if every part but the last is whole leaves.
            guard position % UInt64(Limits.leafBytes) == 0, part.length > 0 else {
                throw FormatError.malformed("manifest: a part that is not the last ends inside a leaf")
            }
            starts.append(position)
            position += part.length
        }
        guard position == manifest.size else { throw FormatError.malformed("manifest: its parts do not add up to its size") }
        self.starts = starts
    }

    private init(_ other: ArchiveReader, store: any BlobStore) {
        engine = other.engine
        vault = other.vault
        manifest = other.manifest
        dataKey = other.dataKey
        starts = other.starts
        self.store = store
    }

    /// The same archive with its parts read from `store`.
    func reading(from store: any BlobStore) -> ArchiveReader { ArchiveReader(self, store: store) }

    /// Reads every byte of a part from one copy.
    func verifyPart(_ index: Int, on copy: any BlobStore, pace: ScrubPace) async throws {
        let scratch = engine.scratch.take()
        defer { engine.scratch.give(scratch) }
        let reader = try await reading(from: copy).open(index, scratch: scratch)
        try await reader.verifyWhole(ciphertext: manifest.parts[index].ciphertextSHA256, pace: pace)
    }

    /// The blobs that hold `range`.
    func blobs(holding range: ByteRange) throws -> [BlobID] {
        try partIndices(range).map { try blobID(manifest.parts[$0].blob) }
    }

    /// Hands out the frames that hold `range`, in order, cut to it, each verified; the next one is read while `visit` works.
    /// `digest` is the leaf hash of the whole frame.
    func forEachFrame(
        in range: ByteRange, _ visit: (_ digest: SHA256Digest, _ content: ByteBuffer) async throws -> Void
    ) async throws {
        let scratch = engine.scratch.take()
        defer { engine.scratch.give(scratch) }
        for part in partIndices(range) {
            let reader = try await open(part, scratch: scratch)
            let start = starts[part]
            let first = max(range.first, start) - start
            let last = min(range.last, start + manifest.parts[part].length - 1) - start
            try await reader.forEachFrame(first: first, last: last, visit)
        }
    }

    /// Verifies the frames of a range and has `writer` take them over as they are stored. `visit` gets each leaf hash, in order.
    /// - Parameter range: whole frames: it begins at a leaf and ends with one, or with the archive.
    func transfer(_ range: ByteRange, to writer: StagedWriter, _ visit: (SHA256Digest) -> Void) async throws {
        guard range.isMegabyteAligned(size: manifest.size) else {
            throw VaultError(.internalFailure, "A range that cuts a frame cannot be staged.")
        }
        let scratch = [engine.scratch.take(), engine.scratch.take(), engine.scratch.take()]
        defer { scratch.forEach { engine.scratch.give($0) } }
        let leaf = UInt64(Limits.leafBytes)
        for part in partIndices(range) {
            let reader = try await open(part, scratch: scratch[0])
            let start = starts[part]
            let first = max(range.first, start) - start
            let last = min(range.last, start + manifest.parts[part].length - 1) - start
            try await writer.take(last - first + 1) { step in
                try await reader.transfer(Int(first / leaf)...Int(last / leaf), to: step, rooms: (scratch[1], scratch[2]), visit)
            }
        }
    }

    /// The tree hash of a tree-hash aligned range: of leaves inside one part, or of whole parts.
    func treeHash(of range: ByteRange) async throws -> SHA256Digest {
        let parts = partIndices(range)
        if parts.count > 1 || range.count == manifest.parts[parts.lowerBound].length {
            return TreeHash.combine(manifest.parts[parts].map(\.treeHash))
        }
        let scratch = engine.scratch.take()
        defer { engine.scratch.give(scratch) }
        let reader = try await open(parts.lowerBound, scratch: scratch)
        let start = starts[parts.lowerBound]
        let leaf = UInt64(Limits.leafBytes)
        let leaves = Int((range.first - start) / leaf)...Int((range.last - start) / leaf)
        return TreeHash.combine(reader.entries[leaves].map(\.digest))
    }

    private func open(_ index: Int, scratch: PartScratch) async throws -> PartReader {
        let part = manifest.parts[index]
        let source = PartSource(
            blob: try blobID(part.blob), blobBytes: part.ciphertextBytes, length: part.length, treeHash: part.treeHash,
            expectation: BlobExpectation(.part, uid: manifest.archiveUID, index: part.index, number: part.number),
            sealHeader: part.sealHeader, account: vault.location.account, vault: vault.uid, key: dataKey)
        return try await PartReader.open(source, in: store, compute: engine.compute, scratch: scratch)
    }

    private func partIndices(_ range: ByteRange) -> Range<Int> {
        // The last part that begins at or before a byte holds it.
        func holder(_ byte: UInt64) -> Int {
            var low = 0
            var high = starts.count
            while high - low > 1 {
                let middle = (low + high) / 2
                if starts[middle] <= byte { low = middle } else { high = middle }
            }
            return low
        }
        return holder(range.first)..<holder(range.last) + 1
    }
}

extension PartReader {
    /// Frames that hold the bytes `first...last` of the content, cut to them; two are read ahead.
    func forEachFrame(
        first: UInt64, last: UInt64, _ visit: (SHA256Digest, ByteBuffer) async throws -> Void
    ) async throws {
        let leaf = UInt64(Limits.leafBytes)
        let frames = Int(first / leaf)...Int(last / leaf)
        /// The part of frame `index` that is wanted.
        func cut(_ content: ByteBuffer, _ index: Int) throws -> ByteBuffer {
            let frameStart = UInt64(index) * leaf
            let low = Int(max(first, frameStart) - frameStart)
            let high = Int(min(last, frameStart + UInt64(entries[index].contentBytes) - 1) - frameStart)
            guard let cut = content.getSlice(at: content.readerIndex + low, length: high - low + 1) else {
                throw FormatError.malformed("frame \(index): shorter than its index entry says")
            }
            return cut
        }
        var index = frames.lowerBound
        var loaded = try await self.frames(index, through: frames.upperBound)
        while true {
            let contents = loaded
            loaded = []
            let next = index + contents.count
            guard next <= frames.upperBound else {
                for (offset, content) in contents.enumerated() {
                    try await visit(entries[index + offset].digest, try cut(content, index + offset))
                }
                return
            }
            async let following = self.frames(next, through: frames.upperBound)
            for (offset, content) in contents.enumerated() {
                try await visit(entries[index + offset].digest, try cut(content, index + offset))
            }
            loaded = try await following
            index = next
        }
    }
}
