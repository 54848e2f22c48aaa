// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import Logging
import SQLiteCatalog
import Storage
import Synchronization
import Testing
import VaultModel

@testable import VaultEngine

/// A rebuilt catalog beside the one it must equal.
struct Rebuilt: Sendable {
    let catalog: SQLiteCatalog
    let engine: VaultEngine
    let report: RebuildReport
    /// All findings, as they were journalled.
    let findings: [RebuildFinding]
}

extension TestVault {
    /// Rebuilds from the blobs as they are, opens the result, and runs `body` with it.
    func rebuilt<R>(
        _ options: RebuildOptions = RebuildOptions(), _ body: (Rebuilt) async throws -> R
    ) async throws -> R {
        let path = directory + "/rebuilt-\(random.bytes(6).map { String($0) }.joined()).sqlite"
        let pool = BlockingPool(name: "builder", threads: 1)
        let builder = try await SQLiteCatalogBuilder.begin(path: path, pool: pool)
        let journal = Mutex<[RebuildFinding]>([])
        // As the verb does: other processes may have added keys.
        let keyring = try await Self.openKeyring(keyFiles, root, random)
        let report = try await CatalogRebuild(
            store: cold, keyring: keyring, builder: builder, compute: Self.compute, clock: clock, random: random, options: options,
            journal: { found in journal.withLock { $0 += found } }
        ).run()
        await pool.shutdown()
        let catalog = try await SQLiteCatalog.open(path: path, verify: true)
        let engine = VaultEngine(
            configuration: setup, catalog: catalog, cold: cold, warm: warm, keyring: keyring, compute: Self.compute, clock: clock,
            random: random, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        do {
            let findings = journal.withLock { $0 }
            #expect(report.findings == Array(findings.prefix(RebuildReport.maxFindings)))
            let result = try await body(Rebuilt(catalog: catalog, engine: engine, report: report, findings: findings))
            await catalog.close()
            return result
        } catch {
            await catalog.close()
            throw error
        }
    }

    /// Rebuilds and expects every promised row to be as it is in the catalog.
    func expectRebuildEquals(_ label: String = "", sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await rebuilt { rebuilt in
            #expect(rebuilt.report.isClean, "\(label) \(rebuilt.findings)", sourceLocation: sourceLocation)
            let differences = try await CatalogComparison(try await anotherEngine(), rebuilt.engine).differences()
            #expect(differences.isEmpty, "\(label)\n\(differences.prefix(20).joined(separator: "\n"))", sourceLocation: sourceLocation)
        }
    }
}
