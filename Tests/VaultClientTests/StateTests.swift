// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Testing

@testable import VaultClient

@Suite struct RetrievalJournalTests {
    private static let identity = RetrievalJournal.Identity(
        vault: "v", archiveID: "-A", jobID: nil, range: 0..<3 << 20)
    private static let plan = RangePlan(totalBytes: 3 << 20, pieceBytes: 1 << 20)
    private static let hashes = (0..<3).map { SHA256Hasher.hash([UInt8($0)]) }

    private static var lines: [[UInt8]] {
        [
            RetrievalJournal.line(identity), RetrievalJournal.line(jobID: "J"),
            RetrievalJournal.line(plan, treeHash: hashes[0]),
        ]
            + [2, 0].map { RetrievalJournal.line(verified: $0, hashes[$0]) }
    }

    @Test func whatWasWrittenIsRead() throws {
        let journal = try #require(RetrievalJournal(decoding: Array(Self.lines.joined())))
        #expect(journal.identity == Self.identity)
        #expect(journal.jobID == "J")
        #expect(journal.plan == Self.plan)
        #expect(journal.treeHash == Self.hashes[0])
        #expect(journal.verified == [0: Self.hashes[0], 2: Self.hashes[2]])
    }

    @Test func aJournalTornAnywhereKeepsWholeLinesOnly() throws {
        let bytes = Array(Self.lines.joined())
        let first = Self.lines[0].count - 1
        for length in 0..<bytes.count {
            let journal = RetrievalJournal(decoding: Array(bytes[..<length]))
            guard length >= first else {
                #expect(journal == nil)
                continue
            }
            let read = try #require(journal)
            #expect(read.identity == Self.identity)
            #expect(read.verified.allSatisfy { Self.hashes[$0.key] == $0.value })
        }
    }

    @Test func aNewPlanForgetsTheRangesOfTheOld() throws {
        let other = RangePlan(totalBytes: 3 << 20, pieceBytes: 2 << 20)
        let bytes = Array(Self.lines.joined()) + RetrievalJournal.line(other, treeHash: nil)
        let journal = try #require(RetrievalJournal(decoding: bytes))
        #expect(journal.plan == other)
        #expect(journal.verified.isEmpty)
    }

    @Test func aRangeOutsideThePlanEndsTheJournal() throws {
        let bytes =
            Array(Self.lines[0...2].joined()) + RetrievalJournal.line(verified: 3, Self.hashes[0])
            + RetrievalJournal.line(verified: 1, Self.hashes[1])
        #expect(try #require(RetrievalJournal(decoding: bytes)).verified.isEmpty)
    }

    @Test(arguments: [
        "", "{}", "[]", "nonsense\n",
        #"{"format":"coldvault-download","version":2,"vault":"v"}"#,
    ])
    func anythingElseIsUnknown(text: String) {
        #expect(RetrievalJournal(decoding: Array(text.utf8)) == nil)
    }
}

@Suite struct UploadStateTests {
    private static let state = UploadState(
        endpoint: "http://h", accountID: "-", vault: "v", uploadID: "U", partBytes: 1 << 20,
        source: FileStatus(bytes: 5, modifiedMilliseconds: 1_700_000_000_123))

    @Test func whatWasWrittenIsReadAndAnyTruncationIsNot() {
        let bytes = Self.state.encoded()
        #expect(UploadState(decoding: bytes) == Self.state)
        for length in 0..<bytes.count { #expect(UploadState(decoding: Array(bytes[..<length])) == nil) }
    }

    @Test func theNoteLiesHiddenNextToTheSource() {
        #expect(UploadState.path(forSource: "/a/b.tar") == "/a/.b.tar.coldvault-upload")
        #expect(UploadState.path(forSource: "b") == ".b.coldvault-upload")
    }
}

@Suite struct InventoryReaderTests {
    private static let text = """
        {"VaultARN":"arn","InventoryDate":"2024-05-02T03:04:05Z","ArchiveList":[
         {"ArchiveId":"A","ArchiveDescription":"tricky }],{[ \\" \\\\","Size":42,"SHA256TreeHash":"h"} ,
         {"ArchiveId":"B","ArchiveDescription":"","Size":0,"SHA256TreeHash":"h","Extra":{"deep":[1,{"x":2}]}}
        ]}
        """

    @Test func archivesAreTheSameWhereverTheBytesAreCut() throws {
        let bytes = Array(Self.text.utf8)
        for cut in 0...bytes.count {
            var reader = InventoryReader()
            let entries = try reader.append(bytes[..<cut]) + reader.append(bytes[cut...])
            #expect(entries.map(\.archiveID) == ["A", "B"])
            #expect(entries.first?.description == #"tricky }],{[ " \"#)
            #expect(entries.first?.bytes == 42)
            #expect(try reader.finish().string("InventoryDate") == "2024-05-02T03:04:05Z")
        }
    }

    @Test func anEmptyInventoryHasNoArchives() throws {
        var reader = InventoryReader()
        #expect(try reader.append(#"{"VaultARN":"a","InventoryDate":"d","ArchiveList":[]}"#.utf8).isEmpty)
        _ = try reader.finish()
    }

    @Test func aCutOffInventoryIsAnErrorAtEveryLength() throws {
        let bytes = Array(Self.text.utf8)
        for length in 0..<bytes.count {
            #expect(throws: ClientError.self) {
                var reader = InventoryReader()
                _ = try reader.append(bytes[..<length])
                _ = try reader.finish()
            }
        }
    }

    @Test func nonsenseIsRefusedWithoutBeingCollected() {
        for text in [
            "]", String(repeating: "[", count: 100), String(repeating: "x", count: InventoryReader.maxFrameBytes + 1),
        ] {
            #expect(throws: ClientError.self) {
                var reader = InventoryReader()
                _ = try reader.append(text.utf8)
                _ = try reader.finish()
            }
        }
    }
}
