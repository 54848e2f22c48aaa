// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

/// Where the next page of an inventory begins: after this archive. Opaque to clients.
struct InventoryMarker {
    private static let version: UInt8 = 1
    let position: ArchivePosition

    init(after position: ArchivePosition) { self.position = position }

    init?(_ text: String) {
        guard text.utf8.count == 34, let bytes = Base64URL.decode(text), bytes.count == 25, bytes[0] == Self.version,
            let uid = ArchiveUID(bytes: bytes[9...])
        else { return nil }
        let milliseconds = bytes[1..<9].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        position = ArchivePosition(created: Timestamp(milliseconds: Int64(bitPattern: milliseconds)), uid: uid)
    }

    var text: String {
        let milliseconds = UInt64(bitPattern: position.created.milliseconds)
        let time = stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: milliseconds >> UInt64($0)) }
        return Base64URL.encode([Self.version] + time + position.uid.bytes)
    }
}
