// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import FileBlobStore
import FileKeyCustody
import Logging
import PosixDisk
import SQLiteCatalog
import SealedArchive
import Storage
import StorageLaws
import Synchronization
import Testing
import VaultModel

@testable import VaultEngine

@Suite(.serialized) struct KeyTests {
    /// What another process would find: a keyring opened from the files, an engine over it.
    private func expectReadable(_ vault: TestVault, _ archives: [(id: String, bytes: [UInt8])]) async throws {
        let fresh = try await vault.anotherEngine()
        try await vault.running([fresh]) {
            for (id, bytes) in archives {
                let job = try await vault.retrieve(id)
                // The job was queued by another process, so only the heartbeat finds it.
                let ended = try await vault.ended(job, advancing: .milliseconds(100))
                #expect(ended.status == .succeeded, "\(ended.statusMessage ?? "")")
                let received = try await vault.output(job, of: fresh)
                #expect(received == bytes)
            }
        }
    }

    @Test func rotatingTheMasterKeyLeavesNothingOnTheOldVersion() async throws {
        try await withVault { vault in
            var archives: [(id: String, bytes: [UInt8])] = []
            for name in ["v", "w", "x"] {
                try await vault.engine.createVault(TestVault.location(name))
            }
            for number in 0..<3 {
                let bytes = content(1000 + number, seed: UInt64(number))
                archives.append((try await vault.upload(bytes).archiveID, bytes))
            }
            let access = try await vault.engine.createAccount(nil)
            let upload = try await vault.engine.initiateUpload(vault.location, partBytes: 1 << 20, description: "")
            try await vault.part(upload, at: 0, [5, 6])
            for version in 2...4 as ClosedRange<UInt32> {
                let report = try await vault.engine.rotateMasterKey()
                #expect(report == RotationReport(newVersion: version, rewrappedVaultKeys: 3, resealedAccounts: 1))
                let listing = try await vault.engine.listKeys()
                #expect(listing.master.map(\.version) == Array(1...version))
                // Three vault keys, the account and its access key.
                #expect(listing.master.map(\.references) == [UInt64](repeating: 0, count: Int(version) - 1) + [5])
                #expect(listing.master.map(\.isCurrent) == [Bool](repeating: false, count: Int(version) - 1) + [true])
                #expect(listing.master.allSatisfy { $0.slots.count == 2 })
                #expect(listing.vaults.allSatisfy { $0.masterVersion == version })
            }
            let stored = try await vault.engine.completeUpload(
                vault.location, uploadID: upload, size: 2, treeHash: naiveTreeHash([5, 6]))
            archives.append((stored.archiveID, [5, 6]))
            try await expectReadable(vault, archives)
            let credential = try #require(try await vault.anotherEngine().credential(for: access.accessKeyID))
            #expect(credential.secret.isEqual(to: SecretBytes(bytes: Array(access.secretAccessKey.utf8))))
        }
    }

    /// Seed 1022 of the simulation.
    @Test func aVaultThatIsDeletedDuringTheRotationDoesNotFailIt() async throws {
        try await withVault { vault in
            let other = TestVault.location("w")
            try await vault.engine.createVault(other)
            let rows = [try await vault.catalog.vault(at: vault.location), try await vault.catalog.vault(at: other)].compactMap { $0 }
            #expect(rows.count == 2)
            let deleted = Mutex<VaultLocation?>(nil)
            vault.cold.onPut { id in
                // While one vault's record is written, the other goes.
                guard let index = rows.firstIndex(where: { id.name.contains($0.uid.hex) }), deleted.withLock({ $0 == nil }) else { return }
                let victim = rows[1 - index].location
                deleted.withLock { $0 = victim }
                do {
                    try await vault.engine.deleteVault(victim)
                } catch {
                    Issue.record("\(error)")
                }
            }
            let report = try await vault.engine.rotateMasterKey()
            vault.cold.onPut(nil)
            #expect(deleted.withLock { $0 } != nil)
            #expect(report.newVersion == 2)
            let listing = try await vault.engine.listKeys()
            #expect(listing.vaults.map(\.masterVersion) == [2])
            #expect(listing.master.map(\.references) == [0, 1])
        }
    }

    @Test func rotationsAtOnceNeverReplaceAKeyInUse() async throws {
        try await withVault { vault in
            let bytes = content(100, seed: 1)
            var archives = [(id: try await vault.upload(bytes).archiveID, bytes: bytes)]
            // A second rotation comes while the first one writes its key file.
            vault.keyFiles.beforeNextReplacement {
                await expectRefusal(.unavailable, "being rotated already") {
                    _ = try await vault.engine.rotateMasterKey()
                }
            }
            #expect(try await vault.engine.rotateMasterKey().newVersion == 2)
            archives.append((try await vault.upload(bytes).archiveID, bytes))
            #expect(try await vault.engine.rotateMasterKey().newVersion == 3)
            try await expectReadable(vault, archives)
        }
    }

