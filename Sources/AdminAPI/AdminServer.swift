// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdCore
public import Logging
public import NIOCore
public import ServiceLifecycle
import Synchronization
public import VaultEngine
import VaultModel

/// The operator's socket: JSON over HTTP on a Unix domain socket that only its owner may open.
///
/// Whoever can open the socket may do everything; its permissions, 0600, are the authentication. A stale socket file is
/// removed at the start; nothing is answered before the permissions are set.
public struct AdminServer: Service {
    /// The longest path a socket can have on Linux, in bytes.
    public static let maxSocketPathBytes = 107

    private let socketPath: String
    private let responder: AdminResponder
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let onServerRunning: @Sendable () async -> Void

    /// - Parameter socketPath: at most ``maxSocketPathBytes`` bytes; its directory must exist and should be private.
    /// - Throws: `VaultError` for a path that is too long.
    public init(
        engine: VaultEngine, socketPath: String, eventLoopGroup: any EventLoopGroup, logger: Logger,
        onServerRunning: @escaping @Sendable () async -> Void = {}
    ) throws {
        try self.init(
            operations: engine, socketPath: socketPath, eventLoopGroup: eventLoopGroup, logger: logger,
            onServerRunning: onServerRunning)
    }

    init(
        operations: any AdminOperations, socketPath: String, eventLoopGroup: any EventLoopGroup, logger: Logger,
        onServerRunning: @escaping @Sendable () async -> Void
    ) throws(VaultError) {
        guard socketPath.utf8.count <= Self.maxSocketPathBytes else {
            throw VaultError(
                .invalidParameter,
                "The path of the admin socket is longer than \(Self.maxSocketPathBytes) bytes; "
                    + "set adminSocket to a shorter one."
            )
        }
        self.socketPath = socketPath
        responder = AdminResponder(operations: operations)
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        self.onServerRunning = onServerRunning
    }

    public func run() async throws {
        let (path, logger, responder, onServerRunning) = (socketPath, logger, responder, onServerRunning)
        let gate = SocketGate()
        let application = Application(
            responder: CallbackResponder<BasicRequestContext> { request, _ in
                guard gate.isOpen else {
                    return Self.refusal(
                        VaultError(.unavailable, "The permissions of the admin socket could not be set."))
                }
                return await Self.respond(to: request, with: responder, logger: logger)
            },
            server: .http1(configuration: .init(idleTimeout: .seconds(60))),
            configuration: ApplicationConfiguration(
                address: .unixDomainSocket(path: path), serverName: nil, backlog: 64,
                availableConnectionsDelegate: MaximumAvailableConnections(64)),
            onServerRunning: { _ in
                do {
                    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
                    gate.open()
                } catch {
                    logger.error(
                        "The permissions of the admin socket could not be set; it stays shut.",
                        metadata: ["error": "\(error)"])
                }
                await onServerRunning()
            },
            eventLoopGroupProvider: .shared(eventLoopGroup), logger: logger)
        defer {
            // A socket file nobody listens on is only untidy: the next start removes it too.
            try? FileManager.default.removeItem(atPath: path)
        }
        try await application.run()
    }

    private static func respond(to request: Request, with responder: AdminResponder, logger: Logger) async -> Response {
        var verb = ""
        do {
            guard request.method == .post, request.uri.path.hasPrefix(AdminRequest.pathPrefix) else {
                throw VaultError(.notFound, "Administrative requests are POST \(AdminRequest.pathPrefix)<verb>.")
            }
            verb = String(request.uri.path.dropFirst(AdminRequest.pathPrefix.count))
            let asked = try AdminRequest(verb: verb, body: try await body(of: request))
            let document = try await responder.answer(asked)
            logger.info(
                "An administrative request was done.",
                metadata: ["verb": "\(asked.verb)", "subject": "\(asked.subject ?? "-")"])
            return response(.ok, document)
        } catch {
            let failure = error as? VaultError ?? VaultError(.internalFailure, "The request failed.", cause: error)
            logger.warning(
                "An administrative request failed.", metadata: ["verb": "\(verb.prefix(64))", "error": "\(failure)"])
            return refusal(failure)
        }
    }

    private static func body(of request: Request) async throws -> JSONValue {
        let limit = AdminRequest.maxBodyBytes
        var bytes: [UInt8] = []
        for try await buffer in request.body {
            guard bytes.count + buffer.readableBytes <= limit else {
                throw VaultError(.serialization, "The request body is larger than \(limit) bytes.")
            }
            bytes += Array(buffer.readableBytesView)
        }
        guard !bytes.isEmpty else { return [:] }
        do {
            return try JSONParser.parse(bytes, limits: JSONLimits(maxBytes: limit, maxDepth: 8, maxValues: 256))
        } catch {
            throw VaultError(.serialization, "The request body is not valid JSON: \(error)")
        }
    }

    private static func refusal(_ error: VaultError) -> Response {
        let refusal = AdminRefusal(error)
        return response(HTTPResponse.Status(code: refusal.status), refusal.document)
    }

    private static func response(_ status: HTTPResponse.Status, _ document: JSONValue) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: document.canonicalBytes())))
    }
}

/// Shut until the socket's permissions are set.
private final class SocketGate: Sendable {
    private let state = Mutex(false)
    var isOpen: Bool { state.withLock { $0 } }
    func open() { state.withLock { $0 = true } }
}
