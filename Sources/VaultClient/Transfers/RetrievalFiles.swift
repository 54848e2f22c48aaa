// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import NIOCore

/// The two files of a download under way: `F.part` with the bytes, `F.part.journal` with what is known about them.
actor RetrievalFiles {
    nonisolated let target: String
    nonisolated let part: LocalFile
    private nonisolated let journalPath: String
    private let pool: BlockingPool
    private let journalFile: LocalFile
    private var journalBytes: UInt64
    private(set) var journal: RetrievalJournal

    /// Opens the files for `target`, creating or continuing them.
    ///
    /// - Throws: ``ClientError`` of kind `local` when they belong to another download.
    static func open(
        target: String, identity: RetrievalJournal.Identity, pool: BlockingPool
    ) async throws -> RetrievalFiles {
        try await pool.run { () throws(ClientError) in
            let (partPath, journalPath) = ("\(target).part", "\(target).part.journal")
            var journal = RetrievalJournal(identity)
            // Nothing is created where something unknown lies, and nothing is read before it is ours alone.
            if !LocalFile.exists(journalPath), LocalFile.exists(partPath) {
                throw ClientError(
                    .local, "'\(partPath)' exists, but nothing tells what it is.",
                    remedy: "Remove it, or choose another --output-file.")
            }
            let journalFile = try LocalFile.openForWriting(journalPath)
            guard journalFile.lock() else {
                throw ClientError(.local, "Another process is downloading into '\(partPath)'.")
            }
            let existing = try LocalFile.contents(of: journalPath, upTo: RetrievalJournal.maxBytes) ?? []
            if !existing.isEmpty {
                guard let found = RetrievalJournal(decoding: existing), found.identity == identity else {
                    throw ClientError(
                        .local, "'\(partPath)' belongs to another download.",
                        remedy:
                            "Finish that one, remove '\(partPath)' and '\(journalPath)', or choose another "
                            + "--output-file."
                    )
                }
                journal = found
            }
            // A torn last line is cut off, so that the next line begins on its own.
            let whole = existing.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
            try journalFile.truncate(to: UInt64(whole))
            var end = UInt64(whole)
            if whole == 0 {
                let line = RetrievalJournal.line(identity)
                try journalFile.write(ByteBuffer(bytes: line), at: 0)
                end = UInt64(line.count)
            }
            return RetrievalFiles(
                target: target, part: try LocalFile.openForWriting(partPath), journalPath: journalPath, pool: pool,
                journalFile: journalFile, journalBytes: end, journal: journal)
        }
    }

    private init(
        target: String, part: LocalFile, journalPath: String, pool: BlockingPool, journalFile: LocalFile,
        journalBytes: UInt64, journal: RetrievalJournal
    ) {
        self.target = target
        self.part = part
        self.journalPath = journalPath
        self.pool = pool
        self.journalFile = journalFile
        self.journalBytes = journalBytes
        self.journal = journal
    }

    func note(jobID: String) async throws { try await append(RetrievalJournal.line(jobID: jobID)) }

    func begin(_ plan: RangePlan, treeHash: SHA256Digest?) async throws {
        journal.begin(plan, treeHash: treeHash)
        try await append(RetrievalJournal.line(plan, treeHash: treeHash))
    }

    func note(verified index: Int, _ hash: SHA256Digest) async throws {
        try await append(RetrievalJournal.line(verified: index, hash))
    }

    /// Makes the bytes durable, gives them their name and forgets the journal; durable on return.
    func finish(bytes: UInt64, replacing: Bool) async throws {
        let (part, target, journalPath) = (part, target, journalPath)
        try await pool.run { () throws(ClientError) in
            try part.truncate(to: bytes)
            try part.synchronize()
            try LocalFile.rename(part.path, to: target, replacing: replacing)
            try LocalFile.remove(journalPath)
        }
    }

    /// Removes both files, because the bytes are wrong as a whole and nobody knows which.
    func discard() async throws {
        let (path, journalPath) = (part.path, journalPath)
        try await pool.run { () throws(ClientError) in
            try LocalFile.remove(path)
            try LocalFile.remove(journalPath)
        }
    }

    private func append(_ line: [UInt8]) async throws {
        // The place is taken before the suspension, so that lines of several tasks never overlap.
        let (file, offset) = (journalFile, journalBytes)
        journalBytes += UInt64(line.count)
        try await pool.run { () throws(ClientError) in try file.write(ByteBuffer(bytes: line), at: offset) }
    }
}
