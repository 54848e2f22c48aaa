// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// Writes one backup file: sealed as it is read, nameless until it is whole and synchronised, never over another.
struct BackupWriter: Sendable {
    /// Bytes of the payload that are sealed at once.
    private static let stepBytes: UInt64 = 1 << 20

    let engine: VaultEngine
    let disk: any Disk
    let recipients: [BackupRecipient]
    let generation: UInt64
    let created: Timestamp

    /// Seals `payloadBytes` bytes that `read` hands out. Durable under `name` in `directory` on return; then read back and compared.
    func write(
        _ kind: BackupKind, to directory: String, name: String, payloadBytes: UInt64,
        read: (Range<UInt64>) async throws -> ByteBuffer
    ) async throws -> UInt64 {
        let (header, fileKey) = try BackupHeader.make(
            kind, createdMilliseconds: UInt64(max(0, created.milliseconds)), generation: generation,
            service: engine.keyring.signingPublicKey, recipients: recipients, random: engine.random)
        let sealer = try BackupSealer(header: header, fileKey: fileKey, random: engine.random)
        let path = "\(directory)/\(name)"
        let file = try await temporary(in: directory)
        do {
            try await file.write(ByteBuffer(bytes: sealer.prefix))
            var position: UInt64 = 0
            while position < payloadBytes {
                let end = min(payloadBytes, position + Self.stepBytes)
                let plain = try await read(position..<end)
                let sealed = try await engine.compute.run { ByteBuffer(bytes: try sealer.seal(plain.readableBytesSpan)) }
                try await file.write(sealed)
                position = end
            }
            let keyring = engine.keyring
            try await file.write(ByteBuffer(bytes: try sealer.finish { try keyring.sign($0) }))
            try await file.sync()
            try await disk.publish(file, at: path)
            try await disk.syncDirectory(directory)
        } catch {
            await file.close()
            throw error
        }
        await file.close()
        let written = try await BackupFile.open(path, disk: disk)
        guard written.header == header else { throw FormatError.wrongIdentity("\(name) is not what was written") }
        try await written.verify(on: engine.compute)
        return written.fileBytes
    }

    private func temporary(in directory: String) async throws -> any DiskFile {
        do throws(StorageError) {
            return try await disk.createTemporary(in: directory)
        } catch {
            switch error.code {
            case .notFound:
                throw VaultError(.invalidParameter, "There is no directory \(directory). Create it, with mode 0700, for the service's user.")
            case .unusable:
                throw VaultError(
                    .invalidParameter, "The service may not write into \(directory): \(error.message)", cause: error)
            default: throw error
            }
        }
    }
}
