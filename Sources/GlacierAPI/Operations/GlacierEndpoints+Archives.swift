// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOHTTP1
import VaultEngine
import VaultModel

extension GlacierEndpoints {
    func uploadArchive(_ request: OperationRequest) async throws -> Answer {
        let location = try request.location()
        let description = try request.headers.archiveDescription()
        guard let length = request.contentLength else { throw WireError.missing("Content-Length") }
        guard length > 0, length <= Limits.maxPartBytes else {
            throw WireError.invalid("Content-Length", String(length))
        }
        let treeHash = try request.headers.digest("x-amz-sha256-tree-hash")
        guard let linearHash = request.statedBodyHash else { throw WireError.missing("x-amz-content-sha256") }
        let stored = try await operations.uploadArchive(
            UploadArchiveRequest(
                location: location, contentLength: length, treeHash: treeHash, linearHash: linearHash,
                description: description, caller: request.caller),
            body: request.stream)
        return archiveCreated(stored, in: request.path(of: location))
    }

    func deleteArchive(_ request: OperationRequest) async throws -> Answer {
        try await operations.deleteArchive(
            request.caller, try request.location(), archiveID: request.route.identifier)
        return .noContent()
    }

    func archiveCreated(_ stored: StoredArchive, in path: String) -> Answer {
        .accepted(
            .created,
            [
                ("Location", "\(path)/archives/\(stored.archiveID)"), ("x-amz-archive-id", stored.archiveID),
                ("x-amz-sha256-tree-hash", stored.treeHash.hex),
            ])
    }
}
