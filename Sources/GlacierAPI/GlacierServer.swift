// SPDX-License-Identifier: Apache-2.0

public import Cryptography
import HummingbirdCore
public import Logging
public import Metrics
public import NIOCore
import NIOSSL
import RequestSignature
public import ServiceLifecycle
public import VaultEngine
public import VaultModel

/// Where and how the Glacier API is served.
public struct GlacierServerConfiguration: Sendable {
    /// PEM files of a certificate chain and its key, read once when the server is made.
    public struct TLS: Sendable, Hashable {
        public var certificatePath: String
        public var privateKeyPath: String

        public init(certificatePath: String, privateKeyPath: String) {
            self.certificatePath = certificatePath
            self.privateKeyPath = privateKeyPath
        }
    }

    public var host: String
    /// 0: any free port.
    public var port: Int
    /// Nil: plain HTTP. TLS is 1.2 or newer.
    public var tls: TLS?
    /// The regions that signatures may be scoped to; each is its own namespace of vaults.
    public var regions: Set<Region>
    public var limits: ConnectionLimits
    public var accountLimits: AccountLimits

    public init(
        host: String, port: Int, tls: TLS? = nil, regions: Set<Region>, limits: ConnectionLimits = ConnectionLimits(),
        accountLimits: AccountLimits = AccountLimits()
    ) {
        self.host = host
        self.port = port
        self.tls = tls
        self.regions = regions
        self.limits = limits
        self.accountLimits = accountLimits
    }
}

/// The Amazon Glacier REST API 2012-06-01 over HTTP/1.1, as a service of a `ServiceGroup`.
///
/// `run()` returns after graceful shutdown: the listening socket closes at once, idle connections close, requests in
/// flight are answered. The group's `maximumGracefulShutdownDuration` bounds that; on cancellation the remaining
/// connections are cut.
public struct GlacierServer: Service {
    private let configuration: GlacierServerConfiguration
    private let connection: HTTPConnection
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let onServerRunning: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - clock: judges signatures' dates and writes `Date` headers.
    ///   - random: for request ids.
    ///   - onServerRunning: told the bound port when connections are accepted.
    /// - Throws: when the certificate or its key cannot be read or do not fit together.
    public init(
        engine: VaultEngine, configuration: GlacierServerConfiguration, clock: any TimeSource,
        random: any RandomByteSource,
        eventLoopGroup: any EventLoopGroup, logger: Logger, metrics: any MetricsFactory = MetricsSystem.factory,
        onServerRunning: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) throws {
        try self.init(
            operations: engine, configuration: configuration, clock: clock, random: random,
            eventLoopGroup: eventLoopGroup,
            logger: logger, metrics: metrics, onServerRunning: onServerRunning)
    }

    init(
        operations: any GlacierOperations, configuration: GlacierServerConfiguration, clock: any TimeSource,
        random: any RandomByteSource, eventLoopGroup: any EventLoopGroup, logger: Logger, metrics: any MetricsFactory,
        onServerRunning: @escaping @Sendable (_ port: Int) async -> Void
    ) throws {
        let verifier = SignatureVerifier(regions: Set(configuration.regions.map(\.code)))
        let allowance = BodyAllowance()
        let responder = GlacierResponder(
            authenticator: Authenticator(
                operations: operations, verifier: verifier, clock: clock, allowance: allowance),
            endpoints: GlacierEndpoints(operations: operations), allowance: allowance, random: random,
            accounts: AccountDesk(limits: configuration.accountLimits, clock: clock, metrics: metrics),
            journal: RequestJournal(logger: logger, factory: metrics))
        connection = HTTPConnection(
            desk: ConnectionDesk(limits: configuration.limits, metrics: metrics), limits: configuration.limits, tls: try configuration.tls.map(ServerCertificate.context), clock: clock,
            respond: { await responder.respond($0) }, refuse: { responder.refuse($0) })
        self.configuration = configuration
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        self.onServerRunning = onServerRunning
    }

    public func run() async throws {
        let onServerRunning = onServerRunning
        let server = connection.server(
            configuration: ServerConfiguration(
                address: .hostname(configuration.host, port: configuration.port), backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(
                    configuration.limits.maxConnections + ConnectionDesk.spareConnections)),
            onServerRunning: { channel in await onServerRunning(channel.localAddress?.port ?? 0) },
            eventLoopGroup: eventLoopGroup, logger: logger)
        try await server.run()
    }
}

/// Makes the server's TLS from PEM files.
enum ServerCertificate {
    static func context(_ tls: GlacierServerConfiguration.TLS) throws -> NIOSSLContext {
        let chain = try NIOSSLCertificate.fromPEMFile(tls.certificatePath)
        let key = try NIOSSLPrivateKey(file: tls.privateKeyPath, format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        // The library's own default is TLS 1.0.
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        return try NIOSSLContext(configuration: configuration)
    }
}
