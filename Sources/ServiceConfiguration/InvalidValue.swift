// SPDX-License-Identifier: Apache-2.0

/// Why a text is not the value a key wants, and what to write instead. Never repeats the text itself.
public struct InvalidValue: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong, as the end of a sentence that starts with the key.
    public let reason: String
    /// What to do about it, as a sentence.
    public let remedy: String

    public init(_ reason: String, remedy: String) {
        self.reason = reason
        self.remedy = remedy
    }

    public var description: String { "\(reason). \(remedy)" }
}
