// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// Path segments and query of a request target, percent-encoding undone once, segment by segment: an encoded slash
/// stays inside its name.
struct RequestTarget: Sendable, Hashable {
    let segments: [String]
    private let query: [String: String]

    /// - Parameters:
    ///   - path: as the signature covers it; a final slash is ignored.
    ///   - target: as on the wire, for the query.
    init(path: String, target: String) {
        var pieces = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        if pieces.last == "" { pieces = pieces.dropLast() }
        segments = pieces.map { PercentText.decode($0.utf8) }
        var query: [String: String] = [:]
        if let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) {
            for pair in target.utf8[mark...].dropFirst().split(separator: UInt8(ascii: "&")) {
                let sides = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
                guard let name = sides.first else { continue }
                // The first one counts, as it does for the service's own front ends.
                let key = PercentText.decode(name)
                if query[key] == nil { query[key] = sides.count == 2 ? PercentText.decode(sides[1]) : "" }
            }
        }
        self.query = query
    }

    /// A query parameter; nil when absent or empty, which some clients send to mean absent.
    func parameter(_ name: String) -> String? { query[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// The page size: `limit`, clamped to `maximum`, which is also the default.
    func pageLimit(maximum: Int) throws(WireError) -> Int {
        guard let text = parameter("limit") else { return maximum }
        guard text.utf8.count <= 1000, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            text.contains(where: { $0 != "0" })
        else {
            throw .invalid("limit", PrintableText.excerpt(text), because: "It must be a number of at least 1.")
        }
        return min(Int(text) ?? maximum, maximum)
    }
}

/// Undoes percent-encoding. A `+` stands for itself.
enum PercentText {
    static func decode(_ text: some Collection<UInt8>) -> String {
        let input = Array(text)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(input.count)
        var index = 0
        while index < input.count {
            if input[index] == UInt8(ascii: "%"), index + 2 < input.count, let high = digit(input[index + 1]),
                let low = digit(input[index + 2])
            {
                bytes.append(high << 4 | low)
                index += 3
            } else {
                bytes.append(input[index])
                index += 1
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x41...0x46: character - 0x41 + 10
        case 0x61...0x66: character - 0x61 + 10
        default: nil
        }
    }
}
