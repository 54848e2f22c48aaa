// SPDX-License-Identifier: Apache-2.0

/// An IPv4 or IPv6 address. An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) is the IPv4 address.
struct IPAddress: Hashable, Sendable {
    /// 4 or 16.
    let bytes: [UInt8]

    /// What a request says its peer is; a zone (`%eth0`) is dropped.
    init?(requestText text: String) {
        let bare = text.utf8.split(separator: UInt8(ascii: "%"), maxSplits: 1, omittingEmptySubsequences: false)[0]
        self.init(String(decoding: bare, as: UTF8.self))
    }

    init?(_ text: String) {
        guard text.utf8.count <= 45 else { return nil }
        let raw = text.utf8.contains(UInt8(ascii: ":")) ? Self.version6(text) : Self.version4(text)
        guard let raw else { return nil }
        bytes = raw.count == 16 && raw.starts(with: Self.mappedPrefix) ? Array(raw[12...]) : raw
    }

    static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]

    /// Four decimal numbers without leading zeros, which some readers take for octal.
    private static func version4(_ text: String) -> [UInt8]? {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0"),
                part.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let byte = UInt8(String(decoding: part, as: UTF8.self))
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    /// RFC 4291 section 2.2: eight groups, `::` once, the last two groups perhaps as an IPv4 address.
    private static func version6(_ text: String) -> [UInt8]? {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 9, omittingEmptySubsequences: false)
        guard (3...9).contains(parts.count) else { return nil }
        // "::" at an end makes two empty parts there; a single ':' at an end is an error.
        let opensEmpty = parts[0].isEmpty
        let endsEmpty = parts[parts.count - 1].isEmpty
        guard !opensEmpty || parts[1].isEmpty, !endsEmpty || parts[parts.count - 2].isEmpty else { return nil }
        let inner = parts[(opensEmpty ? 1 : 0)..<(endsEmpty ? parts.count - 1 : parts.count)]
        // "::" alone: three empty parts, one left.
        guard inner.count(where: { $0.isEmpty }) <= 1 else { return nil }
        var head: [UInt8] = []
        var tail: [UInt8]?
        for (index, part) in inner.enumerated() {
            if part.isEmpty {
                tail = []
                continue
            }
            let group: [UInt8]
            if part.contains(UInt8(ascii: ".")) {
                guard index == inner.count - 1, !endsEmpty, let quad = version4(String(decoding: part, as: UTF8.self)) else {
                    return nil
                }
                group = quad
            } else {
                guard let pair = hexGroup(part) else { return nil }
                group = pair
            }
            if tail == nil { head += group } else { tail? += group }
        }
        guard let tail else { return head.count == 16 ? head : nil }
        // "::" stands for one group of zeros at least.
        guard head.count + tail.count <= 14 else { return nil }
        return head + Array(repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    private static func hexGroup(_ part: Substring.UTF8View.SubSequence) -> [UInt8]? {
        guard (1...4).contains(part.count) else { return nil }
        var value: UInt16 = 0
        for byte in part {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt16(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt16(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt16(byte - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return [UInt8(value >> 8), UInt8(value & 0xFF)]
    }
}

/// The addresses that share a prefix: `203.0.113.0/24`, `2001:db8::/32`, or one address alone.
struct IPRange: Hashable, Sendable {
    private let address: IPAddress
    /// Bits that must be equal.
    private let prefix: Int

    /// Bits after the prefix may be set; they are not looked at.
    init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
        let host = String(decoding: parts[0], as: UTF8.self)
        guard let address = IPAddress(host) else { return nil }
        self.address = address
        let bits = address.bytes.count * 8
        guard parts.count == 2 else {
            prefix = bits
            return
        }
        let digits = parts[1]
        guard (1...3).contains(digits.count), digits.count == 1 || digits.first != UInt8(ascii: "0"),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            var length = Int(String(decoding: digits, as: UTF8.self))
        else { return nil }
        // A mapped IPv4 address has become one; its prefix counts from there.
        if bits == 32, host.utf8.contains(UInt8(ascii: ":")) { length -= 96 }
        guard (0...bits).contains(length) else { return nil }
        prefix = length
    }

    func contains(_ other: IPAddress) -> Bool {
        guard other.bytes.count == address.bytes.count else { return false }
        let full = prefix / 8
        guard address.bytes.prefix(full).elementsEqual(other.bytes.prefix(full)) else { return false }
        let rest = prefix % 8
        guard rest > 0 else { return true }
        return (address.bytes[full] ^ other.bytes[full]) >> (8 - rest) == 0
    }
}
