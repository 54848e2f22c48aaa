// SPDX-License-Identifier: Apache-2.0

/// One thing that is wrong with the configuration: the key, what was written and where, and what to do.
public struct ConfigurationProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// The key as written in a file, or the name of an unknown one.
    public let key: String
    /// What was written, cut to 80 characters; nil when nothing was, or when it must not be shown.
    public let value: String?
    /// Where it was written, for example `flag --listen`; nil when it was not.
    public let origin: String?
    public let reason: String
    public let remedy: String

    private static let maxShownCharacters = 80

    init(key: String, value: String? = nil, origin: String? = nil, reason: String, remedy: String) {
        self.key = key
        self.value = value.map(Self.shown)
        self.origin = origin
        self.reason = reason
        self.remedy = remedy
    }

    public var description: String {
        var text = key + ":"
        if let value { text += " \"\(value)\"" }
        if let origin { text += " (\(origin))" }
        return "\(text) \(reason). \(remedy)"
    }

    /// Bounded, and without characters that would break a line or a terminal.
    private static func shown(_ value: String) -> String {
        let cut = value.prefix(maxShownCharacters)
        var text = ""
        for scalar in cut.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
            text.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
        }
        return cut.endIndex == value.endIndex ? text : text + "…"
    }
}

/// Everything that is wrong with the configuration, all at once. The operator has to act; nothing was started.
public struct ConfigurationErrors: Error, Equatable, Sendable, CustomStringConvertible {
    /// At least one, in the order of the reference; unknown keys last.
    public let problems: [ConfigurationProblem]

    /// One line per problem.
    public var description: String {
        let head =
            problems.count == 1
            ? "The configuration has a problem:" : "The configuration has \(problems.count) problems:"
        return ([head] + problems.map { "  - \($0)" }).joined(separator: "\n")
    }
}
