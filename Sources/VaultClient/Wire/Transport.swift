// SPDX-License-Identifier: Apache-2.0

public import AsyncHTTPClient
import NIOCore
public import NIOHTTP1

/// One HTTP request, complete and signed.
public struct OutboundRequest: Sendable {
    /// The bytes that follow the head.
    public enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// A stretch of a file, streamed in pieces of at most 1 MiB.
        case file(FilePieces)
    }

    /// The HTTP method.
    public let method: String
    /// Path and query as on the wire.
    public let rawTarget: String
    /// Every header that is signed, and the few that are not.
    public let headers: [(name: String, value: String)]
    /// The bytes that follow the head.
    public let body: Body
}

/// The head of an answer, and its body as it arrives.
public struct InboundResponse: Sendable {
    /// The HTTP status.
    public let status: Int
    /// As received.
    public let headers: HTTPHeaders
    /// Single use; stops early by simply not being read on.
    public let body: HTTPClientResponse.Body

    /// An answer; tests make them too.
    public init(status: Int, headers: HTTPHeaders, body: HTTPClientResponse.Body) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A header that must not be empty to count.
    func header(_ name: String) -> String? {
        guard let value = headers.first(name: name), !value.isEmpty else { return nil }
        return value
    }

    /// The whole body, which must not exceed `limit` bytes.
    func collect(upTo limit: Int) async throws -> [UInt8] {
        var collected: [UInt8] = []
        for try await piece in body {
            guard collected.count + piece.readableBytes <= limit else {
                throw ClientError(.service, "The service's answer is longer than \(limit) bytes.")
            }
            collected.append(contentsOf: piece.readableBytesView)
        }
        return collected
    }
}

/// Sends one request once. Throws ``ClientError`` of kind `network` for everything that goes wrong on the way, and
/// `CancellationError`; an error status is an answer, not an error.
public protocol GlacierTransport: Sendable {
    func send(_ request: OutboundRequest) async throws -> InboundResponse
}
