// SPDX-License-Identifier: Apache-2.0

import Storage

/// The text of every query that pages through rows or looks for due ones, in one place, so that a test can ask SQLite
/// for its plan: each must walk one index from where it starts, without a sort and without skipping what came before.
enum Pages {
    static let accounts = "SELECT \(AccountRow.columns) FROM accounts WHERE id > ? ORDER BY id LIMIT ?"
    static let accessKeys = "SELECT \(AccessKeyRow.columns) FROM access_keys WHERE account = ? ORDER BY id"
    static let users = "SELECT \(UserRow.columns) FROM users WHERE account = ? ORDER BY name"
    static let topics = "SELECT \(TopicRow.columns) FROM topics WHERE account = ? ORDER BY arn"
    /// What authentication reads, with the columns in the order of the rows' own lists.
    static let accessKey = """
        SELECT k.id, k.account, k.user, k.state, k.created, k.sealed_version, k.sealed,
            a.id, a.state, a.created, a.generation, a.master_version, a.settings_version, a.settings,
            u.account, u.name, u.state, u.created, u.sealed_version, u.sealed
        FROM access_keys k JOIN accounts a ON a.id = k.account
            LEFT JOIN users u ON u.account = k.account AND u.name = k.user
        WHERE k.id = ?
        """

    // The plus keeps SQLite from folding the two conditions into one that no longer matches the partial index.
    static let vaultsByName = """
        SELECT \(VaultRow.columns) FROM vaults
        WHERE account = ? AND region = ? AND name >= ? AND state != 'deleted' AND +state = 'active'
        ORDER BY name LIMIT ?
        """
    static let vaultsByUID = "SELECT \(VaultRow.columns) FROM vaults WHERE uid > ? ORDER BY uid LIMIT ?"

    static let archives = """
        SELECT \(ArchiveRow.columns) FROM archives
        WHERE vault = ? AND state = 'stored' AND (created, uid) > (?, ?) AND created <= ? ORDER BY created, uid LIMIT ?
        """
    static let purgeableArchives = """
        SELECT \(ArchiveRow.columns) FROM archives
        WHERE state = 'deleted' AND purgeable_at <= ? ORDER BY purgeable_at, uid LIMIT ?
        """

    static let uploads = """
        SELECT \(UploadRow.columns) FROM uploads
        WHERE vault = ? AND state = 'open' AND (created, uid) > (?, ?) ORDER BY created, uid LIMIT ?
        """
    static let idleUploads = """
        SELECT \(UploadRow.columns) FROM uploads
        WHERE state = 'open' AND last_activity < ? ORDER BY last_activity, uid LIMIT ?
        """
    static let closedUploads = """
        SELECT uid FROM uploads WHERE state IN ('completed', 'aborted') AND last_activity < ? LIMIT ?
        """
    static let parts =
        "SELECT \(PartRow.columns) FROM parts WHERE upload = ? AND position >= ? ORDER BY position LIMIT ?"

    /// The vault, creation and uid are ?1, ?2 and ?3, the limit ?4. One walk of the index per state, merged.
    static func jobs(_ states: Set<JobRow.State>) -> String {
        let order: [JobRow.State] = [.queued, .leased, .succeeded, .failed]
        let walks = order.filter(states.contains).map { state in
            """
            SELECT \(JobRow.columns) FROM jobs
            WHERE vault = ?1 AND state = '\(state.rawValue)' AND (created, uid) > (?2, ?3)
            """
        }
        return walks.joined(separator: " UNION ALL ") + " ORDER BY created, uid LIMIT ?4"
    }

    /// For every account with startable work the one of the earliest deadline: hops from account to account, then takes
    /// one entry each, whatever the length of their queues. The index is named because a planner without statistics
    /// takes another one.
    static let readyJobs = firstOfEachAccount(index: "jobs_ready", where: "state = 'queued' AND waiting = 0")
    static let readyProvisionedJobs = firstOfEachAccount(
        index: "jobs_ready_provisioned", where: "state = 'queued' AND waiting = 0 AND provisioned = 1")

    private static func firstOfEachAccount(index: String, where condition: String) -> String {
        """
        WITH RECURSIVE busy (account) AS (
            SELECT min(account) FROM jobs INDEXED BY \(index) WHERE \(condition) AND account > ''
            UNION ALL
            SELECT (
                SELECT min(account) FROM jobs INDEXED BY \(index) WHERE \(condition) AND account > busy.account
            ) FROM busy WHERE busy.account IS NOT NULL
        )
        SELECT (
            SELECT uid FROM jobs INDEXED BY \(index)
            WHERE \(condition) AND account = busy.account AND not_before <= ?
            ORDER BY deadline, created, uid LIMIT 1
        ) FROM busy WHERE busy.account IS NOT NULL
        """
    }

