// SPDX-License-Identifier: Apache-2.0

/// Every key that `coldvault serve` understands, with its spellings, its default and its documentation: the one list
/// from which look-ups, the reference table and the unknown-key errors are made.
public enum ConfigurationKey: String, CaseIterable, Sendable {
    case dataDir
    case rootKeyFile
    case listen
    case operatorListen
    case allowRemoteOperator
    case adminSocket
    case tlsCertificate = "tls.certificate"
    case tlsPrivateKey = "tls.privateKey"
    case allowPlainHTTP
    case regions
    case retrievalDelay
    case retrievalQuotaMode
    case freeTierMonthlyBytes
    case outputRetention
    case deletionGrace
    case masterKeyRotation
    case keyDestructionWait
    case uploadExpiry
    case compression
    case outputMode
    case memoryBudget
    case maxConnections
    case maxConnectionsPerAddress
    case maxRequestsPerAccount
    case requestRatePerAccount
    case jobs
    case minimumBodyRate
    case bodyRateGrace
    case bodyStallTimeout
    case shutdownGrace
    case spaceReserve
    case scrubBytesPerSecond
    case scrubCpuPercent
    case scrubPeriodDays
    case mirrorDir
    case mirrorFailure
    case logLevel
    case backupDir
    case backupInterval
    case backupKeep

    /// Prefix of all environment variables.
    static let environmentPrefix = "COLDVAULT_"

    /// The name in a file: members of a section are joined by a dot.
    public var name: String { rawValue }

    /// The long flag of `coldvault serve`, for example `--tls-certificate`.
    public var flagName: String { "--" + words.joined(separator: "-").lowercased() }

    /// The environment variable, for example `COLDVAULT_TLS_CERTIFICATE`.
    public var environmentName: String { Self.environmentPrefix + words.joined(separator: "_").uppercased() }

    /// The value when nothing is set, as text; nil where there is none (required, or derived from another key).
    public var defaultText: String? { facts.default }

    /// What the key decides, for the reference.
    public var summary: String { facts.summary }

    /// What may be written, for the reference.
    public var accepts: String { facts.accepts }

    /// A root key pasted where its file name belongs must not end in a log.
    var mayShowValue: Bool { self != .rootKeyFile }

    var isBoolean: Bool { self == .allowPlainHTTP || self == .allowRemoteOperator }
    var isList: Bool { self == .regions }

    /// Words start at capital letters that follow a small one, and at dots: `allow`, `Plain`, `HTTP`.
    private var words: [String] {
        var words: [String] = [""]
        var previous: Character = "."
        for character in rawValue {
            if character == "." || (previous.isLowercase && character.isUppercase) { words.append("") }
            if character != "." { words[words.count - 1].append(character) }
            previous = character
        }
        return words
    }
}

