// SPDX-License-Identifier: Apache-2.0

/// Why a byte string is not an acceptable JSON document, and where.
public struct JSONParseError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        /// The document is longer than the caller allows; bytes.
        case tooLong(limit: Int)
        case tooDeep(limit: Int)
        /// More values (elements and members counted together) than the caller allows.
        case tooManyValues(limit: Int)
        case unexpectedEnd
        case unexpectedByte(UInt8)
        case invalidUTF8
        case invalidEscape
        case loneSurrogate
        /// A control character that JSON wants escaped.
        case unescapedControl
        case invalidNumber
        case duplicateMember
        case trailingData
        /// JSON, but not in the canonical form.
        case notCanonical
    }

    public let reason: Reason
    /// Bytes from the start of the document.
    public let offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "\(text) at byte \(offset)" }

    private var text: String {
        switch reason {
        case .tooLong(let limit): "JSON document longer than \(limit) bytes"
        case .tooDeep(let limit): "JSON nested deeper than \(limit) levels"
        case .tooManyValues(let limit): "more than \(limit) JSON values"
        case .unexpectedEnd: "JSON document ends too early"
        case .unexpectedByte(let byte): "unexpected byte \(byte) in JSON"
        case .invalidUTF8: "JSON string is not UTF-8"
        case .invalidEscape: "invalid escape in JSON string"
        case .loneSurrogate: "unpaired surrogate in JSON string"
        case .unescapedControl: "unescaped control character in JSON string"
        case .invalidNumber: "malformed JSON number"
        case .duplicateMember: "JSON object has a member twice"
        case .trailingData: "bytes after the JSON document"
        case .notCanonical: "JSON is not in canonical form"
        }
    }
}
