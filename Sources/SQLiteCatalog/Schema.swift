// SPDX-License-Identifier: Apache-2.0

/// The tables of the catalog: how they began, and the steps that brought them to what they are.
///
/// Kinds of column:
/// - uids are 16-byte BLOBs; moments are INTEGER milliseconds since 1970; sizes, counts, generations and write numbers
///   are INTEGERs of 63 bits; states are the raw words of the Swift types, so that a person with the `sqlite3` shell
///   can read them.
/// - **Clear**: uids, identifiers, account, region and vault names, sizes, times, states, key versions, wrapped keys.
/// - **Sealed** (`sealed`, `settings`; with the key version in the column beside it): descriptions, tree hashes, tags,
///   policies, targets of topics, messages, secrets. The catalog cannot open them and never tries.
///
/// Invariants kept by every statement of this module:
///  1. `vaults.archive_count` and `total_bytes` count the vault's archives in state `stored`.
///  2. `key_references.count` counts per key version what of the vault needs it to be opened: archives in any state and
///     open uploads (once for each version they name), the parts of these, jobs, and staged objects.
///  3. A row of `staged` has at least one job that points to it.
///  4. `archives.purgeable_at` is `max(purge_after, expiry of the in-place outputs the archive had when it was
///     deleted)`. None can join later, because a retrieval of a deleted archive cannot succeed; so due archives are
///     found by one index.
///  5. `jobs.waiting` is 1 only while nobody has yet seen the job's `not_before` pass. It keeps jobs that may not start
///     out of the way of those that may; `not_before` itself is still compared, so a clock that steps back changes
///     nothing.
///  6. `jobs.region` is the region of the job's vault: it lets quotas and capacity be judged by one index.
///  7. `outbox.head` is 1 exactly for the waiting message of the lowest (sequence, uid) of its job and topic: the only
///     one that may go out. Messages outlive their job and their vault, and hold no reference to them.
///  8. `audit` holds consecutive numbers; the first follows `audit_base`.
///
/// The large tables with random uids (`archives`, `jobs`, `outbox`) keep their rowid: rows are then appended in order
/// of arrival, which is also the order of their pages, and only a narrow index is random. Archives have no foreign key
/// to their vault, because that would need an index over all of them; invariant 2 serves instead.
enum Schema {
    /// `CVLT`, in the header of the file: which program it belongs to.
    static let applicationID: Int64 = 0x4356_4C54
    /// The newest version this code writes and understands.
    static let version: Int64 = 3

    /// What leads from version n to n + 1, at index n. Steps are never edited once released.
    static let steps: [String] = [versionOne, versionTwo, versionThree]

