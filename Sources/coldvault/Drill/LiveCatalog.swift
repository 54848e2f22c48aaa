// SPDX-License-Identifier: Apache-2.0

import Execution
import PosixDisk
import SQLiteCatalog
import Storage
import VaultEngine
import VaultModel

/// The catalog that the drill takes for lost, only looked at: what it says is what the recovered one should.
struct LiveCatalog {
    private static let maxNamed = 100

    let catalog: SQLiteCatalog
    /// Whether a service had it open at the beginning.
    let isInUse: Bool
    private let directory: DataDirectory
    private let pool: BlockingPool
    /// At the beginning. Not empty: of a service that has it open, or that was killed.
    private let logBytes: UInt64

    /// How the two differ.
    struct Comparison: Sendable {
        var compared: UInt64 = 0
        /// Stored there, and not in the recovered one.
        var missing: UInt64 = 0
        /// In both, and not the same.
        var different: UInt64 = 0
        var named: [String] = []
        /// Nil: the two could be compared to the end.
        var trouble: String?
    }

    /// Whether a service has the catalog open now.
    static func isInUse(_ directory: DataDirectory, on pool: BlockingPool) async throws(StorageError) -> Bool {
        try await DirectoryLock.isHeld(directory: directory.path, on: pool)
    }

    private static func logBytes(_ directory: DataDirectory) async throws(StorageError) -> UInt64 {
        try await directory.disk.size(of: "\(directory.catalogPath)-wal") ?? 0
    }

    /// Nil with a reason when there is nothing that can be read.
    static func open(_ directory: DataDirectory, isInUse: Bool, on pool: BlockingPool) async -> (live: LiveCatalog?, reason: String?) {
        do throws(StorageError) {
            guard try await directory.disk.size(of: directory.catalogPath) != nil else { return (nil, "there is none") }
            let logBytes = try await logBytes(directory)
            let catalog = try await SQLiteCatalog.openForReading(path: directory.catalogPath, isInUse: isInUse)
            return (LiveCatalog(catalog: catalog, isInUse: isInUse, directory: directory, pool: pool, logBytes: logBytes), nil)
        } catch {
            return (nil, error.message)
        }
    }

    private init(catalog: SQLiteCatalog, isInUse: Bool, directory: DataDirectory, pool: BlockingPool, logBytes: UInt64) {
        self.catalog = catalog
        self.isInUse = isInUse
        self.directory = directory
        self.pool = pool
        self.logBytes = logBytes
    }

    /// Every stored archive that was created before `moment`, row by row: identifier, vault, size, moment of creation. What is deleted
    /// meanwhile, or in the recovered catalog already, is no difference.
    func compare(with recovered: SQLiteCatalog, before moment: Timestamp) async throws -> Comparison {
        var comparison = Comparison()
        do {
            var after: VaultUID?
            while true {
                let vaults = try await catalog.vaults(after: after, limit: 200)
                for vault in vaults { try await compare(vault, with: recovered, before: moment, &comparison) }
                guard vaults.count == 200 else { break }
                after = vaults.last?.uid
            }
        } catch let error as StorageError {
            comparison.trouble = error.message
        }
        if try await wasOpenedMeanwhile() { comparison.trouble = "a service opened it meanwhile" }
        return comparison
    }

    private func compare(
        _ vault: VaultRow, with recovered: SQLiteCatalog, before moment: Timestamp, _ comparison: inout Comparison
    ) async throws {
        var after: ArchivePosition?
        let limit = 2000
        while true {
            let rows = try await catalog.archives(vault: vault.uid, after: after, from: nil, until: moment, limit: limit)
            for row in rows {
                comparison.compared += 1
                let other = try await recovered.archive(row.uid)
                if let other, other.id == row.id, other.vault == row.vault, other.size == row.size, other.created == row.created { continue }
                guard try await catalog.archive(row.uid)?.state == .stored else { continue }
                if other == nil { comparison.missing += 1 } else { comparison.different += 1 }
                if comparison.named.count < Self.maxNamed {
                    comparison.named.append("\(row.uid): \(other == nil ? "is in the catalog and was not recovered" : "was recovered otherwise")")
                }
            }
            guard rows.count == limit, let last = rows.last else { return }
            after = ArchivePosition(created: last.created, uid: last.uid)
        }
    }

    /// Whether what was read as if nobody changed it may be nothing but halves.
    func wasOpenedMeanwhile() async throws -> Bool {
        guard !isInUse else { return false }
        if try await Self.isInUse(directory, on: pool) { return true }
        return try await Self.logBytes(directory) != logBytes
    }
}
