// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
public import CanonicalJSON
import FoundationEssentials
import HTTPTypes
import NIOCore
import NIOHTTP1
public import VaultModel

/// Why an administrative request did not succeed.
public struct AdminClientError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// Nobody answers at the socket.
        case unreachable
        /// The service refused; it knows no such account, key or vault.
        case notFound
        /// The service refused for another reason of the caller's.
        case refused
        /// The service failed.
        case failed
    }

    public let kind: Kind
    public let message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }
}

/// The client's end of the admin socket.
public struct AdminClient: Sendable {
    private let socketPath: String
    /// Rotations and backups of large catalogs take their time.
    private static let timeout = TimeAmount.minutes(30)
    private static let maxAnswerBytes = 64 << 20

    public init(socketPath: String) { self.socketPath = socketPath }

    /// Sends one request over a connection of its own and returns the answer's document.
    public func send(_ request: AdminRequest) async throws(AdminClientError) -> JSONValue {
        guard socketPath.utf8.count <= AdminServer.maxSocketPathBytes,
            let url = URL(httpURLWithSocketPath: socketPath, uri: AdminRequest.pathPrefix + request.verb)
        else {
            throw AdminClientError(
                .unreachable, "The socket path \(socketPath) is longer than \(AdminServer.maxSocketPathBytes) bytes.")
        }
        let (status, bytes) = try await exchange(url.absoluteString, request.body.canonicalBytes())
        let document: JSONValue
        do {
            document = try JSONParser.parse(
                bytes, limits: JSONLimits(maxBytes: Self.maxAnswerBytes, maxDepth: 16, maxValues: 8 << 20))
        } catch {
            throw AdminClientError(
                .failed, "The answer on \(socketPath) is not JSON; is it the socket of a Coldvault service?")
        }
        guard status == 200 else {
            let message = document["message"]?.stringValue ?? "The service answered with status \(status)."
            throw AdminClientError(status == 404 ? .notFound : status < 500 ? .refused : .failed, message)
        }
        return document
    }

    /// Every account, page by page.
    public func accounts() async throws(AdminClientError) -> [JSONValue] {
        var all: [JSONValue] = []
        var after: AccountID?
        while true {
            let page = try await send(.listAccounts(after: after)).arrayValue ?? []
            all += page
            guard page.count == AdminRequest.accountsPerPage,
                let last = page.last?["accountId"]?.stringValue.flatMap({ AccountID($0) }),
                last != after
            else { return all }
            after = last
        }
    }

    /// Every message of an account in a state, page by page.
    public func messages(
        _ account: AccountID, _ state: AdminRequest.MessageState
    ) async throws(AdminClientError) -> [JSONValue] {
        var all: [JSONValue] = []
        var after: MessageUID?
        while true {
            let page = try await send(.listMessages(account, state, after: after)).arrayValue ?? []
            all += page
            guard page.count == AdminRequest.messagesPerPage,
                let last = page.last?["messageId"]?.stringValue.flatMap({ MessageUID(hex: $0) }), last != after
            else { return all }
            after = last
        }
    }

    private func exchange(_ url: String, _ body: [UInt8]) async throws(AdminClientError) -> (
        status: UInt, body: [UInt8]
    ) {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "Connection", value: "close")
        request.body = .bytes(ByteBuffer(bytes: body))
        var configuration = HTTPClient.Configuration(timeout: .init(connect: .seconds(5)))
        // A socket nobody listens on is an answer, not a reason to try for half an hour.
        configuration.connectionPool.retryConnectionEstablishment = false
        do {
            return try await HTTPClient.withHTTPClient(configuration: configuration) { [request] client in
                let response = try await client.execute(request, timeout: Self.timeout)
                let buffer = try await response.body.collect(upTo: Self.maxAnswerBytes)
                return (response.status.code, Array(buffer.readableBytesView))
            }
        } catch {
            throw AdminClientError(
                .unreachable,
                "The service cannot be reached at \(socketPath) (\(error)). Is `coldvault serve` running on this data "
                    + "directory, and may this user open its socket?")
        }
    }
}
