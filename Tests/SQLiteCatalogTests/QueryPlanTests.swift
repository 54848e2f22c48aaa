// SPDX-License-Identifier: Apache-2.0

import GRDB
import Storage
import StorageLaws
import Testing

@testable import SQLiteCatalog

/// The cost of a page does not depend on what lies before or behind it: SQLite says so itself.
@Suite struct QueryPlanTests {
    struct Expectation: Sendable, CustomTestStringConvertible {
        let name: String
        let query: String
        let index: String
        var testDescription: String { name }
    }

    static let pages: [Expectation] =
        [
            Expectation(name: "accounts", query: Pages.accounts, index: "PRIMARY KEY (id>?)"),
            Expectation(name: "access keys", query: Pages.accessKeys, index: "access_keys_account (account=?)"),
            Expectation(name: "users", query: Pages.users, index: "PRIMARY KEY (account=?)"),
            Expectation(name: "topics", query: Pages.topics, index: "topics_account (account=?)"),
            Expectation(
                name: "access key", query: Pages.accessKey, index: "SEARCH u USING PRIMARY KEY (account=? AND name=?)"),
            Expectation(
                name: "vaults by name", query: Pages.vaultsByName,
                index: "vaults_location (account=? AND region=? AND name>?)"),
            Expectation(name: "vaults by uid", query: Pages.vaultsByUID, index: "PRIMARY KEY (uid>?)"),
            Expectation(
                name: "archives", query: Pages.archives, index: "archives_page (vault=? AND (created,uid)>(?,?)"),
            Expectation(
                name: "purgeable archives", query: Pages.purgeableArchives, index: "archives_purge (purgeable_at<?)"),
            Expectation(
                name: "uploads", query: Pages.uploads,
                index: "uploads_page (vault=? AND state=? AND (created,uid)>(?,?))"),
            Expectation(
                name: "idle uploads", query: Pages.idleUploads,
                index: "uploads_activity (state=? AND last_activity<?)"),
            Expectation(
                name: "closed uploads", query: Pages.closedUploads,
                index: "uploads_activity (state=? AND last_activity<?)"),
            Expectation(name: "parts", query: Pages.parts, index: "PRIMARY KEY (upload=? AND position>?)"),
            Expectation(name: "ready jobs", query: Pages.readyJobs, index: "jobs_ready (account=?)"),
            Expectation(
                name: "ready provisioned jobs", query: Pages.readyProvisionedJobs,
                index: "jobs_ready_provisioned (account=?)"),
            Expectation(
                name: "unfinished bytes", query: Pages.unfinishedBytes,
                index: "COVERING INDEX jobs_unfinished (account=? AND region=?)"),
            Expectation(
                name: "bytes since", query: Pages.bytesSince,
                index: "COVERING INDEX jobs_since (account=? AND region=? AND not_before>?)"),
            Expectation(
                name: "provisioned since", query: Pages.provisionedSince,
                index: "jobs_provisioned (account=? AND region=? AND created>?)"),
            Expectation(
                name: "staged outputs of an archive", query: Pages.stagedJobsOfArchive, index: "jobs_archive (archive=? AND state=?)"),
            Expectation(name: "overdue jobs", query: Pages.overdueJobs, index: "jobs_leased (lease_until<?)"),
            Expectation(
                name: "startable jobs", query: Pages.startableJobs, index: "jobs_start (waiting=? AND not_before<?)"),
            Expectation(name: "next start", query: Pages.nextStart, index: "jobs_start (waiting=? AND not_before>?)"),
            Expectation(
                name: "ready jobs of an archive", query: Pages.readyJobsOfArchive,
                index: "jobs_archive (archive=? AND state=? AND waiting=?)"),
            Expectation(
                name: "overdue jobs of an archive", query: Pages.overdueJobsOfArchive,
                index: "jobs_archive (archive=? AND state=?)"),
            Expectation(
                name: "start jobs of an archive", query: Pages.startJobsOfArchive,
                index: "jobs_archive (archive=? AND state=? AND waiting=?)"),
            Expectation(name: "pinned until", query: Pages.pinnedUntil, index: "jobs_archive (archive=? AND state=?)"),
            Expectation(name: "unpin archives", query: Pages.unpinArchives, index: "archives_pinned (vault=?)"),
            Expectation(name: "expired jobs", query: Pages.expiredJobs, index: "jobs_expiry (expires<?)"),
            Expectation(
                name: "staged range", query: Pages.stagedRange,
                index: "staged_range (archive=? AND range_first=? AND range_last=?)"),
            Expectation(
                name: "topics with messages", query: Pages.topicsWithMessages,
                index: "outbox_due (topic>?)"),
            Expectation(
                name: "due messages of a topic", query: Pages.dueMessagesOfTopic,
                index: "outbox_due (topic=? AND not_before<?)"),
            Expectation(
                name: "next message", query: Pages.nextMessage, index: "outbox_next (not_before>?)"),
            Expectation(
                name: "messages", query: Pages.messages, index: "outbox_page (account=? AND state=? AND uid>?)"),
            Expectation(name: "unset head", query: Pages.unsetHead, index: "outbox_order (job=? AND topic=?)"),
            Expectation(name: "set head", query: Pages.setHead, index: "outbox_order (job=? AND topic=?)"),
            Expectation(name: "doomed blobs", query: Pages.doomedBlobs, index: "doomed_due (not_before<?)"),
        ] + pagesOfKeysAndScrub
        + (1..<16).map { mask in
            let everything: [JobRow.State] = [.queued, .leased, .succeeded, .failed]
            let states = Set(everything.enumerated().filter { mask & (1 << $0.offset) != 0 }.map(\.element))
            return Expectation(
                name: "jobs in \(states.count) states, \(mask)", query: Pages.jobs(states),
                index: "jobs_page (vault=? AND state=? AND (created,uid)>(?,?))")
        }