extension ConfigurationKey {
    private var facts: (default: String?, accepts: String, summary: String) {
        switch self {
        case .dataDir:
            (nil, "a path", "The data directory made by `coldvault init`. Required.")
        case .rootKeyFile:
            (
                nil, "a path",
                "The file with the operating root key (32 bytes). Required. Keep it off the disk that holds the data."
            )
        case .listen:
            ("127.0.0.1:8080", "`HOST:PORT`, `[IPV6]:PORT`; port 0 = any", "Where the Glacier API listens.")
        case .operatorListen:
            (
                "127.0.0.1:9090", "`HOST:PORT` or `off`",
                "Where `/health` and `/metrics` are served, without authentication."
            )
        case .allowRemoteOperator:
            ("false", "`true`, `false`", "Lets `operatorListen` be an address that other machines reach.")
        case .adminSocket:
            (
                nil, "a path of at most 107 bytes",
                "The Unix socket for operator commands (mode 0600). Default: `admin.sock` in the data directory."
            )
        case .tlsCertificate:
            (
                nil, "a path",
                "PEM file with the certificate chain, leaf first. Together with `tls.privateKey` it turns on HTTPS."
            )
        case .tlsPrivateKey:
            (nil, "a path", "PEM file with the private key.")
        case .allowPlainHTTP:
            (
                "false", "`true`, `false`",
                "Lets plain HTTP be served on an address that other machines reach; for a TLS proxy in front."
            )
        case .regions:
            (
                // Below it stands what the data directory says, which `serve` passes as a default of the directory.
                "us-east-1", "1 to 32 names; a list, or text with commas",
                "Regions accepted in request signatures, each a namespace of its own. Default: the one given to `init`."
            )
        case .retrievalDelay:
            (
                "expedited=0s,standard=0s,bulk=0s", "`tier=span,…`, each up to `7d`",
                "How long a retrieval job waits before it may start."
            )
        case .retrievalQuotaMode:
            (
                "refuse", "`refuse`, `queue`",
                "Whether a job beyond its account's data retrieval policy is refused, as Amazon does, or waits for its turn."
            )
        case .freeTierMonthlyBytes:
            (
                "10GiB", "`1MiB` to `1024TiB`",
                "What the retrieval policy `FreeTier` allows an account and region in a month; a day has a thirtieth of it."
            )
        case .outputRetention:
            ("24h", "`1s` to `365d`", "How long a finished job's output stays downloadable.")
        case .deletionGrace:
            ("24h", "`0` to `365d`", "How long a deleted archive's bytes are kept before they are removed.")
        case .masterKeyRotation:
            (
                "90d", "`0` to `3650d`",
                "The master key is rotated by itself when its newest version is older. 0: only by `coldvault key rotate`."
            )
        case .keyDestructionWait:
            (
                "7d", "`0` to `365d`",
                "How long `coldvault key destroy` waits, and can be taken back, unless it is told otherwise."
            )
        case .uploadExpiry:
            ("7d", "`1s` to `365d`", "How long a multipart upload may rest before it is aborted.")
        case .compression:
            ("lz4", "`lz4`, `none`", "Compression of new archives, unless their vault says otherwise.")
        case .outputMode:
            (
                "inPlace", "`inPlace`, `staged`",
                "Whether job output is read from the archive's own blobs, or copied (sealed) to staging first."
            )
        case .memoryBudget:
            ("128MiB", "`48MiB` to `64GiB`", "Memory for bodies in flight. Requests wait for their share.")
        case .maxConnections:
            (
                "1024", "`1` to `65536`",
                "Connections open at once. Beyond, the one that has waited longest makes room, or the newest gets 503."
            )
        case .maxConnectionsPerAddress:
            (
                "256", "`0` to `65536`",
                "Of these, connections of one address (of IPv6: one /64). 0 = no limit; so behind a proxy."
            )
        case .maxRequestsPerAccount:
            (
                "256", "`1` to `65536`",
                "Requests of one account at work at once; further ones get `ThrottlingException`."
            )
        case .requestRatePerAccount:
            (
                "0", "`0` to `1000000`, per second",
                "Requests of one account; further ones get `ThrottlingException`. Twice as many may come at once. 0 = no limit."
            )
        case .jobs:
            ("4", "`1` to `64`", "Retrieval jobs worked on at once.")
        case .minimumBodyRate:
            (
                "1KiB", "`0` to `1GiB`, per second",
                "A request body that arrives more slowly, after the grace, is refused with 408. 0 turns the rule off."
            )
        case .bodyRateGrace:
            ("20s", "`1s` to `1h`", "How long a body may be slow before `minimumBodyRate` applies.")
        case .bodyStallTimeout:
            ("30s", "`1s` to `1h`", "A body that stops arriving for so long is refused with 408.")
        case .shutdownGrace:
            (
                "15s", "`1s` to `1h`",
                "How long requests in flight may take after SIGTERM. Keep the supervisor's stop timeout above it."
            )
        case .spaceReserve:
            (
                "256MiB", "`0` to `1TiB`",
                "Free disk space that uploads leave untouched, so that deletes and clean-up work on a full disk."
            )
        case .scrubBytesPerSecond:
            (
                "32MiB", "`0` to `64GiB`, per second",
                "The most that verification in the background reads, and the most that older blobs are copied to a mirror with. 0: no limit."
            )
        case .scrubCpuPercent:
            ("10", "`1` to `100`", "The most of one core that verification in the background takes. 100: no limit.")
        case .scrubPeriodDays:
            ("30", "`1` to `3650`", "A pass over everything that is stored begins so many days after the last one began.")
        case .mirrorDir:
            (nil, "a path", "A directory on another disk that keeps a second copy of every blob and key file. None when not set.")
        case .mirrorFailure:
            (
                "continue", "`continue`, `refuse`",
                "When the mirror fails or is away: `continue` with one copy and make it good later, or `refuse` what would be stored once only."
            )
        case .logLevel:
            (
                "info", "`trace`, `debug`, `info`, `notice`, `warning`, `error`, `critical`",
                "Log lines below this level are not written."
            )
        case .backupDir:
            (
                nil, "an absolute path",
                "An existing directory, on another disk, for scheduled backups of catalog and keyring. Without it none are made."
            )
        case .backupInterval:
            ("24h", "`60s` to `365d`", "From one scheduled backup to the next.")
        case .backupKeep:
            (
                "14", "`1` to `10000`",
                "How many scheduled backups of each kind stay; older ones go after a newer one was made and read back."
            )
        }
    }
}
