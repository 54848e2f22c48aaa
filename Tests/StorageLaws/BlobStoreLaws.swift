// SPDX-License-Identifier: Apache-2.0

import NIOCore
public import Storage
import Testing

/// The laws of ``BlobStore`` that hold without a power cut. Run each with a store that is empty.
public enum BlobStoreLaw: String, CaseIterable, Sendable {
    case committedBlobIsReadBackByteForByte, manySmallBlobsAreReadBack, nothingIsVisibleBeforeCommit,
        abandonedWriteLeavesNothing
    case droppedWriteLeavesNothing, finishedWriterIsRefused, secondCommitIsRefusedAndChangesNothing,
        oneOfConcurrentCommitsWins
    case putAllWithATakenNameChangesNothing, readPastTheEndIsAnIntegrityError, absentBlobIsNotFound, deleteIsIdempotent
    case listIsSortedCompleteAndPaged, listSurvivesConcurrentChanges, concurrentSmallWritesAllSucceed, recallEndsReady
    case laterBlobOfAPutIsNeverSeenWithoutTheEarlier

    public func check(_ store: any BlobStore) async throws {
        switch self {
        case .committedBlobIsReadBackByteForByte: try await Self.roundTrips(store)
        case .manySmallBlobsAreReadBack:
            let blobs = try (0..<40).map {
                (id: try blob("v/\($0 % 3)/b-\($0)"), bytes: ByteBuffer(bytes: pattern($0 * 700, $0)))
            }
            try await store.putAll(blobs)
            try await store.putAll([])
            for (id, bytes) in blobs {
                #expect(try await store.size(of: id) == UInt64(bytes.readableBytes))
                #expect(try await readBack(store, id) == Array(bytes.readableBytesView))
            }
        case .nothingIsVisibleBeforeCommit:
            let id = try blob("v/hidden")
            let writer = try await store.beginWrite(id, expectedBytes: 3)
            try await writer.write(ByteBuffer(string: "abc"))
            #expect(try await store.size(of: id) == nil)
            await expectCode(.notFound) { try await store.read(id, range: 0..<3) }
            #expect(try await store.list(prefix: "", after: nil, limit: 10) == [])
            try await writer.commit()
            #expect(try await store.list(prefix: "", after: nil, limit: 10) == [BlobListing(id: id, bytes: 3)])
        case .abandonedWriteLeavesNothing:
            let id = try blob("v/abandoned")
            let writer = try await store.beginWrite(id, expectedBytes: 3)
            try await writer.write(ByteBuffer(string: "abc"))
            await writer.abandon()
            await writer.abandon()
            #expect(try await store.list(prefix: "", after: nil, limit: 10) == [])
            let second = try await store.beginWrite(id, expectedBytes: 1)
            try await second.write(ByteBuffer(string: "x"))
            try await second.commit()
            await second.abandon()
            #expect(try await readBack(store, id) == Array("x".utf8))
        case .droppedWriteLeavesNothing:
            do {
                let writer = try await store.beginWrite(try blob("v/dropped"), expectedBytes: 3)
                try await writer.write(ByteBuffer(string: "abc"))
            }
            #expect(try await store.list(prefix: "", after: nil, limit: 10) == [])
        case .finishedWriterIsRefused:
            let writer = try await store.beginWrite(try blob("v/done"), expectedBytes: 1)
            try await writer.commit()
            await #expect(throws: StorageError.self) { try await writer.write(ByteBuffer(string: "late")) }
            await #expect(throws: StorageError.self) { try await writer.commit() }
            #expect(try await store.size(of: try blob("v/done")) == 0)
            let abandoned = try await store.beginWrite(try blob("v/never"), expectedBytes: 1)
            await abandoned.abandon()
            await #expect(throws: StorageError.self) { try await abandoned.commit() }
            #expect(try await store.size(of: try blob("v/never")) == nil)
        case .secondCommitIsRefusedAndChangesNothing:
            let id = try blob("v/once")
            try await store.putAll([(id, ByteBuffer(string: "first"))])
            let writer = try await store.beginWrite(id, expectedBytes: 6)
            try await writer.write(ByteBuffer(string: "second"))
            await expectCode(.alreadyExists) { try await writer.commit() }
            #expect(try await readBack(store, id) == Array("first".utf8))
        case .oneOfConcurrentCommitsWins: try await Self.raceForOneName(store)
        case .putAllWithATakenNameChangesNothing:
            let taken = try blob("v/b")
            let other = try blob("v/a")
            try await store.putAll([(taken, ByteBuffer(string: "first"))])
            await expectCode(.alreadyExists) {
                try await store.putAll([(other, ByteBuffer(string: "x")), (taken, ByteBuffer(string: "second"))])
            }
            #expect(try await store.list(prefix: "", after: nil, limit: 9) == [BlobListing(id: taken, bytes: 5)])
            #expect(try await readBack(store, taken) == Array("first".utf8))
        case .readPastTheEndIsAnIntegrityError:
            let id = try blob("v/five")
            try await store.putAll([(id, ByteBuffer(string: "12345"))])
            try await thaw(store, [id])
            for range: Range<UInt64> in [0..<6, 5..<6, 1 << 40..<1 << 40 + 1, UInt64.max - 1..<UInt64.max] {
                await expectCode(.integrity, "\(range)") { try await store.read(id, range: range) }
            }
            #expect(try await store.read(id, range: 5..<5) == ByteBuffer())
        case .absentBlobIsNotFound:
            let id = try blob("v/none/at/all")
            await expectCode(.notFound) { try await store.read(id, range: 0..<1) }
            #expect(try await store.size(of: id) == nil)
            #expect(try await store.list(prefix: "v/none/", after: nil, limit: 1) == [])
        case .deleteIsIdempotent:
            let id = try blob("v/x/gone")
            let kept = try blob("v/x/kept")
            try await store.putAll([(id, ByteBuffer(string: "1")), (kept, ByteBuffer(string: "2"))])
            for _ in 0..<2 { try await store.delete(id) }
            try await store.delete(try blob("v/x/never-there"))
            try await store.delete(try blob("no/such/directory"))
            #expect(try await store.size(of: id) == nil)
            await expectCode(.notFound) { try await store.read(id, range: 0..<1) }
            #expect(try await store.list(prefix: "", after: nil, limit: 9).map(\.id) == [kept])
        case .listIsSortedCompleteAndPaged: try await Self.listing(store)
        case .listSurvivesConcurrentChanges: try await Self.listingUnderChange(store)
        case .concurrentSmallWritesAllSucceed: try await Self.smallWrites(store)
        case .laterBlobOfAPutIsNeverSeenWithoutTheEarlier: try await Self.orderOfVisibility(store)
        case .recallEndsReady:
            let id = try blob("v/cold")
            try await store.putAll([(id, ByteBuffer(string: "ice"))])
            try await thaw(store, [id])
            #expect(try await store.recall([id]) == .ready)
            #expect(try await readBack(store, id) == Array("ice".utf8))
        }
    }

