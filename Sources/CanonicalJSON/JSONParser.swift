// SPDX-License-Identifier: Apache-2.0

/// What a document may cost before it is refused.
public struct JSONLimits: Hashable, Sendable {
    /// Length of the document.
    public var maxBytes: Int
    /// Nested arrays and objects.
    public var maxDepth: Int
    /// Array elements and object members, counted together over the whole document.
    public var maxValues: Int

    public init(maxBytes: Int = 1 << 20, maxDepth: Int = 32, maxValues: Int = 1 << 20) {
        self.maxBytes = maxBytes
        self.maxDepth = maxDepth
        self.maxValues = maxValues
    }
}

/// A strict JSON parser (RFC 8259 without latitude): UTF-8 only, no duplicate members, no unpaired surrogates, no
/// trailing bytes, limited length, depth and size. Total: a value or a typed error, for any input.
public struct JSONParser {
    /// Parses a whole document. Whitespace around and between tokens is allowed.
    public static func parse(
        _ bytes: [UInt8], limits: JSONLimits = JSONLimits()
    ) throws(JSONParseError) -> JSONValue {
        try bytes.withUnsafeBufferPointerTyped { bytes throws(JSONParseError) in
            try parse(bytes, limits: limits)
        }
    }

    /// Parses a whole document from memory that outlives the call.
    public static func parse(
        _ bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits = JSONLimits()
    ) throws(JSONParseError) -> JSONValue {
        guard bytes.count <= limits.maxBytes else {
            throw JSONParseError(.tooLong(limit: limits.maxBytes), at: limits.maxBytes)
        }
        var parser = JSONParser(bytes: bytes, limits: limits)
        parser.skipWhitespace()
        let value = try parser.value(depth: 0)
        parser.skipWhitespace()
        guard parser.position == bytes.count else { throw JSONParseError(.trailingData, at: parser.position) }
        return value
    }

    /// Parses a document that must be byte for byte what `canonicalBytes()` writes, so that a sealed document has one
    /// form only.
    public static func parseCanonical(
        _ bytes: [UInt8], limits: JSONLimits = JSONLimits()
    ) throws(JSONParseError) -> JSONValue {
        let value = try parse(bytes, limits: limits)
        let canonical = value.canonicalBytes()
        guard canonical == bytes else {
            let offset = zip(canonical, bytes).prefix { $0 == $1 }.count
            throw JSONParseError(.notCanonical, at: offset)
        }
        guard !value.containsDecimal else { throw JSONParseError(.notCanonical, at: 0) }
        return value
    }

    private let bytes: UnsafeBufferPointer<UInt8>
    private let limits: JSONLimits
    private var position = 0
    private var values = 0

    private init(bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    private mutating func value(depth: Int) throws(JSONParseError) -> JSONValue {
        guard position < bytes.count else { throw JSONParseError(.unexpectedEnd, at: position) }
        switch bytes[position] {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw JSONParseError(.unexpectedByte(bytes[position]), at: position)
        }
    }

    private mutating func object(depth: Int) throws(JSONParseError) -> JSONValue {
        try enter(depth: depth)
        var members: [String: JSONValue] = [:]
        if try closes(UInt8(ascii: "}")) { return .object(members) }
        while true {
            let start = position
            guard position < bytes.count else { throw JSONParseError(.unexpectedEnd, at: position) }
            guard bytes[position] == UInt8(ascii: "\"") else {
                throw JSONParseError(.unexpectedByte(bytes[position]), at: position)
            }
            let name = try string()
            skipWhitespace()
            try expect(UInt8(ascii: ":"))
            skipWhitespace()
            try countValue()
            let member = try value(depth: depth + 1)
            guard members.updateValue(member, forKey: name) == nil else {
                throw JSONParseError(.duplicateMember, at: start)
            }
            if try ends(with: UInt8(ascii: "}")) { return .object(members) }
        }
    }

    private mutating func array(depth: Int) throws(JSONParseError) -> JSONValue {
        try enter(depth: depth)
        var elements: [JSONValue] = []
        if try closes(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            try countValue()
            elements.append(try value(depth: depth + 1))
            if try ends(with: UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    /// Steps over the opening bracket.
    private mutating func enter(depth: Int) throws(JSONParseError) {
        guard depth < limits.maxDepth else { throw JSONParseError(.tooDeep(limit: limits.maxDepth), at: position) }
        position += 1
        skipWhitespace()
    }

    /// Whether the container ends before its first element.
    private mutating func closes(_ bracket: UInt8) throws(JSONParseError) -> Bool {
        guard position < bytes.count else { throw JSONParseError(.unexpectedEnd, at: position) }
        guard bytes[position] == bracket else { return false }
        position += 1
        return true
    }

    /// Steps over the comma or the closing bracket after an element; true at the bracket.
    private mutating func ends(with bracket: UInt8) throws(JSONParseError) -> Bool {
        skipWhitespace()
        if try closes(bracket) { return true }
        try expect(UInt8(ascii: ","))
        skipWhitespace()
        return false
    }

    private mutating func countValue() throws(JSONParseError) {
        values += 1
        guard values <= limits.maxValues else {
            throw JSONParseError(.tooManyValues(limit: limits.maxValues), at: position)
        }
    }

    private mutating func expect(_ byte: UInt8) throws(JSONParseError) {
        guard position < bytes.count else { throw JSONParseError(.unexpectedEnd, at: position) }
        guard bytes[position] == byte else { throw JSONParseError(.unexpectedByte(bytes[position]), at: position) }
        position += 1
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONParseError) -> JSONValue {
        let text = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        for byte in text { try expect(byte) }
        return value
    }

    private mutating func number() throws(JSONParseError) -> JSONValue {
        let start = position
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        let integerStart = position
        try digits()
        guard bytes[integerStart] != UInt8(ascii: "0") || position == integerStart + 1 else {
            throw JSONParseError(.invalidNumber, at: start)
        }
        var isInteger = true
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            try digits()
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            try digits()
        }
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        return .decimal(text)
    }

    /// Steps over one digit or more.
    private mutating func digits() throws(JSONParseError) {
        let start = position
        while position < bytes.count, bytes[position] >= UInt8(ascii: "0"), bytes[position] <= UInt8(ascii: "9") {
            position += 1
        }
        guard position > start else { throw JSONParseError(.invalidNumber, at: position) }
    }

    private mutating func skipWhitespace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }
}

// MARK: strings

extension JSONParser {
    private mutating func string() throws(JSONParseError) -> String {
        position += 1
        let start = position
        // Most strings have no escape: find the end, then decode once.
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                let text = try decode(UnsafeBufferPointer(rebasing: bytes[start..<position]), at: start)
                position += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try stringWithEscapes(from: start) }
            guard byte >= 0x20 else { throw JSONParseError(.unescapedControl, at: position) }
            position += 1
        }
        throw JSONParseError(.unexpectedEnd, at: position)
    }

