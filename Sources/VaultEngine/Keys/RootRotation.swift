// SPDX-License-Identifier: Apache-2.0

public import Cryptography
import SealedArchive
public import Storage
public import VaultModel

/// Replaces a root key under which the files of `keys/` are wrapped. Docs/Formats/Keyring-v1.md §6; for a directory that no service uses.
///
///     every file: {old, other} ─ add ▶ {old, other, new} ─ (all verified) ─ remove ▶ {other, new} ─ ▶ copied to the mirror
///
/// Invariants:
///  1. A file has two slots or more at every moment; each replacement is atomic and durable.
///  2. At every moment one root key opens all files: the old one until all have been read back through the new one, then the new one.
///  3. Every step can be repeated: a rotation that was interrupted is finished by running it again with the same keys. Nothing is written
///     before every file has opened.
///  4. A mirror is made equal to the first copy at the end. Left as it was it would hold keys that the old root or recovery key opens, and
///     a scrub would bring removed files back from it.
public struct RootRotation: Sendable {
    private let files: any KeyFileStore
    private let copies: KeyFileCopies
    private let random: any RandomByteSource

    /// - Parameter mirrors: further copies of `files`, each of them there.
    public init(files: any KeyFileStore, mirrors: [any KeyFileStore] = [], random: any RandomByteSource) {
        self.files = files
        copies = KeyFileCopies(first: files, others: mirrors)
        self.random = random
    }

    /// What a rotation did.
    public struct Report: Sendable, Hashable {
        public let files: Int
        public let added: Int
        public let removed: Int
    }

    /// A key file as it is stored, and the key in it.
    private struct Entry {
        var file: KeyFile
        let key: SecretKey
    }

    /// Throws when one of the files opens with none of these; nothing is written.
    public func check(_ custodies: [any KeyCustody]) async throws(VaultError) {
        do {
            _ = try await readAll(with: custodies)
        } catch {
            throw KeyringFiles.explain(error)
        }
    }

    // MARK: the operating root key

    /// Afterwards `new` opens every file and `old` none. Refused before anything is written when one of the files opens with neither.
    public func replace(_ old: any KeyCustody, with new: any KeyCustody) async throws(VaultError) -> Report {
        do {
            guard old.kind != new.kind || old.reference != new.reference else {
                throw VaultError(.invalidParameter, "The new root key is the old one. Give another file; nothing was changed.")
            }
            var entries = try await readEveryCopy(with: [new, old])
            let added = try await addSlot(new, to: &entries)
            try await verify(entries, with: new)
            let removed = try await removeSlots(from: &entries) {
                $0.custody == old.kind && KeyringFiles.hex($0.reference) == old.reference
            }
            try await verify(entries, with: new)
            try await copies.follow()
            return Report(files: entries.count, added: added, removed: removed)
        } catch {
            throw KeyringFiles.explain(error)
        }
    }

    // MARK: the recovery key

    /// Makes a new recovery key, or finishes with the one that an interrupted rotation has made. Afterwards the result and `root` open every
    /// file and no older recovery key does; it is for the caller to show it, once.
    /// - Parameter custody: the recovery slot's custody over a recovery key.
    public func replaceRecoveryKey(
        root: any KeyCustody, now: Timestamp, custody: (SecretKey) -> any KeyCustody
    ) async throws(VaultError) -> (key: SecretKey, report: Report) {
        do {
            var entries = try await readEveryCopy(with: [root])
            let known = entries.filter { $0.file.purpose == .recovery }.sorted { $0.file.keyVersion < $1.file.keyVersion }
            guard let newest = known.last else {
                throw VaultError(.integrity, "The keyring is incomplete: keys/ holds no recovery key file. Restore keys/.")
            }
            var recovery = newest
            let isInterrupted =
                known.count > 1 || entries.contains { entry in !entry.file.slots.contains { fits($0, custody(newest.key)) } }
            if !isInterrupted {
                // With the old recovery slot, too, so that the old key opens everything for as long as it opens anything.
                let key = SecretKey(random: random)
                let version = newest.file.keyVersion + 1
                try await KeyringFiles.write(
                    key, purpose: .recovery, version: version, created: now,
                    custodies: [root, custody(newest.key), custody(key)], to: files)
                let name = KeyFile.fileName(purpose: .recovery, keyVersion: version)
                recovery = Entry(file: try KeyFile(decoding: try await files.read(name)), key: key)
                entries.append(recovery)
            }
            let new = custody(recovery.key)
            let added = try await addSlot(new, to: &entries)
            try await verify(entries, with: new)
            let removed = try await removeSlots(from: &entries) { $0.custody == new.kind && !fits($0, new) }
            for entry in entries where entry.file.purpose == .recovery && entry.file.keyVersion != recovery.file.keyVersion {
                try await files.remove(entry.file.fileName)
            }
            entries.removeAll { $0.file.purpose == .recovery && $0.file.keyVersion != recovery.file.keyVersion }
            try await verify(entries, with: root)
            try await verify(entries, with: new)
            try await copies.follow()
            return (recovery.key, Report(files: entries.count, added: added, removed: removed))
        } catch {
            throw KeyringFiles.explain(error)
        }
    }