    // MARK: the longer ones

    private static func roundTrips(_ store: any BlobStore) async throws {
        for size in [0, 1, 16_384, 1 << 20, 1 << 20 + 3, 5 << 20] {
            let id = try blob("v/size-\(size)")
            let content = pattern(size, size)
            let writer = try await store.beginWrite(id, expectedBytes: UInt64(size))
            for start in stride(from: 0, to: size, by: 700_001) {
                try await writer.write(ByteBuffer(bytes: content[start..<min(size, start + 700_001)]))
            }
            try await writer.commit()
            #expect(try await store.size(of: id) == UInt64(size))
            #expect(try await readBack(store, id) == content)
            if size > 3 {
                try await thaw(store, [id])
                let range = UInt64(size / 3)..<UInt64(size / 2)
                #expect(try await store.read(id, range: range) == ByteBuffer(bytes: content[size / 3..<size / 2]))
            }
        }
    }

    private static func raceForOneName(_ store: any BlobStore) async throws {
        let id = try blob("v/race")
        let winners = try await withThrowingTaskGroup(of: Int?.self) { group in
            for number in 0..<8 {
                group.addTask {
                    let writer = try await store.beginWrite(id, expectedBytes: 10)
                    try await writer.write(ByteBuffer(bytes: pattern(number + 1, number)))
                    do {
                        try await writer.commit()
                        return number
                    } catch let error as StorageError {
                        #expect(error.code == .alreadyExists)
                        return nil
                    }
                }
            }
            return try await group.reduce(into: [Int]()) { if let number = $1 { $0.append(number) } }
        }
        #expect(winners.count == 1)
        let winner = try #require(winners.first)
        #expect(try await readBack(store, id) == pattern(winner + 1, winner))
    }

