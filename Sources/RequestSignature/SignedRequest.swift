// SPDX-License-Identifier: Apache-2.0

/// The head of an HTTP request, as far as Signature Version 4 covers it.
///
/// It knows no HTTP library: an edge copies its own types into this one. A server must give the header lines and the
/// target exactly as they came over the wire (never decoded, never re-ordered), a client exactly as it will send them.
public struct SignedRequest: Sendable {
    /// The HTTP method, such as `PUT`.
    public let method: String
    /// Path and query as on the wire, still percent-encoded: `/-/vaults/photos?limit=10`.
    public let rawTarget: String
    /// Every header line in the order received or sent, `Host` included. Names may have any case and may repeat.
    public let headers: [(name: String, value: String)]

    /// Describes one request head; nothing is checked here.
    public init(method: String, rawTarget: String, headers: [(name: String, value: String)]) {
        self.method = method
        self.rawTarget = rawTarget
        self.headers = headers
    }
}