    static let pagesOfKeysAndScrub: [Expectation] = [
        Expectation(name: "audit entries", query: Pages.auditEntries, index: "PRIMARY KEY (rowid>?)"),
        Expectation(
            name: "archives under a key", query: Pages.archivesUnderKey,
            index: "archives_keys (vault=? AND key_version=?)"),
        Expectation(
            name: "archives with a column under a key", query: Pages.archivesWithColumnUnderKey,
            index: "archives_column_keys (vault=? AND sealed_version=?)"),
        Expectation(
            name: "uploads under a key", query: Pages.uploadsUnderKey, index: "uploads_page (vault=? AND state=?)"),
        Expectation(
            name: "jobs under a key", query: Pages.jobsUnderKey, index: "jobs_keys (vault=? AND sealed_version=?)"),
        Expectation(
            name: "staged under a key", query: Pages.stagedUnderKey,
            index: "staged_keys (vault=? AND sealed_version=?)"),
        Expectation(
            name: "key destructions", query: Pages.keyDestructions,
            index: "PRIMARY KEY ((scope,vault,version)>(?,?,?))"),
        Expectation(
            name: "newest unverified", query: Pages.newestUnverified, index: "archives_unverified (created<?)"),
        Expectation(
            name: "oldest verified", query: Pages.oldestVerified,
            index: "archives_verified (verified>? AND verified<?)"),
        Expectation(
            name: "oldest never verified", query: Pages.oldestNeverVerified, index: "archives_unverified (created>?)"),
        Expectation(
            name: "oldest verification", query: Pages.oldestVerification, index: "archives_verified (verified>?)"),
        Expectation(name: "damaged archives", query: Pages.damagedArchives, index: "archives_damaged (uid>?)"),
        Expectation(
            name: "damaged archives of a vault", query: Pages.damagedArchivesOfVault,
            index: "archives_damaged_vault (vault=? AND uid>?)"),
        Expectation(name: "quarantine", query: Pages.quarantine, index: "PRIMARY KEY ((store,blob)>(?,?))"),
    ]

    @Test(arguments: pages)
    func walksAnIndexWithoutASort(_ page: Expectation) async throws {
        let plan = try await plan(of: page.query)
        #expect(plan.contains { $0.contains(page.index) }, "\(plan)")
        #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(plan)")
        #expect(!plan.contains { $0.hasPrefix("SCAN") && !$0.contains("busy") && !$0.contains("CONSTANT") }, "\(plan)")
    }

    @Test func hopsFromAccountToAccount() async throws {
        let plan = try await plan(of: Pages.readyJobs)
        #expect(plan.contains { $0.contains("jobs_ready (account>?)") }, "\(plan)")
        let provisioned = try await self.plan(of: Pages.readyProvisionedJobs)
        #expect(provisioned.contains { $0.contains("jobs_ready_provisioned (account>?)") }, "\(provisioned)")
    }

    private func plan(of query: String) async throws -> [String] {
        try await withTemporaryDirectory { directory in
            let catalog = try await SQLiteCatalog.open(path: "\(directory)/catalog.sqlite")
            let plan = try await catalog.read { database in
                let statement = try database.makeStatement(sql: "EXPLAIN QUERY PLAN \(query)")
                let nothing = StatementArguments((0..<statement.sqliteArgumentCountForTests).map { _ in 0 })
                return try Row.fetchAll(statement, arguments: nothing).map { row in row["detail"] as String }
            }
            await catalog.close()
            return plan
        }
    }
}

extension Statement {
    /// As many values as the text has places for.
    fileprivate var sqliteArgumentCountForTests: Int {
        let numbered = (1...9).filter { sql.contains("?\($0)") }.max() ?? 0
        return numbered > 0 ? numbered : sql.filter { $0 == "?" }.count
    }
}
