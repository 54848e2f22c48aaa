// SPDX-License-Identifier: Apache-2.0

extension Schema {
    /// Users, topics, settings of accounts, what quotas and capacity are judged by, and the outbox.
    ///
    /// The indexes for quotas repeat the columns of their conditions: SQLite 3.40 would read every row to check them.
    /// `access_keys` is made anew because a column cannot be added together with a key over two columns.
    static let versionTwo = """
        ALTER TABLE accounts ADD COLUMN settings_version INTEGER;
        ALTER TABLE accounts ADD COLUMN settings BLOB CHECK ((settings IS NULL) = (settings_version IS NULL));

        CREATE TABLE users (
            account TEXT NOT NULL REFERENCES accounts (id),
            name TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('active', 'disabled')),
            created INTEGER NOT NULL,
            sealed_version INTEGER NOT NULL,
            sealed BLOB NOT NULL,
            PRIMARY KEY (account, name)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE topics (
            arn TEXT NOT NULL PRIMARY KEY,
            account TEXT NOT NULL REFERENCES accounts (id),
            created INTEGER NOT NULL,
            sealed_version INTEGER NOT NULL,
            sealed BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX topics_account ON topics (account, arn);

        CREATE TABLE keys_with_users (
            id TEXT NOT NULL PRIMARY KEY,
            account TEXT NOT NULL REFERENCES accounts (id),
            user TEXT,
            state TEXT NOT NULL CHECK (state IN ('active', 'disabled')),
            created INTEGER NOT NULL,
            sealed_version INTEGER NOT NULL,
            sealed BLOB NOT NULL,
            FOREIGN KEY (account, user) REFERENCES users (account, name)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO keys_with_users SELECT id, account, NULL, state, created, sealed_version, sealed FROM access_keys;
        DROP TABLE access_keys;
        ALTER TABLE keys_with_users RENAME TO access_keys;
        CREATE INDEX access_keys_account ON access_keys (account, id);

        ALTER TABLE jobs ADD COLUMN region TEXT NOT NULL DEFAULT '';
        ALTER TABLE jobs ADD COLUMN provisioned INTEGER NOT NULL DEFAULT 0 CHECK (provisioned IN (0, 1));
        UPDATE jobs SET region = (SELECT region FROM vaults WHERE vaults.uid = jobs.vault);
        CREATE INDEX jobs_unfinished ON jobs (account, region, range_first, range_last, action, tier, state)
            WHERE action = 'archiveRetrieval' AND tier = 'Standard' AND state IN ('queued', 'leased');
        CREATE INDEX jobs_since ON jobs (account, region, not_before, range_first, range_last, action, tier)
            WHERE action = 'archiveRetrieval' AND tier = 'Standard';
        CREATE INDEX jobs_provisioned ON jobs (account, region, created) WHERE provisioned = 1;
        CREATE INDEX jobs_ready_provisioned ON jobs (account, deadline, created, uid)
            WHERE state = 'queued' AND waiting = 0 AND provisioned = 1;

        CREATE TABLE outbox (
            uid BLOB NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
            topic TEXT NOT NULL,
            account TEXT NOT NULL,
            job BLOB NOT NULL CHECK (length(job) = 16),
            sequence INTEGER NOT NULL,
            created INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('waiting', 'dead')),
            attempts INTEGER NOT NULL,
            not_before INTEGER NOT NULL,
            last_failure TEXT,
            sealed_version INTEGER NOT NULL,
            sealed BLOB NOT NULL,
            head INTEGER NOT NULL CHECK (head IN (0, 1)),
            CHECK (head = 0 OR state = 'waiting')
        ) STRICT;
        CREATE INDEX outbox_due ON outbox (topic, not_before, uid) WHERE state = 'waiting' AND head = 1;
        CREATE INDEX outbox_next ON outbox (not_before) WHERE state = 'waiting' AND head = 1;
        CREATE INDEX outbox_order ON outbox (job, topic, sequence, uid) WHERE state = 'waiting';
        CREATE INDEX outbox_page ON outbox (account, state, uid);
        CREATE INDEX outbox_master ON outbox (sealed_version);
        """
}
