// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

extension CatalogLaw {
    static let uploads: [CatalogLaw] = [
        CatalogLaw("open uploads page by creation and uid; closed ones are not among them") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            var open: [UploadRow] = []
            for created: Int64 in [30, 10, 20, 20, 20] {
                open.append(try await furnished.openUpload(created: created).upload)
            }
            #expect(try await catalog.upload(open[0].uid) == open[0])
            let ordered = open.sorted { ($0.created, $0.uid) < ($1.created, $1.uid) }
            let first = try await catalog.uploads(vault: furnished.vault.uid, after: nil, limit: 2)
            #expect(first == Array(ordered[..<2]))
            // The row to continue after may have been closed meanwhile.
            #expect(try await catalog.abortUpload(ordered[1].uid, generation: 2, at: .now(40)) == .aborted)
            #expect(
                try await catalog.uploads(vault: furnished.vault.uid, after: ordered[1].uid, limit: 9)
                    == Array(ordered[2...]))
            let unknown: UploadUID = furnished.fixtures.choices.uid()
            let vault = furnished.vault.uid
            await expectCode(.notFound) { _ = try await catalog.uploads(vault: vault, after: unknown, limit: 9) }
        },
        CatalogLaw("aborting dooms the parts once and tells what the upload had become") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let (upload, parts) = try await furnished.openUpload(parts: 3)
            #expect(try await catalog.abortUpload(upload.uid, generation: 6, at: .now(40)) == .aborted)
            #expect(try await catalog.abortUpload(upload.uid, generation: 7, at: .now(50)) == .alreadyAborted)
            #expect(
                try await furnished.doomed()
                    == Set(parts.map { DoomedBlob(id: $0.blob, store: .cold, notBefore: .now(40)) }))
            let row = try #require(try await catalog.upload(upload.uid))
            #expect(row.state == .aborted)
            #expect(row.generation == 6)
            #expect(try await catalog.parts(upload.uid, from: 0, limit: 9).isEmpty)
            let (completed, _) = try await furnished.openUpload()
            let archive = furnished.fixtures.archive(in: furnished.vault.uid)
            #expect(try await catalog.commitArchive(archive, from: (completed.uid, 0)) == .stored)
            #expect(try await catalog.abortUpload(completed.uid, generation: 2, at: .now(60)) == .completed)
            #expect(
                try await catalog.abortUpload(furnished.fixtures.choices.uid(), generation: 2, at: .now(60)) == .absent)
        },
        CatalogLaw("idle uploads are the open ones without a part for long, longest first") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let (older, _) = try await furnished.openUpload(created: 10)
            let (newer, _) = try await furnished.openUpload(created: 20)
            let (busy, _) = try await furnished.openUpload(created: 5)
            #expect(try await catalog.commitPart(furnished.fixtures.part(of: busy.uid, 0), at: .now(80)) == .stored)
            #expect(try await catalog.idleUploads(before: .now(10), limit: 9).isEmpty)
            #expect(try await catalog.idleUploads(before: .now(80), limit: 9).map(\.uid) == [older.uid, newer.uid])
            #expect(try await catalog.idleUploads(before: .now(80), limit: 1).map(\.uid) == [older.uid])
            _ = try await catalog.abortUpload(older.uid, generation: 2, at: .now(30))
            #expect(try await catalog.idleUploads(before: .now(90), limit: 9).map(\.uid) == [newer.uid, busy.uid])
        },
        CatalogLaw("closed uploads are forgotten some time after they closed, open ones never") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let (open, _) = try await furnished.openUpload(created: 1)
            let (aborted, _) = try await furnished.openUpload(created: 2)
            let (completed, _) = try await furnished.openUpload(created: 3)
            _ = try await catalog.abortUpload(aborted.uid, generation: 2, at: .now(50))
            let archive = furnished.fixtures.archive(in: furnished.vault.uid, created: 60)
            #expect(try await catalog.commitArchive(archive, from: (completed.uid, 0)) == .stored)
            try await catalog.removeClosedUploads(before: .now(50), limit: 9)
            #expect(try await catalog.upload(aborted.uid) != nil)
            try await catalog.removeClosedUploads(before: .now(51), limit: 9)
            #expect(try await catalog.upload(aborted.uid) == nil)
            #expect(try await catalog.upload(completed.uid) != nil)
            try await catalog.removeClosedUploads(before: .now(1000), limit: 0)
            #expect(try await catalog.upload(completed.uid) != nil)
            try await catalog.removeClosedUploads(before: .now(1000), limit: 9)
            #expect(try await catalog.upload(completed.uid) == nil)
            #expect(try await catalog.upload(open.uid) == open)
        },
    ]

    static let parts: [CatalogLaw] = [
        CatalogLaw(
            "of two writes of one part the higher number wins in either order, and the loser's blob is doomed at once"
        ) { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let (upload, _) = try await furnished.openUpload(created: 10)
            let writes = (1...3).map { furnished.fixtures.part(of: upload.uid, 4, number: UInt64($0)) }
            #expect(try await catalog.commitPart(writes[1], at: .now(20)) == .stored)
            #expect(try await catalog.commitPart(writes[0], at: .now(21)) == .superseded)
            #expect(try await catalog.part(upload.uid, index: 4) == writes[1])
            #expect(try await furnished.doomed() == [DoomedBlob(id: writes[0].blob, store: .cold, notBefore: .now(21))])
            #expect(try await catalog.commitPart(writes[2], at: .now(22)) == .stored)
            #expect(try await catalog.part(upload.uid, index: 4) == writes[2])
            #expect(
                try await furnished.doomed().contains(DoomedBlob(id: writes[1].blob, store: .cold, notBefore: .now(22)))
            )
            let row = try #require(try await catalog.upload(upload.uid))
            #expect(row.revision == 2)
            #expect(row.lastActivity == .now(22))
        },
        CatalogLaw("the same part again changes nothing and dooms nothing") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let (upload, parts) = try await furnished.openUpload(created: 10, parts: 1)
            let before = try await catalog.upload(upload.uid)
            #expect(try await catalog.commitPart(parts[0], at: .now(99)) == .stored)
            #expect(try await catalog.upload(upload.uid) == before)
            #expect(try await furnished.doomed().isEmpty)
        },
        CatalogLaw("a part for a closed or unknown upload changes nothing") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let (upload, _) = try await furnished.openUpload()
            _ = try await catalog.abortUpload(upload.uid, generation: 2, at: .now(20))
            let unknown: UploadUID = furnished.fixtures.choices.uid()
            for uid in [upload.uid, unknown] {
                #expect(
                    try await catalog.commitPart(furnished.fixtures.part(of: uid, 0), at: .now(30)) == .uploadClosed)
                #expect(try await catalog.part(uid, index: 0) == nil)
            }
            #expect(try await furnished.doomed().isEmpty)
        },
        CatalogLaw("ten thousand parts page through in order") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            let (upload, _) = try await furnished.openUpload()
            let parts = (0..<UInt32(Limits.maxParts)).map { furnished.fixtures.part(of: upload.uid, $0) }
            var shuffled = parts
            shuffled.shuffle(using: &furnished.fixtures.choices)
            try await withThrowingTaskGroup { group in
                for worker in 0..<64 {
                    let mine = stride(from: worker, to: shuffled.count, by: 64).map { shuffled[$0] }
                    group.addTask {
                        for part in mine {
                            let outcome = try await catalog.commitPart(part, at: .now(20))
                            #expect(outcome == .stored)
                        }
                    }
                }
                try await group.waitForAll()
            }
            var walked: [PartRow] = []
            while walked.count <= parts.count {
                let page = try await catalog.parts(upload.uid, from: UInt32(walked.count), limit: 999)
                if page.isEmpty { break }
                walked += page
            }
            #expect(walked == parts)
            #expect(try await catalog.upload(upload.uid)?.revision == UInt64(parts.count))
        },
    ]
}
