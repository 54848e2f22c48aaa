// SPDX-License-Identifier: Apache-2.0

/// Where a listener binds: a host (name, IPv4 or IPv6 address) and a port.
public struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// The host without brackets.
    public let host: String
    /// 0 to 65535; 0 lets the system choose a free port.
    public let port: Int

    private static let remedy = "Write HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080 (in YAML within quotes)."

    /// Parses `HOST:PORT` or `[IPV6]:PORT`.
    public init(parsing text: String) throws(InvalidValue) {
        guard let colon = text.lastIndex(of: ":") else { throw InvalidValue("has no port", remedy: Self.remedy) }
        let portText = text[text.index(after: colon)...]
        guard (1...5).contains(portText.utf8.count), portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(portText), port <= 65_535
        else { throw InvalidValue("has a port that is not between 0 and 65535", remedy: Self.remedy) }
        let hostText = text[..<colon]
        if hostText.hasPrefix("["), hostText.hasSuffix("]") {
            let host = String(hostText.dropFirst().dropLast())
            guard Self.ipv6Groups(host) != nil else {
                throw InvalidValue("does not hold an IPv6 address in its brackets", remedy: Self.remedy)
            }
            self.host = host
        } else {
            guard !hostText.contains(":") else {
                throw InvalidValue("is an IPv6 address without brackets", remedy: Self.remedy)
            }
            guard Self.isHostName(hostText) else { throw InvalidValue("has no valid host", remedy: Self.remedy) }
            self.host = String(hostText)
        }
        self.port = port
    }

    /// True when only this machine can reach the address: 127.0.0.0/8, ::1 (also as a mapped IPv4 address), or
    /// `localhost`.
    public var isLoopback: Bool {
        if let bytes = Self.ipv4Bytes(host) { return bytes[0] == 127 }
        if let groups = Self.ipv6Groups(host) {
            if groups == [0, 0, 0, 0, 0, 0, 0, 1] { return true }
            return groups.prefix(6) == [0, 0, 0, 0, 0, 0xFFFF] && groups[6] >> 8 == 127
        }
        return host.lowercased() == "localhost"
    }

    public var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// A name of letters, digits, hyphens and dots; one of digits and dots alone must be an IPv4 address.
    private static func isHostName(_ text: Substring) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= 253, labels.allSatisfy({ isHostLabel($0) }) else { return false }
        let looksNumeric = labels.last?.utf8.allSatisfy { (0x30...0x39).contains($0) } ?? false
        return !looksNumeric || ipv4Bytes(String(text)) != nil
    }

    private static func isHostLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
            && label.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == 0x2D
            }
    }

    private static func ipv4Bytes(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        // Leading zeros are refused: some systems read them as octal.
        let bytes = parts.compactMap { part in UInt8(part).flatMap { String($0) == part ? $0 : nil } }
        return parts.count == 4 && bytes.count == 4 ? bytes : nil
    }

    /// The eight groups of an IPv6 address in any of its spellings (RFC 4291 section 2.2); zone identifiers are
    /// refused.
    private static func ipv6Groups(_ text: String) -> [UInt16]? {
        let halves = text.split(separator: "::", maxSplits: 2, omittingEmptySubsequences: false)
        guard text.contains(":"), halves.count <= 2 else { return nil }
        var parsed: [[UInt16]] = []
        for (index, half) in halves.enumerated() {
            guard let groups = colonGroups(half, allowsIPv4AtEnd: index == halves.count - 1) else { return nil }
            parsed.append(groups)
        }
        if parsed.count == 1 { return parsed[0].count == 8 ? parsed[0] : nil }
        let missing = 8 - parsed[0].count - parsed[1].count
        return missing >= 1 ? parsed[0] + Array(repeating: 0, count: missing) + parsed[1] : nil
    }

    private static func colonGroups(_ text: Substring, allowsIPv4AtEnd: Bool) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if allowsIPv4AtEnd, index == parts.count - 1, let bytes = ipv4Bytes(String(part)) {
                groups.append(UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
                groups.append(UInt16(bytes[2]) << 8 | UInt16(bytes[3]))
            } else {
                guard (1...4).contains(part.utf8.count), !part.hasPrefix("+"), let group = UInt16(part, radix: 16)
                else {
                    return nil
                }
                groups.append(group)
            }
        }
        return groups.count <= 8 ? groups : nil
    }
}
