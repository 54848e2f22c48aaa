// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import SQLiteCatalog

/// Older catalogs open and hold what they held.
@Suite struct MigrationTests {
    /// Once released, a change needs a step of its own and a higher version.
    @Test(
        arguments: [(1, 14_799_638_903_867_652_583), (2, 13_584_317_493_172_947_870), (3, 16_456_308_273_216_780_680)] as [(Int, UInt64)])
    func aReleasedSchemaNeverChanges(_ version: Int, _ released: UInt64) throws {
        let database = try DatabaseQueue()
        let text = try database.write { database in
            for step in Schema.steps.prefix(version) { try database.execute(sql: step) }
            return try String.fetchAll(
                database, sql: "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name"
            ).joined(separator: ";\n")
        }
        let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let digest = words.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3
        }
        #expect(digest == released, "the schema is now:\n\(text)")
    }

    @Test func thereIsAStepToEveryVersion() {
        #expect(Schema.steps.count == Int(Schema.version))
    }

    @Test func aMigratedCatalogHasTheTablesOfANewOne() async throws {
        try await withTemporaryDirectory { directory in
            try Self.writeVersionOne("\(directory)/old.sqlite")
            var schemas: [[String]] = []
            for name in ["old", "new"] {
                let catalog = try await SQLiteCatalog.open(path: "\(directory)/\(name).sqlite", verify: true)
                schemas.append(
                    try await catalog.read { database in
                        try String.fetchAll(
                            database, sql: "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name")
                    })
                await catalog.close()
            }
            #expect(schemas[0] == schemas[1])
        }
    }

    @Test func rowsOfVersionOneSurviveTheWayToTheNewest() async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/catalog.sqlite"
            try Self.writeVersionOne(path)
            for _ in 0..<2 {
                let catalog = try await SQLiteCatalog.open(path: path, verify: true)
                let id = try #require(AccountID("000000000001"))
                let found = try #require(try await catalog.accessKey("AKIA"))
                #expect(
                    found.account
                        == AccountRow(
                            id: id, state: .active, created: Timestamp(milliseconds: 5), generation: 6,
                            masterVersion: 1))
                #expect(
                    found.key
                        == AccessKeyRow(
                            id: "AKIA", account: id, state: .active, created: Timestamp(milliseconds: 7),
                            secret: SealedColumnValue(keyVersion: 1, bytes: [0xAB])))
                #expect(found.user == nil)
                #expect(try await catalog.members(of: id) == AccountMembers(accessKeys: [found.key]))
                let uid = JobUID(words: UIDWords(high: 2, low: 2))
                let job = try #require(try await catalog.job(uid))
                #expect(!job.isProvisioned)
                #expect(job.range == ByteRange(first: 0, last: 9))
                #expect(try await catalog.runnableJobs(at: Timestamp(milliseconds: 100), limit: 9) == [job])
                let regions = try await catalog.read { database in
                    try String.fetchAll(database, sql: "SELECT region FROM jobs")
                }
                #expect(regions == ["eu-west-1"])
                // What hangs on keys was counted anew: the job's column, which did not count before.
                #expect(try await catalog.keyReferences().vaults == [job.vault: [1: 1]])
                #expect(try await catalog.auditHead() == .origin)
                // The old job counts for the quota of its vault's region.
                var next = try Self.job(uid: JobUID(words: UIDWords(high: 3, low: 3)), like: job)
                next.notBefore = Timestamp(milliseconds: 20)
                for quota: JobAdmission.Quota in [
                    .unfinished(maxBytes: 19), .since(Timestamp(milliseconds: 10), maxBytes: 19),
                ] {
                    let admission = JobAdmission(region: try #require(Region("eu-west-1")), quota: quota)
                    #expect(try await catalog.insertJob(next, admission: admission) == .overQuota(bytes: 10))
                }
                await catalog.close()
            }
        }
    }

    private static func job(uid: JobUID, like job: JobRow) throws -> JobRow {
        JobRow(
            uid: uid, id: "next", vault: job.vault, account: job.account, action: job.action, tier: job.tier,
            state: .queued, created: job.created, notBefore: job.notBefore, deadline: job.deadline,
            archive: job.archive, archiveID: job.archiveID, archiveSize: job.archiveSize, range: job.range,
            sealed: job.sealed)
    }

    /// A catalog as the first release wrote it: an account, its key, a vault abroad, and a queued job there.
    private static func writeVersionOne(_ path: String) throws {
        let uid = { (byte: UInt64) in Data(VaultUID(words: UIDWords(high: byte, low: byte)).bytes) }
        let database = try DatabaseQueue(path: path)
        try database.write { database in
            try database.execute(sql: Schema.steps[0])
            try database.execute(
                sql: "PRAGMA application_id = \(Schema.applicationID); PRAGMA user_version = 1")
            try database.execute(
                sql: """
                    INSERT INTO accounts VALUES ('000000000001', 'active', 5, 6, 1);
                    INSERT INTO access_keys VALUES ('AKIA', '000000000001', 'active', 7, 1, x'AB');
                    """)
            try database.execute(
                sql: """
                    INSERT INTO vaults VALUES
                        (?, '000000000001', 'eu-west-1', 'photos', 'active', 8, 9, NULL, NULL, NULL, 0, 0, NULL)
                    """, arguments: [uid(1)])
            try database.execute(
                sql: """
                    INSERT INTO jobs (uid, id, vault, account, action, tier, state, created, not_before, deadline,
                        archive, archive_id, archive_size, range_first, range_last, sealed_version, sealed, attempts, waiting)
                    VALUES (?, 'job', ?, '000000000001', 'archiveRetrieval', 'Standard', 'queued', 10, 20, 30, ?,
                        'archive', 10, 0, 9, 1, x'CD', 0, 1)
                    """, arguments: [uid(2), uid(1), uid(4)])
        }
        try database.close()
    }
}
