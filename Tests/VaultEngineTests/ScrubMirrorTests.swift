// SPDX-License-Identifier: Apache-2.0

import MirroredBlobStore
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

@Suite(.timeLimit(.minutes(5))) struct ScrubMirrorTests {
    enum Side: CaseIterable, Sendable { case first, mirror }

    @Test(arguments: Damage.allCases, Side.allCases)
    func eitherSideIsServedFromAndRepairedFromTheOther(_ damage: Damage, _ side: Side) async throws {
        try await withVault { vault in
            let bytes = content(2 << 20 | 5, seed: 1)
            let archive = try await vault.multipart(bytes)
            let (store, mirror) = vault.mirrored()
            let hit = side == .first ? vault.cold.memory : mirror
            let whole = hit.blobs
            let victims = hit.ids(containing: "part-") + hit.ids(containing: "manifest-") + hit.ids(containing: "records/vault-")
            for id in victims { damage.hit(id, in: hit) }
            let engine = vault.engine(cold: store)
            let served1 = try await vault.running([engine]) { try await vault.fetch(archive.archiveID, from: engine) }
            #expect(served1 == bytes)
            let staging = vault.engine(cold: store) { $0.outputMode = .staged }
            let served2 = try await vault.running([staging]) { try await vault.fetch(archive.archiveID, from: staging) }
            #expect(served2 == bytes)
            let tally = try await engine.scrubOnce()
            #expect(tally.failures == 0, "\(tally.findings)")
            #expect(tally.repairs == UInt64(victims.count))
            #expect(try await engine.damagedIDs() == [])
            // Checkpoints and audit segments came since.
            let now = hit.blobs
            let changed = whole.filter { now[$0.key] != $0.value }.keys.map(\.name)
            #expect(changed == [])
            // What was damaged is kept.
            #expect(hit.asides.count == (damage == .missing ? 0 : victims.count))
        }
    }

    @Test func differentFramesDamagedOnBothSidesAreStillServedFrameByFrame() async throws {
        try await withVault { vault in
            var generator = SeededGenerator(seed: 7)
            let bytes = (0..<(3 << 20)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let archive = try await vault.upload(bytes)
            let (store, mirror) = vault.mirrored()
            let id = try #require(mirror.ids(containing: "part-").first)
            for (side, offset) in [(vault.cold.memory, 100_000), (mirror, 2_500_000)] {
                var rotten = try #require(side.blobs[id])
                rotten[offset] ^= 1
                side.overwrite(id, with: rotten)
            }
            let engine = vault.engine(cold: store)
            let served3 = try await vault.running([engine]) { try await vault.fetch(archive.archiveID, from: engine) }
            #expect(served3 == bytes)
            // No copy is whole: it is marked, though it can still be read.
            #expect(try await engine.scrubOnce().failures == 1)
            #expect(try await engine.damagedIDs() == [archive.archiveID])
        }
    }

    @Test func damageOnBothSidesIsAnErrorAndNothingIsReplaced() async throws {
        try await withVault { vault in
            let archive = try await vault.upload(content(5000, seed: 1))
            let (store, mirror) = vault.mirrored()
            let id = try #require(mirror.ids(containing: "part-").first)
            Damage.flipped.hit(id, in: mirror)
            Damage.truncated.hit(id, in: vault.cold.memory)
            let (before, beforeMirror) = (vault.cold.memory.blobs, mirror.blobs)
            let engine = vault.engine(cold: store)
            #expect(try await engine.scrubOnce().failures == 1)
            #expect(vault.cold.memory.blobs == before && mirror.blobs == beforeMirror)
            let served4 = try await vault.running([engine]) { try await vault.fetch(archive.archiveID, from: engine) }
            #expect(served4 == nil)
        }
    }

    @Test func aMirrorThatComesBackEmptyIsFilledAgainByAPass() async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(TestVault.account)
            let bytes = content(1 << 20 | 3, seed: 1)
            for _ in 0..<3 { try await vault.upload(bytes) }
            let (store, mirror) = vault.mirrored()
            for id in mirror.blobs.keys { mirror.overwrite(id, with: nil) }
            let engine = vault.engine(cold: store)
            #expect(try await engine.scrubOnce().failures == 0)
            #expect(mirror.blobs == vault.cold.memory.blobs)
            for id in vault.cold.memory.blobs.keys { vault.cold.memory.overwrite(id, with: nil) }
            vault.clock.advance(by: .seconds(5))
            #expect(try await engine.scrubOnce().failures == 0)
            #expect(mirror.blobs == vault.cold.memory.blobs && mirror.blobs.count > 6)
        }
    }

    @Test func keyFilesAreMadeAgainFromTheCopyThatOpens() async throws {
        try await withVault { vault in
            let (store, _) = vault.mirrored()
            let second = MemoryKeyFiles()
            let engine = vault.engine(cold: store, keyCopies: [vault.keyFiles, second])
            let names = try await vault.keyFiles.list()
            // A new mirror has none.
            #expect(try await engine.scrubOnce().repairs == UInt64(names.count))
            for name in names { #expect(try await second.read(name) == vault.keyFiles.read(name)) }
            // Each file damaged in the middle, on one side and then on the other.
            for name in names {
                let whole = try await second.read(name)
                for files in [vault.keyFiles, second] {
                    var rotten = whole
                    rotten[whole.count / 2] = rotten[whole.count / 2] == 0x41 ? 0x42 : 0x41
                    try await files.replace(name, with: rotten)
                    var tally = ScrubTally()
                    try await KeyFileCheck(engine: engine).run(&tally)
                    #expect(try await files.read(name) == whole, "\(name)")
                }
            }
            for files in [vault.keyFiles, second] { try await files.replace(names[0], with: Array("{}".utf8)) }
            var tally = ScrubTally()
            try await KeyFileCheck(engine: engine).run(&tally)
            #expect(tally.failures == 1)
        }
    }
}