    static let overdueJobs =
        "SELECT \(JobRow.columns) FROM jobs WHERE state = 'leased' AND lease_until <= ? ORDER BY lease_until LIMIT ?"
    static let startableJobs =
        "SELECT rowid FROM jobs WHERE state = 'queued' AND waiting = 1 AND not_before <= ? LIMIT ?"
    static let nextStart = "SELECT min(not_before) FROM jobs WHERE state = 'queued' AND waiting = ? AND not_before > ?"
    static let readyJobsOfArchive = """
        SELECT \(JobRow.columns) FROM jobs INDEXED BY jobs_archive
        WHERE archive = ? AND state = 'queued' AND waiting = 0 AND not_before <= ?
        ORDER BY deadline, created, uid LIMIT ?
        """
    static let overdueJobsOfArchive = """
        SELECT \(JobRow.columns) FROM jobs INDEXED BY jobs_archive
        WHERE archive = ? AND state = 'leased' AND lease_until <= ? LIMIT ?
        """
    /// A change: lets claims find those of one archive.
    static let startJobsOfArchive = """
        UPDATE jobs INDEXED BY jobs_archive SET waiting = 0
        WHERE archive = ? AND state = 'queued' AND waiting = 1 AND not_before <= ?
        """
    /// Until when outputs in place need the bytes of an archive, for ever if one has no expiry; reads the finished jobs
    /// of that archive.
    static let pinnedUntil = """
        SELECT max(coalesce(expires, 9223372036854775807)) FROM jobs INDEXED BY jobs_archive
        WHERE archive = ? AND state = 'succeeded' AND staged IS NULL
        """
    /// The finished jobs of an archive whose output is staged.
    static let stagedJobsOfArchive = """
        SELECT uid, staged, vault, sealed_version FROM jobs INDEXED BY jobs_archive
        WHERE archive = ? AND state = 'succeeded' AND staged IS NOT NULL
        """
    /// A change: deleted archives of a vault without jobs are held by their grace only.
    static let unpinArchives = """
        UPDATE archives INDEXED BY archives_pinned SET purgeable_at = purge_after
        WHERE vault = ? AND state = 'deleted' AND purgeable_at > purge_after
        """
    static let unpinSomeArchives = """
        UPDATE archives SET purgeable_at = purge_after WHERE rowid IN (
            SELECT rowid FROM archives INDEXED BY archives_pinned WHERE vault = ? AND state = 'deleted' AND purgeable_at > purge_after LIMIT ?)
        """
    static let expiredJobs = """
        SELECT uid, staged, vault, sealed_version FROM jobs WHERE expires <= ? ORDER BY expires, uid LIMIT ?
        """
    static let stagedRange = """
        SELECT \(StagedRow.columns) FROM staged WHERE archive = ? AND range_first = ? AND range_last = ?
            AND EXISTS (SELECT 1 FROM jobs WHERE jobs.staged = staged.uid) ORDER BY created DESC LIMIT 1
        """

    /// Two sums, of the upper and the lower 32 bits, because a sum of lengths could overflow.
    private static let lengthSums = """
        coalesce(sum((range_last - range_first + 1) >> 32), 0),
            coalesce(sum((range_last - range_first + 1) & 4294967295), 0)
        """
    /// Bytes of Standard archive retrievals that are not finished; reads nothing but those.
    static let unfinishedBytes = """
        SELECT \(lengthSums) FROM jobs INDEXED BY jobs_unfinished
        WHERE account = ? AND region = ? AND action = 'archiveRetrieval' AND tier = 'Standard'
            AND state IN ('queued', 'leased')
        """
    /// Bytes of those that may start at a moment or later.
    static let bytesSince = """
        SELECT \(lengthSums) FROM jobs INDEXED BY jobs_since
        WHERE account = ? AND region = ? AND not_before >= ? AND action = 'archiveRetrieval' AND tier = 'Standard'
        """
    /// One row each, no more than matter.
    static let provisionedSince = """
        SELECT 1 FROM jobs INDEXED BY jobs_provisioned
        WHERE account = ? AND region = ? AND provisioned = 1 AND created >= ? LIMIT ?
        """

    /// Hops from topic to topic, whatever waits for each.
    static let topicsWithMessages = """
        WITH RECURSIVE busy (topic) AS (
            SELECT min(topic) FROM outbox INDEXED BY outbox_due WHERE state = 'waiting' AND head = 1 AND topic > ''
            UNION ALL
            SELECT (
                SELECT min(topic) FROM outbox INDEXED BY outbox_due
                WHERE state = 'waiting' AND head = 1 AND topic > busy.topic
            ) FROM busy WHERE busy.topic IS NOT NULL
        )
        SELECT topic FROM busy
        """
    static let dueMessagesOfTopic = """
        SELECT not_before, uid FROM outbox INDEXED BY outbox_due
        WHERE state = 'waiting' AND head = 1 AND topic = ? AND not_before <= ? ORDER BY not_before, uid LIMIT ?
        """
    static let nextMessage = """
        SELECT min(not_before) FROM outbox INDEXED BY outbox_next
        WHERE state = 'waiting' AND head = 1 AND not_before > ?
        """
    static let messages = """
        SELECT \(OutboxRow.columns) FROM outbox WHERE account = ? AND state = ? AND uid > ? ORDER BY uid LIMIT ?
        """
    /// Two changes: of a job's waiting messages to a topic none, then the first, is the head.
    static let unsetHead = """
        UPDATE outbox INDEXED BY outbox_order SET head = 0
        WHERE job = ? AND topic = ? AND state = 'waiting' AND head = 1
        """
    static let setHead = """
        UPDATE outbox SET head = 1 WHERE rowid = (
            SELECT rowid FROM outbox INDEXED BY outbox_order
            WHERE job = ? AND topic = ? AND state = 'waiting' ORDER BY sequence, uid LIMIT 1
        )
        """

    static let doomedBlobs = """
        SELECT blob, store, not_before FROM doomed WHERE not_before <= ? ORDER BY not_before, store, blob LIMIT ?
        """
}
