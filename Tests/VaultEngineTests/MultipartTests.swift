// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import Storage
import StorageLaws
import Synchronization
import Testing
import TreeHash
import VaultModel

@testable import VaultEngine

@Suite(.serialized) struct MultipartTests {
    private static let mebi = 1 << 20

    private func piece(_ bytes: [UInt8], _ index: Int, partBytes: Int) -> [UInt8] {
        Array(bytes[index * partBytes..<min((index + 1) * partBytes, bytes.count)])
    }

    @Test func partsInAnyOrderMakeTheArchive() async throws {
        let bytes = content(7 * Self.mebi + 12_345, seed: 1)
        try await withVault { vault in
            let upload = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(2 * Self.mebi), description: "d")
            #expect(upload.count == 92)
            for index in [3, 1, 0, 2] {
                let part = piece(bytes, index, partBytes: 2 * Self.mebi)
                #expect(try await vault.part(upload, at: index * 2 * Self.mebi, part) == naiveTreeHash(part))
            }
            let page = try await vault.engine.listParts(vault.location, uploadID: upload, marker: nil, limit: 3)
            #expect(page.parts.map(\.range.first) == [0, 2, 4].map { UInt64($0 * Self.mebi) })
            #expect(page.upload.description == "d")
            let rest = try await vault.engine.listParts(vault.location, uploadID: upload, marker: page.next, limit: 3)
            #expect(rest.parts.map(\.range.last) == [UInt64(bytes.count - 1)])
            #expect(rest.next == nil)
            let stored = try await vault.engine.completeUpload(
                vault.location, uploadID: upload, size: UInt64(bytes.count), treeHash: naiveTreeHash(bytes))
            #expect(stored.treeHash == naiveTreeHash(bytes))
            try await vault.running {
                #expect(try await vault.download(stored.archiveID) == bytes)
                // Across parts and inside one.
                let range = try #require(ByteRange(first: UInt64(Self.mebi), last: UInt64(5 * Self.mebi - 1)))
                #expect(
                    try await vault.download(stored.archiveID, range: range) == Array(bytes[Self.mebi..<5 * Self.mebi]))
            }
        }
    }

    @Test func aPartSentAgainReplacesTheFirstAndItsBytesGo() async throws {
        let (first, second) = (content(Self.mebi, seed: 2), content(Self.mebi, seed: 3))
        try await withVault { vault in
            let upload = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(Self.mebi), description: "")
            try await vault.part(upload, at: 0, first)
            for _ in 0..<5 { try await vault.part(upload, at: 0, second) }
            let stored = try await vault.engine.completeUpload(
                vault.location, uploadID: upload, size: UInt64(Self.mebi), treeHash: naiveTreeHash(second))
            try await vault.running {
                try await vault.until("the clean-up", advancing: .seconds(10)) {
                    vault.cold.names(containing: "part-").count == 1
                }
                #expect(try await vault.download(stored.archiveID) == second)
            }
        }
    }

    @Test func onePartSentByManyAtOnceEndsAsOneOfThemWhole() async throws {
        for seed in Seeds.first(6) {
            let versions = (0..<6).map { content(Self.mebi, seed: seed &+ $0) }
            try await withVault({ $0.seed = seed }) { vault in
                let upload = try await vault.engine.initiateUpload(
                    vault.location, partBytes: UInt64(Self.mebi), description: "")
                try await vault.part(upload, at: 0, versions[0])
                // The clock stands still: only the write numbers keep the writers apart. Some may be asked to try
                // again.
                await withTaskGroup(of: Void.self) { group in
                    for version in versions { group.addTask { _ = try? await vault.part(upload, at: 0, version) } }
                }
                let stored = try await vault.engine.listParts(vault.location, uploadID: upload, marker: nil, limit: 10)
                let hash = try #require(stored.parts.first?.treeHash)
                let archive = try await vault.engine.completeUpload(
                    vault.location, uploadID: upload, size: UInt64(Self.mebi), treeHash: hash)
                try await vault.running {
                    try await vault.until("the clean-up", advancing: .seconds(10)) {
                        try await vault.engine.totals().doomedBlobs == 0
                    }
                    let bytes = try await vault.download(archive.archiveID)
                    #expect(versions.contains(bytes), "seed \(seed)")
                    #expect(naiveTreeHash(bytes) == hash, "seed \(seed)")
                }
            }
        }
    }

    @Test func aWriteUnderATakenNameNeverDoomsTheBlobThatHasIt() async throws {
        try await withVault { vault in
            let bytes = content(Self.mebi, seed: 4)
            let upload = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(Self.mebi), description: "")
            try await vault.part(upload, at: 0, bytes)
            vault.cold.memory.fail(.putAll, with: [.alreadyExists])
            await expectRefusal(.unavailable) { try await vault.part(upload, at: 0, bytes) }
            #expect(try await vault.engine.totals().doomedBlobs == 0)
        }
    }

    @Test func completionFindsEveryKindOfWrongSet() async throws {
        let bytes = content(3 * Self.mebi, seed: 5)
        try await withVault { vault in
            let upload = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(Self.mebi), description: "")
            func complete(_ size: Int, _ hash: SHA256Digest) async throws {
                _ = try await vault.engine.completeUpload(
                    vault.location, uploadID: upload, size: UInt64(size), treeHash: hash)
            }
            let hash = naiveTreeHash(bytes)
            await expectRefusal(.invalidParameter, "No part of this upload") { try await complete(bytes.count, hash) }
            try await vault.part(upload, at: 0, piece(bytes, 0, partBytes: Self.mebi))
            try await vault.part(upload, at: 2 * Self.mebi, piece(bytes, 2, partBytes: Self.mebi))
            await expectRefusal(.invalidParameter, "Missing part: bytes 1048576-2097151") {
                try await complete(bytes.count, hash)
            }
            try await vault.part(upload, at: Self.mebi, Array(piece(bytes, 1, partBytes: Self.mebi).dropLast()))
            await expectRefusal(.invalidParameter, "shorter than the upload's part size") {
                try await complete(bytes.count - 1, hash)
            }
            try await vault.part(upload, at: Self.mebi, piece(bytes, 1, partBytes: Self.mebi))
            await expectRefusal(.invalidParameter, "x-amz-archive-size") { try await complete(bytes.count + 1, hash) }
            await expectRefusal(.invalidParameter, "x-amz-sha256-tree-hash") {
                try await complete(bytes.count, SHA256Hasher.hash(bytes))
            }
            #expect(try await vault.engine.describeVault(vault.location).archiveCount == 0)
            try await complete(bytes.count, hash)
            #expect(try await vault.engine.describeVault(vault.location).archiveCount == 1)
        }
    }

    @Test func completingTwiceGivesTheSameArchiveOnce() async throws {
        let bytes = content(Self.mebi + 1, seed: 6)
        try await withVault { vault in
            let upload = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(Self.mebi), description: "")
            for index in 0..<2 {
                try await vault.part(upload, at: index * Self.mebi, piece(bytes, index, partBytes: Self.mebi))
            }
            let hash = naiveTreeHash(bytes)
            let first = try await vault.engine.completeUpload(
                vault.location, uploadID: upload, size: UInt64(bytes.count), treeHash: hash)
            let again = try await vault.engine.completeUpload(
                vault.location, uploadID: upload, size: UInt64(bytes.count), treeHash: hash)
            #expect(first == again)
            #expect(try await vault.engine.describeVault(vault.location).archiveCount == 1)
            await expectRefusal(.invalidParameter, "x-amz-archive-size") {
                _ = try await vault.engine.completeUpload(vault.location, uploadID: upload, size: 1, treeHash: hash)
            }
            await expectRefusal(.invalidParameter, "x-amz-sha256-tree-hash") {
                _ = try await vault.engine.completeUpload(
                    vault.location, uploadID: upload, size: UInt64(bytes.count), treeHash: SHA256Hasher.hash([]))
            }
            // The upload is over for everything else.
            await expectRefusal(.notFound, "The upload ID was not found") { try await vault.part(upload, at: 0, [1]) }
            await expectRefusal(.notFound) { try await vault.engine.abortUpload(vault.location, uploadID: upload) }
            await expectRefusal(.notFound) {
                _ = try await vault.engine.listParts(vault.location, uploadID: upload, marker: nil, limit: 10)
            }
            try await vault.engine.deleteArchive(vault.location, archiveID: first.archiveID)
            await expectRefusal(.notFound) {
                _ = try await vault.engine.completeUpload(
                    vault.location, uploadID: upload, size: UInt64(bytes.count), treeHash: hash)
            }
        }
    }

    @Test func completionsInOneMillisecondAllSucceed() async throws {
        let bytes = content(Self.mebi + 9, seed: 11)
        try await withVault { vault in
            let upload = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(Self.mebi), description: "")
            for index in 0..<2 {
                try await vault.part(upload, at: index * Self.mebi, piece(bytes, index, partBytes: Self.mebi))
            }
            let hash = naiveTreeHash(bytes)
            let (engine, location) = (vault.engine, vault.location)
            // Before the first has committed, the second begins and ends: the clock stands still, and both want the same name.
            let inner = Mutex<StoredArchive?>(nil)
            let isBegun = Mutex(false)
            vault.cold.onPut { id in
                guard id.name.contains(".manifest-"), isBegun.withLock({ begun in defer { begun = true }; return !begun }) else { return }
                do {
                    let stored = try await engine.completeUpload(
                        location, uploadID: upload, size: UInt64(bytes.count), treeHash: hash)
                    inner.withLock { $0 = stored }
                } catch {
                    Issue.record("\(error)")
                }
            }
            let outer = try await engine.completeUpload(location, uploadID: upload, size: UInt64(bytes.count), treeHash: hash)
            vault.cold.onPut(nil)
            #expect(inner.withLock { $0 } == outer)
            #expect(try await engine.describeVault(location).archiveCount == 1)
            // The loser's manifest goes, the winner's stays.
            #expect(vault.cold.names(containing: ".manifest-").count == 2)
            try await vault.running {
                try await vault.until("the clean-up", advancing: .seconds(1000)) {
                    vault.cold.names(containing: ".manifest-").count == 1
                }
                try await vault.check(outer.archiveID, holds: bytes)
            }
        }
    }

    @Test func completionsAtOnceMakeOneArchive() async throws {
        let bytes = content(Self.mebi, seed: 7)
        try await withVault { vault in
            let upload = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(Self.mebi), description: "")
            try await vault.part(upload, at: 0, bytes)
            let ids = await withTaskGroup(of: String?.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try? await vault.engine.completeUpload(
                            vault.location, uploadID: upload, size: UInt64(bytes.count), treeHash: naiveTreeHash(bytes)
                        ).archiveID
                    }
                }
                return await group.reduce(into: Set<String>()) { if let id = $1 { $0.insert(id) } }
            }
            #expect(ids.count == 1)
            let id = try #require(ids.first)
            try await vault.running {
                try await vault.until("the clean-up", advancing: .seconds(10)) {
                    try await vault.engine.totals().doomedBlobs == 0
                }
                #expect(try await vault.download(id) == bytes)
            }
        }
    }

    @Test func anAbortedUploadIsGoneWithItsBytes() async throws {
        try await withVault { vault in
            let upload = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(Self.mebi), description: "")
            try await vault.part(upload, at: 0, content(Self.mebi, seed: 8))
            try await vault.engine.abortUpload(vault.location, uploadID: upload)
            try await vault.engine.abortUpload(vault.location, uploadID: upload)
            await expectRefusal(.notFound) { try await vault.part(upload, at: 0, [1]) }
            await expectRefusal(.notFound) {
                _ = try await vault.engine.completeUpload(
                    vault.location, uploadID: upload, size: 1, treeHash: SHA256Hasher.hash([1]))
            }
            try await vault.running {
                try await vault.until("the clean-up", advancing: .seconds(10)) {
                    vault.cold.names(containing: "part-").isEmpty
                }
            }
        }
    }

    @Test func anIdleUploadIsGivenUpAndAnActiveOneIsNot() async throws {
        try await withVault({ $0.configuration.uploadExpiry = .seconds(3600) }) { vault in
            let idle = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(Self.mebi), description: "")
            let active = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(Self.mebi), description: "")
            try await vault.part(idle, at: 0, [1])
            vault.clock.advance(by: .seconds(3000))
            try await vault.part(active, at: 0, [2])
            try await vault.running {
                try await vault.until("the expiry", advancing: .seconds(10)) {
                    try await vault.engine.totals().openUploads == 1
                }
                let left = try await vault.engine.listUploads(vault.location, marker: nil, limit: 10)
                #expect(left.uploads.map(\.uploadID) == [active])
                await expectRefusal(.notFound) { try await vault.part(idle, at: 0, [1]) }
            }
        }
    }

    @Test func placesOutsideTheGridAreRefusedBeforeTheBodyIsRead() async throws {
        try await withVault { vault in
            let upload = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(Self.mebi), description: "")
            func send(_ first: UInt64, _ last: UInt64) async throws {
                let range = try #require(ByteRange(first: first, last: last))
                _ = try await vault.engine.uploadPart(
                    UploadPartRequest(
                        location: vault.location, uploadID: upload, range: range, treeHash: SHA256Hasher.hash([]),
                        linearHash: SHA256Hasher.hash([])), body: UnreadBody())
            }
            let mebi = UInt64(Self.mebi)
            await expectRefusal(.invalidParameter, "This is part number 10001") {
                try await send(10_000 * mebi, 10_000 * mebi)
            }
            await expectRefusal(.invalidParameter, "Invalid Content-Range") { try await send(1, mebi) }
            await expectRefusal(.invalidParameter, "Invalid Content-Range") { try await send(0, mebi) }
            await expectRefusal(.invalidParameter, "Invalid part size") {
                _ = try await vault.engine.initiateUpload(vault.location, partBytes: 3 << 20, description: "")
            }
            // The last part there may be is accepted, wherever the others are.
            try await vault.part(upload, at: 9999 << 20, [1])
            #expect(
                try await vault.engine.listParts(vault.location, uploadID: upload, marker: nil, limit: 10).parts.count
                    == 1)
        }
    }

    /// A body that must not be asked for.
    private struct UnreadBody: AsyncSequence, Sendable {
        struct AsyncIterator: AsyncIteratorProtocol {
            mutating func next() async throws -> ByteBuffer? {
                Issue.record("the body was read")
                return nil
            }
        }
        func makeAsyncIterator() -> AsyncIterator { AsyncIterator() }
    }

    @Test func refusedPartsLeaveNothing() async throws {
        try await withVault { vault in
            let upload = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(2 * Self.mebi), description: "")
            let before = vault.cold.names
            for size in [10, 2 * Self.mebi] {
                let bytes = content(size, seed: 9)
                let range = try #require(ByteRange(first: 0, last: UInt64(size - 1)))
                func send(_ tree: SHA256Digest, _ linear: SHA256Digest, _ body: Body) async throws {
                    _ = try await vault.engine.uploadPart(
                        UploadPartRequest(
                            location: vault.location, uploadID: upload, range: range, treeHash: tree, linearHash: linear
                        ),
                        body: body)
                }
                let (tree, linear) = (naiveTreeHash(bytes), SHA256Hasher.hash(bytes))
                let wrong = SHA256Hasher.hash([0])
                await expectRefusal(.invalidParameter, "Checksum mismatch") {
                    try await send(wrong, linear, Body(bytes))
                }
                await expectRefusal(.invalidSignature) { try await send(tree, wrong, Body(bytes)) }
                await expectRefusal(.invalidParameter, "ended after") {
                    try await send(tree, linear, Body(Array(bytes.dropLast())))
                }
                await expectRefusal(.invalidParameter, "longer than") {
                    try await send(tree, linear, Body(bytes + [1]))
                }
                await expectRefusal(.internalFailure) { try await send(tree, linear, Body(bytes, breaks: true)) }
            }
            #expect(vault.cold.names == before)
            #expect(
                try await vault.engine.listParts(vault.location, uploadID: upload, marker: nil, limit: 10).parts.isEmpty
            )
        }
    }

    @Test func uploadsAreListedPageByPage() async throws {
        try await withVault { vault in
            var ids: [String] = []
            for number in 0..<7 {
                vault.clock.advance(by: .milliseconds(5))
                ids.append(
                    try await vault.engine.initiateUpload(
                        vault.location, partBytes: UInt64(Self.mebi), description: "\(number)"))
            }
            var listed: [UploadDescription] = []
            var marker: String?
            repeat {
                let page = try await vault.engine.listUploads(vault.location, marker: marker, limit: 3)
                listed += page.uploads
                marker = page.next
            } while marker != nil
            #expect(listed.map(\.uploadID) == ids)
            #expect(listed.map(\.description) == (0..<7).map { "\($0)" })
            await expectRefusal(.invalidParameter, "Invalid marker") {
                _ = try await vault.engine.listUploads(vault.location, marker: "x", limit: 3)
            }
        }
    }

    @Test func foreignAndForgedUploadsAreNotFound() async throws {
        try await withVault { vault in
            try await vault.engine.createVault(TestVault.location("w"))
            let upload = try await vault.engine.initiateUpload(
                vault.location, partBytes: UInt64(Self.mebi), description: "")
            for (location, id) in [
                (TestVault.location("w"), upload), (vault.location, "B" + upload.dropFirst()), (vault.location, ""),
            ] {
                await expectRefusal(.notFound, "The upload ID was not found") {
                    try await vault.engine.abortUpload(location, uploadID: id)
                }
            }
        }
    }
}
