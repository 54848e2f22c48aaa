// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import SQLiteCatalog

/// Which files are opened, how, and what they keep.
@Suite struct CatalogFileTests {
    @Test func commitsAreSynchronousAndTheLogIsAWAL() async throws {
        try await withCatalog { catalog, _ in
            let (synchronous, journal, foreignKeys, temporary, wiping) = try await catalog.database.write { database in
                (
                    try Int.fetchOne(database, sql: "PRAGMA synchronous"),
                    try String.fetchOne(database, sql: "PRAGMA journal_mode"),
                    try Int.fetchOne(database, sql: "PRAGMA foreign_keys"),
                    try Int.fetchOne(database, sql: "PRAGMA temp_store"),
                    try Int.fetchOne(database, sql: "PRAGMA secure_delete")
                )
            }
            #expect(synchronous == 2)
            #expect(journal == "wal")
            #expect(foreignKeys == 1)
            #expect(temporary == 2)
            #expect(wiping == 1)
            #expect(catalog.sqliteVersion.hasPrefix("3."))
        }
    }

    @Test func aConnectionThatMayLoseCommitsIsNotUsed() async throws {
        try await withCatalog { catalog, _ in
            try await catalog.database.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA synchronous = NORMAL")
                #expect(throws: StorageError.self) { try CatalogFile.assertDurable(database) }
                try database.execute(sql: "PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF")
                #expect(throws: StorageError.self) { try CatalogFile.assertDurable(database) }
            }
        }
    }

    @Test func onlyTheOwnerMayReadTheFiles() async throws {
        try await withCatalog { catalog, path in
            try await catalog.setFact("a", "b")
            for suffix in ["", "-wal", "-shm"] {
                let mode = try FileManager.default.attributesOfItem(atPath: path + suffix)[.posixPermissions] as? Int
                #expect(mode == 0o600, "\(suffix)")
            }
        }
    }

    @Test func whatWasAcknowledgedIsInTheFilesBeforeAnyClosing() async throws {
        try await withCatalog { catalog, path in
            for number in 0..<50 { try await catalog.setFact("fact \(number)", "kept") }
            // What a crash of the process leaves: the file and its WAL as they are now.
            for suffix in ["", "-wal"] {
                try FileManager.default.copyItem(atPath: path + suffix, toPath: "\(path).crashed\(suffix)")
            }
            let reopened = try await SQLiteCatalog.open(path: "\(path).crashed", verify: true)
            for number in 0..<50 { #expect(try await reopened.fact("fact \(number)") == "kept") }
            await reopened.close()
        }
    }

    @Test func aClosedCatalogOpensAgainWithAnEmptyWAL() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/catalog.sqlite"
            for round in 0..<3 {
                let catalog = try await SQLiteCatalog.open(path: path, verify: true)
                #expect(try await catalog.fact("round") == (round == 0 ? nil : "\(round - 1)"))
                #expect(try await catalog.beginEpoch() == UInt64(round + 1))
                try await catalog.setFact("round", "\(round)")
                await catalog.close()
                let size = try? FileManager.default.attributesOfItem(atPath: "\(path)-wal")[.size] as? Int
                #expect((size ?? 0) == 0)
            }
        }
    }

    @Test(arguments: [
        ("PRAGMA user_version = 4", "newer Coldvault"), ("PRAGMA application_id = 7", "another program"),
        ("PRAGMA application_id = 0", "another program"), ("PRAGMA user_version = -1", "no Coldvault writes"),
    ])
    func aNewerOrForeignFileIsRefused(_ change: String, _ reason: String) async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/catalog.sqlite"
            await (try SQLiteCatalog.open(path: path)).close()
            let other = try DatabaseQueue(path: path)
            try await other.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA journal_mode = DELETE; \(change)")
            }
            try other.close()
            let before = try Data(contentsOf: URL(fileURLWithPath: path))
            do {
                _ = try await SQLiteCatalog.open(path: path)
                Issue.record("opened after \(change)")
            } catch let error as StorageError {
                #expect(error.code == .unusable)
                #expect(error.message.contains(reason), "\(error)")
            }
            // Version -1 is ours but impossible; it is seen only once WAL mode is on.
            if !change.contains("-1") { #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before) }
        }
    }

    @Test func somethingThatIsNoDatabaseIsRefusedAndKept() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/catalog.sqlite"
            let text = Data(String(repeating: "not a database ", count: 400).utf8)
            try text.write(to: URL(fileURLWithPath: path))
            await expectCode(.integrity) { _ = try await SQLiteCatalog.open(path: path) }
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == text)
            await expectCode(.notFound) {
                _ = try await SQLiteCatalog.open(path: "\(directory)/missing/catalog.sqlite")
            }
        }
    }

    @Test func aDamagedFileIsFoundWhenAskedFor() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/catalog.sqlite"
            let catalog = try await SQLiteCatalog.open(path: path)
            for number in 0..<500 { try await catalog.setFact("fact \(number)", String(repeating: "x", count: 100)) }
            await catalog.close()
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            let end = try file.seekToEnd()
            try file.seek(toOffset: end - 3 * 4096)
            try file.write(contentsOf: Data(repeating: 0xAA, count: 3 * 4096))
            try file.close()
            await expectCode(.integrity) { _ = try await SQLiteCatalog.open(path: path, verify: true) }
        }
    }

    @Test func impossibleValuesAreAnIntegrityErrorAndNoTrap() async throws {
        try await withCatalog { catalog, _ in
            try await catalog.database.write { database in
                for (id, generation) in [("12", 1), ("000000000001", -1)] {
                    try database.change(
                        "INSERT INTO accounts (\(AccountRow.columns)) VALUES (?, 'active', 1, ?, 1, NULL, NULL)",
                        [id, generation])
                }
            }
            await expectCode(.integrity) { _ = try await catalog.accounts(after: nil, limit: 1) }
            let negative = try #require(AccountID("000000000001"))
            await expectCode(.integrity) { _ = try await catalog.account(negative) }
        }
    }

    @Test func aLogThatReadersKeptFromBeingReusedIsCutBack() async throws {
        try await withCatalog { catalog, path in
            for number in 0..<20 {
                try await catalog.setFact("fact \(number)", String(repeating: "x", count: 10_000))
            }
            try await catalog.database.writeWithoutTransaction { database in
                CatalogFile.boundLog(database, of: path, maxBytes: 1 << 30)
                #expect(DurableFile.bytes("\(path)-wal") > 200_000)
                CatalogFile.boundLog(database, of: path, maxBytes: 100_000)
                #expect(DurableFile.bytes("\(path)-wal") == 0)
            }
            try await catalog.setFact("after", "kept")
            #expect(try await catalog.fact("after") == "kept")
        }
    }

    @Test func aBackupIsAWholeCatalogThatOnlyItsOwnerReads() async throws {
        try await withCatalog { catalog, path in
            for number in 0..<100 { try await catalog.setFact("fact \(number)", "kept") }
            try await withThrowingTaskGroup { group in
                group.addTask { try await catalog.backup(to: "\(path).backup") }
                for number in 0..<100 { group.addTask { try await catalog.setFact("during \(number)", "written") } }
                try await group.waitForAll()
            }
            let mode = try FileManager.default.attributesOfItem(atPath: "\(path).backup")[.posixPermissions] as? Int
            #expect(mode == 0o600)
            #expect(!FileManager.default.fileExists(atPath: "\(path).backup-journal"))
            let copy = try await SQLiteCatalog.open(path: "\(path).backup", verify: true)
            for number in 0..<100 { #expect(try await copy.fact("fact \(number)") == "kept") }
            await copy.close()
            await expectCode(.alreadyExists) { try await catalog.backup(to: "\(path).backup") }
            await expectCode(.notFound) { try await catalog.backup(to: "\(path).missing/backup") }
            #expect(try await catalog.fact("during 99") == "written")
        }
    }

    private func withCatalog(_ body: (SQLiteCatalog, String) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/catalog.sqlite"
            let catalog = try await SQLiteCatalog.open(path: path)
            try await body(catalog, path)
            await catalog.close()
        }
    }
}
