// SPDX-License-Identifier: Apache-2.0

public import Cryptography
public import Execution
public import NIOCore
public import SealedArchive
public import Storage

/// A backup file on a disk: what it is, that it is whole, and what it holds. Docs/Formats/Backup-v1.md §7.
///
/// Throws `FormatError` for what is wrong with the file, `StorageError` for what is wrong with the disk.
public struct BackupFile: Sendable {
    private static let stepBytes: UInt64 = 1 << 20

    public let path: String
    public let header: BackupHeader
    public let fileBytes: UInt64
    private let trailer: BackupTrailer
    private let disk: any Disk

    /// Reads header and trailer; the bytes between are not looked at.
    public static func open(_ path: String, disk: any Disk) async throws -> BackupFile {
        guard let bytes = try await disk.size(of: path) else {
            throw StorageError(.notFound, "\(path) does not exist, or is no file")
        }
        let head = try await disk.read(path, range: 0..<min(bytes, UInt64(BackupHeader.maxBytes)))
        let header = try BackupHeader(parsing: head.readableBytesView)
        guard bytes > UInt64(BackupTrailer.byteCount) else { throw FormatError.seal(.truncated) }
        let tail = try await disk.read(path, range: bytes - UInt64(BackupTrailer.byteCount)..<bytes)
        let trailer = try BackupTrailer(parsing: tail.readableBytesView, header: header, fileBytes: bytes)
        return BackupFile(path: path, header: header, fileBytes: bytes, trailer: trailer, disk: disk)
    }

    /// Reads every byte and compares digest and signature. Needs no key, and proves that the file is what ``BackupHeader/service`` wrote.
    public func verify(on compute: BlockingPool) async throws {
        let end = fileBytes - UInt64(BackupTrailer.byteCount)
        let digest = try await reading { file in
            let hasher = RunningDigest()
            var position: UInt64 = 0
            while position < end {
                let next = min(end, position + Self.stepBytes)
                let piece = try await file.read(position..<next)
                await compute.run { hasher.update(piece) }
                position = next
            }
            return await compute.run { hasher.finish() }
        }
        try trailer.check(digest: digest, header: header)
    }

    /// Opens the payload and hands it out in order, in pieces of at most 1 MiB. Nothing of it may be used before this has returned.
    /// - Returns: the payload's length.
    public func readPayload(
        privateKey: SecretKey, on compute: BlockingPool, _ visit: (ByteBuffer) async throws -> Void
    ) async throws -> UInt64 {
        let start = UInt64(header.byteCount)
        return try await reading { file in
            let head = try await file.read(start..<start + UInt64(Seal.headerBytes))
            guard let sealHeader = SealHeader(bytes: head.readableBytesView) else { throw FormatError.seal(.truncated) }
            let opener = try BackupOpener(
                header: header, privateKey: privateKey, sealHeader: sealHeader,
                messageBytes: fileBytes - start - UInt64(BackupTrailer.byteCount))
            for step in 0..<opener.stepCount {
                let sealed = try await file.read(opener.fileRange(ofStep: step))
                let plain = try await compute.run { ByteBuffer(bytes: try opener.open(sealed.readableBytesSpan, step: step)) }
                try await visit(plain)
            }
            return opener.payloadBytes
        }
    }

    /// The document of a keyring backup.
    public func keyring(privateKey: SecretKey, on compute: BlockingPool) async throws -> KeyringBackup {
        guard header.kind == .keyring else { throw FormatError.wrongIdentity("the backup holds a \(header.kind.name), not a keyring") }
        guard fileBytes <= UInt64(KeyringBackup.maxBytes) * 2 else { throw FormatError.limitExceeded("keyring backup of \(fileBytes) bytes") }
        var bytes: [UInt8] = []
        _ = try await readPayload(privateKey: privateKey, on: compute) { bytes += $0.readableBytesView }
        return try KeyringBackup(decoding: bytes)
    }

    private func reading<R>(_ body: (any DiskFile) async throws -> R) async throws -> R {
        let file = try await disk.openFile(path)
        do {
            let result = try await body(file)
            await file.close()
            return result
        } catch {
            await file.close()
            throw error
        }
    }
}

/// A digest that grows on the compute pool. `@unchecked Sendable`: one task awaits each step before it asks for the next.
private final class RunningDigest: @unchecked Sendable {
    private var hasher = SHA256Hasher()

    func update(_ bytes: ByteBuffer) { hasher.update(bytes.readableBytesSpan) }
    func finish() -> SHA256Digest { hasher.finalizeAndReset() }
}
