// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// What descriptions may hold.
enum PrintableText {
    static let rule = "A description has at most \(Limits.maxDescriptionBytes) printable ASCII characters."

    static func isDescription(_ text: String) -> Bool {
        text.utf8.count <= Limits.maxDescriptionBytes && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }

    /// At most 64 characters of a client's text for a message, everything unprintable replaced.
    static func excerpt(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(64).map { (0x20...0x7E).contains($0.value) ? Character($0) : "?" }
        return String(shown) + (text.unicodeScalars.count > 64 ? "…" : "")
    }
}
