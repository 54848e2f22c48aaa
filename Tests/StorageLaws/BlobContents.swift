// SPDX-License-Identifier: Apache-2.0

import NIOCore
public import Storage
import Testing

/// A blob id that must be one.
public func blob(_ name: String) throws -> BlobID { try #require(BlobID(name), "\(name) is no blob id") }

/// `count` bytes that depend on `seed` and on their position: a block of prime length, over and over, begun at a place
/// of its own.
public func pattern(_ count: Int, _ seed: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    bytes += block[((seed & 0xFFFF) * 97 % block.count)...].prefix(count)
    while bytes.count < count { bytes += block.prefix(count - bytes.count) }
    return bytes
}

private let block: [UInt8] = (0..<4093).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 7) }

/// The whole blob, in the largest reads the store allows; recalled first when it must be.
public func readBack(_ store: any BlobStore, _ id: BlobID) async throws -> [UInt8] {
    try await thaw(store, [id])
    let size = try #require(try await store.size(of: id), "\(id) is not there")
    var bytes: [UInt8] = []
    while UInt64(bytes.count) < size {
        let end = min(size, UInt64(bytes.count + store.maxReadBytes))
        bytes += try await store.read(id, range: UInt64(bytes.count)..<end).readableBytesView
    }
    return bytes
}

/// Recalls until the blobs can be read, within a bound.
public func thaw(_ store: any BlobStore, _ ids: [BlobID]) async throws {
    guard store.readsNeedRecall else { return }
    for _ in 0..<1000 where try await store.recall(ids) == .ready { return }
    Issue.record("recall never ends")
}
