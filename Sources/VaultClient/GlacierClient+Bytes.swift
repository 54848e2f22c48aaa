// SPDX-License-Identifier: Apache-2.0

import Cryptography
import TreeHash

/// Operations on bytes that are in memory, for programs whose bodies are small and come from no file.
extension GlacierClient {
    /// UploadArchive of bytes in memory. Not repeated when the connection breaks after the request began.
    public func uploadArchive(vault: String, bytes: [UInt8], description: String = "") async throws -> StoredArchive {
        var call = GlacierCall(
            operation: "UploadArchive to '\(vault)'", method: "POST", path: try Self.vaultPath(vault) + ["archives"])
        call.headers = Self.hashes(of: bytes).headers
        if !description.isEmpty { call.headers.append((name: "x-amz-archive-description", value: description)) }
        call.body = .bytes(bytes)
        call.mayRepeat = false
        return try Self.stored(try await perform(call), by: call)
    }

    /// UploadMultipartPart of bytes in memory, which lie at `first` of the archive.
    public func uploadPart(vault: String, uploadID: String, first: UInt64, bytes: [UInt8]) async throws {
        var call = try upload(uploadID, in: vault, operation: "UploadMultipartPart", method: "PUT")
        let range = first..<first + UInt64(bytes.count)
        call.headers = [(name: "content-range", value: "bytes \(ByteRangeText.format(range))/*")]
        call.headers += Self.hashes(of: bytes).headers
        call.body = .bytes(bytes)
        _ = try await perform(call)
    }

    /// GetJobOutput into memory.
    /// - Parameter limit: more bytes than these are an error.
    public func jobOutput(vault: String, jobID: String, upTo limit: Int) async throws -> [UInt8] {
        try await jobOutput(vault: vault, jobID: jobID) { try await $0.collect(upTo: limit) }
    }

    private static func hashes(of bytes: [UInt8]) -> PartHashes {
        PartHashes(linear: SHA256Hasher.hash(bytes), tree: TreeHash.hash(of: bytes))
    }
}
