// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Foundation
import VaultClient

/// The directory under test: a vault's data directory and what is needed to open it again, all of it on the disk that
/// is tested.
struct TortureDirectory: Sendable {
    static let region = "us-east-1"
    static let vault = "torture"

    let path: String

    var dataPath: String { "\(path)/data" }
    var rootKeyPath: String { "\(path)/root.key" }
    var logPath: String { "\(path)/log.jsonl" }
    private var accessPath: String { "\(path)/access.json" }

    /// Makes a vault here. Refuses a directory that holds anything: nothing of anybody's is ever touched. Blocking.
    func create() throws {
        let files = FileManager.default
        try files.createDirectory(atPath: path, withIntermediateDirectories: true)
        let present = try files.contentsOfDirectory(atPath: path).filter { $0 != "lost+found" }
        guard present.isEmpty else {
            throw OperatorError(
                "\(path) is not empty (it holds \(present.sorted().prefix(3).joined(separator: ", "))); nothing was changed. "
                    + "Give a new directory on the disk to be tested.")
        }
        let process = try TortureProcess(
            ["init", "--data-dir", dataPath, "--root-key-file", rootKeyPath, "--region", Self.region, "--output", "json"], log: nil)
        let output = process.wholeOutput()
        guard process.wait() == 0, (try? JSONParser.parse(output)) != nil else {
            throw OperatorError("`coldvault init` failed in \(path).")
        }
        // Durable like the data itself: losing it would be a finding, too.
        let handle = try Self.newFile(accessPath)
        try handle.write(contentsOf: Data(output))
        try handle.synchronize()
        try handle.close()
        guard let directory = FileHandle(forReadingAtPath: path) else { return }
        // Not every file system syncs directories; those that do not need no sync.
        try? directory.synchronize()
    }

    /// Removes what ``create()`` and the service made, and nothing else. Blocking.
    func remove() throws {
        for name in [dataPath, rootKeyPath, accessPath, logPath] where FileManager.default.fileExists(atPath: name) {
            try FileManager.default.removeItem(atPath: name)
        }
    }

    /// Blocking.
    func credentials() throws -> AccessCredentials {
        guard let data = FileManager.default.contents(atPath: accessPath), let json = try? JSONParser.parse(Array(data)),
            let id = json["accessKeyId"]?.stringValue, let secret = json["secretAccessKey"]?.stringValue
        else { throw TortureFinding("\(accessPath) is lost or damaged, though it was synced before anything else was written") }
        return AccessCredentials(
            accessKeyID: id, secret: SecretBytes(bytes: Array(secret.utf8)), sessionToken: nil, origin: accessPath)
    }

    /// A file that did not exist, readable by its owner only.
    static func newFile(_ path: String) throws -> FileHandle {
        guard !FileManager.default.fileExists(atPath: path),
            FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw OperatorError("\(path) exists already, or cannot be written.") }
        return handle
    }
}
