// SPDX-License-Identifier: Apache-2.0

/// The table of all keys for Docs/Operations/Configuration.md; a test compares the document with it.
public enum ConfigurationReference {
    /// Markdown: one row per key, in the order of ``ConfigurationKey``.
    public static func markdownTable() -> String {
        let head = "| Key | Flag | Environment | Default | Accepts | Meaning |\n|---|---|---|---|---|---|\n"
        return head + ConfigurationKey.allCases.map(row).joined()
    }

    private static func row(_ key: ConfigurationKey) -> String {
        let fallback = key.defaultText.map { "`\($0)`" } ?? "—"
        let spellings = "`\(key.name)` | `\(key.flagName)` | `\(key.environmentName)`"
        return "| \(spellings) | \(fallback) | \(key.accepts) | \(key.summary) |\n"
    }
}
