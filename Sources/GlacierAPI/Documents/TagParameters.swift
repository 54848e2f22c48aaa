// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultModel

/// Reads the bodies of AddTagsToVault and RemoveTagsFromVault.
enum TagParameters {
    /// `{"Tags":{"key":"value"}}`: 1 to 10 tags. How many the vault may have together is the engine's to judge.
    static func tags(_ body: [UInt8]) throws(WireError) -> [String: String] {
        let document = try RequestMembers(parsing: body, missing: "Tags")
        guard let object = try document.members("Tags")?.object.objectValue else { throw .missing("Tags") }
        guard (1...Limits.maxTagsPerRequest).contains(object.count) else {
            throw .invalid("Tags must hold 1 to \(Limits.maxTagsPerRequest) tags, not \(object.count).")
        }
        var tags: [String: String] = [:]
        for (key, value) in object {
            guard let value = value.stringValue else {
                throw .invalid("The value of the tag '\(PrintableText.excerpt(key))' must be a string.")
            }
            try check(key, value)
            tags[key] = value
        }
        return tags
    }

    /// `{"TagKeys":["key"]}`; the `TagsKeys` of an old example is tolerated. A key that no tag has, or none could have,
    /// is nothing to remove.
    static func keys(_ body: [UInt8]) throws(WireError) -> [String] {
        let document = try RequestMembers(parsing: body, missing: "TagKeys")
        let name = document.has("TagKeys") ? "TagKeys" : "TagsKeys"
        guard let keys = try document.texts(name) else { throw .missing("TagKeys") }
        guard !keys.isEmpty else { throw .invalid("TagKeys must hold at least one key.") }
        return keys
    }

    private static func check(_ key: String, _ value: String) throws(WireError) {
        guard !key.lowercased().hasPrefix("aws:") else {
            throw .invalid("tag key", PrintableText.excerpt(key), because: "Keys that begin with aws: are reserved.")
        }
        guard (1...Limits.maxTagKeyCharacters).contains(key.unicodeScalars.count), isPlain(key) else {
            throw .invalid(
                "tag key", PrintableText.excerpt(key),
                because: "It must have 1 to \(Limits.maxTagKeyCharacters) characters out of \(alphabet).")
        }
        guard value.unicodeScalars.count <= Limits.maxTagValueCharacters, isPlain(value) else {
            throw .invalid(
                "tag value", PrintableText.excerpt(value),
                because: "It must have at most \(Limits.maxTagValueCharacters) characters out of \(alphabet).")
        }
    }

    private static let alphabet = "letters, digits, spaces and _ . / = + - @"

    private static func isPlain(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
            case .decimalNumber, .letterNumber, .otherNumber, .spaceSeparator: true
            default: "_./=+-@".unicodeScalars.contains(scalar)
            }
        }
    }
}
