// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import SealedArchive
public import Storage
import VaultModel

/// What lies between the checkpoint that a catalog knows and the newest one among the blobs (Docs/Formats/Checkpoint-v1.md §3).
///
/// A backup is followed by checkpoints of its own service: the one at its stop at least. A catalog that lacks nothing else is as good as the
/// one that was there, and nobody need be asked.
public struct CheckpointGap: Sendable {
    /// What changes nothing of the catalog that anybody would miss.
    private static let idleActions: Set<String> = ["service:Start", "service:Checkpoint", "backup:Create", "backup:WriteCatalog"]
    /// More than are kept in any case is not looked at.
    private static let maxCheckpoints = UInt64(VaultEngine.keptCheckpoints)

    private let cold: any BlobStore
    private let keyring: Keyring

    public init(cold: any BlobStore, keyring: Keyring) {
        self.cold = cold
        self.keyring = keyring
    }

    /// Whether `catalog`, put in place beside these blobs, lacks nothing but checkpoints. Anything that cannot be read or does not fit is a no.
    /// - Parameter newest: the generation of the newest checkpoint among the blobs.
    public func isIdle(_ catalog: any Catalog, newest: UInt64) async throws(StorageError) -> Bool {
        guard let mark = CheckpointMark(try await catalog.fact(VaultEngine.checkpointFact)) else { return false }
        do {
            let last = try await CheckpointShelf(cold: cold, keyring: keyring).read(newest)
            return try await isIdle(from: mark, to: CheckpointMark(last))
        } catch is VaultError {
            return false
        } catch let error as StorageError {
            throw error
        } catch {
            return false
        }
    }

    func isIdle(from catalog: CheckpointMark, to blobs: CheckpointMark) async throws -> Bool {
        guard catalog.generation > 0, catalog.generation < blobs.generation, blobs.generation - catalog.generation < Self.maxCheckpoints
        else { return false }
        do {
            return try await follows(catalog, blobs)
        } catch let error as VaultError where error.code == .integrity {
            return false
        } catch let error as StorageError where error.code == .notFound || error.code == .integrity {
            return false
        }
    }

    private func follows(_ catalog: CheckpointMark, _ blobs: CheckpointMark) async throws -> Bool {
        let shelf = CheckpointShelf(cold: cold, keyring: keyring)
        let first = try await shelf.read(catalog.generation)
        // Parts arrive without an entry: with an upload open, the log cannot say that nothing came.
        guard first.hash == catalog.hash, first.openUploads == 0 else { return false }
        var last = first
        for generation in catalog.generation + 1...blobs.generation {
            let next = try await shelf.read(generation)
            guard next.previous == last.hash else { return false }
            last = next
        }
        guard last.hash == blobs.hash, last.auditSequence >= first.auditSequence else { return false }
        return try await isIdle(after: first.audit, through: last.audit)
    }

    /// Whether the log between two of its heads tells of nothing but checkpoints.
    private func isIdle(after first: AuditHead, through last: AuditHead) async throws -> Bool {
        let cipher = try AuditCipher(keyring)
        var head = first
        var segment = try await segmentName(holding: first.sequence + 1)
        while head.sequence < last.sequence {
            guard let name = segment else { return false }
            let rows = try await AuditSegment.read(first: name, from: cold, with: cipher).rows
            for row in rows where row.sequence > head.sequence && row.sequence <= last.sequence {
                guard cipher.fault(of: row, after: head) == nil, let document = cipher.open(row),
                    let action = try? JSONParser.parse(document)["action"]?.stringValue, Self.idleActions.contains(action)
                else { return false }
                head = row.head
            }
            segment = rows.last.map { $0.sequence + 1 }
        }
        return head == last
    }

    private func segmentName(holding sequence: UInt64) async throws -> UInt64? {
        var found: UInt64?
        var after: BlobID?
        while true {
            let page = try await cold.list(prefix: BlobName.auditPrefix, after: after, limit: 1000)
            for entry in page {
                guard case .audit(let first) = BlobName(entry.id.name) else { continue }
                guard first <= sequence else { return found }
                found = first
            }
            guard page.count == 1000, let last = page.last else { return found }
            after = last.id
        }
    }
}
