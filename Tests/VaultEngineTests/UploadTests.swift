// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// Archives sent in one request.
@Suite(.serialized) struct UploadTests {
    private static let mebi = 1 << 20

    @Test(arguments: [1, 1023, mebi - 1, mebi, mebi + 1, 5 * mebi + mebi / 2, 3 * mebi])
    func whatIsAcknowledgedIsReadBackExactly(size: Int) async throws {
        let bytes = content(size, seed: 1)
        try await withVault { vault in
            let stored = try await vault.upload(bytes, description: "photos")
            #expect(stored.treeHash == naiveTreeHash(bytes))
            #expect(stored.archiveID.count == 138)
            let description = try await vault.engine.describeVault(vault.location)
            #expect(description.archiveCount == 1)
            #expect(description.totalBytes == UInt64(size))
            try await vault.running { try await vault.check(stored.archiveID, holds: bytes) }
        }
    }

    @Test(arguments: [nil, "lz4", "none"])
    func compressionIsNotVisible(choice: String?) async throws {
        let bytes = [UInt8](repeating: 0x41, count: 2 * Self.mebi + 5)
        try await withVault { vault in
            try await vault.engine.setVaultCompression(vault.location, choice)
            let stored = try await vault.upload(bytes)
            let onDisk = vault.cold.memory.blobs.filter { $0.key.name.contains("part-") }.reduce(0) {
                $0 + $1.value.count
            }
            #expect((onDisk < 100_000) == (choice != "none"))
            try await vault.running { try await vault.check(stored.archiveID, holds: bytes) }
        }
    }

    @Test func noPlaintextReachesAnyStoreOrTheCatalog() async throws {
        let secret = Array("the secret of the archive, long enough to be no accident".utf8)
        try await withVault({ $0.configuration.outputMode = .staged }) { vault in
            try await vault.engine.setVaultCompression(vault.location, "none")
            let bytes = secret + [UInt8](repeating: 0, count: 1000) + secret
            let stored = try await vault.upload(bytes, description: "a description that nobody may read")
            try await vault.running { try await vault.check(stored.archiveID, holds: bytes) }
            let catalog = try await vault.catalogBytes()
            for needle in [
                Array(secret), Array("a description that nobody may read".utf8), Array(stored.treeHash.hex.utf8),
            ] {
                for (id, blob) in vault.cold.memory.blobs.merging(
                    vault.warm.memory.blobs, uniquingKeysWith: { first, _ in first })
                {
                    #expect(!blob.holds(needle), "\(id)")
                }
                #expect(!catalog.holds(needle))
            }
            #expect(catalog.holds(Array(stored.archiveID.utf8)))
        }
    }

    /// Refused uploads: nothing becomes visible, counts stay.
    private func refuses(
        _ code: VaultError.Code, _ text: String, bytes: [UInt8], declared: Int? = nil, treeHash: SHA256Digest? = nil,
        linearHash: SHA256Digest? = nil, breaks: Bool = false
    ) async throws {
        try await withVault { vault in
            try await vault.upload([1, 2, 3])
            let before = vault.cold.names
            let totals = try await vault.engine.totals()
            await expectRefusal(code, text) {
                _ = try await vault.engine.uploadArchive(
                    UploadArchiveRequest(
                        location: vault.location, contentLength: UInt64(declared ?? bytes.count),
                        treeHash: treeHash ?? naiveTreeHash(bytes), linearHash: linearHash ?? SHA256Hasher.hash(bytes),
                        description: ""),
                    body: Body(bytes, breaks: breaks))
            }
            #expect(vault.cold.names == before)
            #expect(try await vault.engine.totals() == totals)
        }
    }

    @Test(arguments: [10, mebi, 2 * mebi + 1])
    func wrongHashesStoreNothingAndSayWhatWasMeant(size: Int) async throws {
        let bytes = content(size, seed: 2)
        let other = SHA256Hasher.hash([9])
        try await refuses(.invalidParameter, "Checksum mismatch", bytes: bytes, treeHash: other)
        try await refuses(.invalidSignature, "x-amz-content-sha256", bytes: bytes, linearHash: other)
        if size > Self.mebi {
            try await refuses(
                .invalidParameter, "the expected value is the linear SHA-256", bytes: bytes,
                treeHash: SHA256Hasher.hash(bytes))
            try await refuses(
                .invalidSignature, "this is the SHA-256 tree hash", bytes: bytes, linearHash: naiveTreeHash(bytes))
        }
    }

