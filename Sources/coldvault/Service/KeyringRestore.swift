// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import FileKeyCustody
import PosixDisk
import SealedArchive
import Storage
import Synchronization
import VaultEngine
import VaultModel

/// Brings the key files of a backup back: where there are none, or the same ones. Each file is written whole and durable, `format.json`
/// last, so that a restore that was interrupted can be run again and a directory without it is none.
struct KeyringRestore {
    let directory: DataDirectory
    let backup: OpenedBackup
    let privateKey: SecretKey
    let root: SecretKey
    let replaceKeys: Bool
    let now: Timestamp

    func run() async throws -> JSONValue {
        let files = try await backup.keyring(privateKey: privateKey).files
        try await openWithRoot(files)
        var missing: [String] = []
        var different: [String] = []
        for (name, content) in files.sorted(by: { $0.key < $1.key }) {
            let path = "\(directory.path)/\(name)"
            guard try await directory.disk.size(of: path) != nil else {
                missing.append(name)
                continue
            }
            let there = try await directory.disk.readAll(path, limit: KeyDirectory.maxFileBytes)
            // Recipients are no secret and may have changed since: those that are there stay.
            if there != content, name != BackupPlace.recipientsName { different.append(name) }
        }
        let extra = try await directory.keyFiles().list().map { "keys/\($0)" }.filter { files[$0] == nil }
        guard (different.isEmpty && (extra.isEmpty || missing.isEmpty)) || replaceKeys else {
            throw OperatorError(
                "keys/ is not what the backup holds: different are \(list(different)); only there are \(list(extra)); only in the backup are "
                    + "\(list(missing)). The keys that are there may be newer, and missing ones may have been destroyed on purpose. Nothing was "
                    + "changed. To put the backup's files in their place all the same, give --replace-keys.")
        }
        let stamp = now.iso8601Milliseconds.filter { $0 != ":" && $0 != "-" && $0 != "." }
        var kept: [String] = []
        for name in different {
            let path = "\(directory.path)/\(name)"
            let aside = "\(path).before-restore-\(stamp)"
            try await directory.disk.replace(aside, with: try await directory.disk.readAll(path, limit: KeyDirectory.maxFileBytes))
            kept.append(aside)
        }
        try await directory.disk.createDirectory(directory.keysPath)
        let order = (missing + different).sorted { ($0 == "format.json" ? 1 : 0, $0) < ($1 == "format.json" ? 1 : 0, $1) }
        for name in order {
            guard let content = files[name] else { continue }
            try await directory.disk.replace("\(directory.path)/\(name)", with: content)
        }
        return [
            "created": .string(
                Timestamp(milliseconds: Int64(clamping: backup.file.header.createdMilliseconds)).iso8601Milliseconds),
            "kept": .array(kept.map { .string($0) }), "kind": "keyring", "onlyThere": .array(extra.map { .string($0) }),
            "restored": .integer(Int64(order.count)), "unchanged": .integer(Int64(files.count - order.count)),
        ]
    }

    /// Every key file must open with the root key, and the signing key must be the one that signed the backup, before anything is written.
    private func openWithRoot(_ files: [String: [UInt8]]) async throws {
        let random = SystemRandomBytes()
        var keys: [String: [UInt8]] = [:]
        for (name, content) in files where name.hasPrefix("keys/") { keys[String(name.dropFirst(5))] = content }
        let keyring = try await Keyring.open(
            files: HeldKeyFiles(files: keys), root: FileKeyCustody(rootKey: root, random: random), random: random,
            recoveryCustody: { RecoveryKeyCustody(recoveryKey: $0, random: random) })
        try backup.requireService(keyring.signingPublicKeys)
    }

    private func list(_ names: [String]) -> String {
        guard !names.isEmpty else { return "none" }
        return names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
    }
}

/// Key files that are looked at and not written.
struct HeldKeyFiles: KeyFileStore {
    let files: [String: [UInt8]]

    func list() async throws(StorageError) -> [String] { files.keys.sorted() }

    func read(_ name: String) async throws(StorageError) -> [UInt8] {
        guard let bytes = files[name] else { throw StorageError(.notFound, "there is no key file \(name)") }
        return bytes
    }

    func replace(_ name: String, with bytes: [UInt8]) async throws(StorageError) { throw refusal }
    func remove(_ name: String) async throws(StorageError) { throw refusal }
    func copyAll(to path: String) async throws(StorageError) -> Int { throw refusal }

    private var refusal: StorageError { StorageError(.unusable, "these key files are only read") }
}
