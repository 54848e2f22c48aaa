// SPDX-License-Identifier: Apache-2.0

/// What may be a target at all; whether anybody is there is not asked here.
extension TopicTarget {
    public static let maxURLBytes = 2048
    public static let maxPathBytes = 1024
    /// Arguments of a command, the executable included, and their bytes together.
    public static let maxArguments = 32
    public static let maxArgumentBytes = 4096

    /// What is wrong with the target, and the remedy; nil when nothing is.
    public var fault: String? {
        switch self {
        case .webhook(let url): Self.faultOfURL(url)
        case .directory(let path): Self.faultOfPath(path, "directory")
        case .command(let arguments): Self.faultOfCommand(arguments)
        }
    }

    private static func faultOfURL(_ url: String) -> String? {
        let remedy = "Give an absolute URL such as https://example.org/hook."
        guard url.utf8.count <= maxURLBytes else { return "The URL is longer than \(maxURLBytes) bytes." }
        // What RFC 3986 lets stand in a URL; everything else must be percent-encoded.
        let marks = Set("-._~:/?#[]@!$&'()*+,;=%".utf8)
        guard url.utf8.allSatisfy({ isAlphanumeric($0) || marks.contains($0) }) else {
            return "The URL holds characters that must be percent-encoded."
        }
        let lower = url.lowercased()
        guard let scheme = ["https://", "http://"].first(where: { lower.hasPrefix($0) }) else {
            return "The URL is neither http nor https. \(remedy)"
        }
        guard !url.utf8.contains(UInt8(ascii: "#")) else {
            return "The URL has a fragment, which is never sent. Leave it out."
        }
        let authority = url.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" }
        guard !authority.utf8.contains(UInt8(ascii: "@")) else {
            return "The URL holds a user name or password. Leave it out: messages are signed instead."
        }
        return isHostAndPort(authority) ? nil : "The URL names no host, or no valid port. \(remedy)"
    }

    private static func isHostAndPort(_ authority: Substring) -> Bool {
        let host: Substring
        let rest: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return false }
            host = authority[authority.index(after: authority.startIndex)..<end]
            guard host.utf8.contains(UInt8(ascii: ":")),
                host.utf8.allSatisfy({ $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") || isHexDigit($0) })
            else { return false }
            rest = authority[authority.index(after: end)...]
        } else {
            host = authority.prefix { $0 != ":" }
            guard !host.isEmpty, host.utf8.count <= 253,
                host.utf8.allSatisfy({
                    isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_")
                })
            else { return false }
            rest = authority.dropFirst(host.count)
        }
        guard !rest.isEmpty else { return true }
        guard rest.hasPrefix(":"), let port = UInt16(rest.dropFirst()), port > 0 else { return false }
        return rest.dropFirst().utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    private static func faultOfPath(_ path: String, _ what: String) -> String? {
        guard path.hasPrefix("/"), !path.utf8.contains(0), path.utf8.count <= maxPathBytes else {
            return
                "The \(what) is not an absolute path of at most \(maxPathBytes) bytes. Give one that begins with /."
        }
        return nil
    }

    private static func faultOfCommand(_ arguments: [String]) -> String? {
        guard let executable = arguments.first else {
            return "The command is empty. Give the absolute path of an executable."
        }
        if let fault = faultOfPath(executable, "executable") { return fault }
        let bytes = arguments.reduce(0) { $0 + $1.utf8.count }
        guard arguments.count <= maxArguments, bytes <= maxArgumentBytes,
            !arguments.contains(where: { $0.utf8.contains(0) })
        else {
            return
                "The command has more than \(maxArguments) arguments or \(maxArgumentBytes) bytes, or a zero byte. "
                + "Put it in a script."
        }
        return nil
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "a")...UInt8(ascii: "f"):
            true
        default: false
        }
    }
}
