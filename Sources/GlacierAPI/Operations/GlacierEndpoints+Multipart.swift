// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOHTTP1
import VaultEngine
import VaultModel

extension GlacierEndpoints {
    func initiateUpload(_ request: OperationRequest) async throws -> Answer {
        let location = try request.location()
        let partBytes = try request.headers.partSize()
        let uploadID = try await operations.initiateUpload(
            location, partBytes: partBytes, description: try request.headers.archiveDescription(), by: request.caller)
        return .accepted(
            .created,
            [
                ("Location", "\(request.path(of: location))/multipart-uploads/\(uploadID)"),
                ("x-amz-multipart-upload-id", uploadID),
            ])
    }

    func uploadPart(_ request: OperationRequest) async throws -> Answer {
        let location = try request.location()
        guard let length = request.contentLength else { throw WireError.missing("Content-Length") }
        let range = try request.headers.partRange(contentLength: length)
        let treeHash = try request.headers.digest("x-amz-sha256-tree-hash")
        guard let linearHash = request.statedBodyHash else { throw WireError.missing("x-amz-content-sha256") }
        let computed = try await operations.uploadPart(
            UploadPartRequest(
                location: location, uploadID: request.route.identifier, range: range, treeHash: treeHash,
                linearHash: linearHash),
            body: request.stream)
        return .noContent([("x-amz-sha256-tree-hash", computed.hex)])
    }

    func completeUpload(_ request: OperationRequest) async throws -> Answer {
        let location = try request.location()
        let size = try request.headers.byteCount("x-amz-archive-size")
        let treeHash = try request.headers.digest("x-amz-sha256-tree-hash")
        let stored = try await operations.completeUpload(
            location, uploadID: request.route.identifier, size: size, treeHash: treeHash, by: request.caller)
        return archiveCreated(stored, in: request.path(of: location))
    }

    func abortUpload(_ request: OperationRequest) async throws -> Answer {
        try await operations.abortUpload(try request.location(), uploadID: request.route.identifier, by: request.caller)
        return .noContent()
    }

    func listParts(_ request: OperationRequest) async throws -> Answer {
        let location = try request.location()
        let page = try await operations.listParts(
            location, uploadID: request.route.identifier, marker: request.target.parameter("marker"),
            limit: try request.target.pageLimit(maximum: Limits.partsPerPage))
        return .json(Documents.parts(page, in: location))
    }

    func listUploads(_ request: OperationRequest) async throws -> Answer {
        let location = try request.location()
        let page = try await operations.listUploads(
            location, marker: request.target.parameter("marker"),
            limit: try request.target.pageLimit(maximum: Limits.uploadsPerPage))
        return .json([
            "Marker": .text(page.next),
            "UploadsList": .array(page.uploads.map { .object(Documents.upload($0, in: location)) }),
        ])
    }
}
