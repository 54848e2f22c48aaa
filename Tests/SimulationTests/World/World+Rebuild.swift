// SPDX-License-Identifier: Apache-2.0

import Cryptography
import SQLiteCatalog
import Storage
import VaultModel

@testable import VaultEngine

extension World {
    /// Makes a catalog out of nothing but the blobs and the keys, and hands it to `body`, beside an engine over it.
    func withRebuiltCatalog(_ body: (SQLiteCatalog, VaultEngine) async throws -> Void) async throws {
        rebuilds += 1
        count("rebuilds")
        let path = "\(directory)/rebuilt-\(rebuilds).sqlite"
        let pool = Service.pool(self)
        let keyring = try await Service.openKeyring(self)
        let builder = try await SQLiteCatalogBuilder.begin(path: path, pool: pool)
        let report = try await CatalogRebuild(
            store: Service.store(self, "blobs", reserveBytes: 0), keyring: keyring, builder: builder, compute: pool, clock: clock,
            random: random
        ).run()
        check(report.isClean, "the rebuild found damage: \(report.findings.prefix(5))")
        let catalog = try SimulatedCatalog.open(path: path, on: simulator, pool: pool, fate: { .happens })
        do {
            try await body(catalog, Service.engine(self, catalog, keyring))
        } catch {
            violation("the rebuilt catalog: \(error)")
        }
        await catalog.close()
    }
}
