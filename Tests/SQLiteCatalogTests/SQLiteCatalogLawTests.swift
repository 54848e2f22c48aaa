// SPDX-License-Identifier: Apache-2.0

import SQLiteCatalog
import StorageLaws
import Testing

/// Every law of the contract, on a fresh file each.
@Suite struct SQLiteCatalogLawTests {
    @Test(.timeLimit(.minutes(5)), arguments: CatalogLaw.all)
    func holds(_ law: CatalogLaw) async throws {
        try await withTemporaryDirectory { directory in
            try await law.check { try await SQLiteCatalog.open(path: "\(directory)/catalog.sqlite") }
        }
    }
}
