// SPDX-License-Identifier: Apache-2.0

/// One JSON object being written as one line of UTF-8: members in the order given, everything that could break a line
/// or a terminal escaped, every string bounded.
struct JSONLine {
    /// Longest text of one value, in UTF-8 bytes before escaping; the rest is cut at a character boundary.
    static let maxValueBytes = 4096
    /// Members after which further ones are left out.
    static let maxMembers = 64

    private var bytes: [UInt8] = [UInt8(ascii: "{")]
    private var members = 0
    /// True when a value was cut or a member left out; the line then says `"truncated":true`.
    private var isTruncated = false

    init() {
        bytes.reserveCapacity(512)
    }

    /// A value that JSON can carry as it is; everything else in a log line is text.
    enum Value {
        case text(String)
        case integer(String)
        case boolean(Bool)
        case list([String])
    }

    mutating func append(_ name: String, _ value: Value) {
        guard members < Self.maxMembers else {
            isTruncated = true
            return
        }
        appendName(name)
        switch value {
        case .text(let text): appendString(text)
        case .integer(let digits): bytes.append(contentsOf: digits.utf8)
        case .boolean(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
        case .list(let elements): appendList(elements)
        }
    }

    /// The finished line, newline included.
    consuming func finish() -> [UInt8] {
        if isTruncated {
            appendName("truncated")
            bytes.append(contentsOf: "true".utf8)
        }
        bytes.append(UInt8(ascii: "}"))
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    private mutating func appendName(_ name: String) {
        if members > 0 { bytes.append(UInt8(ascii: ",")) }
        members += 1
        appendString(name)
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func appendList(_ elements: [String]) {
        bytes.append(UInt8(ascii: "["))
        for (index, element) in elements.prefix(Self.maxMembers).enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            appendString(element)
        }
        if elements.count > Self.maxMembers { isTruncated = true }
        bytes.append(UInt8(ascii: "]"))
    }

    private mutating func appendString(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var remaining = Self.maxValueBytes
        for scalar in text.unicodeScalars {
            let encoded = UTF8.width(scalar)
            guard encoded <= remaining else {
                isTruncated = true
                break
            }
            remaining -= encoded
            appendScalar(scalar)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func appendScalar(_ scalar: Unicode.Scalar) {
        switch scalar.value {
        case 0x22: bytes.append(contentsOf: #"\""#.utf8)
        case 0x5C: bytes.append(contentsOf: #"\\"#.utf8)
        case 0x0A: bytes.append(contentsOf: #"\n"#.utf8)
        case 0x0D: bytes.append(contentsOf: #"\r"#.utf8)
        case 0x09: bytes.append(contentsOf: #"\t"#.utf8)
        // C0, DEL and C1: a terminal that shows the log would obey them. U+2028 and U+2029 end lines in some readers.
        case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029:
            let hex = String(scalar.value, radix: 16)
            bytes.append(contentsOf: #"\u"#.utf8)
            bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 4 - hex.utf8.count))
            bytes.append(contentsOf: hex.utf8)
        default:
            bytes.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
        }
    }
}
