// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import SealedArchive
import Storage
import VaultModel

/// Where a vault's record says that it is (Docs/Formats/Record-v1.md §2).
struct RecordedPlace {
    let location: VaultLocation
    let created: Timestamp

    init?(_ record: StateRecord) {
        guard record.type == .vault, let account = AccountID(record.account),
            let region = record.body["region"]?.stringValue.flatMap({ Region($0) }),
            let name = record.body["name"]?.stringValue.flatMap({ VaultName($0) }),
            let created = record.body["created"]?.integerValue
        else { return nil }
        location = VaultLocation(account: account, region: region, name: name)
        self.created = Timestamp(milliseconds: created)
    }
}

/// What a deletion record says.
struct RecordedDeletion {
    let archiveID: String
    let deleted: Timestamp
    let graceEnds: Timestamp

    init?(_ record: StateRecord) {
        guard record.type == .deletion, let archive = record.body["archiveId"]?.stringValue,
            let deleted = record.body["deleted"]?.integerValue, let ends = record.body["graceEnds"]?.integerValue
        else { return nil }
        archiveID = archive
        self.deleted = Timestamp(milliseconds: deleted)
        graceEnds = Timestamp(milliseconds: ends)
    }
}

/// What an upload's record says.
struct RecordedUpload {
    enum State: String { case open, aborted, completed, expired }

    let uploadID: String
    let archiveID: String
    let partBytes: UInt64
    let description: String
    let state: State
    let created: Timestamp
    /// When this state was recorded.
    let recorded: Timestamp
    let generation: UInt64
    let wrap: WrappedKey

    init?(_ record: StateRecord, archive: ArchiveUID) {
        let body = record.body
        guard record.type == .upload, let upload = body["uploadId"]?.stringValue, let id = body["archiveId"]?.stringValue,
            body["archiveUid"]?.stringValue == archive.hex, let size = body["partSize"]?.integerValue,
            let description = body["description"]?.stringValue,
            let state = body["state"]?.stringValue.flatMap(State.init(rawValue:)),
            let created = body["created"]?.integerValue, let list = body["keys"]?.arrayValue,
            let keys = try? WrappedKey.list(list), let wrap = keys.first(where: { $0.kind == WrappedKey.serviceKind }),
            UploadLifeCycle.isValidPartSize(UInt64(clamping: size))
        else { return nil }
        uploadID = upload
        archiveID = id
        partBytes = UInt64(size)
        self.description = description
        self.state = state
        self.created = Timestamp(milliseconds: created)
        recorded = Timestamp(milliseconds: record.createdMilliseconds)
        generation = record.generation
        self.wrap = wrap
    }
}