    private static let versionOne = """
        CREATE TABLE accounts (
            id TEXT NOT NULL PRIMARY KEY,
            state TEXT NOT NULL CHECK (state IN ('active', 'disabled')),
            created INTEGER NOT NULL,
            generation INTEGER NOT NULL,
            master_version INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX accounts_master ON accounts (master_version);

        CREATE TABLE access_keys (
            id TEXT NOT NULL PRIMARY KEY,
            account TEXT NOT NULL REFERENCES accounts (id),
            state TEXT NOT NULL CHECK (state IN ('active', 'disabled')),
            created INTEGER NOT NULL,
            sealed_version INTEGER NOT NULL,
            sealed BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX access_keys_account ON access_keys (account, id);

        CREATE TABLE vaults (
            uid BLOB NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('active', 'deleting', 'deleted')),
            created INTEGER NOT NULL,
            generation INTEGER NOT NULL,
            compression TEXT,
            settings_version INTEGER,
            settings BLOB,
            archive_count INTEGER NOT NULL CHECK (archive_count >= 0),
            total_bytes INTEGER NOT NULL CHECK (total_bytes >= 0),
            last_change INTEGER,
            CHECK ((settings IS NULL) = (settings_version IS NULL))
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX vaults_location ON vaults (account, region, name) WHERE state != 'deleted';

        CREATE TABLE vault_keys (
            vault BLOB NOT NULL REFERENCES vaults (uid) ON DELETE CASCADE,
            version INTEGER NOT NULL,
            created INTEGER NOT NULL,
            master_version INTEGER NOT NULL,
            wrapped BLOB NOT NULL,
            PRIMARY KEY (vault, version)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX vault_keys_master ON vault_keys (master_version);

        CREATE TABLE key_references (
            vault BLOB NOT NULL REFERENCES vaults (uid) ON DELETE CASCADE,
            version INTEGER NOT NULL,
            count INTEGER NOT NULL CHECK (count >= 0),
            PRIMARY KEY (vault, version)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE archives (
            uid BLOB NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
            id TEXT NOT NULL,
            vault BLOB NOT NULL CHECK (length(vault) = 16),
            state TEXT NOT NULL CHECK (state IN ('stored', 'deleted')),
            created INTEGER NOT NULL,
            size INTEGER NOT NULL CHECK (size >= 0),
            part_count INTEGER NOT NULL,
            generation INTEGER NOT NULL,
            key_version INTEGER NOT NULL,
            sealed_version INTEGER NOT NULL,
            sealed BLOB NOT NULL,
            deleted INTEGER,
            purge_after INTEGER,
            purgeable_at INTEGER,
            CHECK ((state = 'deleted') = (purgeable_at IS NOT NULL))
        ) STRICT;
        CREATE INDEX archives_page ON archives (vault, created, uid) WHERE state = 'stored';
        CREATE INDEX archives_purge ON archives (purgeable_at, uid) WHERE state = 'deleted';
        CREATE INDEX archives_pinned ON archives (vault) WHERE state = 'deleted' AND purgeable_at > purge_after;

        CREATE TABLE uploads (
            uid BLOB NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
            id TEXT NOT NULL,
            vault BLOB NOT NULL REFERENCES vaults (uid),
            archive BLOB NOT NULL CHECK (length(archive) = 16),
            archive_id TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('open', 'completed', 'aborted')),
            created INTEGER NOT NULL,
            last_activity INTEGER NOT NULL,
            part_bytes INTEGER NOT NULL,
            generation INTEGER NOT NULL,
            key_version INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            wrapped_data_key BLOB NOT NULL,
            sealed_version INTEGER NOT NULL,
            sealed BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX uploads_page ON uploads (vault, state, created, uid);
        CREATE INDEX uploads_activity ON uploads (state, last_activity, uid);

        CREATE TABLE parts (
            upload BLOB NOT NULL REFERENCES uploads (uid) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            number INTEGER NOT NULL,
            length INTEGER NOT NULL,
            blob TEXT NOT NULL,
            blob_bytes INTEGER NOT NULL,
            sealed_version INTEGER NOT NULL,
            sealed BLOB NOT NULL,
            PRIMARY KEY (upload, position)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE staged (
            uid BLOB NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
            vault BLOB NOT NULL REFERENCES vaults (uid),
            blob TEXT NOT NULL,
            blob_bytes INTEGER NOT NULL,
            archive BLOB,
            range_first INTEGER,
            range_last INTEGER,
            created INTEGER NOT NULL,
            sealed_version INTEGER NOT NULL,
            sealed BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX staged_vault ON staged (vault);
        CREATE INDEX staged_range ON staged (archive, range_first, range_last, created) WHERE archive IS NOT NULL;

        CREATE TABLE jobs (
            uid BLOB NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
            id TEXT NOT NULL,
            vault BLOB NOT NULL REFERENCES vaults (uid),
            account TEXT NOT NULL,
            action TEXT NOT NULL CHECK (action IN ('archiveRetrieval', 'inventoryRetrieval')),
            tier TEXT,
            state TEXT NOT NULL CHECK (state IN ('queued', 'leased', 'succeeded', 'failed')),
            created INTEGER NOT NULL,
            not_before INTEGER NOT NULL,
            deadline INTEGER NOT NULL,
            archive BLOB,
            archive_id TEXT,
            archive_size INTEGER,
            range_first INTEGER,
            range_last INTEGER,
            sealed_version INTEGER NOT NULL,
            sealed BLOB NOT NULL,
            completed INTEGER,
            expires INTEGER,
            staged BLOB REFERENCES staged (uid),
            output_bytes INTEGER,
            lease_epoch INTEGER,
            lease_until INTEGER,
            attempts INTEGER NOT NULL,
            waiting INTEGER NOT NULL CHECK (waiting IN (0, 1)),
            CHECK ((state = 'leased') = (lease_epoch IS NOT NULL)),
            CHECK ((lease_epoch IS NULL) = (lease_until IS NULL))
        ) STRICT;
        CREATE INDEX jobs_page ON jobs (vault, state, created, uid);
        CREATE INDEX jobs_ready ON jobs (account, deadline, created, uid) WHERE state = 'queued' AND waiting = 0;
        CREATE INDEX jobs_start ON jobs (waiting, not_before) WHERE state = 'queued';
        CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state = 'leased';
        CREATE INDEX jobs_archive ON jobs (archive, state, waiting, deadline, created, uid) WHERE archive IS NOT NULL;
        CREATE INDEX jobs_expiry ON jobs (expires, uid) WHERE expires IS NOT NULL;
        CREATE INDEX jobs_staged ON jobs (staged) WHERE staged IS NOT NULL;

        CREATE TABLE doomed (
            store TEXT NOT NULL CHECK (store IN ('cold', 'warm')),
            blob TEXT NOT NULL,
            not_before INTEGER NOT NULL,
            PRIMARY KEY (store, blob)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX doomed_due ON doomed (not_before, store, blob);

        CREATE TABLE facts (
            name TEXT NOT NULL PRIMARY KEY,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE epochs (
            id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
            epoch INTEGER NOT NULL
        ) STRICT;
        INSERT INTO epochs (id, epoch) VALUES (1, 0);
        """
}
