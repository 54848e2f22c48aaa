// SPDX-License-Identifier: Apache-2.0

import Cryptography
import FileKeyCustody
import SealedArchive
import Storage
import Testing
import VaultModel

@testable import VaultEngine

/// Docs/Formats/Keyring-v1.md §6, with the process killed after every change of a file.
@Suite struct RootRotationTests {
    private struct World {
        let files = MemoryKeyFiles()
        /// Empty unless a test copies the files to it.
        let mirror = MemoryKeyFiles()
        let random: SeededRandom
        let (old, new, recovery): (SecretKey, SecretKey, SecretKey)

        init(seed: UInt64) async throws {
            random = SeededRandom(seed: seed)
            (old, new, recovery) = (SecretKey(random: random), SecretKey(random: random), SecretKey(random: random))
            try await Keyring.create(
                files: files, root: FileKeyCustody(rootKey: old, random: random), recovery: paper(recovery),
                recoveryKey: recovery, now: Timestamp(milliseconds: 1), random: random)
            _ = try await TestVault.openKeyring(files, old, random).addMaster(now: Timestamp(milliseconds: 2))
        }

        func file(_ key: SecretKey) -> FileKeyCustody { FileKeyCustody(rootKey: key, random: random) }
        func paper(_ key: SecretKey) -> RecoveryKeyCustody { RecoveryKeyCustody(recoveryKey: key, random: random) }
        var rotation: RootRotation { RootRotation(files: files, random: random) }
        var mirrored: RootRotation { RootRotation(files: files, mirrors: [mirror], random: random) }

        func fillMirror() async throws {
            for (name, bytes) in files.all { try await mirror.replace(name, with: bytes) }
        }

        func opens(_ custody: any KeyCustody) async -> Bool {
            do {
                return try await Keyring.open(files: files, root: custody, random: random) { paper($0) }.masterKeys.count == 2
            } catch {
                return false
            }
        }

        func checkSlots(sourceLocation: SourceLocation = #_sourceLocation) throws {
            for (name, bytes) in files.all {
                #expect(try KeyFile(decoding: bytes).slots.count >= 2, "\(name)", sourceLocation: sourceLocation)
            }
        }
    }

    @Test func aNewRootKeyOpensEverythingAndTheOldOneNothing() async throws {
        let world = try await World(seed: 1)
        let report = try await world.rotation.replace(world.file(world.old), with: world.file(world.new))
        #expect(report == RootRotation.Report(files: 6, added: 6, removed: 6))
        #expect(await world.opens(world.file(world.new)))
        #expect(await world.opens(world.paper(world.recovery)))
        for bytes in world.files.all.values {
            let file = try KeyFile(decoding: bytes)
            #expect(throws: FormatError.self) { try file.key(rootKey: world.old) }
            #expect(file.generation == 3 && file.slots.count == 2)
        }
        // Again, as after a kill that nobody noticed: nothing is left to do.
        let again = try await world.rotation.replace(world.file(world.old), with: world.file(world.new))
        #expect(again == RootRotation.Report(files: 6, added: 0, removed: 0))
    }

    @Test func killedAfterAnyChangeOneRootKeyOpensEverythingAndASecondRunFinishes() async throws {
        var deaths = 0
        for changes in 0... {
            let world = try await World(seed: 2)
            world.files.die(after: changes)
            do {
                _ = try await world.rotation.replace(world.file(world.old), with: world.file(world.new))
                #expect(changes == 12, "six slots added, six taken away")
                break
            } catch {
                deaths += 1
            }
            world.files.die(after: nil)
            try world.checkSlots()
            let (byOld, byNew) = (await world.opens(world.file(world.old)), await world.opens(world.file(world.new)))
            #expect(byOld || byNew, "killed after \(changes) changes")
            #expect(await world.opens(world.paper(world.recovery)))
            _ = try await world.rotation.replace(world.file(world.old), with: world.file(world.new))
            #expect(await world.opens(world.file(world.new)))
            #expect(await !world.opens(world.file(world.old)))
            try world.checkSlots()
        }
        #expect(deaths == 12)
    }

    @Test func aNewRecoveryKeyTakesThePlaceOfTheOldOne() async throws {
        let world = try await World(seed: 3)
        let (key, report) = try await world.rotation.replaceRecoveryKey(
            root: world.file(world.old), now: Timestamp(milliseconds: 9)
        ) { world.paper($0) }
        #expect(report.files == 6 && !key.isEqual(to: world.recovery))
        #expect(await world.opens(world.paper(key)))
        #expect(await world.opens(world.file(world.old)))
        #expect(await !world.opens(world.paper(world.recovery)))
        #expect(world.files.all["recovery-000001.json"] == nil && world.files.all["recovery-000002.json"] != nil)
        for (name, bytes) in world.files.all {
            #expect(throws: FormatError.self, "\(name)") { try KeyFile(decoding: bytes).key(rootKey: world.recovery) }
        }
        // What is added later has the new recovery slot, too.
        _ = try await TestVault.openKeyring(world.files, world.old, world.random).addMaster(now: Timestamp(milliseconds: 10))
        let emergency = try await Keyring.open(files: world.files, root: world.paper(key), random: world.random) {
            world.paper($0)
        }
        #expect(emergency.masterKeys.map(\.version) == [1, 2, 3])
    }

