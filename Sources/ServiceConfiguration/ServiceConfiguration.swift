// SPDX-License-Identifier: Apache-2.0

/// Everything that `coldvault serve` is told at its start: complete, validated once, and then passed on as values.
///
/// Made by ``load(flags:environment:filePath:)``. It holds paths to secrets, never secrets. The meaning of each member
/// is
/// the summary of its ``ConfigurationKey``, also listed in Docs/Operations/Configuration.md.
public struct ServiceConfiguration: Sendable, Equatable {
    /// Data directory, as written.
    public var dataDir: String
    /// Path of the operating root key.
    public var rootKeyFile: String
    /// Address of the Glacier API.
    public var listen: ListenAddress
    /// Address of `/health` and `/metrics`; nil when turned off.
    public var operatorListen: ListenAddress?
    /// Path of the operator socket, at most 107 bytes.
    public var adminSocket: String
    /// Certificate and key for HTTPS; nil for plain HTTP.
    public var tls: TLSFiles?
    /// Plain HTTP on an address that other machines reach was allowed.
    public var allowPlainHTTP: Bool
    /// Accepted regions, at least one, no two alike.
    public var regions: [String]
    public var retrievalDelay: RetrievalDelay
    public var retrievalQuotaMode: RetrievalQuotaMode
    /// At least 1 MiB.
    public var freeTierMonthlyBytes: Int
    /// At least one second.
    public var outputRetention: Duration
    /// May be zero.
    public var deletionGrace: Duration
    /// Zero: only on demand.
    public var masterKeyRotation: Duration
    public var keyDestructionWait: Duration
    public var uploadExpiry: Duration
    public var compression: Compression
    public var outputMode: OutputMode
    /// At least 48 MiB.
    public var memoryBudgetBytes: Int
    public var maxConnections: Int
    /// Zero: no limit.
    public var maxConnectionsPerAddress: Int
    public var maxRequestsPerAccount: Int
    /// Per second; zero: no limit.
    public var requestRatePerAccount: Int
    /// Retrieval jobs at once.
    public var jobs: Int
    /// Bytes per second; zero turns the rule off.
    public var minimumBodyRate: Int
    public var bodyRateGrace: Duration
    public var bodyStallTimeout: Duration
    public var shutdownGrace: Duration
    public var spaceReserveBytes: Int
    /// Zero: no limit.
    public var scrubBytesPerSecond: Int
    public var scrubCpuPercent: Int
    public var scrubPeriodDays: Int
    /// Nil: no second copy.
    public var mirrorDir: String?
    public var mirrorFailure: MirrorFailure
    public var logLevel: LogLevel
    /// Where scheduled backups go; nil: none are made.
    public var backupDir: String?
    public var backupInterval: Duration = .seconds(86_400)
    /// At least 1.
    public var backupKeep = 14
    /// Sentences worth a warning in the log at start, such as an unknown `COLDVAULT_…` variable. No secrets.
    public var notices: [String]

    /// PEM files for HTTPS.
    public struct TLSFiles: Sendable, Equatable {
        public let certificate: String
        public let privateKey: String
    }

    /// Compression of new archives.
    public enum Compression: String, Sendable, CaseIterable {
        case lz4, none
    }

    /// What happens to a job beyond its account's data retrieval policy.
    public enum RetrievalQuotaMode: String, Sendable, CaseIterable {
        case refuse, queue
    }

    /// Where job output is read from.
    public enum OutputMode: String, Sendable, CaseIterable {
        case inPlace, staged
    }

    /// What becomes of writes that the mirror does not take.
    public enum MirrorFailure: String, Sendable, CaseIterable {
        case proceed = "continue"
        case refuse
    }

    /// The levels of swift-log, by name.
    public enum LogLevel: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }
}
