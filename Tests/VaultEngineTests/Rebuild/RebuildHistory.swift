// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// A random life of a service, out of one seed, and what it acknowledged.
struct RebuildHistory {
    private static let mebi = 1 << 20
    private static let accounts = ["123456789012", "210987654321"].compactMap { AccountID($0) }

    private struct OpenUpload {
        let id: String
        let location: VaultLocation
        /// Acknowledged parts by index.
        var parts: [Int: [UInt8]] = [:]
    }

    let vault: TestVault
    private let isFailing: Bool
    private var choices: SeededGenerator
    private(set) var verbs: [String: Int] = [:]
    private(set) var failures = 0

    // What was acknowledged and not put in doubt by a change that failed.
    private var vaults: Set<VaultLocation> = []
    private var archives: [String: (location: VaultLocation, description: String, size: Int)] = [:]
    private var deleted: [String: VaultLocation] = [:]
    private var uploads: [OpenUpload] = []
    private var tags: [VaultLocation: [String: String]] = [:]
    private var locks: [VaultLocation: VaultLock] = [:]
    private var users: [String: Bool] = [:]

    init(_ vault: TestVault, seed: UInt64, failing: Bool = false) {
        self.vault = vault
        isFailing = failing
        choices = SeededGenerator(seed: seed)
    }

    mutating func begin() async throws {
        for account in Self.accounts { _ = try await vault.engine.createAccount(account) }
        vaults.insert(vault.location)
    }

    /// One process: it opens the keys itself, works and stops.
    mutating func live(steps: Int) async throws {
        let engine = try await vault.anotherEngine()
        for _ in 0..<steps {
            vault.clock.advance(by: .milliseconds(Int64.random(in: 1...60_000, using: &choices)))
            try await step(engine)
        }
        // Maintenance by yet another one, as far as it comes.
        if Bool.random(using: &choices) {
            let other = try await vault.anotherEngine()
            do {
                try await vault.running([other]) {
                    vault.clock.advance(by: .seconds(200))
                    for _ in 0..<20 { await Task.yield() }
                }
            } catch let error as VaultError where error.code == .unavailable {
                // Stopped, or failed, before it was ready: that is a life, too.
            }
        }
    }

    private mutating func step(_ engine: VaultEngine) async throws {
        if isFailing, Int.random(in: 0..<4, using: &choices) == 0 {
            let faults: [(MemoryBlobStore.Operation, StorageError.Code)] = [
                (.putAll, .transient), (.putAll, .noSpace), (.putAll, .outcomeUnknown), (.commit, .transient), (.commit, .outcomeUnknown),
                (.read, .transient), (.list, .transient), (.delete, .transient),
            ]
            if let (operation, code) = faults.randomElement(using: &choices) { vault.cold.memory.fail(operation, with: [code]) }
        }
        let all = [
            "vault", "upload", "upload", "upload", "delete", "delete", "begin", "part", "part", "part", "complete", "complete", "abort",
            "tag", "untag", "policy", "compression", "lock", "user", "user policy", "key", "rotate vault", "rotate master", "delete vault",
            "capacity",
        ]
        let verb = all.randomElement(using: &choices) ?? "upload"
        verbs[verb, default: 0] += 1
        do {
            try await perform(verb, engine)
        } catch let error as VaultError {
            if [.unavailable, .internalFailure, .integrity].contains(error.code) { failures += 1 }
            #expect(isFailing || ![.unavailable, .internalFailure, .integrity].contains(error.code), "\(verb): \(error)")
        }
    }

    private mutating func somewhere() -> VaultLocation {
        vaults.sorted { $0.arn < $1.arn }.randomElement(using: &choices) ?? vault.location
    }