    @Test func aRecoveryRotationKilledAnywhereIsFinishedWithTheSameKey() async throws {
        var deaths = 0
        for changes in 0... {
            let world = try await World(seed: 4)
            world.files.die(after: changes)
            do {
                _ = try await world.rotation.replaceRecoveryKey(
                    root: world.file(world.old), now: Timestamp(milliseconds: 9)
                ) { world.paper($0) }
                break
            } catch {
                deaths += 1
            }
            world.files.die(after: nil)
            try world.checkSlots()
            #expect(await world.opens(world.file(world.old)), "killed after \(changes) changes")
            let begun = try await Keyring.open(files: world.files, root: world.file(world.old), random: world.random) {
                world.paper($0)
            }
            let (key, _) = try await world.rotation.replaceRecoveryKey(
                root: world.file(world.old), now: Timestamp(milliseconds: 9)
            ) { world.paper($0) }
            #expect(await world.opens(world.paper(key)))
            #expect(await world.opens(world.file(world.old)))
            #expect(await !world.opens(world.paper(world.recovery)))
            #expect(begun.masterKeys.count == 2)
            try world.checkSlots()
        }
        #expect(deaths > 12)
    }

    @Test func aMirrorIsRotatedToo() async throws {
        let world = try await World(seed: 7)
        try await world.fillMirror()
        _ = try await world.mirrored.replaceRecoveryKey(root: world.file(world.old), now: Timestamp(milliseconds: 9)) { world.paper($0) }
        #expect(world.mirror.all == world.files.all && world.mirror.all["recovery-000001.json"] == nil)
        _ = try await world.mirrored.replace(world.file(world.old), with: world.file(world.new))
        #expect(world.mirror.all == world.files.all && world.files.all.count == 6)
        for bytes in world.mirror.all.values {
            let file = try KeyFile(decoding: bytes)
            #expect(throws: FormatError.self) { try file.key(rootKey: world.old) }
            #expect(throws: FormatError.self) { try file.key(rootKey: world.recovery) }
        }
        // What the first disk has lost comes back from the mirror before the next rotation.
        try await world.files.remove("master-000001.json")
        _ = try await world.mirrored.replace(world.file(world.new), with: world.file(world.old))
        #expect(world.mirror.all == world.files.all && world.files.all.count == 6)
        #expect(await world.opens(world.file(world.old)))
    }

    @Test func killedWhileTheMirrorFollowsASecondRunFinishes() async throws {
        var deaths = 0
        for changes in 0... {
            let world = try await World(seed: 8)
            try await world.fillMirror()
            world.mirror.die(after: changes)
            func rotate() async throws {
                _ = try await world.mirrored.replaceRecoveryKey(root: world.file(world.old), now: Timestamp(milliseconds: 9)) {
                    world.paper($0)
                }
            }
            do {
                try await rotate()
                break
            } catch {
                deaths += 1
            }
            world.mirror.die(after: nil)
            #expect(await world.opens(world.file(world.old)))
            try await rotate()
            #expect(world.mirror.all == world.files.all)
            #expect(world.files.all.keys.filter { $0.hasPrefix("recovery-") }.count == 1)
            #expect(await !world.opens(world.paper(world.recovery)))
            try world.checkSlots()
        }
        #expect(deaths == 7, "six files copied, the old recovery key's removed")
    }

    @Test func aWrongRootKeyIsRefusedAndNothingIsWritten() async throws {
        let world = try await World(seed: 5)
        let before = world.files.all
        let stranger = SecretKey(random: world.random)
        await expectRefusal(.accessDenied, "not the root key") {
            _ = try await world.rotation.replace(world.file(stranger), with: world.file(world.new))
        }
        await expectRefusal(.accessDenied, "not the root key") {
            _ = try await world.rotation.replaceRecoveryKey(root: world.file(stranger), now: Timestamp(milliseconds: 1)) {
                world.paper($0)
            }
        }
        await expectRefusal(.invalidParameter, "is the old one") {
            _ = try await world.rotation.replace(world.file(world.old), with: world.file(world.old))
        }
        #expect(world.files.all == before)
    }

    @Test func anOlderDirectoryGetsTheKeysItLacksAndKeepsThem() async throws {
        let world = try await World(seed: 6)
        for name in ["signing-000001.json", "audit-000001.json"] { try await world.files.remove(name) }
        func open(_ now: Timestamp?) async throws -> Keyring {
            try await Keyring.open(
                files: world.files, root: world.file(world.old), random: world.random, creatingMissing: now
            ) { world.paper($0) }
        }
        // Reading alone writes nothing.
        let reader = try await open(nil)
        #expect(world.files.all.count == 4 && reader.signingPublicKey.isEmpty)
        #expect(throws: VaultError.self) { try reader.sign([1]) }
        let keyring = try await open(Timestamp(milliseconds: 7))
        #expect(world.files.all.count == 6)
        let again = try await open(Timestamp(milliseconds: 8))
        #expect(again.signingPublicKey == keyring.signingPublicKey && keyring.signingPublicKey.count == 32)
        #expect(try again.currentAudit.key.isEqual(to: keyring.auditKey(1)))
        let signature = try keyring.sign([1, 2])
        #expect(Ed25519.isValid(signature, of: [1, 2], publicKey: again.signingPublicKey))
        // Both root keys open them.
        #expect(await world.opens(world.paper(world.recovery)))
    }
}
