// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Cryptography
import Execution
import NIOCore
import TreeHash

/// Brings one range of a job's output into a file, verified.
struct OutputRange: Sendable {
    let client: GlacierClient
    let pool: BlockingPool
    let progress: any TransferProgress
    let vault: String
    let jobID: String
    /// Bytes of the whole output.
    let totalBytes: UInt64

    /// Downloads `range` and writes it at its own offset, in buffers of 1 MiB.
    ///
    /// - Returns: the tree hash of the bytes written. When the service stated one, it was equal.
    /// - Throws: ``ClientError`` of kind `integrity` when it differed in every attempt.
    func fetch(_ range: Range<UInt64>, into file: LocalFile) async throws -> SHA256Digest {
        let isWhole = range == 0..<totalBytes
        return try await client.jobOutput(vault: vault, jobID: jobID, range: isWhole ? nil : range) { response in
            try check(response, range: range, isWhole: isWhole)
            let meter = PieceMeter(progress)
            do {
                let digest = try await store(response, range: range, in: file, meter: meter)
                if let stated = response.header("x-amz-sha256-tree-hash"), stated != digest.hex {
                    throw ClientError(
                        .integrity,
                        "Bytes \(ByteRangeText.format(range)) arrived with tree hash \(digest), but the service "
                            + "states \(stated)",
                        remedy: "Nothing wrong was kept. If it happens again, the service or the line damages data.",
                        repetition: .safe)
                }
                return digest
            } catch {
                meter.restart()
                throw error
            }
        }
    }

    private func store(
        _ response: InboundResponse, range: Range<UInt64>, in file: LocalFile, meter: PieceMeter
    ) async throws -> SHA256Digest {
        var tree = TreeHasher()
        var position = range.lowerBound
        var leaf = ByteBuffer()
        func flush() async throws {
            let (bytes, offset) = (leaf, position)
            let digest = try await pool.run { () throws(ClientError) in
                try file.write(bytes, at: offset)
                return SHA256Hasher.hash(bytes.readableBytesSpan)
            }
            tree.append(leaf: digest)
            position += UInt64(bytes.readableBytes)
            meter.add(Int64(bytes.readableBytes))
            leaf = ByteBuffer()
        }
        for try await var piece in response.body {
            while piece.readableBytes > 0 {
                let left = range.upperBound - position - UInt64(leaf.readableBytes)
                guard left > 0 else { throw ClientError(.service, "The service sent more bytes than were asked for.") }
                if leaf.readableBytes == 0 { leaf.reserveCapacity(TreeHash.leafBytes) }
                let room = min(TreeHash.leafBytes - leaf.readableBytes, Int(clamping: left))
                if var taken = piece.readSlice(length: min(room, piece.readableBytes)) { leaf.writeBuffer(&taken) }
                if leaf.readableBytes == TreeHash.leafBytes { try await flush() }
            }
        }
        if leaf.readableBytes > 0 { try await flush() }
        guard position == range.upperBound else {
            throw ClientError(.network, "The connection ended in the middle of the output.", repetition: .safe)
        }
        return tree.root
    }

    private func check(_ response: InboundResponse, range: Range<UInt64>, isWhole: Bool) throws(ClientError) {
        if isWhole, response.status == 200 { return }
        let expected = "bytes \(ByteRangeText.format(range))/\(totalBytes)"
        guard response.status == 206, response.header("content-range") == expected else {
            throw ClientError(
                .service,
                "Asked for \(expected), the service answered \(response.status) with range "
                    + "'\(response.header("content-range") ?? "none")'.")
        }
    }
}
