// SPDX-License-Identifier: Apache-2.0

/// ASCII questions the parsers ask. All work on UTF-8 bytes: Swift's characters and string order follow Unicode
/// equivalence, which a signature does not.
enum Text {
    static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    /// The whitespace of an HTTP field value, with the control characters that obsolete line folding leaves.
    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// Visible ASCII without blanks, so that a value can be quoted in an error.
    static func isPrintable(_ text: String) -> Bool { text.utf8.allSatisfy { (0x21...0x7E).contains($0) } }

    /// A method or header name (RFC 9110 §5.6.2).
    static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E, 0x5F, 0x60, 0x7C, 0x7E: true
                default: false
                }
            }
    }

    /// Exactly 64 hexadecimal digits of either case.
    static func isDigestHex(_ text: String) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy {
                isDigit($0) || (0x61...0x66).contains($0) || (0x41...0x46).contains($0)
            }
    }

    static func lowercased(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    static func uppercased(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x61...0x7A).contains($0) ? $0 & 0xDF : $0 }, as: UTF8.self)
    }

    static func trimmed(_ bytes: some BidirectionalCollection<UInt8>) -> String {
        var slice = bytes[...]
        while let first = slice.first, isSpace(first) { slice = slice.dropFirst() }
        while let last = slice.last, isSpace(last) { slice = slice.dropLast() }
        return String(decoding: slice, as: UTF8.self)
    }

    /// What an error may quote of a stranger's text: at most 64 characters, anything unprintable replaced.
    static func excerpt(_ text: String) -> String {
        let shown = text.utf8.prefix(64).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }
        return String(decoding: shown, as: UTF8.self) + (text.utf8.count > 64 ? "..." : "")
    }
}
