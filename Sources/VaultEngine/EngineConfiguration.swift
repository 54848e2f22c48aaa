// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// What an operator may choose about the engine; validated before it arrives here.
public struct EngineConfiguration: Sendable {
    /// How a finished archive retrieval is kept for download.
    public enum OutputMode: String, Sendable {
        /// The archive's own blobs are pinned and opened again at download.
        case inPlace
        /// A sealed copy of the range in the warm store.
        case staged
    }

    /// What becomes of a retrieval that is over the account's data retrieval policy.
    public enum RetrievalQuotaMode: String, Sendable {
        /// The request is refused, as the API documents.
        case refuse
        /// The job is accepted and starts when the policy allows it; its description says when.
        case queue
    }

    /// LZ4 for vaults that do not choose themselves.
    public var compress = true
    /// Nil: in place, unless the store's reads must be recalled.
    public var outputMode: OutputMode?
    public var retrievalDelays = RetrievalDelays()
    /// How long a finished job and its output stay; at least 24 h on a production vault.
    public var outputRetention: Duration = .seconds(24 * 3600)
    /// How long the bytes of a deleted archive are kept.
    public var deletionGrace: Duration = .seconds(24 * 3600)
    /// An open upload without activity for so long is given up.
    public var uploadExpiry: Duration = .seconds(7 * 24 * 3600)
    /// How long a completed or aborted upload is remembered, so that a repeated request gets the same answer.
    public var closedUploadMemory: Duration = .seconds(24 * 3600)
    /// Jobs that run at once.
    public var concurrentJobs = 4
    /// Bytes of working memory for all requests and jobs together. While provisioned jobs run, up to 64 MiB more, and never more than as
    /// much again.
    public var memoryBudgetBytes = 128 << 20
    /// A request waits so long for its share of them before it is told to come back.
    public var memoryWait: Duration = .seconds(45)
    /// A lease lives so long without being renewed.
    public var lease: Duration = .seconds(60)
    /// How often the reclaimer looks for expired jobs, purgeable archives and doomed blobs.
    public var maintenanceInterval: Duration = .seconds(10)
    /// The master key is rotated when its newest version is older; zero: only when asked to.
    public var masterKeyRotation: Duration = .zero
    /// How long a requested destruction of a key version waits, and can be taken back, unless the request says otherwise.
    public var keyDestructionWait: Duration = .seconds(7 * 24 * 3600)
    /// How long manifests and upload records that a re-wrap has replaced are kept. Readers that are on their way when one goes follow to the
    /// newer one, which costs them a listing.
    public var replacedGrace: Duration = .seconds(10)
    /// A job is tried so often when the failure may be transient.
    public var maxJobAttempts: UInt32 = 5
    /// A job whose lease was lost so often to a process that died under it ends as failed instead of taking the next one down.
    public var maxJobDeaths: UInt32 = 5

    public var retrievalQuotaMode = RetrievalQuotaMode.refuse
    /// The monthly allowance behind the data retrieval policy `FreeTier`; a thirtieth of it may be retrieved in any 24 hours.
    public var freeTierMonthlyBytes: UInt64 = 10 << 30
    /// Nil: backups are made only when asked for.
    public var backupSchedule: BackupSchedule?

    /// Internal: what the audit log costs is measured by leaving it out. No operator can.
    var keepsAuditLog = true
    /// Nil: nothing is verified in the background; only for tests, and for tools that open a directory for a moment.
    public var scrub: ScrubConfiguration?

    public init() {}
}
