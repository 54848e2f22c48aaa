// SPDX-License-Identifier: Apache-2.0

import Dispatch
import GRDB
import Storage
import StorageLaws
import Synchronization
import Testing

@testable import SQLiteCatalog

/// Many callers, one transaction, and what each of them is told when it goes wrong.
@Suite struct GroupCommitTests {
    @Test func changesThatArriveTogetherShareACommit() async throws {
        try await withGroup { group, database, commits in
            try await inOneGroup(200, group) { number in
                try await group.submit { try insert(number, $0) }
            }
            #expect(try await count(database) == 200)
            // The one that held the door, then everyone behind it.
            #expect(commits.value == 2)
        }
    }

    @Test func aGroupIsBounded() async throws {
        try await withGroup { group, database, commits in
            try await inOneGroup(GroupCommit.maxGroup + 1, group) { number in
                try await group.submit { try insert(number, $0) }
            }
            #expect(try await count(database) == GroupCommit.maxGroup + 1)
            #expect(commits.value == 3)
        }
    }

    @Test func aFailingMemberLeavesNoTraceAndTheOthersStand() async throws {
        try await withGroup { group, database, commits in
            try await inOneGroup(100, group) { number in
                if number % 3 == 0 {
                    await expectCode(.conflict) {
                        try await group.submit { database in
                            try insert(number, database)
                            throw StorageError(.conflict, "after its first row")
                        }
                    }
                } else {
                    try await group.submit { try insert(number, $0) }
                }
            }
            #expect(try await count(database) == 66)
            #expect(commits.value == 2)
        }
    }

    @Test func aMemberThatLosesTheTransactionOfAllIsTriedAloneLikeTheOthers() async throws {
        try await withGroup { group, database, commits in
            try await inOneGroup(10, group) { number in
                if number == 5 {
                    await expectCode(.unusable) {
                        try await group.submit { database in
                            try insert(number, database)
                            // What SQLite does by itself on a full disk.
                            try database.execute(sql: "ROLLBACK")
                            throw StorageError(.unusable, "the transaction is gone")
                        }
                    }
                } else {
                    try await group.submit { try insert(number, $0) }
                }
            }
            #expect(try await count(database) == 9)
            #expect(commits.value == 10)
        }
    }

    @Test func withoutSpaceTheChangeIsUndoneAndSmallOnesStillWork() async throws {
        try await withGroup { group, database, _ in
            try await group.submit { database in
                let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
                try database.execute(sql: "PRAGMA max_page_count = \(pages + 4)")
            }
            try await inOneGroup(3, group) { number in
                if number == 1 {
                    await expectCode(.noSpace) {
                        try await group.submit { database in
                            try database.execute(sql: "INSERT INTO things (id, bytes) VALUES (1000, zeroblob(1000000))")
                        }
                    }
                } else {
                    try await group.submit { try insert(number, $0) }
                }
            }
            #expect(try await count(database) == 2)
        }
    }

    @Test(arguments: [ResultCode.SQLITE_FULL, .SQLITE_BUSY])
    func aCommitThatCertainlyFailedIsUndoneAndTheNextOneWorks(_ code: ResultCode) async throws {
        let faults = Counter(1)
        try await withGroup(commit: { database in
            if faults.value > 0 { throw DatabaseError(resultCode: code) }
            try database.change("COMMIT")
        }) { group, database, _ in
            await expectCode(code == .SQLITE_FULL ? .noSpace : .transient) {
                try await group.submit { try insert(1, $0) }
            }
            #expect(try await count(database) == 0)
            faults.reset()
            try await group.submit { try insert(2, $0) }
            #expect(try await count(database) == 1)
        }
    }

    @Test(arguments: [ResultCode.SQLITE_IOERR_FSYNC, .SQLITE_IOERR_WRITE, .SQLITE_CORRUPT, .SQLITE_ERROR])
    func afterACommitOfUnknownOutcomeNothingIsWrittenAnyMore(_ code: ResultCode) async throws {
        let faults = Counter(1)
        try await withGroup(commit: { database in
            if faults.value > 0 { throw DatabaseError(resultCode: code) }
            try database.change("COMMIT")
        }) { group, database, _ in
            await expectCode(.outcomeUnknown) { try await group.submit { try insert(1, $0) } }
            faults.reset()
            await expectCode(.outcomeUnknown) { try await group.submit { try insert(2, $0) } }
            let written = try await count(database)
            #expect(written == 0)
        }
    }

    @Test func aMemberThatFailedByItselfIsToldSoEvenWhenTheCommitIsUnknown() async throws {
        let commits = Counter()
        try await withGroup(commit: { database in
            // The second one is that of the group behind the door.
            if commits.increment() == 2 { throw DatabaseError(resultCode: .SQLITE_IOERR_FSYNC) }
            try database.change("COMMIT")
        }) { group, _, _ in
            try await inOneGroup(2, group) { number in
                await expectCode(number == 0 ? .conflict : .outcomeUnknown) {
                    try await group.submit { database in
                        if number == 0 { throw StorageError(.conflict, "by itself") }
                        try insert(number, database)
                    }
                }
            }
        }
    }

    @Test func closingFinishesWhatWasHandedInAndRefusesTheRest() async throws {
        try await withGroup { group, database, _ in
            try await inOneGroup(20, group, then: { await group.close() }) { number in
                try await group.submit { try insert(number, $0) }
            }
            #expect(try await count(database) == 20)
            await expectCode(.unusable) { try await group.submit { try insert(99, $0) } }
        }
    }

    // MARK: -

    /// Holds the writer until `count` callers wait behind it.
    private func inOneGroup(
        _ count: Int, _ group: GroupCommit, then after: @Sendable @escaping () async -> Void = {},
        _ body: @Sendable @escaping (Int) async throws -> Void
    ) async throws {
        let door = DispatchSemaphore(value: 0)
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.submit { _ in door.wait() } }
            while group.waitingCount > 0 || !group.isBusy { await Task.yield() }
            for number in 0..<count { tasks.addTask { try await body(number) } }
            while group.waitingCount < count { await Task.yield() }
            tasks.addTask { await after() }
            door.signal()
            try await tasks.waitForAll()
        }
    }

    private func withGroup(
        commit: GroupCommit.Commit? = nil,
        _ body: (GroupCommit, DatabasePool, Counter) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let (database, _) = try CatalogFile.open("\(directory)/catalog.sqlite", verify: false)
            try await database.write {
                try $0.execute(sql: "CREATE TABLE things (id INTEGER PRIMARY KEY, bytes BLOB) STRICT")
            }
            let counter = Counter()
            let group = GroupCommit(database) { database in
                counter.increment()
                if let commit { try commit(database) } else { try database.change("COMMIT") }
            }
            try await body(group, database, counter)
            await group.close()
            try database.close()
        }
    }

    private final class Counter: Sendable {
        private let count: Mutex<Int>
        init(_ start: Int = 0) { count = Mutex(start) }
        var value: Int { count.withLock { $0 } }
        @discardableResult func increment() -> Int {
            count.withLock { count in
                count += 1
                return count
            }
        }
        func reset() { count.withLock { $0 = 0 } }
    }

    private func count(_ database: DatabasePool) async throws -> Int {
        try await database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM things") ?? -1 }
    }
}

private func insert(_ number: Int, _ database: Database) throws {
    try database.change("INSERT INTO things (id) VALUES (?)", [number])
}
