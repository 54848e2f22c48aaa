// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import Messaging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import VaultModel

/// Messages as HTTP requests.
///
/// Goes to the URL given and nowhere else: no redirects, no proxy of the environment. TLS is verified against the
/// system's authorities. A 2xx status means that the message was taken; nothing else does.
final class Webhook: Sendable {
    private let client: HTTPClient
    private let clock: any TimeSource
    private let limits: DeliveryLimits

    /// - Parameter authority: PEM file of the one authority to trust instead of the system's, for tests.
    init(clock: any TimeSource, limits: DeliveryLimits, authority: String? = nil) {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let authority { tls.trustRoots = .file(authority) }
        var pool = HTTPClient.Configuration.ConnectionPool(idleTimeout: .seconds(30))
        pool.retryConnectionEstablishment = false
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(
                connect: TimeAmount(limits.connect), read: TimeAmount(limits.total), write: TimeAmount(limits.total)),
            connectionPool: pool, proxy: nil, ignoreUncleanSSLShutdown: false, decompression: .disabled)
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        self.clock = clock
        self.limits = limits
    }

    func shutdown() async {
        // The one error it can report is that it was called twice.
        try? await client.shutdown()
    }

    func deliver(_ message: TopicMessage, to url: String, secret: [UInt8]) async throws(DeliveryFailure) {
        let body = Envelope.bytes(of: message)
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "text/plain; charset=UTF-8")
        request.headers.add(name: "User-Agent", value: "coldvault")
        request.headers.add(name: "x-amz-sns-message-type", value: "Notification")
        request.headers.add(name: "x-amz-sns-message-id", value: message.id.hex)
        request.headers.add(name: "x-amz-sns-topic-arn", value: message.topic.text)
        request.headers.add(
            name: "x-coldvault-signature", value: Envelope.signature(of: body, secret: secret, at: clock.now()))
        request.body = .bytes(body)
        let status: UInt
        do {
            let response = try await client.execute(request, deadline: .now() + TimeAmount(limits.total))
            status = response.status.code
            await drain(response.body)
        } catch {
            throw DeliveryFailure(Self.reason(error), isTransient: true)
        }
        if let failure = Self.failure(status) { throw failure }
    }

    /// Reads a small answer to its end, so that the connection can be used again; gives up on any other. The status has
    /// decided already.
    private func drain(_ body: HTTPClientResponse.Body) async {
        let (bytes, patience, clock) = (limits.answerBytes, limits.drain, clock)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                var left = bytes
                var iterator = body.makeAsyncIterator()
                // A broken answer costs the connection, nothing else.
                while left > 0, let piece = try? await iterator.next() { left -= piece.readableBytes }
            }
            group.addTask { try? await clock.sleep(for: patience) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Nil for a status that means "taken".
    static func failure(_ status: UInt) -> DeliveryFailure? {
        switch status {
        case 200..<300: nil
        case 300..<400:
            DeliveryFailure("the target answered \(status), and redirects are not followed", isTransient: false)
        // Too slow, too early, too many: the field's ways to say "later".
        case 408, 425, 429: DeliveryFailure("the target answered \(status)", isTransient: true)
        case 400..<500: DeliveryFailure("the target answered \(status)", isTransient: false)
        default: DeliveryFailure("the target answered \(status)", isTransient: true)
        }
    }

    /// Never the URL, which may hold a token.
    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError:
            error == .deadlineExceeded || error == .readTimeout || error == .connectTimeout
                ? "the target did not answer in time" : "the request failed: \(error.shortDescription)"
        case let error as IOError: "the connection failed: \(String(cString: strerror(error.errnoCode)))"
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { reason($0.error) } ?? "the host name cannot be resolved"
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: "TLS failed: \(error)"
        case is CancellationError: "the delivery was interrupted"
        default: "the request failed: \(String(describing: type(of: error)))"
        }
    }
}
