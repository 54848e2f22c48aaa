// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// ``GlacierTransport`` over HTTP/1.1 connections that are kept and reused.
///
/// Owns its connections: call ``shutdown()`` once, after the last request.
public final class HTTPTransport: GlacierTransport {
    private let client: HTTPClient
    private let endpoint: Endpoint

    /// - Parameters:
    ///   - connections: the most connections kept open at once.
    ///   - caBundlePath: PEM file of authorities that replaces the system's; nil for the system's.
    /// - Throws: ``ClientError`` of kind `usage` when the bundle cannot be used.
    public init(endpoint: Endpoint, connections: Int, caBundlePath: String?) throws(ClientError) {
        self.endpoint = endpoint
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let caBundlePath {
            do {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(caBundlePath))
            } catch {
                throw ClientError(
                    .usage, "The CA bundle '\(caBundlePath)' cannot be read as PEM certificates: \(error)",
                    remedy: "Check --ca-bundle or AWS_CA_BUNDLE.")
            }
        }
        var pool = HTTPClient.Configuration.ConnectionPool(idleTimeout: .seconds(30))
        pool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(connections, 1)
        // Our own retries count and report attempts; a second layer below would hide a refused connection for a minute.
        pool.retryConnectionEstablishment = false
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10), read: .seconds(60), write: .seconds(60)), connectionPool: pool,
            proxy: nil, ignoreUncleanSSLShutdown: false, decompression: .disabled)
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Closes all connections.
    public func shutdown() async throws { try await client.shutdown() }

    /// See ``GlacierTransport``.
    public func send(_ request: OutboundRequest) async throws -> InboundResponse {
        var outbound = HTTPClientRequest(url: "\(endpoint.scheme)://\(endpoint.authority)\(request.rawTarget)")
        outbound.method = HTTPMethod(rawValue: request.method)
        for header in request.headers { outbound.headers.add(name: header.name, value: header.value) }
        switch request.body {
        case .none: break
        case .bytes(let bytes): outbound.body = .bytes(bytes)
        case .file(let pieces): outbound.body = .stream(pieces, length: .known(Int64(clamping: pieces.range.count)))
        }
        do {
            // The read timeout above watches for silence; a deadline on the whole would cut large parts on slow lines.
            let response = try await client.execute(outbound, deadline: .distantFuture)
            return InboundResponse(status: Int(response.status.code), headers: response.headers, body: response.body)
        } catch {
            throw NetworkFailure.classify(error, endpoint: endpoint)
        }
    }
}

/// Tells what a transport error means.
enum NetworkFailure {
    /// - Returns: `ClientError` unchanged, `CancellationError` when the task was cancelled, otherwise a transient
    ///   network error.
    static func classify(_ error: any Error, endpoint: Endpoint) -> any Error {
        if error is ClientError || error is CancellationError { return error }
        if Task.isCancelled || error as? HTTPClientError == .cancelled { return CancellationError() }
        // A certificate we cannot trust does not get better by asking again.
        var isHandshake = error is NIOSSLExtraError
        if case .handshakeFailed? = error as? NIOSSLError { isHandshake = true }
        if isHandshake {
            return ClientError(
                .network, "TLS with \(endpoint) failed: \(error)",
                remedy: "If the service has a private certificate authority, name its PEM file with --ca-bundle.")
        }
        let reason = reason(error)
        return ClientError(
            .network, "The connection to \(endpoint) failed: \(reason)",
            remedy: "Check the endpoint (--endpoint-url, AWS_ENDPOINT_URL_GLACIER) and that the service runs.",
            repetition: nothingWasSent(error) ? .safe : .unsure)
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError: error.shortDescription
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { reason($0.error) } ?? "the host name cannot be resolved"
        default: String(describing: error)
        }
    }

    /// Whether no byte of the request can have been acted upon, so that repeating it cannot do it twice.
    private static func nothingWasSent(_ error: any Error) -> Bool {
        if let error = error as? IOError { return [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH].contains(error.errnoCode) }
        return error is NIOConnectionError || error as? HTTPClientError == .connectTimeout
            || error as? HTTPClientError == .getConnectionFromPoolTimeout
    }
}
