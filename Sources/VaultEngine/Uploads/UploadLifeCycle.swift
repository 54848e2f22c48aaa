// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Storage
import TreeHash
import VaultModel

/// The rules of a multipart upload, pure: which part fits where, and whether the parts make the archive that the client says.
///
///     open ──part──▶ open ──complete(verified)──▶ completed
///       └──abort / expiry──▶ aborted
struct UploadLifeCycle {
    let partBytes: UInt64

    /// 2^k MiB, 1 MiB to 4 GiB.
    static func isValidPartSize(_ bytes: UInt64) -> Bool {
        (Limits.minPartBytes...Limits.maxPartBytes).contains(bytes) && bytes.nonzeroBitCount == 1
    }

    /// The index of the part that `range` is, or the documented refusal.
    func index(of range: ByteRange) throws(VaultError) -> UInt32 {
        guard range.first % partBytes == 0 else {
            throw VaultError(
                .invalidParameter,
                "Invalid Content-Range: bytes \(range)/*. A part must begin at a multiple of the upload's part size of \(partBytes) bytes.")
        }
        guard range.count <= partBytes else {
            throw VaultError(
                .invalidParameter,
                "Invalid Content-Range: bytes \(range)/*. A part must not be longer than the upload's part size of \(partBytes) bytes.")
        }
        let index = range.first / partBytes
        guard index < UInt64(Limits.maxParts) else {
            throw VaultError(
                .invalidParameter,
                "This is part number \(index + 1) for the current multipart upload. It exceeds the limit of \(Limits.maxParts) parts.")
        }
        return UInt32(index)
    }

    /// Checks order, holes, sizes and the tree hash over all parts, in order of index.
    func verify(
        _ parts: [(index: UInt32, length: UInt64, treeHash: SHA256Digest)], size: UInt64, treeHash: SHA256Digest
    ) throws(VaultError) {
        guard !parts.isEmpty else {
            throw VaultError(.invalidParameter, "Invalid x-amz-archive-size: \(size). No part of this upload has been received.")
        }
        for (position, part) in parts.enumerated() {
            guard part.index == UInt32(position) else {
                let first = UInt64(position) * partBytes
                throw VaultError(
                    .invalidParameter, "Missing part: bytes \(first)-\(first + partBytes - 1) have not been received. Send them, then complete again.")
            }
            guard position == parts.count - 1 || part.length == partBytes else {
                let first = UInt64(position) * partBytes
                throw VaultError(
                    .invalidParameter,
                    "Part \(first)-\(first + part.length - 1) is shorter than the upload's part size of \(partBytes) bytes, and only the last part may be. "
                        + "Send it again in full, then complete again.")
            }
        }
        let total = parts.reduce(UInt64(0)) { $0 + $1.length }
        guard total == size else {
            throw VaultError(
                .invalidParameter, "Invalid x-amz-archive-size: \(size). The received parts have \(total) bytes.")
        }
        let computed = TreeHash.combine(parts.map(\.treeHash))
        guard computed == treeHash else {
            throw VaultError(
                .invalidParameter, "Invalid x-amz-sha256-tree-hash: \(treeHash)")
        }
    }
}
