// SPDX-License-Identifier: Apache-2.0

/// A request target split into path and query, in the forms a signature needs.
struct WireTarget: Sendable {
    /// The path as on the wire.
    let path: String
    /// The query's pairs with their percent-encoding undone, in wire order; a missing `=` means an empty value.
    let query: [(name: [UInt8], value: [UInt8])]

    init(_ rawTarget: String) {
        let halves = rawTarget.utf8.split(
            separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        path = halves.first.map { String(decoding: $0, as: UTF8.self) } ?? ""
        guard halves.count == 2, !halves[1].isEmpty else {
            query = []
            return
        }
        query = halves[1].split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false).map { pair in
            let sides = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return (
                PercentEncoding.decode(sides.first ?? pair[...]),
                sides.count == 2 ? PercentEncoding.decode(sides[1]) : []
            )
        }
    }

    /// The path with `.`, `..` and empty segments resolved and its percent-encoding untouched.
    ///
    /// A final slash stays unless nothing else is left; `..` never climbs above the root.
    var normalizedPath: String {
        let bytes = path.utf8
        guard let first = bytes.first, let last = bytes.last else { return "/" }
        let slash = UInt8(ascii: "/")
        let dot = UInt8(ascii: ".")
        var kept: [Substring.UTF8View] = []
        for segment in path[...].utf8.split(separator: slash) {
            if segment.elementsEqual([dot]) { continue }
            if segment.elementsEqual([dot, dot]) {
                _ = kept.popLast()
            } else {
                kept.append(segment)
            }
        }
        let middle = kept.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
        return (first == slash ? "/" : "") + middle + (last == slash && !kept.isEmpty ? "/" : "")
    }

    /// Names and values encoded once, sorted by encoded name, then by encoded value.
    func canonicalQuery(excludingSignature: Bool) -> String {
        var pairs: [(name: String, value: String)] = []
        for (name, value) in query {
            if excludingSignature, name.elementsEqual(QueryAuthentication.signatureName.utf8) { continue }
            pairs.append(
                (
                    PercentEncoding.encode(name, keepingSlash: false),
                    PercentEncoding.encode(value, keepingSlash: false)
                ))
        }
        // Both sides are ASCII by now, so Swift's order is the order of bytes.
        pairs.sort { ($0.name, $0.value) < ($1.name, $1.value) }
        return pairs.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    }
}

/// RFC 3986 percent-encoding with the unreserved set `A-Z a-z 0-9 - . _ ~` and upper-case hexadecimal digits.
enum PercentEncoding {
    static func encode(_ bytes: some Sequence<UInt8>, keepingSlash: Bool) -> String {
        var encoded: [UInt8] = []
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                encoded.append(byte)
            case 0x2F where keepingSlash:
                encoded.append(byte)
            default:
                encoded.append(UInt8(ascii: "%"))
                encoded.append(digit(byte >> 4))
                encoded.append(digit(byte & 0xF))
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// Undoes `%XX`; anything that is not such a triple, `+` included, stands for itself.
    static func decode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let input = Array(bytes)
        var decoded: [UInt8] = []
        decoded.reserveCapacity(input.count)
        var index = 0
        while index < input.count {
            if input[index] == UInt8(ascii: "%"), index + 2 < input.count, let high = value(input[index + 1]),
                let low = value(input[index + 2])
            {
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(input[index])
                index += 1
            }
        }
        return decoded
    }

    private static func digit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x41 + nibble - 10 }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x41 + 10
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
    }
}