    private mutating func stringWithEscapes(from start: Int) throws(JSONParseError) -> String {
        var text = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return try text.withUnsafeBufferPointerTyped { text throws(JSONParseError) in
                    try decode(text, at: start)
                }
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &text)
            case 0x20...:
                text.append(byte)
                position += 1
            default: throw JSONParseError(.unescapedControl, at: position)
            }
        }
        throw JSONParseError(.unexpectedEnd, at: position)
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONParseError) {
        guard position < bytes.count else { throw JSONParseError(.unexpectedEnd, at: position) }
        let letter = bytes[position]
        position += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            let at = position - 2
            let unit = try hexUnit()
            var code = UInt32(unit)
            if UTF16.isTrailSurrogate(unit) { throw JSONParseError(.loneSurrogate, at: at) }
            if UTF16.isLeadSurrogate(unit) {
                guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                    bytes[position + 1] == UInt8(ascii: "u")
                else { throw JSONParseError(.loneSurrogate, at: at) }
                position += 2
                let trail = try hexUnit()
                guard UTF16.isTrailSurrogate(trail) else { throw JSONParseError(.loneSurrogate, at: at) }
                code = 0x10000 + (UInt32(unit) & 0x3FF) << 10 + UInt32(trail) & 0x3FF
            }
            guard let scalar = Unicode.Scalar(code) else { throw JSONParseError(.loneSurrogate, at: at) }
            text.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
        default: throw JSONParseError(.invalidEscape, at: position - 2)
        }
    }

    private mutating func hexUnit() throws(JSONParseError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard position < bytes.count else { throw JSONParseError(.unexpectedEnd, at: position) }
            let digit: UInt8
            switch bytes[position] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = bytes[position] - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = bytes[position] - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = bytes[position] - UInt8(ascii: "A") + 10
            default: throw JSONParseError(.invalidEscape, at: position)
            }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }

    private func decode(_ text: UnsafeBufferPointer<UInt8>, at offset: Int) throws(JSONParseError) -> String {
        guard let string = String(validating: text, as: UTF8.self) else {
            throw JSONParseError(.invalidUTF8, at: offset)
        }
        return string
    }
}

extension JSONValue {
    /// Whether a `decimal` is anywhere inside.
    fileprivate var containsDecimal: Bool {
        switch self {
        case .decimal: true
        case .array(let elements): elements.contains { $0.containsDecimal }
        case .object(let members): members.values.contains { $0.containsDecimal }
        default: false
        }
    }
}

extension Array where Element == UInt8 {
    /// `withUnsafeBufferPointer` that keeps the error's type.
    fileprivate func withUnsafeBufferPointerTyped<R, E: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(E) -> R
    ) throws(E) -> R {
        let result: Result<R, E> = withUnsafeBufferPointer { buffer in
            do throws(E) { return .success(try body(buffer)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}
