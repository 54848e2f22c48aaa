// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import Foundation
import NIOCore
import PosixDisk
import SQLiteCatalog
import SealedArchive
import Storage
import VaultEngine

/// A backup file at the command line: read without its key, or opened with it. Errors are for the person who typed.
struct OpenedBackup: Sendable {
    let file: BackupFile
    let disk: PosixDisk
    let compute: BlockingPool

    /// Header, digest and signature: proves the file whole, as `file.header.service` wrote it.
    static func verified(_ path: String, disk: PosixDisk, compute: BlockingPool) async throws -> OpenedBackup {
        try await explaining(path) {
            let file = try await BackupFile.open(path, disk: disk)
            try await file.verify(on: compute)
            return OpenedBackup(file: file, disk: disk, compute: compute)
        }
    }

    /// The private half of a backup key, from a file or (`-`) standard input.
    static func privateKey(_ path: String, disk: PosixDisk) async throws -> SecretKey {
        let limit = 4096
        let bytes: [UInt8]
        if path == "-" {
            bytes = [UInt8](try FileHandle.standardInput.read(upToCount: limit) ?? Data())
        } else {
            bytes = try await disk.readAll(path, limit: limit)
        }
        do throws(BackupKeyText.ParseError) {
            return try BackupKeyText.parse(String(decoding: bytes, as: UTF8.self))
        } catch {
            throw OperatorError("\(path == "-" ? "Standard input" : path) holds no backup key: \(error).")
        }
    }

    /// Refuses a backup that another service signed.
    func requireService(_ trusted: [[UInt8]]) throws {
        guard trusted.contains(file.header.service) else {
            throw OperatorError(
                "\(file.path) was made by service \(Hex.encode(file.header.service)), which is none of the signing keys of this data directory "
                    + "(\(trusted.map { Hex.encode($0) }.joined(separator: ", "))). It is another installation's, or forged; nothing was changed.")
        }
    }

    /// Writes the opened catalog to `path`, a new file of mode 0600, durable on return.
    func extractCatalog(privateKey: SecretKey, to path: String, in directory: String) async throws {
        guard file.header.kind == .catalog else {
            throw OperatorError("\(file.path) holds a \(file.header.kind.name), not a catalog.")
        }
        let target = try await disk.createTemporary(in: directory)
        do {
            try await Self.explaining(file.path) {
                var isFirst = true
                let bytes = try await file.readPayload(privateKey: privateKey, on: compute) { piece in
                    if isFirst, !piece.readableBytesView.starts(with: Array("SQLite format 3\0".utf8)) {
                        throw FormatError.malformed("the payload is no SQLite database")
                    }
                    isFirst = false
                    try await target.write(piece)
                }
                guard bytes > 0 else { throw FormatError.malformed("the payload is empty") }
            }
            try await target.sync()
            try await disk.publish(target, at: path)
            try await disk.syncDirectory(directory)
        } catch {
            await target.close()
            throw error
        }
        await target.close()
    }

    func keyring(privateKey: SecretKey) async throws -> KeyringBackup {
        try await Self.explaining(file.path) { try await file.keyring(privateKey: privateKey, on: compute) }
    }

    static func explaining<R>(_ path: String, _ body: () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch let error as FormatError {
            switch error {
            case .notABlob: throw UnusableBackup("\(path) is no backup of Coldvault (magic bytes missing).")
            case .wrongIdentity: throw OperatorError("\(path): \(error). Give the backup key that it was sealed to; nothing was changed.")
            case .wrongSignature: throw UnusableBackup("\(path): its signature is not that of the service that it names. Do not restore it.")
            case .seal(.truncated): throw UnusableBackup("\(path) is not whole: it was cut off, or something was added. Use another copy.")
            case .seal(.tampered): throw UnusableBackup("\(path) was changed after it was written. Use another copy.")
            default: throw UnusableBackup("\(path): \(error).")
            }
        }
    }
}

/// A backup that does not verify: exit code 5.
struct UnusableBackup: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What an opened catalog says about itself.
struct CatalogFacts: Sendable {
    /// Of the newest checkpoint in it.
    let generation: UInt64
    let totals: CatalogTotals

    static func read(_ catalog: SQLiteCatalog) async throws -> CatalogFacts {
        CatalogFacts(
            generation: try await VaultEngine.checkpointGeneration(of: catalog),
            totals: try await catalog.totals())
    }
}
