// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Storage
import VaultModel

@testable import VaultEngine

/// What two catalogs say, sealed columns opened, without what no rebuild promises (Docs/Formats/Rebuild-v1.md §6).
struct CatalogComparison {
    private let engines: [VaultEngine]

    init(_ one: VaultEngine, _ other: VaultEngine) { engines = [one, other] }

    /// The rows of each that the other lacks.
    func differences() async throws -> [String] {
        var found: [String] = []
        for part in [accounts, vaults, archives, deletedArchives, uploads, counts] {
            let (one, other) = (try await part(engines[0]), try await part(engines[1]))
            guard one != other else { continue }
            found += Set(one).subtracting(other).sorted().map { "only in the first: \($0)" }
            found += Set(other).subtracting(one).sorted().map { "only in the second: \($0)" }
            if found.isEmpty { found.append("the order differs: \(one.prefix(3)) and \(other.prefix(3))") }
        }
        return found
    }

    private func accounts(_ engine: VaultEngine) async throws -> [String] {
        try await engine.catalog.accounts(after: nil, limit: 1000).asyncMap { row in
            let state = try await engine.accountState(row.id)
            return "account \(row.id) \(row.state) \(row.created) \(row.generation) \(row.masterVersion) "
                + JSONValue.object(state.recordBody).canonicalString()
        }
    }

    private func vaults(_ engine: VaultEngine) async throws -> [String] {
        try await engine.catalog.vaults(after: nil, limit: 1000).map { row in
            let settings = JSONValue.object(try engine.settings(of: row).settings.members).canonicalString()
            return "vault \(row.uid) \(row.location.arn) \(row.state == .deleted ? "deleted" : "active") \(row.created) \(row.generation) "
                + "\(row.compression ?? "-") \(row.keys) \(settings) \(row.archiveCount) \(row.totalBytes) \(String(describing: row.lastChange))"
        }
    }

    private func archives(_ engine: VaultEngine) async throws -> [String] {
        var lines: [String] = []
        for vault in try await engine.catalog.vaults(after: nil, limit: 1000) {
            var after: ArchivePosition?
            while true {
                let page = try await engine.catalog.archives(vault: vault.uid, after: after, from: nil, until: nil, limit: 1000)
                lines += try page.map { try line($0, vault, engine) }
                guard page.count == 1000, let last = page.last else { break }
                after = ArchivePosition(created: last.created, uid: last.uid)
            }
        }
        return lines
    }

    private func deletedArchives(_ engine: VaultEngine) async throws -> [String] {
        let end = Timestamp(milliseconds: 1 << 50)
        let lines = try await engine.catalog.purgeableArchives(at: end, limit: 10_000).asyncMap { row -> String in
            guard let vault = try await engine.catalog.vault(row.vault) else { return "archive \(row.uid) without a vault" }
            return try line(row, vault, engine)
        }
        // They come in the order in which they may go, which hangs on outputs that are not rebuilt.
        return lines.sorted()
    }

    private func line(_ row: ArchiveRow, _ vault: VaultRow, _ engine: VaultEngine) throws -> String {
        let column = try engine.keyring.open(row.sealed, as: ArchiveColumn.self, uid: row.uid.bytes, of: vault)
        return "archive \(row.uid) \(row.id) \(row.vault) \(row.state) \(row.created) \(row.size) \(row.partCount) \(row.generation) "
            + "\(row.keyVersion) \(row.sealed.keyVersion) \(String(describing: row.deleted)) \(String(describing: row.purgeAfter)) "
            + column.json.canonicalString()
    }

    private func uploads(_ engine: VaultEngine) async throws -> [String] {
        var lines: [String] = []
        for vault in try await engine.catalog.vaults(after: nil, limit: 1000) {
            for row in try await engine.catalog.uploads(vault: vault.uid, after: nil, limit: 1000) {
                let column = try engine.keyring.open(row.sealed, as: UploadColumn.self, uid: row.uid.bytes, of: vault)
                lines.append(
                    "upload \(row.uid) \(row.id) \(row.archive) \(row.archiveID) \(row.created) \(row.partBytes) \(row.generation) "
                        + "\(row.keyVersion) \(row.wrappedDataKey) \(column.json.canonicalString())")
                lines += try await engine.catalog.parts(row.uid, from: 0, limit: 10_000).map { part in
                    let column = try engine.keyring.open(
                        part.sealed, as: PartColumn.self, uid: VaultEngine.partRowUID(part.upload, part.index), of: vault)
                    return "part \(part.upload) \(part.index) \(part.number) \(part.length) \(part.blob) \(part.blobBytes) "
                        + column.json.canonicalString()
                }
            }
        }
        return lines
    }

    private func counts(_ engine: VaultEngine) async throws -> [String] {
        let references = try await engine.catalog.keyReferences()
        var vaults: [String] = []
        // Jobs and their outputs are not rebuilt, so what hangs on keys because of them is left out.
        for (vault, versions) in references.vaults {
            var left: [UInt32: Int] = [:]
            for (version, count) in versions {
                let jobs = try await engine.catalog.jobsUnderKey(vault: vault, version: version, limit: 100_000).count
                let staged = try await engine.catalog.stagedUnderKey(vault: vault, version: version, limit: 100_000).count
                left[version] = Int(count) - jobs - staged
            }
            let lines = left.filter { $0.value != 0 }.sorted { $0.key < $1.key }
            if !lines.isEmpty { vaults.append("references \(vault) \(lines)") }
        }
        let totals = try await engine.catalog.totals()
        return [
            "master \(references.master.sorted { $0.key < $1.key })",
            "totals \(totals.vaults) \(totals.archives) \(totals.bytes) \(totals.openUploads)",
        ] + vaults.sorted()
    }
}

extension Sequence where Element: Sendable {
    fileprivate func asyncMap<T>(_ transform: (Element) async throws -> T) async throws -> [T] {
        var mapped: [T] = []
        for element in self { mapped.append(try await transform(element)) }
        return mapped
    }
}
