// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Execution
import Foundation
import GlacierAPI
import Logging
import Metrics
import MirroredBlobStore
import NIOPosix
import Observability
import PosixDisk
import ServiceConfiguration
import ServiceLifecycle
import UnixSignals
import VaultEngine
import VaultModel

/// The running service: configuration in, services started in order (engine, operator listener, admin socket, Glacier API), stopped in
/// reverse.
struct VaultService {
    /// After the graceful part of a stop, how long cancelled work may take to clean up.
    private static let cancellationGrace: Duration = .seconds(5)

    let flags: [String: String]
    let environment: [String: String]
    let file: String?

    func run() async throws {
        let pool = BlockingPool(name: "disk", threads: PosixDisk.defaultThreads)
        let disk = PosixDisk(pool: pool)
        // Once for the path, once with what the directory itself says.
        let first = try ServiceConfiguration.load(flags: flags, environment: environment, filePath: file)
        let directory = DataDirectory(path: first.dataDir, disk: disk)
        let facts = try await directory.readFacts()
        let configuration = try ServiceConfiguration.load(
            flags: flags, environment: environment, filePath: file, directoryDefaults: ["regions": facts.region.code])

        let registry = PrometheusRegistry(descriptions: ServiceMetrics.descriptions)
        MetricsSystem.bootstrap(registry)
        let clock = SystemTimeSource()
        let writer = LogWriter.standardError(dropCounter: Counter(label: "coldvault.log.dropped.lines"), now: { clock.now().milliseconds })
        let level = Logger.Level(rawValue: configuration.logLevel.rawValue) ?? .info
        LoggingSystem.bootstrap { JSONLogHandler(label: $0, level: level, writer: writer) }
        let logger = Logger(label: "coldvault")
        defer { writer.shutdown(within: .seconds(2)) }
        for notice in configuration.notices { logger.warning("\(notice)") }
        try FileLimit.raise(for: configuration.maxConnections, logger: logger)

        let lock = try await DirectoryLock.acquire(directory: configuration.dataDir, on: pool)
        let vault = try await OpenedVault.open(
            directory, rootKeyFile: configuration.rootKeyFile, configuration: configuration.engine,
            reserveBytes: UInt64(configuration.spaceReserveBytes), lock: lock, pool: pool, mirror: configuration.mirror, logger: logger)
        do {
            try await serve(vault, configuration, registry: registry, logger: logger)
        } catch {
            await vault.close()
            await pool.shutdown()
            throw error
        }
        await vault.close()
        await pool.shutdown()
        logger.notice("stopped")
    }

    private func serve(
        _ vault: OpenedVault, _ configuration: ServiceConfiguration, registry: PrometheusRegistry, logger: Logger
    ) async throws {
        let engine = vault.engine
        // Before anybody can ask for anything.
        try await engine.prepare()
        let group = MultiThreadedEventLoopGroup.singleton
        let status = ServiceStatus(engine: engine)
        var services: [any Service] = [EngineService(engine: engine)]
        if let synchronizer = vault.synchronizer { services.append(MirrorService(synchronizer: synchronizer)) }
        if let address = configuration.operatorListen {
            services.append(
                OperatorListener(address: address, registry: registry, status: status, eventLoopGroup: group, logger: logger))
            services.append(GaugeService(status: status))
        }
        services.append(
            try AdminServer(engine: engine, socketPath: configuration.adminSocket, eventLoopGroup: group, logger: logger))
        let scheme = configuration.tls == nil ? "http" : "https"
        let host = configuration.listen.host.contains(":") ? "[\(configuration.listen.host)]" : configuration.listen.host
        services.append(
            try GlacierServer(
                engine: engine, configuration: configuration.glacier, clock: SystemTimeSource(), random: SystemRandomBytes(),
                eventLoopGroup: group, logger: logger,
                onServerRunning: { port in
                    logger.notice("listening", metadata: ["url": "\(scheme)://\(host):\(port)"])
                    // Whoever started the service without reading its output does not mind.
                    try? StandardOutput.write(line: "listening on \(scheme)://\(host):\(port)")
                }))
        var settings = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        settings.maximumGracefulShutdownDuration = configuration.shutdownGrace
        settings.maximumCancellationDuration = Self.cancellationGrace
        try await ServiceGroup(configuration: settings).run()
    }
}

