// SPDX-License-Identifier: Apache-2.0

import NIOCore
public import Storage
import Testing

/// Law 7 of ``BlobStore``: what happens when there is no room. Run each with an empty store with room for about
/// `roomBytes` bytes.
public enum BlobStoreRoomLaw: String, CaseIterable, Sendable {
    case writeThatCannotFitIsRefusedAtItsStart, writeThatOutgrowsTheRoomLeavesNothing,
        smallBlobsThatDoNotFitLeaveNothing
    case readsAndDeletesGoOnAndMakeRoom, abandonedWritesGiveTheirRoomBack

    public static let roomBytes: UInt64 = 8 << 20

    public func check(_ store: any BlobStore) async throws {
        let megabyte = 1 << 20
        let first = try blob("v/first")
        try await store.putAll([(first, ByteBuffer(bytes: pattern(megabyte, 1)))])
        switch self {
        case .writeThatCannotFitIsRefusedAtItsStart:
            await expectCode(.noSpace) {
                try await store.beginWrite(try blob("v/large"), expectedBytes: Self.roomBytes * 2)
            }
        case .writeThatOutgrowsTheRoomLeavesNothing:
            let writer = try await store.beginWrite(try blob("v/large"), expectedBytes: 1)
            await expectCode(.noSpace) {
                for number in 0..<20 { try await writer.write(ByteBuffer(bytes: pattern(megabyte, number))) }
            }
            await #expect(throws: StorageError.self) { try await writer.commit() }
            await writer.abandon()
        case .smallBlobsThatDoNotFitLeaveNothing:
            await expectCode(.noSpace) {
                try await store.putAll(
                    (0..<20).map { (try blob("v/s\($0)"), ByteBuffer(bytes: pattern(megabyte, $0))) })
            }
        case .readsAndDeletesGoOnAndMakeRoom:
            var stored: [BlobID] = []
            await expectCode(.noSpace) {
                for number in 0..<20 {
                    let id = try blob("v/m\(number)")
                    try await store.putAll([(id, ByteBuffer(bytes: pattern(megabyte, number)))])
                    stored.append(id)
                }
            }
            #expect(stored.count >= 2)
            #expect(try await readBack(store, first) == pattern(megabyte, 1))
            for id in stored { try await store.delete(id) }
            try await store.putAll([(try blob("v/again"), ByteBuffer(bytes: pattern(megabyte, 2)))])
            try await store.delete(try blob("v/again"))
        case .abandonedWritesGiveTheirRoomBack:
            for number in 0..<30 {
                let writer = try await store.beginWrite(try blob("v/w"), expectedBytes: Self.roomBytes / 2)
                try await writer.write(ByteBuffer(bytes: pattern(megabyte, number)))
                await writer.abandon()
            }
            #expect(try await store.availableBytes() > Self.roomBytes / 2)
        }
        #expect(try await store.list(prefix: "", after: nil, limit: 99).map(\.id) == [first])
        #expect(try await readBack(store, first) == pattern(megabyte, 1))
    }
}
