// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ServiceConfiguration

/// Every configuration key as a flag of `coldvault serve`; values are judged together with environment and file, in one place.
struct ServeFlags: ParsableArguments {
    @Option(help: "The data directory made by `coldvault init`.", completion: .directory)
    var dataDir: String?
    @Option(help: "The file with the operating root key.", completion: .file())
    var rootKeyFile: String?
    @Option(help: "Where the Glacier API listens: HOST:PORT; port 0 means any.")
    var listen: String?
    @Option(help: "Where /health and /metrics are served: HOST:PORT or off.")
    var operatorListen: String?
    @Flag(help: "Let --operator-listen be an address that other machines reach.")
    var allowRemoteOperator = false
    @Option(help: "The Unix socket for operator commands.")
    var adminSocket: String?
    @Option(help: "PEM file with the certificate chain; with --tls-private-key turns on HTTPS.", completion: .file())
    var tlsCertificate: String?
    @Option(help: "PEM file with the private key.", completion: .file())
    var tlsPrivateKey: String?
    @Flag(name: .customLong("allow-plain-http"), help: "Allow plain HTTP on an address that other machines reach.")
    var allowPlainHTTP = false
    @Option(help: "Accepted regions, separated by commas.")
    var regions: String?
    @Option(help: "Delays before jobs start: expedited=0s,standard=0s,bulk=0s.")
    var retrievalDelay: String?
    @Option(help: "refuse or queue: what happens to jobs beyond a data retrieval policy.")
    var retrievalQuotaMode: String?
    @Option(help: "Monthly allowance of the retrieval policy FreeTier, such as 10GiB.")
    var freeTierMonthlyBytes: String?
    @Option(help: "How long a finished job's output stays downloadable.")
    var outputRetention: String?
    @Option(help: "How long the bytes of a deleted archive are kept.")
    var deletionGrace: String?
    @Option(help: "Age at which the master key is rotated by itself; 0: never.")
    var masterKeyRotation: String?
    @Option(help: "How long the destruction of a key version waits.")
    var keyDestructionWait: String?
    @Option(help: "How long an upload may stay idle.")
    var uploadExpiry: String?
    @Option(help: "lz4 or none.")
    var compression: String?
    @Option(help: "inPlace or staged.")
    var outputMode: String?
    @Option(help: "Working memory of all requests and jobs, such as 128MiB.")
    var memoryBudget: String?
    @Option(help: "Connections open at once.")
    var maxConnections: String?
    @Option(help: "Of these, connections of one address; 0 for no limit.")
    var maxConnectionsPerAddress: String?
    @Option(help: "Requests of one account at work at once.")
    var maxRequestsPerAccount: String?
    @Option(help: "Requests of one account in a second; 0 for no limit.")
    var requestRatePerAccount: String?
    @Option(help: "Retrieval jobs at once.")
    var jobs: String?
    @Option(help: "The slowest upload that is borne, in bytes per second.")
    var minimumBodyRate: String?
    @Option(help: "How long an upload may be slower.")
    var bodyRateGrace: String?
    @Option(help: "How long an upload may bring nothing.")
    var bodyStallTimeout: String?
    @Option(help: "How long a graceful stop may take.")
    var shutdownGrace: String?
    @Option(help: "Free space that writes leave alone, such as 256MiB.")
    var spaceReserve: String?
    @Option(help: "The most that verification in the background reads in a second, such as 32MiB; 0: no limit.")
    var scrubBytesPerSecond: String?
    @Option(help: "The most of one core that verification in the background takes: 1 to 100.")
    var scrubCpuPercent: String?
    @Option(help: "Days from the begin of one verification of everything to the next.")
    var scrubPeriodDays: String?
    @Option(help: "A directory on another disk for a second copy of everything.", completion: .directory)
    var mirrorDir: String?
    @Option(help: "continue or refuse: what happens to writes while the mirror fails.")
    var mirrorFailure: String?
    @Option(help: "Existing directory for scheduled backups.", completion: .directory)
    var backupDir: String?
    @Option(help: "From one scheduled backup to the next, such as 24h.")
    var backupInterval: String?
    @Option(help: "How many scheduled backups of each kind stay.")
    var backupKeep: String?
    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?

    /// Only what was given, by key name.
    var values: [String: String] {
        let all: [(ConfigurationKey, String?)] = [
            (.dataDir, dataDir), (.rootKeyFile, rootKeyFile), (.listen, listen), (.operatorListen, operatorListen),
            (.allowRemoteOperator, allowRemoteOperator ? "true" : nil), (.adminSocket, adminSocket),
            (.tlsCertificate, tlsCertificate), (.tlsPrivateKey, tlsPrivateKey), (.allowPlainHTTP, allowPlainHTTP ? "true" : nil),
            (.regions, regions), (.retrievalDelay, retrievalDelay), (.retrievalQuotaMode, retrievalQuotaMode),
            (.freeTierMonthlyBytes, freeTierMonthlyBytes), (.outputRetention, outputRetention),
            (.deletionGrace, deletionGrace), (.masterKeyRotation, masterKeyRotation),
            (.keyDestructionWait, keyDestructionWait), (.uploadExpiry, uploadExpiry), (.compression, compression), (.outputMode, outputMode),
            (.memoryBudget, memoryBudget), (.maxConnections, maxConnections),
            (.maxConnectionsPerAddress, maxConnectionsPerAddress), (.maxRequestsPerAccount, maxRequestsPerAccount),
            (.requestRatePerAccount, requestRatePerAccount), (.jobs, jobs), (.minimumBodyRate, minimumBodyRate),
            (.bodyRateGrace, bodyRateGrace), (.bodyStallTimeout, bodyStallTimeout), (.shutdownGrace, shutdownGrace),
            (.spaceReserve, spaceReserve), (.scrubBytesPerSecond, scrubBytesPerSecond), (.scrubCpuPercent, scrubCpuPercent),
            (.scrubPeriodDays, scrubPeriodDays), (.mirrorDir, mirrorDir), (.mirrorFailure, mirrorFailure), (.logLevel, logLevel),
            (.backupDir, backupDir), (.backupInterval, backupInterval), (.backupKeep, backupKeep),
        ]
        return Dictionary(uniqueKeysWithValues: all.compactMap { key, value in value.map { (key.name, $0) } })
    }
}