/// Room for every connection and the files behind it, before the first one comes: a process that runs out of descriptors
/// fails in places that have nothing to do with it.
private enum FileLimit {
    /// Catalog, blobs being read and written, sockets of our own.
    private static let others = 512

    static func raise(for connections: Int, logger: Logger) throws {
        let limit = try ProcessHardening.raiseFileLimit()
        let needed = connections + others
        guard limit < needed else { return }
        logger.warning(
            "the process may open fewer files than its connections need; set LimitNOFILE, or a smaller maxConnections",
            metadata: ["limit": "\(limit)", "needed": "\(needed)"])
    }
}

/// Worker and reclaimer as a service: a graceful stop cancels them, and running jobs are handed back.
private struct EngineService: Service {
    let engine: VaultEngine

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await engine.run() }
    }
}

/// The mirror's upkeep as a service; a graceful stop cancels it, and it goes on where it was.
private struct MirrorService: Service {
    let synchronizer: MirrorSynchronizer

    func run() async throws {
        await cancelWhenGracefulShutdown { await synchronizer.run() }
    }
}

extension ServiceConfiguration {
    /// The second copy, if there is to be one.
    var mirror: MirrorSettings? {
        mirrorDir.map { directory in
            MirrorSettings(
                directory: directory, policy: mirrorFailure == .refuse ? .refuse : .proceed, bytesPerSecond: scrubLimit)
        }
    }

    private var scrubLimit: UInt64? { scrubBytesPerSecond == 0 ? nil : UInt64(scrubBytesPerSecond) }

    /// The engine's share of the configuration.
    var engine: EngineConfiguration {
        var engine = EngineConfiguration()
        engine.compress = compression == .lz4
        engine.outputMode = outputMode == .staged ? .staged : .inPlace
        engine.retrievalDelays = RetrievalDelays(
            expedited: retrievalDelay.expedited, standard: retrievalDelay.standard, bulk: retrievalDelay.bulk)
        engine.retrievalQuotaMode = retrievalQuotaMode == .queue ? .queue : .refuse
        engine.freeTierMonthlyBytes = UInt64(freeTierMonthlyBytes)
        engine.outputRetention = outputRetention
        engine.deletionGrace = deletionGrace
        engine.masterKeyRotation = masterKeyRotation
        engine.keyDestructionWait = keyDestructionWait
        engine.uploadExpiry = uploadExpiry
        engine.concurrentJobs = jobs
        engine.memoryBudgetBytes = memoryBudgetBytes
        engine.scrub = ScrubConfiguration(
            bytesPerSecond: scrubLimit, cpuPercent: scrubCpuPercent, period: .seconds(Int64(scrubPeriodDays) * 86_400))
        engine.backupSchedule = backupDir.map { BackupSchedule(directory: $0, interval: backupInterval, keep: backupKeep) }
        return engine
    }

    /// The wire's share of it.
    var glacier: GlacierServerConfiguration {
        var limits = ConnectionLimits()
        limits.bodyStallTimeout = bodyStallTimeout
        limits.minimumBodyRate = UInt64(minimumBodyRate)
        limits.rateGrace = bodyRateGrace
        limits.maxConnections = maxConnections
        limits.maxConnectionsPerAddress = maxConnectionsPerAddress
        var accountLimits = AccountLimits()
        accountLimits.concurrentRequests = maxRequestsPerAccount
        accountLimits.requestsPerSecond = requestRatePerAccount
        return GlacierServerConfiguration(
            host: listen.host, port: listen.port,
            tls: tls.map { GlacierServerConfiguration.TLS(certificatePath: $0.certificate, privateKeyPath: $0.privateKey) },
            regions: Set(regions.compactMap { Region($0) }), limits: limits, accountLimits: accountLimits)
    }
}
