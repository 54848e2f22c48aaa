// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Execution
import FileBlobStore
import FileKeyCustody
import PosixDisk
import SQLiteCatalog
import SealedArchive
import Storage
import VaultEngine
import VaultModel

/// The data directory as a contract (Docs/Formats/DataDirectory-v1.md): where things are, and what `format.json` says.
struct DataDirectory: Sendable {
    private static let format = "coldvault-data"
    private static let version: Int64 = 1
    private static let maxFormatBytes = 64 << 10

    let path: String
    let disk: PosixDisk

    var formatPath: String { "\(path)/format.json" }
    var catalogPath: String { "\(path)/catalog.sqlite" }
    var blobsPath: String { "\(path)/blobs" }
    var stagingPath: String { "\(path)/staging" }
    var reservePath: String { "\(path)/reserve" }
    /// What the directory knows of its second copy; absent without one.
    var mirrorPath: String { "\(path)/mirror.json" }
    var keysPath: String { "\(path)/keys" }

    /// What `init` fixed for the directory.
    struct Facts: Sendable {
        let region: Region
    }

    func isInitialised() async throws(StorageError) -> Bool { try await disk.size(of: formatPath) != nil }

    /// Refuses a directory that `init` has not finished or that a newer Coldvault made.
    func readFacts() async throws -> Facts {
        let bytes: [UInt8]
        do throws(StorageError) {
            bytes = try await disk.readAll(formatPath, limit: Self.maxFormatBytes)
        } catch {
            guard error.code == .notFound else { throw error }
            throw OperatorError("\(path) is not a Coldvault data directory (it has no format.json). Make one with `coldvault init`.")
        }
        guard let document = try? JSONParser.parse(bytes), document["format"]?.stringValue == Self.format,
            let version = document["version"]?.integerValue, let regionText = document["region"]?.stringValue,
            let region = Region(regionText)
        else { throw OperatorError("\(formatPath) cannot be read: restore it from a copy of the directory.") }
        guard version <= Self.version else {
            throw OperatorError(
                "\(path) has format version \(version), made by a newer Coldvault; this one knows up to \(Self.version). Upgrade coldvault.")
        }
        return Facts(region: region)
    }

    /// The last step of `init`: from now on the directory counts as one.
    func writeFacts(_ facts: Facts) async throws {
        let document: JSONValue = [
            "format": .string(Self.format), "region": .string(facts.region.code), "version": .integer(Self.version),
        ]
        try await disk.replace(formatPath, with: document.canonicalBytes())
    }

    func rootKeyFile(_ path: String) -> RootKeyFile {
        RootKeyFile(path: path, disk: disk) { path throws(StorageError) in try await disk.permissions(of: path) }
    }

    func keyFiles() -> KeyDirectory { KeyDirectory(disk: disk, path: keysPath) }
    func coldStore(reserveBytes: UInt64) -> FileBlobStore { FileBlobStore(disk: disk, root: blobsPath, reserveBytes: reserveBytes) }
    func warmStore(reserveBytes: UInt64) -> FileBlobStore { FileBlobStore(disk: disk, root: stagingPath, reserveBytes: reserveBytes) }
}

/// A refusal with its remedy, for the person at the command line.
struct OperatorError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
