// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// A request as the connection hands it to whoever answers it.
struct IncomingRequest: Sendable {
    let peer: Peer
    let head: HTTPRequestHead
    let body: RequestBody
    /// To be told when the signature holds: from then on the connection is not closed to make room for another.
    var didAuthenticate: @Sendable () -> Void = {}
}

/// The other end of a connection, as the socket tells it: what a header says about it counts for nothing.
struct Peer: Sendable, Hashable {
    /// An IPv4 address in its own notation even where it came mapped into IPv6, so that policies need one form; nil
    /// when the peer has no address.
    let address: String?
    /// Whether it came over TLS.
    let isSecure: Bool

    init(address: String?, isSecure: Bool) {
        let mapped = address.flatMap {
            $0.lowercased().hasPrefix("::ffff:") && $0.contains(".") ? $0.dropFirst(7) : nil
        }
        self.address = mapped.map(String.init) ?? address
        self.isSecure = isSecure
    }
}

/// What to send back. The connection adds `Date`, `Content-Length` and `Connection`.
struct Answer: Sendable {
    enum Payload: Sendable {
        /// Without `Content-Length` and `Content-Type`.
        case none
        case bytes([UInt8])
        /// Exactly `count` bytes, handed to the given function in order, each buffer awaited. An error cuts the
        /// connection: the head is out already and the client must not take what it got for the whole.
        case stream(
            count: UInt64,
            produce: @Sendable (@escaping @Sendable (ByteBuffer) async throws -> Void) async throws -> Void)
    }

    var status: HTTPResponseStatus
    var headers: [(name: String, value: String)] = []
    var payload: Payload = .none
    /// Told once when the answer is out, or could not be sent whole.
    var whenSent: @Sendable (SentAnswer) -> Void = { _ in }
}

/// What became of an answer.
struct SentAnswer: Sendable {
    let bodyBytes: UInt64
    /// Why it was cut short; nil when all of it went out.
    let failure: (any Error)?
}