    private mutating func perform(_ verb: String, _ engine: VaultEngine) async throws {
        let place = somewhere()
        let account = Self.accounts.randomElement(using: &choices) ?? TestVault.account
        switch verb {
        case "vault":
            let name = ["a", "b", "c", "d"].randomElement(using: &choices) ?? "a"
            let location = VaultLocation(account: account, region: TestVault.region, name: try #require(VaultName(name)))
            try await engine.createVault(location)
            vaults.insert(location)
        case "delete vault":
            // From here until it is refused as not empty, nothing of it is certain.
            let before = self
            vaults.remove(place)
            tags[place] = nil
            locks[place] = nil
            uploads.removeAll { $0.location == place }
            do {
                try await engine.deleteVault(place)
            } catch {
                guard error.code == .invalidParameter else { throw error }
                (vaults, tags, locks, uploads) = (before.vaults, before.tags, before.locks, before.uploads)
            }
        case "upload": try await upload(engine, place)
        case "delete":
            guard let id = archives.keys.sorted().randomElement(using: &choices), let archive = archives[id] else { return }
            guard locks[archive.location] == nil else { return }
            archives[id] = nil
            try await engine.deleteArchive(archive.location, archiveID: id)
            deleted[id] = archive.location
        case "begin":
            let id = try await engine.initiateUpload(place, partBytes: 1 << 20, description: "upload \(choices.next())")
            uploads.append(OpenUpload(id: id, location: place))
        case "part": try await part(engine)
        case "complete": try await complete(engine)
        case "abort":
            guard let index = uploads.indices.randomElement(using: &choices) else { return }
            let upload = uploads.remove(at: index)
            try await engine.abortUpload(upload.location, uploadID: upload.id)
        case "tag", "untag":
            let key = ["x", "y", "z"].randomElement(using: &choices) ?? "x"
            let before = tags.removeValue(forKey: place) ?? [:]
            if verb == "tag" {
                let value = "\(choices.next())"
                try await engine.addTags(place, [key: value])
                tags[place] = before.merging([key: value]) { _, new in new }
            } else {
                try await engine.removeTags(place, [key])
                tags[place] = before.filter { $0.key != key }
            }
        case "policy":
            try await engine.setVaultAccessPolicy(place, PolicyText.retention(days: Int.random(in: 1...9, using: &choices), on: place))
        case "compression": try await engine.setVaultCompression(place, ["lz4", "none", nil].randomElement(using: &choices) ?? nil)
        case "lock":
            guard locks.count < 2, place != vault.location else { return }
            let id = try await engine.initiateVaultLock(place, policy: PolicyText.retention(days: 365, on: place))
            try await engine.completeVaultLock(place, lockID: id)
            locks[place] = try await engine.vaultLock(place)
        case "user":
            let name = "user\(Int.random(in: 0..<5, using: &choices))"
            let user = try #require(UserName(name))
            let key = "\(account)/\(name)"
            let was = users.removeValue(forKey: key)
            if was == nil {
                try await engine.createUser(account, user)
                users[key] = true
            } else {
                try await engine.deleteUser(account, user)
                users[key] = false
            }
        case "user policy":
            guard let key = users.filter(\.value).keys.sorted().randomElement(using: &choices) else { return }
            let fields = key.split(separator: "/").map(String.init)
            try await engine.putUserPolicy(
                try #require(AccountID(fields[0])), try #require(UserName(fields[1])), name: "p", document: UserTests.allowList)
        case "key": _ = try await engine.createAccessKey(account)
        case "capacity": _ = try await engine.purchaseProvisionedCapacity(account, TestVault.region)
        case "rotate vault": _ = try await engine.rotateVaultKey(place)
        default: _ = try await engine.rotateMasterKey()
        }
    }

    private mutating func upload(_ engine: VaultEngine, _ place: VaultLocation) async throws {
        let bytes = content(Int.random(in: 1...3000, using: &choices), seed: choices.next())
        let description = "archive \(choices.next())"
        let stored = try await engine.uploadArchive(
            UploadArchiveRequest(
                location: place, contentLength: UInt64(bytes.count), treeHash: naiveTreeHash(bytes),
                linearHash: SHA256Hasher.hash(bytes), description: description), body: Body(bytes))
        archives[stored.archiveID] = (place, description, bytes.count)
    }

    private mutating func part(_ engine: VaultEngine) async throws {
        guard let position = uploads.indices.randomElement(using: &choices) else { return }
        let upload = uploads[position]
        let index = Int.random(in: 0...min(2, upload.parts.count), using: &choices)
        let bytes = content(Self.mebi, seed: choices.next())
        // Whether the older or the newer write counts is open until the newer one is acknowledged.
        uploads[position].parts[index] = nil
        let first = UInt64(index * Self.mebi)
        let range = try #require(ByteRange(first: first, last: first + UInt64(bytes.count) - 1))
        _ = try await engine.uploadPart(
            UploadPartRequest(
                location: upload.location, uploadID: upload.id, range: range, treeHash: naiveTreeHash(bytes),
                linearHash: SHA256Hasher.hash(bytes)), body: Body(bytes))
        uploads[position].parts[index] = bytes
    }

    private mutating func complete(_ engine: VaultEngine) async throws {
        let whole = uploads.indices.filter { position in
            let parts = uploads[position].parts
            return !parts.isEmpty && parts.keys.sorted() == Array(0..<parts.count)
        }
        guard let position = whole.randomElement(using: &choices) else { return }
        let upload = uploads[position]
        let bytes = upload.parts.sorted { $0.key < $1.key }.flatMap(\.value)
        uploads.remove(at: position)
        do {
            let stored = try await engine.completeUpload(
                upload.location, uploadID: upload.id, size: UInt64(bytes.count), treeHash: naiveTreeHash(bytes))
            archives[stored.archiveID] = (upload.location, "", bytes.count)
        } catch {
            guard error.code == .invalidParameter else { throw error }
            // A part of which nothing was acknowledged lies behind the others.
            uploads.append(upload)
        }
    }

    /// Uses up the failures that are still planned.
    func calm() async {
        guard let id = BlobID("calm") else { return }
        let store = vault.cold.memory
        for _ in 0..<200 {
            _ = try? await store.list(prefix: "calm", after: nil, limit: 1)
            _ = try? await store.read(id, range: 0..<1)
            try? await store.putAll([(id, ByteBuffer(string: "x"))])
            if let writer = try? await store.beginWrite(id, expectedBytes: 1) { try? await writer.commit() }
            try? await store.delete(id)
        }
    }

    func expectAcknowledged(in rebuilt: Rebuilt, _ label: String) async throws {
        for location in vaults {
            let found = try await rebuilt.catalog.vault(at: location)
            #expect(found != nil, "\(label): \(location.arn)")
        }
        for (id, expected) in archives {
            let archive = try await row(id, expected.location, rebuilt)
            #expect(archive?.state == .stored && archive?.size == UInt64(expected.size), "\(label): \(id) \(String(describing: archive))")
        }
        for (id, location) in deleted {
            let archive = try await row(id, location, rebuilt)
            #expect(archive?.state != .stored, "\(label): deleted \(id)")
        }
        for upload in uploads {
            let identifier = rebuilt.engine.keyring.identifiers.parse(upload.id, kind: .upload, account: upload.location.account)
            let row = try await rebuilt.catalog.upload(UploadUID(words: try #require(identifier).uid))
            #expect(row?.state == .open, "\(label): upload \(upload.id) \(String(describing: row?.state))")
            guard let row, row.state == .open, let owner = try await rebuilt.catalog.vault(row.vault) else { continue }
            let parts = try await rebuilt.catalog.parts(row.uid, from: 0, limit: 100)
            for (index, bytes) in upload.parts {
                let part = parts.first { $0.index == UInt32(index) }
                let column = try part.map {
                    try rebuilt.engine.keyring.open(
                        $0.sealed, as: PartColumn.self, uid: VaultEngine.partRowUID(row.uid, $0.index), of: owner)
                }
                #expect(column?.treeHash == naiveTreeHash(bytes), "\(label): part \(index) of \(upload.id)")
            }
        }
        for (location, expected) in tags where vaults.contains(location) {
            let found = try await rebuilt.engine.tags(location)
            #expect(found == expected, "\(label): tags of \(location.arn)")
        }
        for (location, lock) in locks where vaults.contains(location) {
            let found = try await rebuilt.engine.vaultLock(location)
            #expect(found == lock, "\(label): lock of \(location.arn)")
        }
        for (key, exists) in users {
            let fields = key.split(separator: "/").map(String.init)
            let listed = try await rebuilt.engine.listUsers(try #require(AccountID(fields[0]))).map(\.name.text)
            #expect(listed.contains(fields[1]) == exists, "\(label): user \(key)")
        }
    }

    private func row(_ id: String, _ location: VaultLocation, _ rebuilt: Rebuilt) async throws -> ArchiveRow? {
        let identifier = try #require(rebuilt.engine.keyring.identifiers.parse(id, kind: .archive, account: location.account))
        return try await rebuilt.catalog.archive(ArchiveUID(words: identifier.uid))
    }
}
