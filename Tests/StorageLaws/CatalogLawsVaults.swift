// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

extension CatalogLaw {
    static let vaults: [CatalogLaw] = [
        CatalogLaw("a vault is created once per location and read back whole") { catalog in
            var fixtures = CatalogFixtures()
            let vault = try fixtures.vault(keys: [1, 2])
            #expect(try await catalog.createVault(vault, limit: 10) == .created)
            #expect(try await catalog.vault(vault.uid) == vault)
            #expect(try await catalog.vault(at: vault.location) == vault)
            let again = try fixtures.vault()
            #expect(try await catalog.createVault(again, limit: 10) == .exists(vault))
            #expect(try await catalog.vault(again.uid) == nil)
            // Case, region and account each make another vault.
            for other in [
                try fixtures.vault("Photos"), try fixtures.vault(region: "eu-west-1"), try fixtures.vault(account: 2),
            ] {
                #expect(try await catalog.createVault(other, limit: 10) == .created)
            }
        },
        CatalogLaw("the limit of vaults holds per account and region, and an existing vault is found at the limit") {
            catalog in
            var fixtures = CatalogFixtures()
            let first = try fixtures.vault("a")
            #expect(try await catalog.createVault(first, limit: 2) == .created)
            #expect(try await catalog.createVault(try fixtures.vault("b"), limit: 2) == .created)
            #expect(try await catalog.createVault(try fixtures.vault("c"), limit: 2) == .limitExceeded)
            #expect(try await catalog.createVault(try fixtures.vault("a"), limit: 2) == .exists(first))
            #expect(try await catalog.createVault(try fixtures.vault("c", region: "eu-west-1"), limit: 2) == .created)
            // Deleted, though its row stays for the sake of an archive.
            let archive = fixtures.archive(in: first.uid)
            #expect(try await catalog.commitArchive(archive, from: nil) == .stored)
            #expect(try await catalog.deleteArchive(archive.uid, at: .now(20), purgeAfter: .now(30)))
            try await delete(first.uid, in: catalog)
            #expect(try await catalog.vault(first.uid)?.state == .deleted)
            #expect(try await catalog.createVault(try fixtures.vault("c"), limit: 2) == .created)
        },
        CatalogLaw("active vaults list in ASCII order from an inclusive start") { catalog in
            var fixtures = CatalogFixtures()
            for name in ["b", "a", "Z", "_", "a.b", "a-b", "0", "gone"] {
                #expect(try await catalog.createVault(try fixtures.vault(name), limit: 100) == .created)
            }
            #expect(
                try await catalog.createVault(try fixtures.vault("aa", region: "eu-west-1"), limit: 100) == .created)
            let gone = try #require(try await catalog.vault(at: try fixtures.vault("gone").location))
            _ = try await catalog.beginVaultDeletion(gone.uid)
            let (account, region) = (gone.location.account, gone.location.region)
            let all = try await catalog.vaults(account: account, region: region, from: nil, limit: 100)
            #expect(all.map(\.location.name.text) == ["0", "Z", "_", "a", "a-b", "a.b", "b"])
            let page = try await catalog.vaults(account: account, region: region, from: VaultName("a"), limit: 2)
            #expect(page.map(\.location.name.text) == ["a", "a-b"])
            #expect(page.first?.keys.isEmpty == false)
            #expect(try await catalog.vaults(account: account, region: region, from: VaultName("c"), limit: 2).isEmpty)
        },
        CatalogLaw("vaults of every state page in order of uid") { catalog in
            var fixtures = CatalogFixtures()
            var uids: [VaultUID] = []
            for name in ["a", "b", "c", "d", "e"] {
                let vault = try fixtures.vault(name)
                uids.append(vault.uid)
                #expect(try await catalog.createVault(vault, limit: 100) == .created)
            }
            _ = try await catalog.beginVaultDeletion(uids[2])
            let first = try await catalog.vaults(after: nil, limit: 3)
            let second = try await catalog.vaults(after: first.last?.uid, limit: 3)
            #expect((first + second).map(\.uid) == uids.sorted())
        },
        CatalogLaw("an update replaces the recorded facts at the expected generation and nothing else") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            _ = try await furnished.storeArchive(size: 77)
            var changed = furnished.vault
            changed.generation = 2
            changed.compression = nil
            changed.settings = nil
            // The archive is sealed under version 1: that stays.
            changed.keys = try furnished.fixtures.vault(keys: [2, 3]).keys
            let without = changed
            await expectCode(.transient) { try await catalog.updateVault(without, expectedGeneration: 1) }
            changed.keys = try furnished.fixtures.vault(keys: [1, 2, 3]).keys
            changed.archiveCount = 55
            changed.totalBytes = 55
            let update = changed
            await expectCode(.conflict) { try await catalog.updateVault(update, expectedGeneration: 9) }
            // Written for a vault in another state: that belief is out of date as well.
            var other = update
            other.state = .deleting
            let elsewhere = other
            await expectCode(.conflict) { try await catalog.updateVault(elsewhere, expectedGeneration: 1) }
            #expect(try await catalog.vault(update.uid)?.keys == furnished.vault.keys)
            try await catalog.updateVault(update, expectedGeneration: 1)
            let stored = try #require(try await catalog.vault(update.uid))
            #expect(stored.generation == 2)
            #expect(stored.compression == nil)
            #expect(stored.settings == nil)
            #expect(stored.keys == update.keys)
            #expect(stored.state == .active)
            #expect(stored.archiveCount == 1)
            #expect(stored.totalBytes == 77)
            let unknown = try furnished.fixtures.vault("other")
            await expectCode(.notFound) { try await catalog.updateVault(unknown, expectedGeneration: 1) }
        },
    ]

    static let vaultDeletions: [CatalogLaw] = [
        CatalogLaw("a vault with a stored archive is not deleted; once it is empty, deletion begins and stays begun") {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let uid = furnished.vault.uid
            let archive = try await furnished.storeArchive()
            #expect(try await catalog.beginVaultDeletion(uid) == .notEmpty)
            #expect(try await catalog.deleteArchive(archive.uid, at: .now(20), purgeAfter: .now(30)))
            for _ in 0..<2 {
                guard case .deleting(let vault) = try await catalog.beginVaultDeletion(uid) else {
                    Issue.record("deletion did not begin")
                    return
                }
                #expect(vault.uid == uid)
                #expect(vault.state == .deleting)
            }
            #expect(try await catalog.vault(at: furnished.vault.location)?.state == .deleting)
            #expect(try await catalog.beginVaultDeletion(furnished.fixtures.choices.uid()) == .absent)
        },
        CatalogLaw("nothing is added to a vault that is going, gone or unknown") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let (upload, _) = try await furnished.openUpload()
            #expect(try await catalog.deleteArchive(archive.uid, at: .now(20), purgeAfter: .now(30)))
            _ = try await catalog.beginVaultDeletion(furnished.vault.uid)
            for round in 0..<3 {
                let vault: VaultUID = round == 2 ? furnished.fixtures.choices.uid() : furnished.vault.uid
                let late = furnished.fixtures.archive(in: vault)
                #expect(try await catalog.commitArchive(late, from: nil) == .vaultGone)
                #expect(try await catalog.commitArchive(late, from: (upload.uid, 0)) == .vaultGone)
                #expect(try await !catalog.insertUpload(furnished.fixtures.upload(in: vault)))
                #expect(try await !catalog.insertJob(try furnished.fixtures.inventory(of: vault)))
                #expect(try await catalog.archive(late.uid) == nil)
                try await catalog.finishVaultDeletion(furnished.vault.uid, generation: 2, at: .now(40))
            }
        },
        CatalogLaw("finishing a deletion frees the name, forgets jobs and uploads, and dooms their blobs at once") {
            catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let (upload, parts) = try await furnished.openUpload(parts: 3)
            let job = try furnished.fixtures.retrieval(of: archive)
            let staged = furnished.fixtures.staged(for: job)
            _ = try await furnished.succeed(job, staged: staged)
            #expect(try await catalog.deleteArchive(archive.uid, at: .now(200), purgeAfter: .now(300)))
            await expectCode(.conflict) {
                try await catalog.finishVaultDeletion(furnished.vault.uid, generation: 2, at: .now(400))
            }
            _ = try await catalog.beginVaultDeletion(furnished.vault.uid)
            for _ in 0..<2 { try await catalog.finishVaultDeletion(furnished.vault.uid, generation: 2, at: .now(400)) }
            var expected = Set(parts.map { DoomedBlob(id: $0.blob, store: .cold, notBefore: .now(400)) })
            expected.insert(DoomedBlob(id: staged.blob, store: .warm, notBefore: .now(400)))
            #expect(try await furnished.doomed() == expected)
            #expect(try await catalog.upload(upload.uid) == nil)
            #expect(try await catalog.part(upload.uid, index: 0) == nil)
            #expect(try await catalog.job(job.uid) == nil)
            #expect(try await catalog.staged(staged.uid) == nil)
            #expect(try await catalog.vault(at: furnished.vault.location) == nil)
            #expect(try await catalog.beginVaultDeletion(furnished.vault.uid) == .absent)
            let again = try furnished.fixtures.vault()
            #expect(try await catalog.createVault(again, limit: 10) == .created)
        },
        CatalogLaw("a vault that is going is emptied in steps of the size that is asked for, to the same end") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let uid = furnished.vault.uid
            let archive = try await furnished.storeArchive()
            let uploads = [try await furnished.openUpload(parts: 3), try await furnished.openUpload(parts: 2)]
            var blobs = Set(uploads.flatMap(\.parts).map { DoomedBlob(id: $0.blob, store: .cold, notBefore: .now(400)) })
            for _ in 0..<3 {
                let job = try furnished.fixtures.retrieval(of: archive)
                let staged = furnished.fixtures.staged(for: job)
                _ = try await furnished.succeed(job, expires: 9000, staged: staged)
                blobs.insert(DoomedBlob(id: staged.blob, store: .warm, notBefore: .now(400)))
            }
            _ = try await furnished.succeed(try furnished.fixtures.retrieval(of: archive), expires: 9000)
            #expect(try await !catalog.shrinkDeletingVault(uid, at: .now(400), limit: 2), "an active vault is left alone")
            #expect(try await catalog.part(uploads[0].upload.uid, index: 2) != nil)
            #expect(try await catalog.deleteArchive(archive.uid, at: .now(200), purgeAfter: .now(300)))
            _ = try await catalog.beginVaultDeletion(uid)
            var (doomed, steps) = (0, 0)
            while try await catalog.shrinkDeletingVault(uid, at: .now(400), limit: 2) {
                let now = try await furnished.doomed().count
                #expect(now <= doomed + 2)
                (doomed, steps) = (now, steps + 1)
                guard steps < 100 else { break }
            }
            #expect(steps == 2 + 1 + 3 + 1, "four jobs, one pin, five parts, two uploads")
            #expect(try await furnished.doomed() == blobs)
            #expect(try await catalog.purgeableArchives(at: .now(300), limit: 10).map(\.uid) == [archive.uid])
            #expect(try await catalog.vault(uid)?.state == .deleting)
            try await catalog.finishVaultDeletion(uid, generation: 2, at: .now(500))
            #expect(try await furnished.doomed() == blobs)
            #expect(try await !catalog.shrinkDeletingVault(uid, at: .now(500), limit: 2))
            try await catalog.removeArchive(archive.uid)
            #expect(try await catalog.vault(uid) == nil, "every reference was counted down")
        },
        CatalogLaw("a deleted vault keeps its row and keys until the last of its archives is removed") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let uid = furnished.vault.uid
            let archives = [try await furnished.storeArchive(), try await furnished.storeArchive()]
            for archive in archives {
                #expect(try await catalog.deleteArchive(archive.uid, at: .now(20), purgeAfter: .now(30)))
            }
            _ = try await catalog.beginVaultDeletion(uid)
            try await catalog.finishVaultDeletion(uid, generation: 5, at: .now(40))
            let row = try #require(try await catalog.vault(uid))
            #expect(row.state == .deleted)
            #expect(row.generation == 5)
            #expect(row.keys == furnished.vault.keys)
            try await catalog.removeArchive(archives[0].uid)
            #expect(try await catalog.vault(uid) != nil)
            try await catalog.removeArchive(archives[1].uid)
            #expect(try await catalog.vault(uid) == nil)
        },
        CatalogLaw("an empty vault's row goes when its deletion is finished, uploads or not") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            _ = try await furnished.openUpload(parts: 1)
            try await delete(furnished.vault.uid, in: catalog)
            #expect(try await catalog.vault(furnished.vault.uid) == nil)
            #expect(try await catalog.keyReferences().vaults.isEmpty)
            // Unknown by now, which is no error: a restart may finish what was finished.
            try await catalog.finishVaultDeletion(furnished.vault.uid, generation: 2, at: .now(50))
        },
        CatalogLaw("outputs of a deleted vault do not hold back the purge of its archives") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            _ = try await furnished.succeed(try furnished.fixtures.retrieval(of: archive), expires: 9000)
            #expect(try await catalog.deleteArchive(archive.uid, at: .now(200), purgeAfter: .now(300)))
            #expect(try await catalog.purgeableArchives(at: .now(300), limit: 10).isEmpty)
            try await delete(furnished.vault.uid, in: catalog)
            #expect(try await catalog.purgeableArchives(at: .now(300), limit: 10).map(\.uid) == [archive.uid])
        },
    ]

    static func delete(_ vault: VaultUID, in catalog: any Catalog) async throws {
        guard case .deleting = try await catalog.beginVaultDeletion(vault) else {
            Issue.record("deletion of \(vault) did not begin")
            return
        }
        try await catalog.finishVaultDeletion(vault, generation: 2, at: .now(40))
    }
}

extension Timestamp {
    /// The tests' day, `milliseconds` in.
    static func now(_ milliseconds: Int64) -> Timestamp { CatalogFixtures.time(milliseconds) }
}
