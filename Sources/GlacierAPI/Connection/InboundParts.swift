// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// The one reader of a connection's request parts.
///
/// `@unchecked Sendable`: the iterator may not be used from two tasks at once, and is not: a connection is served by
/// one task, which waits for each request's answer, and a body is read by the one that answers. The library traps if
/// that is ever broken.
final class InboundParts: @unchecked Sendable {
    private var iterator: NIOAsyncChannelInboundStream<HTTPServerRequestPart>.AsyncIterator

    init(_ stream: NIOAsyncChannelInboundStream<HTTPServerRequestPart>) { iterator = stream.makeAsyncIterator() }

    /// The next part; nil when the client has closed its side.
    func next() async throws -> HTTPServerRequestPart? { try await iterator.next() }
}
