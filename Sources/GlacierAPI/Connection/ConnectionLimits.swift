// SPDX-License-Identifier: Apache-2.0

/// What one client connection may cost: times, rates and sizes. Every wait on a peer has a bound here.
public struct ConnectionLimits: Sendable, Hashable {
    /// From the accepted connection (TLS handshake included) to a whole request head.
    public var headTimeout: Duration = .seconds(20)
    /// From the end of an answer to the whole head of the next request on the same connection.
    public var idleTimeout: Duration = .seconds(75)
    /// A request body that brings no byte for so long, while the service is ready to take some, ends with 408.
    public var bodyStallTimeout: Duration = .seconds(30)
    /// The average rate, in bytes a second over the time the service waited, below which a body ends with 408; 0: none.
    public var minimumBodyRate: UInt64 = 1024
    /// The rate is judged only after so much waiting.
    public var rateGrace: Duration = .seconds(20)
    /// A client that takes no byte of an answer for so long is cut off.
    public var writeStallTimeout: Duration = .seconds(60)
    /// After an early refusal: how much of the unread body is thrown away, and for how long, so that the client sees
    /// the answer instead of a reset.
    public var lingerBytes = 4 << 20
    public var lingerTimeout: Duration = .seconds(2)
    /// An unread rest of a body up to this size is read to its end, and the connection is kept.
    public var drainBytes: UInt64 = 64 << 10
    /// One header line, and all header lines of a request together, in bytes.
    public var maxHeaderBytes = 64 << 10
    public var maxHeaderFields = 500
    /// Requests taken on one connection before the first of them is answered.
    public var maxPipelinedRequests = 4
    /// Connections open at once. Beyond, the longest waiting makes room, or the newest is refused
    /// (``ConnectionTable``).
    public var maxConnections = 1024
    /// Of these, connections of one address (of IPv6: of one /64); 0: as many as there are.
    public var maxConnectionsPerAddress = 256
    /// How much a refused connection may send until it is closed in any case.
    var drainBytesOfRefused: Int { Int(clamping: drainBytes) }

    public init() {}

    /// How often a connection's times are looked at: a quarter of the shortest, between 20 ms and 1 s.
    var tick: Duration {
        let shortest = min(headTimeout, idleTimeout, bodyStallTimeout, writeStallTimeout, lingerTimeout)
        return max(.milliseconds(20), min(.seconds(1), shortest / 4))
    }
}
