// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution

/// An open multipart upload to put parts into.
struct UploadSession: Sendable {
    let uploadID: String
    let partBytes: UInt64
    /// Tree hashes of the parts the service holds, by index; still to be compared with the file.
    let present: [Int: SHA256Digest]
}

/// Finds the upload that `--resume` means: the named one, the one in the note next to the source, or one of the vault's
/// open uploads whose parts are this file's.
struct UploadSearch: Sendable {
    /// Open uploads looked at; a vault with more has other troubles.
    static let mostCandidates = 1000

    let client: GlacierClient
    let pool: BlockingPool
    let order: UploadOrder
    let file: LocalFile
    let status: FileStatus

    /// - Returns: nil when a new upload should be begun.
    func find() async throws -> UploadSession? {
        switch order.resumption {
        case .never: return nil
        case .upload(let id): return try await named(id)
        case .automatic:
            if let found = try await noted() { return found }
            if let found = try await listed() { return found }
            client.surroundings.remark("No interrupted upload of this file was found: beginning a new one.")
            return nil
        }
    }

    private func named(_ id: String) async throws -> UploadSession {
        let session = try await open(id)
        guard try await beginsLikeFile(session) else {
            throw ClientError(
                .usage, "Upload \(id) holds parts of another file.",
                remedy: "Upload without --resume, or name another upload.")
        }
        announce(session)
        return session
    }

    private func noted() async throws -> UploadSession? {
        let path = UploadState.path(forSource: order.path)
        let bytes = try await pool.run { () throws(ClientError) in
            try LocalFile.contents(of: path, upTo: UploadState.maxBytes)
        }
        guard let state = bytes.flatMap(UploadState.init(decoding:)), state.vault == order.vault,
            state.endpoint == client.settings.endpoint.description, state.accountID == client.settings.accountID,
            state.source.bytes == status.bytes, order.partBytes ?? state.partBytes == state.partBytes
        else { return nil }
        do {
            let session = try await open(state.uploadID)
            guard try await beginsLikeFile(session) else { return nil }
            announce(session)
            return session
        } catch let error as ClientError where error.kind == .notFound {
            // Completed, aborted or expired meanwhile.
            return nil
        }
    }

    private func listed() async throws -> UploadSession? {
        var best: UploadSession?
        for upload in try await client.listUploads(vault: order.vault).prefix(Self.mostCandidates) {
            guard PartSizing.isPartSize(upload.partBytes), order.partBytes ?? upload.partBytes == upload.partBytes,
                PartSizing.parts(of: status.bytes, partBytes: upload.partBytes) <= PartSizing.mostParts,
                upload.note == order.description
            else { continue }
            do {
                let session = try await open(upload.id)
                // An upload without parts saves nothing and may be another program's.
                guard !session.present.isEmpty, session.present.count > best?.present.count ?? 0,
                    try await beginsLikeFile(session)
                else { continue }
                best = session
            } catch let error as ClientError where error.kind == .notFound || error.kind == .usage {
                continue
            }
        }
        if let best { announce(best) }
        return best
    }

    private func open(_ id: String) async throws -> UploadSession {
        let (upload, parts) = try await client.listParts(vault: order.vault, uploadID: id)
        guard PartSizing.isPartSize(upload.partBytes) else {
            throw ClientError(.service, "Upload \(id) has the impossible part size \(upload.partBytes).")
        }
        if let wanted = order.partBytes, wanted != upload.partBytes {
            throw ClientError(
                .usage, "Upload \(id) was begun with parts of \(ByteText.short(upload.partBytes)).",
                remedy: "Leave out --part-size to resume it.")
        }
        let plan = RangePlan(totalBytes: status.bytes, pieceBytes: upload.partBytes)
        guard UInt64(plan.count) <= PartSizing.mostParts else {
            throw ClientError(.usage, "The file does not fit into upload \(id): it would need \(plan.count) parts.")
        }
        return UploadSession(uploadID: id, partBytes: upload.partBytes, present: try plan.matching(parts))
    }

    /// Compares the first part the service holds; the others are compared when their turn comes. True when there is
    /// none.
    private func beginsLikeFile(_ session: UploadSession) async throws -> Bool {
        guard let first = session.present.keys.min() else { return true }
        let plan = RangePlan(totalBytes: status.bytes, pieceBytes: session.partBytes)
        let hashes = try await PartHashes.computed(of: file, range: plan[first], on: pool)
        return hashes.tree == session.present[first]
    }

    private func announce(_ session: UploadSession) {
        client.surroundings.remark(
            "Resuming upload \(session.uploadID): \(session.present.count) parts of "
                + "\(ByteText.short(session.partBytes)) are there "
                + "and will be compared with the file.")
    }
}
