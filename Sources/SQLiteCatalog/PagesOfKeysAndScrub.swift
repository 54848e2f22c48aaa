// SPDX-License-Identifier: Apache-2.0

import Storage

/// More of the same: see ``Pages``.
extension Pages {
    static let auditEntries = "SELECT \(AuditRow.columns) FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?"

    /// In order of arrival: rows of one version lie in their index by rowid.
    static let archivesUnderKey = """
        SELECT \(ArchiveRow.columns) FROM archives INDEXED BY archives_keys
        WHERE vault = ? AND key_version = ? ORDER BY rowid LIMIT ?
        """
    /// Those with an older key than their column: they were uploaded in parts across a rotation.
    static let archivesWithColumnUnderKey = """
        SELECT \(ArchiveRow.columns) FROM archives INDEXED BY archives_column_keys
        WHERE vault = ? AND sealed_version = ? AND sealed_version != key_version ORDER BY rowid LIMIT ?
        """
    static let uploadsUnderKey = """
        SELECT \(UploadRow.columns) FROM uploads
        WHERE vault = ?1 AND state = 'open' AND (key_version = ?2 OR sealed_version = ?2
            OR EXISTS (SELECT 1 FROM parts WHERE upload = uploads.uid AND parts.sealed_version = ?2))
        ORDER BY created, uid LIMIT ?3
        """
    static let jobsUnderKey = """
        SELECT \(JobRow.columns) FROM jobs INDEXED BY jobs_keys WHERE vault = ? AND sealed_version = ? LIMIT ?
        """
    static let stagedUnderKey = """
        SELECT \(StagedRow.columns) FROM staged INDEXED BY staged_keys WHERE vault = ? AND sealed_version = ? LIMIT ?
        """
    static let keyDestructions = """
        SELECT \(KeyDestructionRow.columns) FROM key_destructions
        WHERE (scope, vault, version) > (?, ?, ?) ORDER BY scope, vault, version LIMIT ?
        """

    static let newestUnverified = """
        SELECT \(ArchiveRow.columns) FROM archives INDEXED BY archives_unverified
        WHERE verified IS NULL AND state = 'stored' AND created < ? ORDER BY created DESC LIMIT ?
        """
    static let oldestVerified = """
        SELECT \(ArchiveRow.columns) FROM archives INDEXED BY archives_verified
        WHERE verified IS NOT NULL AND state = 'stored' AND verified < ? ORDER BY verified LIMIT ?
        """
    static let oldestNeverVerified = """
        SELECT created FROM archives INDEXED BY archives_unverified
        WHERE verified IS NULL AND state = 'stored' AND created > -9223372036854775808 ORDER BY created LIMIT 1
        """
    static let oldestVerification = """
        SELECT verified FROM archives INDEXED BY archives_verified
        WHERE verified IS NOT NULL AND state = 'stored' AND verified > -9223372036854775808 ORDER BY verified LIMIT 1
        """
    static let damagedArchives = """
        SELECT \(ArchiveRow.columns) FROM archives INDEXED BY archives_damaged
        WHERE damaged IS NOT NULL AND uid > ? AND +state = 'stored' ORDER BY uid LIMIT ?
        """
    static let damagedArchivesOfVault = """
        SELECT \(ArchiveRow.columns) FROM archives INDEXED BY archives_damaged_vault
        WHERE damaged IS NOT NULL AND vault = ? AND uid > ? AND +state = 'stored' ORDER BY uid LIMIT ?
        """
    static let quarantine = """
        SELECT store, blob, found, reason FROM quarantine WHERE (store, blob) > (?, ?) ORDER BY store, blob LIMIT ?
        """
}
