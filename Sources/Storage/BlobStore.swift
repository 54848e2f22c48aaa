// SPDX-License-Identifier: Apache-2.0

public import NIOCore

/// A logical name of a blob: 1 to 512 bytes out of `a-z 0-9 - . _ /`, segments neither empty nor beginning with a dot.
public struct BlobID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let name: String

    public init?(_ name: String) {
        let bytes = name.utf8
        guard (1...512).contains(bytes.count) else { return nil }
        var atSegmentStart = true
        for byte in bytes {
            switch byte {
            case 0x2F:
                if atSegmentStart { return nil }
                atSegmentStart = true
            case 0x2E where atSegmentStart: return nil
            case 0x61...0x7A, 0x30...0x39, 0x2D, 0x2E, 0x5F: atSegmentStart = false
            default: return nil
            }
        }
        guard !atSegmentStart else { return nil }
        self.name = name
    }

    public var description: String { name }
    public static func < (left: BlobID, right: BlobID) -> Bool { left.name.utf8.lexicographicallyPrecedes(right.name.utf8) }
}

/// One entry of a listing.
public struct BlobListing: Hashable, Sendable {
    public let id: BlobID
    public let bytes: UInt64
    public init(id: BlobID, bytes: UInt64) {
        self.id = id
        self.bytes = bytes
    }
}

/// Whether cold blobs can be read now.
public enum RecallState: Sendable, Hashable {
    case ready
    /// Ask again after this long.
    case pending(Duration)
}

/// Write-once storage of named byte strings; what they mean is not its business.
///
/// Laws (one suite that every adapter runs, `Tests/StorageLaws`):
///  1. What `commit()` or `putAll` returned from is durable and stays readable, byte for byte, through crash and power cut, until deleted.
///  2. Nothing is visible under a name before its write is committed; an abandoned or crashed write leaves no visible blob.
///  3. A name is written once: a second commit throws `.alreadyExists` and changes nothing.
///  4. `read` returns exactly the bytes asked for or throws; a range past the end throws `.integrity` (the blob is shorter than it must be).
///  5. `delete` of a name that is not there succeeds. Deleting is durable on return.
///  6. `list` is in ascending byte order, complete for blobs that existed throughout, and its cost depends on the page, not on the store.
///  7. No room: writes throw `.noSpace` and leave nothing behind; reads and deletes go on.
///  8. `setAside` frees the name and keeps the bytes: nothing that was stored under it is lost by it.
/// All methods are safe to call concurrently and do not block the caller's executor.
public protocol BlobStore: Sendable {
    /// Whether reads need `recall` first (tape, cloud archive tiers). Decides whether outputs are staged by default.
    var readsNeedRecall: Bool { get }
    /// Starts a write. `expectedBytes` lets the store refuse early when there is no room.
    func beginWrite(_ id: BlobID, expectedBytes: UInt64) async throws(StorageError) -> any BlobWriter
    /// Makes several small blobs durable behind one barrier and visible in the given order.
    func putAll(_ blobs: [(id: BlobID, bytes: ByteBuffer)]) async throws(StorageError)
    /// The bytes `range` of the blob. At most ``maxReadBytes`` at once.
    func read(_ id: BlobID, range: Range<UInt64>) async throws(StorageError) -> ByteBuffer
    /// The size in bytes, or nil when there is no such blob.
    func size(of id: BlobID) async throws(StorageError) -> UInt64?
    /// At most `limit` blobs whose names start with `prefix`, after `after`.
    func list(prefix: String, after: BlobID?, limit: Int) async throws(StorageError) -> [BlobListing]
    func delete(_ id: BlobID) async throws(StorageError)
    /// Asks for cold blobs to be made readable; idempotent.
    func recall(_ ids: [BlobID]) async throws(StorageError) -> RecallState
    /// Free room in bytes, the reserve not counted.
    func availableBytes() async throws(StorageError) -> UInt64

    // MARK: copies and damage

    /// The copies of each blob that can be used now, each a store by itself, the one that decides first. Most stores are their only copy.
    var copies: [any BlobStore] { get }
    /// How the copies are doing; empty for a store that is its only copy.
    var copyStates: [BlobCopyState] { get }
    /// Takes a damaged blob out of its name and keeps its bytes where an operator finds them and no verb of this protocol does. False when
    /// there is no such blob. Durable on return.
    func setAside(_ id: BlobID) async throws(StorageError) -> Bool
    /// Gives copy number `copy` the bytes that copy number `source` has, after setting aside what it had. The caller has verified the source.
    /// Durable on return; a crash leaves the old bytes, none, or the new ones.
    func repair(_ id: BlobID, copy: Int, from source: Int) async throws(StorageError)
}

extension BlobStore {
    /// The bound of one `read`.
    public var maxReadBytes: Int { 4 << 20 }
}

/// One blob being written; used by one task at a time. Neither commit nor abandon called (a crash): nothing is visible.
public protocol BlobWriter: Sendable {
    /// Appends; on return the bytes are with the store, not yet durable.
    func write(_ bytes: ByteBuffer) async throws(StorageError)
    /// Durable and visible on return, or throws. After `.outcomeUnknown` the blob may be there.
    func commit() async throws(StorageError)
    /// Gives up and frees the room. Never throws; idempotent; does nothing after a commit.
    func abandon() async
}