    @Test func aRotationThatACrashInterruptedIsFinishedAtStart() async throws {
        try await withVault { vault in
            let bytes = content(100, seed: 1)
            let stored = try await vault.upload(bytes)
            _ = try await vault.engine.createAccount(nil)
            _ = try await vault.keyring.addMaster(now: vault.clock.now())
            let fresh = try await vault.anotherEngine()
            #expect(try await fresh.listKeys().master.map(\.references) == [3, 0])
            try await vault.running([fresh]) {
                try await vault.until("the end of the rotation") {
                    try await fresh.listKeys().master.map(\.references) == [0, 3]
                }
            }
            try await expectReadable(vault, [(stored.archiveID, bytes)])
        }
    }

    /// A rotation that could not be committed has made a key of the next version, and the rotation after it makes another.
    @Test func keysOfTheSameVersionAreNeverMixedUp() async throws {
        try await withVault { vault in
            let row = try #require(try await vault.catalog.vault(at: vault.location))
            func rotated() throws -> VaultRow {
                var next = row
                next.keys.append(
                    try vault.keyring.makeVaultKey(
                        account: row.location.account, vault: row.uid, version: 2, now: vault.clock.now()))
                return next
            }
            let (failed, committed) = (try rotated(), try rotated())
            let abandoned = try vault.keyring.currentKey(of: failed).key
            #expect(!(try vault.keyring.currentKey(of: committed).key.isEqual(to: abandoned)))
        }
    }

