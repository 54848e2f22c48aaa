// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import HTTPTypes
import Hummingbird
import HummingbirdCore
public import Logging
public import NIOCore
public import Observability
public import ServiceLifecycle

/// What `/health` tells.
public struct HealthReport: Sendable, Hashable {
    /// One thing that was looked at.
    public struct Check: Sendable, Hashable {
        public let name: String
        public let isHealthy: Bool
        /// Somebody must act, but requests are served: no reason to take the service out of a balancer.
        public let isDegraded: Bool
        /// For people; never a secret.
        public let detail: String

        public init(name: String, isHealthy: Bool, isDegraded: Bool = false, detail: String) {
            self.name = name
            self.isHealthy = isHealthy
            self.isDegraded = isDegraded
            self.detail = detail
        }
    }

    public let version: String
    public let checks: [Check]

    public init(version: String, checks: [Check]) {
        self.version = version
        self.checks = checks
    }

    public var isHealthy: Bool { checks.allSatisfy(\.isHealthy) }

    var document: JSONValue {
        [
            "checks": .array(
                checks.map { check in
                    var members: [String: JSONValue] = [
                        "detail": .string(check.detail), "healthy": .bool(check.isHealthy), "name": .string(check.name),
                    ]
                    if check.isDegraded { members["degraded"] = true }
                    return .object(members)
                }),
            "status": !isHealthy ? "failing" : checks.contains(where: \.isDegraded) ? "degraded" : "ok", "version": .string(version),
        ]
    }
}

/// The operator's listener: `GET /health` (200, or 503 when a check fails) and `GET /metrics` (Prometheus text 0.0.4).
///
/// It tells nothing of what is stored, takes no body and has no authentication: keep it on loopback or behind a proxy.
public struct OperatorServer: Service {
    private let host: String
    private let port: Int
    private let registry: PrometheusRegistry
    private let health: @Sendable () async -> HealthReport
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let onServerRunning: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - port: 0 for any free port.
    ///   - health: asked at every `/health`; should answer within a second.
    ///   - onServerRunning: told the bound port.
    public init(
        host: String, port: Int, registry: PrometheusRegistry, eventLoopGroup: any EventLoopGroup, logger: Logger,
        health: @escaping @Sendable () async -> HealthReport,
        onServerRunning: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        self.registry = registry
        self.health = health
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        self.onServerRunning = onServerRunning
    }

    public func run() async throws {
        let (registry, health, onServerRunning) = (registry, health, onServerRunning)
        let application = Application(
            responder: CallbackResponder<BasicRequestContext> { request, _ in
                switch (request.method, request.uri.path) {
                case (.get, "/health"):
                    let report = await health()
                    return Self.response(
                        report.isHealthy ? .ok : .serviceUnavailable, "application/json",
                        report.document.canonicalString() + "\n")
                case (.get, "/metrics"):
                    return Self.response(.ok, "text/plain; version=0.0.4; charset=utf-8", registry.exposition())
                default:
                    return Self.response(.notFound, "text/plain; charset=utf-8", "GET /health or GET /metrics\n")
                }
            },
            server: .http1(configuration: .init(idleTimeout: .seconds(60))),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port), serverName: nil, backlog: 64,
                availableConnectionsDelegate: MaximumAvailableConnections(64)),
            onServerRunning: { channel in await onServerRunning(channel.localAddress?.port ?? 0) },
            eventLoopGroupProvider: .shared(eventLoopGroup), logger: logger)
        try await application.run()
    }

    private static func response(_ status: HTTPResponse.Status, _ type: String, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
