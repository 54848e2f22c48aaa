// SPDX-License-Identifier: Apache-2.0

import Execution
import NIOCore
import Storage
import VaultModel

/// Writes the inventory of a vault as it is now into the warm store, page by page: constant memory, whatever the vault holds.
struct InventoryJob {
    private static let pageRows = 500
    /// A staged object holds at most this; about a hundred million archives.
    private static let maxBytes: UInt64 = 40 << 30

    let engine: VaultEngine
    let vault: VaultRow
    let job: JobRow

    struct Output {
        let bytes: UInt64
        let staged: StagedRow
        let nextMarker: String?
    }

    func prepare() async throws -> Output {
        let parameters = try engine.column(of: job, in: vault).inventory ?? InventoryParameters()
        let writer = try await StagedWriter.begin(vault: vault, engine: engine, maxBytes: Self.maxBytes)
        do {
            var document = InventoryDocument(format: parameters.format)
            try await writer.append(ByteBuffer(bytes: document.head(vault: vault.location, date: engine.clock.now())))
            var after = parameters.marker.flatMap { InventoryMarker($0)?.position }
            var remaining = parameters.limit ?? UInt64.max
            var next: String?
            while remaining > 0 {
                let wanted = Int(min(UInt64(Self.pageRows), remaining))
                let rows = try await engine.catalog.archives(
                    vault: vault.uid, after: after, from: parameters.startDate, until: parameters.endDate, limit: wanted + 1)
                let page = Array(rows.prefix(wanted))
                let (bytes, continued) = try await render(page, document)
                document = continued
                try await writer.append(ByteBuffer(bytes: bytes))
                remaining -= UInt64(page.count)
                guard rows.count > wanted, let last = page.last else { break }
                after = ArchivePosition(created: last.created, uid: last.uid)
                if remaining == 0, let after { next = InventoryMarker(after: after).text }
                try Task.checkCancellation()
            }
            try await writer.append(ByteBuffer(bytes: document.tail()))
            let written = writer.contentBytes
            let staged = try await writer.commit(archive: nil, range: nil)
            return Output(bytes: written, staged: staged, nextMarker: next)
        } catch {
            await writer.abandon()
            throw error
        }
    }

    /// A page as text, and the document to go on with.
    private func render(_ rows: [ArchiveRow], _ document: InventoryDocument) async throws -> ([UInt8], InventoryDocument) {
        let (keyring, vault) = (engine.keyring, vault)
        return try await engine.compute.run { () throws -> ([UInt8], InventoryDocument) in
            var document = document
            var out: [UInt8] = []
            for row in rows {
                let column = try keyring.open(row.sealed, as: ArchiveColumn.self, uid: row.uid.bytes, of: vault)
                document.append(
                    InventoryEntry(
                        archiveID: row.id, description: column.description, created: row.created, size: row.size,
                        treeHash: column.treeHash), to: &out)
            }
            return (out, document)
        }
    }
}
