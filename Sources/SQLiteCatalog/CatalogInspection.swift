// SPDX-License-Identifier: Apache-2.0

import GRDB
public import Storage

extension SQLiteCatalog {
    /// Reads the whole file: that tables and indexes are intact and agree, and that every reference between rows holds. Minutes for large
    /// catalogs; the service goes on meanwhile.
    /// - Throws: `.integrity` with the first findings.
    public func checkIntegrity() async throws(StorageError) {
        let findings: [String] = try await read { connection in
            var findings = try String.fetchAll(connection, sql: "PRAGMA integrity_check(10)").filter { $0 != "ok" }
            let strays = try Row.fetchCursor(connection, sql: "PRAGMA foreign_key_check")
            while findings.count < 10, let row = try strays.next() {
                findings.append("a row of \(row[0] as String? ?? "?") refers to a row of \(row[2] as String? ?? "?") that is not there")
            }
            return findings
        }
        guard findings.isEmpty else {
            throw StorageError(.integrity, "the catalog is damaged (\(findings.joined(separator: "; "))): restore or rebuild it")
        }
    }
}
