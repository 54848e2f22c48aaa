// SPDX-License-Identifier: Apache-2.0

import Logging
import Storage
import VaultModel

/// Before the first request: does every key that is in use open what it should?
extension VaultEngine {
    /// Every version of every vault key up to so many is unwrapped, which proves the master key version over it (4 µs each); of so many
    /// vaults the first archive under each version has its column opened.
    private static let maxUnwraps = 100_000
    private static let maxProbes = 1000

    /// A master key version that the catalog needs and keys/ lacks keeps the service from starting: it would only be found out archive by
    /// archive. A single wrap or column that does not open is an error in the log: one damaged vault is no reason to serve nobody.
    func testKeys() async throws {
        let held = Set(keyring.masterKeys.map(\.version))
        let missing = try await catalog.keyReferences().master.filter { $0.value > 0 && !held.contains($0.key) }.keys.sorted()
        guard missing.isEmpty else {
            throw VaultError(
                .integrity,
                "Stored data needs master key version \(missing.map(String.init).joined(separator: ", ")), which keys/ does not hold. Restore the "
                    + "key file from a keyring backup.")
        }
        var (unwraps, probes, failures) = (0, 0, 0)
        try await forEachVault { vault in
            for key in vault.keys where unwraps < Self.maxUnwraps {
                unwraps += 1
                do {
                    _ = try keyring.key(of: vault, version: key.version)
                    guard probes < Self.maxProbes else { continue }
                    probes += 1
                    for row in try await catalog.archivesUnderKey(vault: vault.uid, version: key.version, limit: 1) {
                        _ = try keyring.open(row.sealed, as: ArchiveColumn.self, uid: row.uid.bytes, of: vault)
                    }
                } catch let error as VaultError where error.code == .integrity {
                    failures += 1
                    logger.error(
                        "a key does not open what it should: restore the keyring or the catalog",
                        metadata: ["vault": "\(vault.location.arn)", "version": "\(key.version)", "error": "\(error)"])
                }
            }
        }
        logger.info(
            "keys tested", metadata: ["vaultKeys": "\(unwraps)", "probes": "\(probes)", "failures": "\(failures)"])
    }
}
