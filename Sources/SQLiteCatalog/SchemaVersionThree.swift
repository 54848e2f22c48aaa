// SPDX-License-Identifier: Apache-2.0

extension Schema {
    /// The audit log, key versions from birth to destruction, and what scrubbing has found.
    ///
    /// New archives cost the upload path two entries at the end of an index each (`archives_keys`, whose rows of one
    /// version are in order of arrival, and `archives_unverified`); the other new indexes hold few rows or none.
    /// `key_references` is counted anew, because more kinds of rows count than before (invariant 2).
    static let versionThree = """
        CREATE TABLE audit (
            sequence INTEGER NOT NULL PRIMARY KEY CHECK (sequence > 0),
            uid BLOB NOT NULL CHECK (length(uid) = 16),
            time INTEGER NOT NULL,
            sealed_version INTEGER NOT NULL,
            sealed BLOB NOT NULL,
            link BLOB NOT NULL CHECK (length(link) = 32),
            tag BLOB NOT NULL CHECK (length(tag) = 32)
        ) STRICT;
        CREATE TABLE audit_base (
            id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
            sequence INTEGER NOT NULL CHECK (sequence >= 0),
            link BLOB NOT NULL CHECK (length(link) = 32),
            tag BLOB NOT NULL CHECK (length(tag) = 32)
        ) STRICT;
        INSERT INTO audit_base (id, sequence, link, tag) VALUES (1, 0, zeroblob(32), zeroblob(32));

        ALTER TABLE archives ADD COLUMN verified INTEGER;
        ALTER TABLE archives ADD COLUMN damaged INTEGER;
        ALTER TABLE archives ADD COLUMN damage TEXT CHECK ((damage IS NULL) = (damaged IS NULL));
        CREATE INDEX archives_keys ON archives (vault, key_version);
        CREATE INDEX archives_column_keys ON archives (vault, sealed_version) WHERE sealed_version != key_version;
        CREATE INDEX archives_unverified ON archives (created) WHERE verified IS NULL AND state = 'stored';
        CREATE INDEX archives_verified ON archives (verified) WHERE verified IS NOT NULL AND state = 'stored';
        CREATE INDEX archives_damaged ON archives (uid) WHERE damaged IS NOT NULL;
        CREATE INDEX archives_damaged_vault ON archives (vault, uid) WHERE damaged IS NOT NULL;
        CREATE INDEX jobs_keys ON jobs (vault, sealed_version);
        CREATE INDEX staged_keys ON staged (vault, sealed_version);

        CREATE TABLE key_destructions (
            scope TEXT NOT NULL CHECK (scope IN ('master', 'vault')),
            vault BLOB NOT NULL CHECK (length(vault) = (CASE scope WHEN 'vault' THEN 16 ELSE 0 END)),
            version INTEGER NOT NULL,
            certified INTEGER NOT NULL,
            certificate TEXT NOT NULL,
            requested INTEGER,
            due INTEGER,
            finished INTEGER,
            receipt TEXT,
            PRIMARY KEY (scope, vault, version),
            CHECK ((requested IS NULL) = (due IS NULL))
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE quarantine (
            store TEXT NOT NULL CHECK (store IN ('cold', 'warm')),
            blob TEXT NOT NULL,
            found INTEGER NOT NULL,
            reason TEXT NOT NULL,
            PRIMARY KEY (store, blob)
        ) STRICT, WITHOUT ROWID;

        \(countKeyReferences)
        """

    /// Invariant 2 from scratch, one walk of each index: for migrations, and for whoever fills the tables directly.
    static let countKeyReferences = """
        DELETE FROM key_references;
        INSERT INTO key_references (vault, version, count)
        SELECT vault, version, sum(n) FROM (
            SELECT vault, key_version AS version, count(*) AS n FROM archives GROUP BY vault, key_version
            UNION ALL SELECT vault, sealed_version, count(*) FROM archives WHERE sealed_version != key_version
                GROUP BY vault, sealed_version
            UNION ALL SELECT vault, key_version, count(*) FROM uploads WHERE state = 'open' GROUP BY vault, key_version
            UNION ALL SELECT vault, sealed_version, count(*) FROM uploads
                WHERE state = 'open' AND sealed_version != key_version GROUP BY vault, sealed_version
            UNION ALL SELECT u.vault, p.sealed_version, count(*) FROM parts p JOIN uploads u ON u.uid = p.upload
                GROUP BY u.vault, p.sealed_version
            UNION ALL SELECT vault, sealed_version, count(*) FROM jobs GROUP BY vault, sealed_version
            UNION ALL SELECT vault, sealed_version, count(*) FROM staged GROUP BY vault, sealed_version
        ) WHERE vault IN (SELECT uid FROM vaults) GROUP BY vault, version;
        """
}