    @Test func aNewVaultKeyIsForNewArchivesOnly() async throws {
        try await withVault { vault in
            let (old, new) = (content(2 << 20, seed: 1), content(3000, seed: 2))
            let before = try await vault.upload(old, description: "old")
            let report = try await vault.engine.rotateVaultKey(vault.location)
            #expect(report.newVersion == 2)
            let after = try await vault.upload(new, description: "new")
            let keys = try await vault.engine.listKeys().vaults
            #expect(
                keys.map(\.version) == [1, 2] && keys.map(\.references) == [1, 1]
                    && keys.map(\.isCurrent) == [false, true])
            _ = try await vault.engine.rotateMasterKey()
            try await expectReadable(vault, [(before.archiveID, old), (after.archiveID, new)])
            // The old version's last archive takes its reference along.
            try await vault.engine.deleteArchive(vault.location, archiveID: before.archiveID)
            try await vault.running {
                try await vault.until("the purge", advancing: .seconds(1000)) {
                    try await vault.engine.listKeys().vaults.map(\.references) == [0, 1]
                }
            }
        }
    }

    @Test func onlyTheRootKeyAndTheRecoveryKeyOpenTheKeyring() async throws {
        try await withVault { vault in
            let wrong = SecretKey(random: vault.random)
            await expectRefusal(.accessDenied, "not the root key of this data directory") {
                _ = try await TestVault.openKeyring(vault.keyFiles, wrong, vault.random)
            }
            await expectRefusal(.invalidParameter, "has a keyring already") {
                try await Keyring.create(
                    files: vault.keyFiles, root: FileKeyCustody(rootKey: wrong, random: vault.random),
                    recovery: RecoveryKeyCustody(recoveryKey: wrong, random: vault.random), recoveryKey: wrong,
                    now: vault.clock.now(),
                    random: vault.random)
            }
            await expectRefusal(.integrity, "keyring is incomplete") {
                _ = try await TestVault.openKeyring(MemoryKeyFiles(), vault.root, vault.random)
            }
            // A damaged key file is refused, not skipped.
            let name = try #require(try await vault.keyFiles.list().first { $0.contains("master") })
            var bytes = try await vault.keyFiles.read(name)
            let position = try #require(bytes.lastIndex(of: UInt8(ascii: "=")) ?? bytes.indices.last) - 10
            bytes[position] = bytes[position] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            let first = Array("wrapped\":\"".utf8)
            let start =
                try #require((0..<bytes.count - first.count).first { Array(bytes[$0..<$0 + first.count]) == first })
                + first.count + 20
            bytes[start] = bytes[start] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            try await vault.keyFiles.replace(name, with: bytes)
            await expectRefusal(.integrity) {
                _ = try await TestVault.openKeyring(vault.keyFiles, vault.root, vault.random)
            }
        }
    }

    @Test func theRecoveryKeyOpensWhatTheRootKeyDid() async throws {
        try await withTemporaryDirectory { _ in
            let random = SeededRandom(seed: 9)
            let files = MemoryKeyFiles()
            let (root, recovery) = (SecretKey(random: random), SecretKey(random: random))
            let recoveryCustody = RecoveryKeyCustody(recoveryKey: recovery, random: random)
            try await Keyring.create(
                files: files, root: FileKeyCustody(rootKey: root, random: random), recovery: recoveryCustody,
                recoveryKey: recovery,
                now: Timestamp(milliseconds: 1), random: random)
            let normal = try await TestVault.openKeyring(files, root, random)
            _ = try await normal.addMaster(now: Timestamp(milliseconds: 2))
            let emergency = try await Keyring.open(files: files, root: recoveryCustody, random: random) { _ in
                recoveryCustody
            }
            #expect(emergency.masterKeys.map(\.version) == [1, 2])
            #expect(try emergency.master(2).isEqual(to: normal.master(2)))
        }
    }

    @Test func aColumnMovedToAnotherRowOrTableDoesNotOpen() async throws {
        try await withVault { vault in
            try await vault.upload([1], description: "one")
            try await vault.upload([2], description: "two")
            let row = try #require(try await vault.catalog.vault(at: vault.location))
            let archives = try await vault.catalog.archives(
                vault: row.uid, after: nil, from: nil, until: nil, limit: 10)
            let (a, b) = (archives[0], archives[1])
            #expect(
                try vault.keyring.open(a.sealed, as: ArchiveColumn.self, uid: a.uid.bytes, of: row).description.isEmpty
                    == false)
            func refused(_ body: () throws -> Void) { #expect(throws: VaultError.self) { try body() } }
            refused { _ = try vault.keyring.open(a.sealed, as: ArchiveColumn.self, uid: b.uid.bytes, of: row) }
            refused { _ = try vault.keyring.open(a.sealed, as: UploadColumn.self, uid: a.uid.bytes, of: row) }
            var bytes = a.sealed.bytes
            bytes[bytes.count - 1] ^= 1
            let changed = SealedColumnValue(keyVersion: 1, bytes: bytes)
            refused { _ = try vault.keyring.open(changed, as: ArchiveColumn.self, uid: a.uid.bytes, of: row) }
            let unknown = SealedColumnValue(keyVersion: 2, bytes: a.sealed.bytes)
            refused { _ = try vault.keyring.open(unknown, as: ArchiveColumn.self, uid: a.uid.bytes, of: row) }
        }
    }

    @Test func everythingWorksOnRealDirectories() async throws {
        try await withTemporaryDirectory { directory in
            let random = SeededRandom(seed: 11)
            let pool = BlockingPool(name: "disk", threads: 4)
            let disk = PosixDisk(pool: pool)
            let keys = KeyDirectory(disk: disk, path: directory + "/keys")
            let (root, recovery) = (SecretKey(random: random), SecretKey(random: random))
            let custody = FileKeyCustody(rootKey: root, random: random)
            try await Keyring.create(
                files: keys, root: custody, recovery: RecoveryKeyCustody(recoveryKey: recovery, random: random),
                recoveryKey: recovery,
                now: Timestamp(milliseconds: 1), random: random)
            let bytes = content((5 << 20) + 3, seed: 1)
            var archiveID = ""
            // Three lives of one data directory.
            for life in 0..<3 {
                let keyring = try await Keyring.open(files: keys, root: custody, random: random) {
                    RecoveryKeyCustody(recoveryKey: $0, random: random)
                }
                let catalog = try await SQLiteCatalog.open(path: directory + "/catalog.sqlite")
                var configuration = EngineConfiguration()
                configuration.outputMode = life == 2 ? .staged : .inPlace
                let engine = VaultEngine(
                    configuration: configuration, catalog: catalog,
                    cold: FileBlobStore(disk: disk, root: directory + "/blobs", reserveBytes: 0),
                    warm: FileBlobStore(disk: disk, root: directory + "/staging", reserveBytes: 0), keyring: keyring,
                    compute: TestVault.compute, clock: ManualClock(), random: random,
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
                let location = TestVault.location("v")
                if life == 0 {
                    try await engine.createVault(location)
                    archiveID = try await engine.uploadArchive(
                        UploadArchiveRequest(
                            location: location, contentLength: UInt64(bytes.count), treeHash: naiveTreeHash(bytes),
                            linearHash: SHA256Hasher.hash(bytes), description: "d"), body: Body(bytes)
                    ).archiveID
                    _ = try await engine.rotateMasterKey()
                } else {
                    let job = try await engine.initiateJob(
                        location,
                        JobRequest(
                            action: .archive(archiveID: archiveID, range: nil), tier: nil, description: nil,
                            snsTopic: nil))
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { try await engine.run() }
                        let end = ContinuousClock.now + .seconds(60)
                        while try await engine.describeJob(location, jobID: job).status == .inProgress,
                            ContinuousClock.now < end
                        {
                            try await Task.sleep(for: .milliseconds(2))
                        }
                        group.cancelAll()
                        try await group.waitForAll()
                    }
                    let output = try await engine.openOutput(location, jobID: job, range: .whole)
                    let received = try await TestVault.bytes(of: output)
                    #expect(received == bytes)
                }
                await catalog.close()
            }
            await pool.shutdown()
        }
    }
}
