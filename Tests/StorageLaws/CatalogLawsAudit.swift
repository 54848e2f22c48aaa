// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

extension CatalogLaw {
    static let audits: [CatalogLaw] = [
        CatalogLaw("entries are numbered and chained in the order of their commits") { catalog in
            var fixtures = CatalogFixtures()
            #expect(try await catalog.auditHead() == .origin)
            #expect(try await catalog.auditBase() == .origin)
            try await catalog.appendAudit(.none)
            #expect(try await catalog.auditHead() == .origin)
            let groups = [fixtures.entries(1), fixtures.entries(3), fixtures.entries(2)]
            for group in groups { try await catalog.appendAudit(group) }
            let rows = try await catalog.auditEntries(after: 0, limit: 100)
            let expected = chained(groups.flatMap(\.drafts), after: .origin)
            #expect(rows == expected)
            #expect(try await catalog.auditEntries(after: 2, limit: 3) == Array(expected[2..<5]))
            #expect(try await catalog.auditHead() == expected.last?.head)
            #expect(try await catalog.auditBase() == .origin)
        },
        CatalogLaw("concurrent appends leave neither gap nor fork") { catalog in
            try await withThrowingTaskGroup { group in
                for worker in 0..<8 as Range<UInt64> {
                    group.addTask {
                        var fixtures = CatalogFixtures(seed: worker)
                        for _ in 0..<25 { try await catalog.appendAudit(fixtures.entries(2)) }
                    }
                }
                try await group.waitForAll()
            }
            let rows = try await catalog.auditEntries(after: 0, limit: 1000)
            #expect(rows.map(\.sequence) == Array(1...400))
            var head = AuditHead.origin
            for row in rows {
                // The digest is not kept: the link is checked by whoever can open the entry.
                let tagged = TestAuditChain().head(
                    after: head,
                    appending: AuditDraft(
                        uid: row.uid, time: row.time, sealed: row.sealed, digest: [UInt8](repeating: 0, count: 32)))
                #expect(tagged.tag == row.head.tag)
                head = row.head
            }
        },
        CatalogLaw("an act that changes something is accounted for once, and one that does not is not") { catalog in
            try await recordsExactlyTheChanges(catalog)
        },
        CatalogLaw("a change that fails leaves no entry") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let archive = try await furnished.storeArchive()
            let entries = furnished.fixtures.entries()
            await expectCode(.alreadyExists) {
                _ = try await catalog.commitArchive(archive, from: nil, audit: entries)
            }
            let stale = furnished.vault
            await expectCode(.conflict) {
                try await catalog.updateVault(stale, expectedGeneration: 77, audit: entries)
            }
            #expect(try await catalog.auditHead() == .origin)
        },
        CatalogLaw("only an exported prefix is trimmed, and the newest entries stay") { catalog in
            var fixtures = CatalogFixtures()
            try await catalog.appendAudit(fixtures.entries(20))
            let rows = try await catalog.auditEntries(after: 0, limit: 100)
            #expect(try await catalog.trimAudit(through: 15, keep: 20) == 0)
            #expect(try await catalog.trimAudit(through: 15, keep: 10) == 10)
            #expect(try await catalog.trimAudit(through: 15, keep: 10) == 0)
            #expect(try await catalog.auditBase() == rows[9].head)
            #expect(try await catalog.auditEntries(after: 0, limit: 100) == Array(rows[10...]))
            #expect(try await catalog.trimAudit(through: 99, keep: 0) == 10)
            #expect(try await catalog.auditBase() == rows[19].head)
            #expect(try await catalog.auditHead() == rows[19].head)
            let next = fixtures.entries()
            try await catalog.appendAudit(next)
            #expect(
                try await catalog.auditEntries(after: 0, limit: 9) == chained(next.drafts, after: rows[19].head))
        },
        CatalogLaw("a log that is behind its export continues there, one that is not does not") { catalog in
            var fixtures = CatalogFixtures()
            try await catalog.appendAudit(fixtures.entries(5))
            let head = try await catalog.auditHead()
            await expectCode(.conflict) { try await catalog.continueAudit(from: head) }
            let exported = AuditHead(
                sequence: 9, link: fixtures.choices.bytes(32), tag: fixtures.choices.bytes(32))
            try await catalog.continueAudit(from: exported)
            #expect(try await catalog.auditHead() == exported)
            #expect(try await catalog.auditBase() == exported)
            #expect(try await catalog.auditEntries(after: 0, limit: 9).isEmpty)
            try await catalog.appendAudit(fixtures.entries())
            #expect(try await catalog.auditHead().sequence == 10)
        },
    ]

    private static func chained(_ drafts: [AuditDraft], after head: AuditHead) -> [AuditRow] {
        var head = head
        return drafts.map { draft in
            head = TestAuditChain().head(after: head, appending: draft)
            return AuditRow(uid: draft.uid, time: draft.time, sealed: draft.sealed, head: head)
        }
    }

    /// Every acting transaction twice where the second finds nothing to do.
    private static func recordsExactlyTheChanges(_ catalog: any Catalog) async throws {
        var fixtures = CatalogFixtures(seed: 3)
        var count: UInt64 = 0
        func step(
            _ changes: Bool, _ what: String, _ act: (AuditEntries) async throws -> Void
        ) async throws {
            try await act(fixtures.entries(2))
            count += changes ? 2 : 0
            let head = try await catalog.auditHead().sequence
            #expect(head == count, "\(what)")
        }
        let account = try fixtures.account()
        try await step(true, "a new account") {
            try await catalog.putAccount(account, members: AccountMembers(), expectedGeneration: nil, audit: $0)
        }
        let vault = try fixtures.vault()
        try await step(true, "a new vault") { _ = try await catalog.createVault(vault, limit: 9, audit: $0) }
        try await step(false, "the same vault") { _ = try await catalog.createVault(vault, limit: 9, audit: $0) }
        try await step(true, "new settings") { try await catalog.updateVault(vault, expectedGeneration: 1, audit: $0) }
        let upload = fixtures.upload(in: vault.uid)
        try await step(true, "an upload") { _ = try await catalog.insertUpload(upload, audit: $0) }
        try await step(true, "its end") {
            _ = try await catalog.abortUpload(upload.uid, generation: 2, at: .now(20), record: nil, audit: $0)
        }
        try await step(false, "its end again") {
            _ = try await catalog.abortUpload(upload.uid, generation: 2, at: .now(20), record: nil, audit: $0)
        }
        let archive = fixtures.archive(in: vault.uid)
        try await step(false, "an archive of a closed upload") {
            _ = try await catalog.commitArchive(archive, from: (upload.uid, 0), audit: $0)
        }
        try await step(true, "an archive") { _ = try await catalog.commitArchive(archive, from: nil, audit: $0) }
        let job = try fixtures.inventory(of: vault.uid)
        try await step(true, "a job") { _ = try await catalog.insertJob(job, admission: nil, audit: $0) }
        let epoch = try await catalog.beginEpoch()
        let claimed = try await catalog.claimJobs(
            like: job.uid, epoch: epoch, at: .now(50), leaseUntil: .now(90), limit: 1)
        let done = fixtures.finished(try #require(claimed.first))
        try await step(true, "the end of a job") {
            _ = try await catalog.finishJob(done, epoch: epoch, staged: nil, messages: [], audit: $0)
        }
        try await step(false, "the end of a job again") {
            _ = try await catalog.finishJob(done, epoch: epoch, staged: nil, messages: [], audit: $0)
        }
        for changes in [true, false] {
            try await step(changes, "a deletion") {
                _ = try await catalog.deleteArchive(
                    archive.uid, at: .now(60), purgeAfter: .now(70), vaultGeneration: nil, record: nil, audit: $0)
            }
        }
        for changes in [true, false] {
            try await step(changes, "a removal") { try await catalog.removeArchive(archive.uid, audit: $0) }
        }
        try await step(true, "a fact") { try await catalog.setFact("clock", "1", audit: $0) }
        for changes in [true, false] {
            try await step(changes, "a vault's deletion") {
                _ = try await catalog.beginVaultDeletion(vault.uid, audit: $0)
            }
        }
        for changes in [true, false] {
            try await step(changes, "the end of it") {
                try await catalog.finishVaultDeletion(vault.uid, generation: 9, at: .now(80), audit: $0)
            }
        }
    }
}
