// SPDX-License-Identifier: Apache-2.0

public import Cryptography
import NIOHTTP1

/// What the service answers when an archive is stored.
public struct StoredArchive: Sendable, Hashable {
    /// The only name the archive has.
    public let archiveID: String
    /// Its path at the service.
    public let location: String
    /// As the service computed it; nil when it did not say.
    public let treeHash: SHA256Digest?
}

extension GlacierClient {
    /// UploadArchive: the whole file in one request. Both hashes of it must be known.
    ///
    /// Not repeated when the connection breaks after the request began, because a second archive could be the result.
    public func uploadArchive(
        vault: String, body: FilePieces, hashes: PartHashes, description: String
    ) async throws -> StoredArchive {
        var call = GlacierCall(
            operation: "UploadArchive to '\(vault)'", method: "POST", path: try Self.vaultPath(vault) + ["archives"])
        call.headers = hashes.headers
        if !description.isEmpty { call.headers.append((name: "x-amz-archive-description", value: description)) }
        call.body = .file(body)
        call.payloadHash = hashes.linear
        call.mayRepeat = false
        return try Self.stored(try await perform(call), by: call)
    }

    /// DeleteArchive: succeeds also when it was deleted before.
    public func deleteArchive(vault: String, archiveID: String) async throws {
        let path = try Self.vaultPath(vault) + ["archives", try Self.identifier(archiveID, "an archive id")]
        _ = try await perform(GlacierCall(operation: "DeleteArchive in '\(vault)'", method: "DELETE", path: path))
    }

    /// InitiateMultipartUpload. Returns the upload id.
    public func initiateUpload(vault: String, partBytes: UInt64, description: String) async throws -> String {
        var call = GlacierCall(
            operation: "InitiateMultipartUpload to '\(vault)'", method: "POST",
            path: try Self.vaultPath(vault) + ["multipart-uploads"])
        call.headers = [(name: "x-amz-part-size", value: String(partBytes))]
        if !description.isEmpty { call.headers.append((name: "x-amz-archive-description", value: description)) }
        guard let id = try await perform(call).first(name: "x-amz-multipart-upload-id"), !id.isEmpty else {
            throw Missing.member("x-amz-multipart-upload-id", of: "answer to \(call.operation)")
        }
        return id
    }

    /// UploadMultipartPart: sending the same part again replaces it.
    public func uploadPart(vault: String, uploadID: String, body: FilePieces, hashes: PartHashes) async throws {
        var call = try upload(uploadID, in: vault, operation: "UploadMultipartPart", method: "PUT")
        call.headers =
            [(name: "content-range", value: "bytes \(ByteRangeText.format(body.range))/*")] + hashes.headers
        call.body = .file(body)
        call.payloadHash = hashes.linear
        let answer = try await perform(call).first(name: "x-amz-sha256-tree-hash")
        if let answer, answer != hashes.tree.hex {
            throw ClientError(
                .integrity,
                "The service received other bytes for part \(ByteRangeText.format(body.range)) than were sent.",
                remedy: "Its tree hash is \(answer), ours \(hashes.tree.hex). Resume the upload to send the part again."
            )
        }
    }

    /// CompleteMultipartUpload.
    public func completeUpload(
        vault: String, uploadID: String, archiveBytes: UInt64, treeHash: SHA256Digest
    ) async throws -> StoredArchive {
        var call = try upload(uploadID, in: vault, operation: "CompleteMultipartUpload", method: "POST")
        call.headers = [
            (name: "x-amz-archive-size", value: String(archiveBytes)),
            (name: "x-amz-sha256-tree-hash", value: treeHash.hex),
        ]
        return try Self.stored(try await perform(call), by: call)
    }

    /// ListParts, all pages, with the part size the upload was begun with.
    public func listParts(
        vault: String, uploadID: String
    ) async throws -> (upload: UploadDescription, parts: [PartDescription]) {
        let call = try upload(uploadID, in: vault, operation: "ListParts", method: "GET")
        var first = call
        first.query = [(name: "limit", value: "1")]
        let upload = try UploadDescription(try await document(first))
        return (upload, try await pages(call, items: "Parts").map { try PartDescription($0) })
    }

    /// ListMultipartUploads, all pages.
    public func listUploads(vault: String) async throws -> [UploadDescription] {
        let call = GlacierCall(
            operation: "ListMultipartUploads of '\(vault)'", method: "GET",
            path: try Self.vaultPath(vault) + ["multipart-uploads"])
        return try await pages(call, items: "UploadsList").map { try UploadDescription($0) }
    }

    func upload(
        _ id: String, in vault: String, operation: String, method: String
    ) throws(ClientError) -> GlacierCall {
        GlacierCall(
            operation: "\(operation) in '\(vault)'", method: method,
            path: try Self.vaultPath(vault) + ["multipart-uploads", try Self.identifier(id, "an upload id")])
    }

    static func stored(_ headers: HTTPHeaders, by call: GlacierCall) throws(ClientError) -> StoredArchive {
        guard let id = headers.first(name: "x-amz-archive-id"), !id.isEmpty else {
            throw Missing.member("x-amz-archive-id", of: "answer to \(call.operation)")
        }
        return StoredArchive(
            archiveID: id, location: headers.first(name: "location") ?? "",
            treeHash: headers.first(name: "x-amz-sha256-tree-hash").flatMap { SHA256Digest(hex: $0) })
    }
}
