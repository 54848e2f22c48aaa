// SPDX-License-Identifier: Apache-2.0

import GRDB
import StorageLaws
import Testing

@testable import SQLiteCatalog

/// Every law of the contract, on a fresh file each.
@Suite struct SQLiteCatalogLawTests {
    @Test(.timeLimit(.minutes(5)), arguments: CatalogLaw.all)
    func holds(_ law: CatalogLaw) async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/catalog.sqlite"
            try await law.check { try await SQLiteCatalog.open(path: path) }
            try await Self.countsAreThoseOfARecount(path)
        }
    }

    /// Invariant 2 of the schema, after whatever the law did: what was counted as it changed is what is there.
    private static func countsAreThoseOfARecount(_ path: String) async throws {
        let catalog = try await SQLiteCatalog.open(path: path, verify: true)
        let kept = try await catalog.keyReferences()
        try await catalog.write { database in try database.execute(sql: Schema.countKeyReferences) }
        let counted = try await catalog.keyReferences()
        await catalog.close()
        #expect(kept == counted)
    }
}
