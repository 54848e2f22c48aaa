// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import SQLiteCatalog
import SealedArchive
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

/// The audit log: what is entered, that nobody can read it without the keys, and that nothing in it can be changed unseen.
@Suite struct AuditTests {
    private static let caller = Caller(
        principal: Principal(account: TestVault.account, user: UserName("maria")), region: TestVault.region,
        accessKeyID: "AKIDAUDITTEST", sourceAddress: "192.0.2.77", userAgent: "agent-of-maria")

    private static func entries(_ vault: TestVault, _ action: String? = nil) async throws -> [AuditEntryDescription] {
        try await vault.engine.auditPage(AuditQuery(action: action)).entries
    }

    @Test func everyActIsEnteredWithWhoDidIt() async throws {
        try await withVault { vault in
            let stored = try await vault.upload([1, 2, 3])
            try await vault.engine.addTags(vault.location, ["a": "b"], by: Self.caller)
            try await vault.engine.deleteArchive(vault.location, archiveID: stored.archiveID)
            let account = try await vault.engine.createAccount(nil)
            try await vault.engine.createUser(account.account, #require(UserName("maria")))
            _ = try await vault.engine.rotateMasterKey()
            let found = try await Self.entries(vault).compactMap { $0.members["action"]?.stringValue }
            #expect(
                found.prefix(7) == [
                    "glacier:CreateVault", "glacier:UploadArchive", "glacier:AddTagsToVault", "glacier:DeleteArchive",
                    "account:CreateAccount", "account:CreateUser", "key:RotateMasterKey",
                ])
            let tags = try #require(try await Self.entries(vault, "glacier:AddTagsToVault").first)
            #expect(tags.members["actor"]?["arn"]?.stringValue == Self.caller.principal.arn)
            #expect(tags.members["actor"]?["sourceAddress"]?.stringValue == "192.0.2.77")
            #expect(tags.members["resource"]?.stringValue == vault.location.arn)
            let upload = try #require(try await Self.entries(vault, "glacier:UploadArchive").first)
            #expect(upload.members["details"]?["archiveId"]?.stringValue == stored.archiveID)
            #expect(upload.members["details"]?["keyVersion"]?.integerValue == 1)
            #expect(try await Self.entries(vault, "key").count == found.count { $0.hasPrefix("key:") })
            #expect(try await vault.engine.verifyAudit().faults == [])
        }
    }

    @Test func aDenialIsEnteredOnceWithItsCount() async throws {
        try await withVault { vault in
            for _ in 0..<50 {
                await expectRefusal(.accessDenied) {
                    _ = try await vault.engine.authorize(Self.caller, .deleteVault, on: .vault(vault.location))
                }
            }
            await vault.engine.denialDesk.flush(into: vault.engine)
            let denials = try await Self.entries(vault, "glacier:DeleteVault")
            #expect(denials.count == 1)
            #expect(denials.first?.members["count"]?.integerValue == 50)
            #expect(denials.first?.members["outcome"]?.stringValue == "denied")
            #expect(denials.first?.members["statement"]?.stringValue?.isEmpty == false)
        }
    }

    @Test func theCatalogTellsNothingOfAnEntry() async throws {
        try await withVault { vault in
            try await vault.engine.addTags(vault.location, ["a": "b"], by: Self.caller)
            let bytes = try await vault.catalogBytes()
            for word in ["maria", "agent-of-maria", "192.0.2.77", "AKIDAUDITTEST", "AddTagsToVault"] {
                #expect(!bytes.holds(Array(word.utf8)), "\(word)")
            }
        }
    }

    // MARK: Tampering

    private static func verify(
        _ vault: TestVault, _ rows: [AuditRow], checkpoint: AuditHead? = nil
    ) throws -> [String] {
        var walk = AuditWalk(cipher: try AuditCipher(vault.keyring), checkpoints: checkpoint.map { [$0] } ?? [])
        walk.beginRows(after: .origin)
        walk.take(rows)
        return walk.finish().faults
    }

