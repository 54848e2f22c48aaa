// SPDX-License-Identifier: Apache-2.0

/// Why a policy document is refused, and where in it.
public struct PolicyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The way to the offending member, such as `Statement[2].Condition.NumericLessThan`; empty for the document as a whole.
    public let place: String
    /// What is wrong there, a sentence without its full stop.
    public let reason: String

    public init(at place: String, _ reason: String) {
        self.place = place
        self.reason = reason
    }

    public var description: String { place.isEmpty ? reason : "\(place): \(reason)" }
}