    @Test(arguments: [1, mebi, 3 * mebi, 3 * mebi + 1])
    func aBodyOfAnotherLengthStoresNothing(size: Int) async throws {
        let bytes = content(size, seed: 3)
        try await refuses(.invalidParameter, "longer than its declared length", bytes: bytes + [0], declared: size)
        if size > 1 {
            try await refuses(.invalidParameter, "The body ended after", bytes: Array(bytes.dropLast()), declared: size)
        }
        try await refuses(.invalidParameter, "The body ended after 0 of", bytes: [], declared: size)
        try await refuses(.invalidParameter, "Content-Length", bytes: bytes, declared: 0)
        try await refuses(.invalidParameter, "Content-Length", bytes: bytes, declared: (1 << 32) + 1)
    }

    @Test(arguments: [1, mebi, 2 * mebi + 7])
    func aBodyThatBreaksOffStoresNothing(size: Int) async throws {
        try await refuses(.internalFailure, "", bytes: content(size, seed: 4), declared: size + 1, breaks: true)
        try await refuses(.internalFailure, "", bytes: content(size, seed: 4), breaks: true)
    }

    @Test(arguments: [MemoryBlobStore.Operation.beginWrite, .write, .commit, .putAll])
    func aStoreThatFailsLeavesNothingAndTheNextTrySucceeds(operation: MemoryBlobStore.Operation) async throws {
        for (code, expected) in [
            (StorageError.Code.noSpace, VaultError.Code.unavailable), (.transient, .unavailable),
            (.integrity, .integrity),
        ] {
            try await withVault { vault in
                let bytes = content(operation == .putAll ? 100 : 2 * Self.mebi, seed: 5)
                let before = vault.cold.names
                vault.cold.memory.fail(operation, with: [code])
                await expectRefusal(expected) { try await vault.upload(bytes) }
                try await vault.running {
                    try await vault.until("the clean-up", advancing: .seconds(10)) {
                        try await vault.engine.totals().doomedBlobs == 0
                    }
                    // The audit log goes on all the same.
                    #expect(vault.cold.names.filter { !$0.hasPrefix("audit/") && !$0.hasPrefix("service/") } == before)
                    let stored = try await vault.upload(bytes)
                    #expect(try await vault.download(stored.archiveID) == bytes)
                }
                #expect(try await vault.engine.describeVault(vault.location).archiveCount == 1)
            }
        }
    }

    @Test func thePiecesOfABodyDoNotMatter() async throws {
        let bytes = content(3 * Self.mebi + 17, seed: 6)
        try await withVault { vault in
            for pieceBytes in [7919, Self.mebi - 1, Self.mebi, Self.mebi + 1, 4 * Self.mebi] {
                let stored = try await vault.engine.uploadArchive(
                    UploadArchiveRequest(
                        location: vault.location, contentLength: UInt64(bytes.count), treeHash: naiveTreeHash(bytes),
                        linearHash: SHA256Hasher.hash(bytes), description: ""),
                    body: Body(bytes, pieceBytes: pieceBytes))
                try await vault.running { try await vault.check(stored.archiveID, holds: bytes) }
            }
        }
    }

    @Test func whenNobodyKnowsWhetherAWriteHappenedItsBlobsAreKept() async throws {
        try await withVault { vault in
            let before = vault.cold.names
            vault.cold.leaveUnknown(1)
            await expectRefusal(.internalFailure) { try await vault.upload(content(1000, seed: 7)) }
            #expect(vault.cold.names.subtracting(before).count == 2)
            let totals = try await vault.engine.totals()
            #expect(totals.doomedBlobs == 0 && totals.archives == 0)
        }
    }

    @Test func vaultsThatAreNotThereAreRefused() async throws {
        try await withVault { vault in
            await expectRefusal(
                .notFound, "Vault not found for ARN: arn:aws:glacier:us-east-1:123456789012:vaults/other"
            ) {
                try await vault.upload([1], to: TestVault.location("other"))
            }
        }
    }

    @Test func manyUploadsAtOnceAllCount() async throws {
        try await withVault { vault in
            let sizes = [1, 100, 70_000, Self.mebi, Self.mebi + 3]
            let stored = try await withThrowingTaskGroup(of: (Int, StoredArchive).self) { group in
                for number in 0..<20 {
                    group.addTask { (number, try await vault.upload(content(sizes[number % 5], seed: UInt64(number)))) }
                }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            #expect(try await vault.engine.describeVault(vault.location).archiveCount == 20)
            try await vault.running {
                for (number, archive) in stored {
                    try await vault.check(archive.archiveID, holds: content(sizes[number % 5], seed: UInt64(number)))
                }
            }
        }
    }
}
