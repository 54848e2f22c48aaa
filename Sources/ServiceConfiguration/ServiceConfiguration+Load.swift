// SPDX-License-Identifier: Apache-2.0

extension ServiceConfiguration {
    /// Reads and validates everything; the one way to make a configuration.
    ///
    /// Precedence: flags, then environment variables with prefix `COLDVAULT_`, then the file, then defaults. Reads the
    /// file and checks that the TLS files can be read: blocking calls, meant for the start of the process. Changes nothing.
    /// - Parameters:
    ///   - flags: only flags that were given, by key name (`tls.certificate`).
    ///   - environment: the process's environment; variables with another prefix are ignored, empty ones count as not
    ///     set.
    ///   - filePath: YAML or JSON; nil for none.
    ///   - directoryDefaults: what the data directory itself says, asked once its path is known; below the file.
    /// - Throws: all problems at once.
    public static func load(
        flags: [String: String], environment: [String: String], filePath: String?,
        directoryDefaults: [String: String] = [:]
    ) throws(ConfigurationErrors) -> ServiceConfiguration {
        var problems: [ConfigurationProblem] = []
        var file: ConfigurationFile?
        if let filePath {
            do { file = try ConfigurationFile(path: filePath) } catch { problems.append(error) }
        }
        let layers = ConfigurationLayers(
            flags: flags, environment: environment, file: file, filePath: filePath, directoryDefaults: directoryDefaults)
        var reading = ConfigurationReading(layers: layers)
        var configuration = read(&reading)
        configuration.checkTogether(&reading)
        problems += reading.problems
        problems += flags.keys.sorted().filter { ConfigurationKey(rawValue: $0) == nil }
            .map { UnknownKey.problem($0, origin: "flags") }
        problems += (file?.keys ?? []).filter { ConfigurationKey(rawValue: $0) == nil }
            .map { UnknownKey.problem($0, origin: filePath) }
        guard problems.isEmpty else { throw ConfigurationErrors(problems: problems) }
        configuration.notices = UnknownKey.notices(environment: environment)
        return configuration
    }

    /// Each key on its own. A key with a problem gets its default here, so that the others are looked at too.
    private static func read(_ reading: inout ConfigurationReading) -> ServiceConfiguration {
        let year = Duration.seconds(365 * 86_400)
        let decade = Duration.seconds(3650 * 86_400)
        let second = Duration.seconds(1)
        let hour = Duration.seconds(3600)
        let dataDir = reading.path(.dataDir, isRequired: true)
        let certificate = reading.readableFile(.tlsCertificate)
        let privateKey = reading.readableFile(.tlsPrivateKey)
        return ServiceConfiguration(
            dataDir: dataDir ?? "",
            rootKeyFile: reading.path(.rootKeyFile, isRequired: true) ?? "",
            listen: reading.value(.listen) { text throws(InvalidValue) in try ListenAddress(parsing: text) },
            operatorListen: reading.value(.operatorListen) { text throws(InvalidValue) in
                text == "off" ? nil : try ListenAddress(parsing: text)
            },
            adminSocket: reading.socketPath(.adminSocket, defaultIn: dataDir),
            tls: reading.pair(certificate: certificate, privateKey: privateKey),
            allowPlainHTTP: reading.boolean(.allowPlainHTTP),
            regions: reading.value(.regions) { text throws(InvalidValue) in try Regions.parse(text) },
            retrievalDelay: reading.value(.retrievalDelay) { text throws(InvalidValue) in
                try RetrievalDelay(parsing: text)
            },
            retrievalQuotaMode: reading.choice(.retrievalQuotaMode),
            freeTierMonthlyBytes: reading.size(.freeTierMonthlyBytes, in: (1 << 20)...(1 << 50)),
            outputRetention: reading.duration(.outputRetention, in: second...year),
            deletionGrace: reading.duration(.deletionGrace, in: .zero...year),
            masterKeyRotation: reading.duration(.masterKeyRotation, in: .zero...decade),
            keyDestructionWait: reading.duration(.keyDestructionWait, in: .zero...year),
            uploadExpiry: reading.duration(.uploadExpiry, in: second...year),
            compression: reading.choice(.compression),
            outputMode: reading.choice(.outputMode),
            memoryBudgetBytes: reading.size(.memoryBudget, in: (48 << 20)...(64 << 30)),
            maxConnections: reading.count(.maxConnections, in: 1...65_536),
            maxConnectionsPerAddress: reading.count(.maxConnectionsPerAddress, in: 0...65_536),
            maxRequestsPerAccount: reading.count(.maxRequestsPerAccount, in: 1...65_536),
            requestRatePerAccount: reading.count(.requestRatePerAccount, in: 0...1_000_000),
            jobs: reading.count(.jobs, in: 1...64),
            minimumBodyRate: reading.size(.minimumBodyRate, in: 0...(1 << 30)),
            bodyRateGrace: reading.duration(.bodyRateGrace, in: second...hour),
            bodyStallTimeout: reading.duration(.bodyStallTimeout, in: second...hour),
            shutdownGrace: reading.duration(.shutdownGrace, in: second...hour),
            spaceReserveBytes: reading.size(.spaceReserve, in: 0...(1 << 40)),
            scrubBytesPerSecond: reading.size(.scrubBytesPerSecond, in: 0...(64 << 30)),
            scrubCpuPercent: reading.count(.scrubCpuPercent, in: 1...100),
            scrubPeriodDays: reading.count(.scrubPeriodDays, in: 1...3650),
            mirrorDir: reading.path(.mirrorDir, isRequired: false),
            mirrorFailure: reading.choice(.mirrorFailure),
            logLevel: reading.choice(.logLevel),
            backupDir: reading.path(.backupDir, isRequired: false),
            backupInterval: reading.duration(.backupInterval, in: .seconds(60)...year),
            backupKeep: reading.count(.backupKeep, in: 1...10_000),
            notices: [])
    }

    /// Rules between keys.
    private func checkTogether(_ reading: inout ConfigurationReading) {
        if tls == nil, !listen.isLoopback, !allowPlainHTTP, !reading.hasProblem(with: .tlsCertificate, .tlsPrivateKey) {
            reading.report(
                .listen, reason: "would serve plain HTTP on an address that other machines reach",
                remedy:
                    "Set tls.certificate and tls.privateKey, or a loopback address, or allowPlainHTTP for a TLS proxy."
            )
        }
        if let backupDir, !backupDir.hasPrefix("/") {
            reading.report(.backupDir, reason: "is a relative path", remedy: "Give the absolute path of an existing directory.")
        }
        let allowsRemoteOperator = reading.boolean(.allowRemoteOperator)
        guard let operatorListen else { return }
        if !operatorListen.isLoopback, !allowsRemoteOperator {
            reading.report(
                .operatorListen, reason: "would serve metrics without authentication to other machines",
                remedy: "Use a loopback address or off, or set allowRemoteOperator.")
        }
        if operatorListen == listen, listen.port != 0 {
            reading.report(
                .operatorListen, reason: "is the address of the Glacier API", remedy: "Choose another port, or off.")
        }
    }
}