    // MARK: steps

    private func readAll(with custodies: [any KeyCustody]) async throws -> [Entry] {
        var entries: [Entry] = []
        for name in try await files.list() where name.hasSuffix(".json") {
            let (file, key) = try await KeyringFiles.read(name, from: files, with: custodies)
            entries.append(Entry(file: file, key: key))
        }
        for file in try await copies.missing() { _ = try await KeyringFiles.open(file.bytes, named: file.name, with: custodies) }
        guard entries.contains(where: { $0.file.purpose == .master }) else {
            throw VaultError(.integrity, "keys/ holds no master key. Name the right data directory, or restore keys/.")
        }
        return entries
    }

    /// The same, after the first copy was given what only a mirror has.
    private func readEveryCopy(with custodies: [any KeyCustody]) async throws -> [Entry] {
        _ = try await readAll(with: custodies)
        try await copies.completeFirst()
        return try await readAll(with: custodies)
    }

    private func fits(_ slot: KeySlot, _ custody: any KeyCustody) -> Bool {
        slot.custody == custody.kind && KeyringFiles.hex(slot.reference) == custody.reference
    }

    private func addSlot(_ custody: any KeyCustody, to entries: inout [Entry]) async throws -> Int {
        var added = 0
        for index in entries.indices where !entries[index].file.slots.contains(where: { fits($0, custody) }) {
            var file = entries[index].file
            guard file.slots.count < KeyFile.slotCounts.upperBound, let reference = ArchiveUID(hex: custody.reference)?.bytes else {
                throw VaultError(.limitExceeded, "keys/\(file.fileName) has no room for another slot.")
            }
            file.slots.append(
                KeySlot(
                    custody: custody.kind, reference: reference,
                    wrapped: try await custody.wrap(entries[index].key, context: file.wrapContext.bytes)))
            file.generation += 1
            try await files.replace(file.fileName, with: file.encode())
            entries[index].file = file
            added += 1
        }
        return added
    }

    /// Reads every file back and opens it through `custody` alone.
    private func verify(_ entries: [Entry], with custody: any KeyCustody) async throws {
        for entry in entries {
            let stored = try KeyFile(decoding: try await files.read(entry.file.fileName))
            guard stored == entry.file, try await KeyringFiles.unwrap(stored, with: [custody]).isEqual(to: entry.key) else {
                throw VaultError(
                    .integrity, "keys/\(entry.file.fileName) does not read back through its new slot. No slot was taken away; run it again.")
            }
        }
    }

    private func removeSlots(from entries: inout [Entry], _ isOld: (KeySlot) -> Bool) async throws -> Int {
        var removed = 0
        for index in entries.indices where entries[index].file.slots.contains(where: isOld) {
            var file = entries[index].file
            file.slots.removeAll(where: isOld)
            guard file.slots.count >= KeyFile.slotCounts.lowerBound else {
                throw VaultError(
                    .integrity, "keys/\(file.fileName) would be left with \(file.slots.count) slot. Nothing was taken away from it.")
            }
            file.generation += 1
            try await files.replace(file.fileName, with: file.encode())
            entries[index].file = file
            removed += 1
        }
        return removed
    }
}
