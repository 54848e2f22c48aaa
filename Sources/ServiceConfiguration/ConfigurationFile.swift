// SPDX-License-Identifier: Apache-2.0

import Configuration
import FoundationEssentials
import Synchronization

/// A configuration file that has been read: its values, and the names of all keys it holds.
struct ConfigurationFile {
    /// Looks values up; nil for a file without any.
    let snapshot: (any ConfigSnapshot)?
    /// Every key in the file, sorted, sections joined by dots.
    let keys: [String]

    static let maxBytes = 1 << 20

    /// Reads YAML or JSON: by extension, otherwise JSON when the first character is `{`.
    init(path: String) throws(ConfigurationProblem) {
        let data = try Self.read(path)
        let text = String(decoding: data, as: UTF8.self)
        guard !Self.isBlank(text) else {
            snapshot = nil
            keys = []
            return
        }
        let collector = KeyCollector()
        do {
            if Self.isJSON(path: path, text: text) {
                snapshot = try JSONSnapshot(
                    data: data.bytes, providerName: path,
                    parsingOptions: .init(secretsSpecifier: .dynamic { key, _ in collector.note(key) }))
            } else {
                snapshot = try YAMLSnapshot(
                    data: data.bytes, providerName: path,
                    parsingOptions: .init(secretsSpecifier: .dynamic { key, _ in collector.note(key) }))
            }
        } catch {
            throw ConfigurationProblem(
                key: "configuration file", value: path, reason: "cannot be understood: \(Self.summary(of: error))",
                remedy: "Correct the file; Deploy/coldvault.example.yaml shows every key.")
        }
        keys = collector.keys
    }

    private static func read(_ path: String) throws(ConfigurationProblem) -> Data {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw ConfigurationProblem(
                key: "configuration file", value: path, reason: "cannot be read",
                remedy: "Check that the file exists and that the service's user may read it.")
        }
        guard data.count <= maxBytes else {
            throw ConfigurationProblem(
                key: "configuration file", value: path, reason: "is larger than \(ByteSizeText.format(maxBytes))",
                remedy: "Check that this is the configuration file.")
        }
        return data
    }

    private static func isJSON(path: String, text: String) -> Bool {
        let name = path.lowercased()
        if name.hasSuffix(".json") { return true }
        if name.hasSuffix(".yaml") || name.hasSuffix(".yml") { return false }
        return text.first { !$0.isWhitespace } == "{"
    }

    /// A YAML file with every line commented out is a file without values, not a broken one.
    private static func isBlank(_ text: String) -> Bool {
        text.split(whereSeparator: \.isNewline).allSatisfy { line in
            let content = line.drop(while: \.isWhitespace)
            return content.isEmpty || content.hasPrefix("#") || content == "---"
        }
    }

    /// What a parser says, on one line and bounded.
    private static func summary(of error: any Error) -> String {
        String("\(error)".split(whereSeparator: \.isNewline).joined(separator: " ").prefix(300))
    }
}

/// Learns which keys a file holds: the library asks for each whether its value is secret.
private final class KeyCollector: Sendable {
    private let seen = Mutex<Set<String>>([])

    var keys: [String] { seen.withLock { $0.sorted() } }

    /// Remembers the key. Nothing in the file is secret: it holds paths, never keys.
    func note(_ key: String) -> Bool {
        seen.withLock { _ = $0.insert(key) }
        return false
    }
}