    @Test func whoeverTouchesARowIsNamed() async throws {
        try await withVault { vault in
            for number in 0..<6 as Range<UInt8> { try await vault.upload([number]) }
            let rows = try await vault.catalog.auditEntries(after: 0, limit: 100)
            #expect(rows.count == 7)
            #expect(try Self.verify(vault, rows, checkpoint: rows[6].head).isEmpty)
            for index in rows.indices {
                let row = rows[index]
                if index < 6 {
                    var removed = rows
                    removed.remove(at: index)
                    #expect(try Self.verify(vault, removed).contains { $0.contains("entry \(index + 1)") })
                }
                var flipped = row.sealed.bytes
                flipped[flipped.count / 2] ^= 1
                let changes = [
                    AuditRow(uid: row.uid, time: row.time, sealed: SealedColumnValue(keyVersion: 1, bytes: flipped), head: row.head),
                    AuditRow(uid: row.uid, time: Timestamp(milliseconds: 5), sealed: row.sealed, head: row.head),
                    AuditRow(uid: rows[(index + 1) % 7].uid, time: row.time, sealed: row.sealed, head: row.head),
                    AuditRow(
                        uid: row.uid, time: row.time, sealed: rows[(index + 1) % 7].sealed, head: row.head),
                    AuditRow(
                        uid: row.uid, time: row.time, sealed: row.sealed,
                        head: AuditHead(sequence: row.sequence, link: row.head.tag, tag: row.head.tag)),
                    AuditRow(
                        uid: row.uid, time: row.time, sealed: row.sealed,
                        head: AuditHead(sequence: row.sequence, link: row.head.link, tag: row.head.link)),
                ]
                for change in changes {
                    var edited = rows
                    edited[index] = change
                    #expect(try Self.verify(vault, edited).first?.contains("entry \(index + 1)") == true)
                }
            }
            var swapped = rows
            swapped.swapAt(2, 3)
            #expect(try !Self.verify(vault, swapped).isEmpty)
            #expect(
                try Self.verify(vault, Array(rows.dropLast()), checkpoint: rows[6].head).first?.contains("cut off") == true)
        }
    }

    @Test func segmentsHoldTheLogAndWhoeverTouchesOneIsNamed() async throws {
        let blobs = MemoryBlobStore()
        try await withVault({ $0.cold = blobs }) { vault in
            for round in 0..<3 as Range<UInt8> {
                for number in 0..<4 as Range<UInt8> { try await vault.upload([round, number]) }
                try await vault.engine.exportAudit()
            }
            let firsts = try await vault.engine.auditSegments(after: nil, limit: 9)
            #expect(firsts == [1, 6, 10])
            #expect(try await vault.catalog.trimAudit(through: 13, keep: 2) == 11)
            let whole = try await vault.engine.verifyAudit()
            #expect(whole.faults == [] && whole.entries == 13 && whole.segments == 3)
            // Pages cross from segments into the catalog.
            var query = AuditQuery(limit: 3)
            var seen: [UInt64] = []
            while true {
                let page = try await vault.engine.auditPage(query)
                seen += page.entries.map(\.sequence)
                guard let next = page.next else { break }
                query.after = next
            }
            #expect(seen == Array(1...13))
            let ids = try firsts.map { try blobID(BlobName.audit(first: $0).text) }
            var originals: [[UInt8]] = []
            for id in ids {
                let size = try #require(try await blobs.size(of: id))
                originals.append(Array(try await blobs.read(id, range: 0..<size).readableBytesView))
            }
            func faults(_ change: (Int, [UInt8]?)...) async throws -> [String] {
                for (index, bytes) in change { blobs.overwrite(ids[index], with: bytes) }
                let found = try await vault.engine.verifyAudit().faults
                for index in ids.indices { blobs.overwrite(ids[index], with: originals[index]) }
                return found
            }
            #expect(try await faults().isEmpty)
            for index in ids.indices {
                var flipped = originals[index]
                flipped[100] ^= 1
                #expect(try await faults((index, flipped)).first?.contains("egment \(firsts[index])") == true)
                #expect(try await !faults((index, nil)).isEmpty)
                #expect(try await !faults((index, Array(originals[index].dropLast()))).isEmpty)
            }
            let swapped = try await faults((0, originals[1]), (1, originals[0]))
            #expect(swapped.contains { $0.contains("egment 1 ") } && swapped.contains { $0.contains("egment 6 ") })
        }
    }

    @Test func anExportProvesItselfWithoutAKey() async throws {
        try await withVault { vault in
            for number in 0..<5 as Range<UInt8> { try await vault.upload([number]) }
            let checkpoint = try await vault.engine.checkpoint(.operator)
            let page = try await vault.engine.auditPage(AuditQuery())
            var lines: [JSONValue] = [
                [
                    "header": [
                        "first": 1, "format": "coldvault-audit-export", "previous": .string(page.previousLink), "version": 1,
                    ]
                ],
                ["checkpoint": try JSONParser.parse(checkpoint.statement)],
            ]
            for entry in page.entries {
                lines.append([
                    "entry": [
                        "document": .string(entry.document), "link": .string(entry.link),
                        "n": .integer(Int64(entry.sequence)),
                    ]
                ])
            }
            let last = try #require(page.entries.last)
            lines.append(["end": ["last": .integer(Int64(last.sequence)), "link": .string(last.link)]])
            func check(_ lines: [JSONValue]) -> (faults: [String], covered: UInt64) {
                var check = AuditExportCheck(publicKey: vault.keyring.signingPublicKey)
                for line in lines { check.take(line.canonicalBytes()) }
                let (found, covered) = check.finish()
                return (found.faults, covered)
            }
            #expect(check(lines).faults == [] && check(lines).covered == checkpoint.auditSequence)
            for index in lines.indices {
                var removed = lines
                removed.remove(at: index)
                // Without its checkpoint a log is still a chain, only nobody has signed it.
                if index == 1 {
                    #expect(check(removed).covered == 0)
                } else {
                    #expect(!check(removed).faults.isEmpty, "line \(index) removed")
                }
                if index + 1 < lines.count, index > 1 {
                    var swapped = lines
                    swapped.swapAt(index, index + 1)
                    #expect(!check(swapped).faults.isEmpty, "line \(index) moved")
                }
            }
            // Even with every link computed again the signed checkpoint says what was there.
            var forged = lines
            var link = [UInt8](repeating: 0, count: 32)
            for (number, index) in (2..<forged.count - 1).enumerated() {
                let text = try #require(forged[index]["entry"]?["document"]?.stringValue)
                let document = number == 1 ? text.replacing("UploadArchive", with: "DeleteArchive") : text
                link = KeyedAuditChain.link(
                    after: link, sequence: UInt64(number + 1), digest: SHA256Hasher.hash(Array(document.utf8)).bytes)
                forged[index] = [
                    "entry": [
                        "document": .string(document), "link": .string(Hex.encode(link)), "n": .integer(Int64(number + 1)),
                    ]
                ]
            }
            forged[forged.count - 1] = [
                "end": ["last": .integer(Int64(last.sequence)), "link": .string(Hex.encode(link))]
            ]
            #expect(check(forged).faults.contains { $0.contains("signed checkpoint 1") })
        }
    }

    // MARK: Denials

    @Test func aFloodOfDenialsStaysWithinItsBounds() {
        var folder = DenialFolder()
        let start = Timestamp(milliseconds: 1_700_000_000_000)
        var entries = 0
        var counted: UInt64 = 0
        for second in 0..<600 as Range<Int64> {
            let now = start.advanced(by: .seconds(second))
            for number in 0..<50 {
                let key = DenialFolder.Key(
                    actor: .operator, action: "glacier:ListJobs", resource: "r-\(second)-\(number)", statement: "s")
                folder.add(key, account: nil, at: now)
            }
            let acts = folder.due(at: now)
            entries += acts.count
            counted += acts.reduce(0) { $0 + ($1.count ?? 0) }
        }
        counted += folder.due(at: start.advanced(by: .seconds(700)), always: true).reduce(0) { $0 + ($1.count ?? 0) }
        #expect(counted == 30_000)
        #expect(entries <= 256 + 600 + 11)
    }
}
