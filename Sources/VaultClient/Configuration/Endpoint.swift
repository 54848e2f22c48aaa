// SPDX-License-Identifier: Apache-2.0

/// Where the service listens: scheme, host, port and an optional path in front of every request.
public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
    /// `http` or `https`.
    public let scheme: String
    /// As it stands in a URL; IPv6 addresses keep their brackets.
    public let host: String
    /// Nil for the scheme's own port.
    public let port: Int?
    /// Empty, or begins with `/` and does not end with one.
    public let pathPrefix: String

    /// The value of the `Host` header.
    public var authority: String { port.map { "\(host):\($0)" } ?? host }
    /// The URL, without a slash at its end.
    public var description: String { "\(scheme)://\(authority)\(pathPrefix)" }

    /// - Throws: ``ClientError`` of kind `usage` when `text` is not an absolute http or https URL without user, query
    ///   or fragment.
    public init(parsing text: String) throws(ClientError) {
        func refuse(_ why: String) -> ClientError {
            ClientError(.usage, "The endpoint URL '\(text)' \(why).", remedy: "Example: http://127.0.0.1:8080")
        }
        guard text.utf8.count <= 2048, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw refuse("is too long or has characters that do not belong into a URL")
        }
        guard let separator = text.firstRange(of: "://") else { throw refuse("has no http:// or https:// in front") }
        let scheme = text[..<separator.lowerBound].lowercased()
        guard scheme == "http" || scheme == "https" else { throw refuse("must begin with http:// or https://") }
        let rest = text[separator.upperBound...]
        guard !rest.contains(where: { $0 == "?" || $0 == "#" || $0 == "@" }) else {
            throw refuse("must have neither a user, a query nor a fragment")
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var host = rest[..<slash]
        var port: Int?
        if let colon = host.lastIndex(of: ":"), !host[colon...].contains("]") {
            guard let number = Int(host[host.index(after: colon)...]), (1...65535).contains(number) else {
                throw refuse("has a port that is not a number from 1 to 65535")
            }
            port = number
            host = host[..<colon]
        }
        guard !host.isEmpty else { throw refuse("has no host") }
        if port == (scheme == "https" ? 443 : 80) { port = nil }
        var path = rest[slash...]
        while path.last == "/" { path = path.dropLast() }
        self.scheme = scheme
        self.host = host.lowercased()
        self.port = port
        self.pathPrefix = String(path)
    }

    /// The endpoint Amazon runs for `region`.
    static func amazon(region: String) throws(ClientError) -> Endpoint {
        try Endpoint(parsing: "https://glacier.\(region).amazonaws.com\(region.hasPrefix("cn-") ? ".cn" : "")")
    }
}
