// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

@testable import AdminAPI
@testable import VaultEngine

extension FakeAdminOperations {
    private var status: ScrubStatus {
        var tally = ScrubTally()
        tally.archives = 7
        tally.find("keys/master-000001.json", "no copy of it opens")
        return ScrubStatus(
            activity: .blobs, pass: 3, started: Self.moment, ended: nil, tally: tally, limits: ScrubConfiguration(),
            oldestUnverified: Self.moment,
            copies: [BlobCopyState(name: "mirror", isUsable: false, isComplete: false, owed: 2, detail: "away")])
    }

    func startScrub() async throws(VaultError) -> ScrubStatus {
        note("startScrub")
        return status
    }
    func pauseScrub() async throws(VaultError) -> ScrubStatus {
        note("pauseScrub")
        return status
    }
    func scrubStatus() async throws(VaultError) -> ScrubStatus { status }
    func scrubReport() async throws(VaultError) -> String? { nil }
    func damagedArchives(
        in location: VaultLocation?, after: ArchiveUID?, limit: Int
    ) async throws(VaultError) -> (archives: [DamagedArchive], next: ArchiveUID?) {
        let archive = DamagedArchive(
            vault: location ?? AdminRequestTests.vault, archiveID: "A-_1", size: 5, found: Self.moment, reason: "part 0: missing")
        return ([archive], nil)
    }
    func unnamedBlobs(after: String?, limit: Int) async throws(VaultError) -> (blobs: [QuarantinedBlob], next: String?) {
        ([QuarantinedBlob(store: .cold, blob: "v/x", found: Self.moment, reason: "nobody")], "v/x")
    }
}