    private static func smallWrites(_ store: any BlobStore) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    try await store.putAll([
                        (try blob("v/\(number % 2)/a\(number).part"), ByteBuffer(bytes: pattern(1000, number))),
                        (try blob("v/\(number % 2)/a\(number).manifest"), ByteBuffer(bytes: pattern(100, number))),
                    ])
                }
            }
            try await group.waitForAll()
        }
        #expect(try await store.list(prefix: "v/", after: nil, limit: 1000).count == 400)
        for number in stride(from: 0, to: 200, by: 17) {
            #expect(try await readBack(store, try blob("v/\(number % 2)/a\(number).part")) == pattern(1000, number))
        }
    }

    private static func orderOfVisibility(_ store: any BlobStore) async throws {
        let pairs = try (0..<40).map { (earlier: try blob("v/z\($0)"), later: try blob("v/a\($0)")) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for (earlier, later) in pairs {
                    try await store.putAll([(earlier, ByteBuffer(string: "1")), (later, ByteBuffer(string: "2"))])
                }
            }
            group.addTask {
                for (earlier, later) in pairs {
                    // Bounded; the pair appears sooner or later, and its halves never the wrong way round.
                    for _ in 0..<200 where try await store.size(of: later) != nil {
                        #expect(try await store.size(of: earlier) != nil)
                        break
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func listing(_ store: any BlobStore) async throws {
        var names = ["a.b", "a/b", "a-b", "a0", "a/b0/c", "a/b0-c", "a_b", "b", "a/c/d/e/f", "a/c/d.e", "0", "z/9/8/7"]
        var random = SeededGenerator(seed: 11)
        for number in 0..<120 {
            let path = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                ["x", "y-", "y", "y0"].randomElement(using: &random) ?? ""
            }
            names.append("t/" + path.joined(separator: "/") + "/n\(number)")
        }
        for name in names { try await store.putAll([(try blob(name), ByteBuffer(string: name))]) }
        let sorted = try names.map(blob).sorted()
        for prefix in [
            "", "a", "a/", "a/b", "a/b0", "a/c/d", "t/", "t/y", "t/y/", "t/y/y", "none", "none/", "../", "/", "a//",
            "b/",
        ] {
            let expected = sorted.filter { $0.name.utf8.starts(with: prefix.utf8) }
            for limit in [1, 7, 1000] {
                var listed: [BlobListing] = []
                while listed.count <= sorted.count {
                    let page = try await store.list(prefix: prefix, after: listed.last?.id, limit: limit)
                    #expect(page.count <= limit)
                    listed += page
                    if page.count < limit { break }
                }
                #expect(listed.map(\.id) == expected, "prefix \(prefix), limit \(limit)")
                #expect(listed.allSatisfy { $0.bytes == UInt64($0.id.name.utf8.count) })
            }
        }
        // A page may begin after a name that is not there, or that is outside of the prefix.
        for after in ["a/b1", "a/c", "t", "t/y/zzz", "zz", "0"] {
            let mark = try blob(after)
            let page = try await store.list(prefix: "t/", after: mark, limit: 1000)
            #expect(page.map(\.id) == sorted.filter { $0.name.hasPrefix("t/") && $0 > mark }, "after \(after)")
        }
        #expect(try await store.list(prefix: "", after: nil, limit: 0) == [])
    }

    private static func listingUnderChange(_ store: any BlobStore) async throws {
        let kept = try (0..<60).map { try blob("v/\($0 % 5)/kept-\($0)") }
        try await store.putAll(kept.map { ($0, ByteBuffer(string: "k")) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for number in 0..<60 {
                    let id = try blob("v/\(number % 5)/\(number % 2 == 0 ? "a" : "z")-\(number)")
                    try await store.putAll([(id, ByteBuffer(string: "t"))])
                    if number % 3 == 0 { try await store.delete(id) }
                }
            }
            group.addTask {
                for _ in 0..<5 {
                    var listed: [BlobID] = []
                    while true {
                        let page = try await store.list(prefix: "v/", after: listed.last, limit: 7)
                        listed += page.map(\.id)
                        if page.count < 7 { break }
                    }
                    #expect(listed == listed.sorted())
                    #expect(Set(listed).count == listed.count)
                    #expect(Set(kept).isSubset(of: listed))
                }
            }
            try await group.waitForAll()
        }
    }
}
