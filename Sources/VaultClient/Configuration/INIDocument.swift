// SPDX-License-Identifier: Apache-2.0

/// The text format of `~/.aws/config` and `~/.aws/credentials`: sections, `key = value` lines, and one level of
/// indented sub-keys.
///
/// Read leniently where the AWS tools are lenient (a repeated section adds to the first, a later value wins), and
/// strictly bounded.
struct INIDocument: Sendable, Equatable {
    /// A value, and the indented `key = value` lines below it (`services` sections use these).
    struct Entry: Sendable, Equatable {
        var value: String
        var nested: [String: String] = [:]
    }

    /// Largest file read; real ones have a few kilobytes.
    static let maxBytes = 1 << 20

    /// Entries by section name as written between the brackets, quotes removed and blanks collapsed, and by lower-case
    /// key.
    private(set) var sections: [String: [String: Entry]] = [:]

    /// - Throws: ``ClientError`` of kind `usage` that names the line.
    init(parsing text: String, origin: String) throws(ClientError) {
        guard text.utf8.count <= Self.maxBytes else {
            throw ClientError(.usage, "\(origin) is larger than \(Self.maxBytes) bytes.")
        }
        var section: String?
        var key: String?
        for (index, rawLine) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = Self.trimmed(rawLine)
            guard let first = line.first, first != "#", first != ";" else { continue }
            if first == "[" {
                guard let end = line.firstIndex(of: "]") else {
                    throw ClientError(.usage, "\(origin), line \(index + 1): a section has no closing bracket.")
                }
                let name = Self.sectionName(line[line.index(after: line.startIndex)..<end])
                section = name
                key = nil
                sections[name, default: [:]].merge([:]) { old, _ in old }
                continue
            }
            guard let section else {
                throw ClientError(.usage, "\(origin), line \(index + 1): a setting stands before the first section.")
            }
            guard let equals = line.firstIndex(of: "=") else {
                throw ClientError(.usage, "\(origin), line \(index + 1): expected 'key = value'.")
            }
            let name = Self.trimmed(line[..<equals]).lowercased()
            let value = Self.withoutComment(Self.trimmed(line[line.index(after: equals)...]))
            if rawLine.first?.isWhitespace == true, let key {
                sections[section]?[key]?.nested[name] = value
            } else {
                sections[section]?[name] = Entry(value: value)
                key = name
            }
        }
    }

    /// `profile "a  b"` → `profile a  b`: one blank after the first word, quotes gone.
    private static func sectionName(_ text: Substring) -> String {
        let inner = trimmed(text)
        guard let blank = inner.firstIndex(where: \.isWhitespace) else { return String(inner) }
        var rest = trimmed(inner[blank...])
        if rest.count >= 2, let quote = rest.first, quote == "\"" || quote == "'", rest.last == quote {
            rest = rest.dropFirst().dropLast()
        }
        return "\(inner[..<blank]) \(rest)"
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let start = text.drop(while: \.isWhitespace)
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return start[...last]
    }

    /// A comment inside a line begins with a blank and `#` or `;`.
    private static func withoutComment(_ text: Substring) -> String {
        var previousIsBlank = false
        for index in text.indices {
            let character = text[index]
            if previousIsBlank, character == "#" || character == ";" { return String(trimmed(text[..<index])) }
            previousIsBlank = character.isWhitespace
        }
        return String(text)
    }
}
