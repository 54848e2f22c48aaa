// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// An upload that was found in the blob store; parts in order of their index, none for a closed upload.
public struct RebuiltUpload: Hashable, Sendable {
    public let row: UploadRow
    public let parts: [PartRow]
    public init(row: UploadRow, parts: [PartRow] = []) {
        self.row = row
        self.parts = parts
    }
}

/// Writes a fresh catalog out of rows that are whole already (Docs/Formats/Rebuild-v1.md).
///
/// Order of calls: accounts and vaults; then, one vault after the other, its archives and uploads, and ``finishVault(_:keys:lastChange:)``;
/// at last ``finish()`` or ``abandon()``. Laws:
///  1. Nothing counts before ``finish()`` has returned: a catalog that was begun and not finished is nobody's catalog.
///  2. What ``finish()`` returned for is durable, holds every row that was given, keeps the invariants of ``Catalog`` and opens as one.
///  3. Memory does not grow with the number of rows.
///  4. An error of `insert` leaves none of its rows behind; the builder may be used on.
/// Used by one task at a time.
public protocol CatalogBuilder: Sendable {
    /// `.alreadyExists` when the account is there, or when one of its access keys is another account's.
    func insert(_ account: AccountRow, members: AccountMembers) async throws(StorageError)
    /// In any state; counts and last change of `vault` are ignored. `.alreadyExists` when the uid or, unless it is deleted, the location is
    /// taken.
    func insert(_ vault: VaultRow) async throws(StorageError)
    /// The vault of that location that is not deleted.
    func vault(at location: VaultLocation) async throws(StorageError) -> VaultRow?
    func vault(_ uid: VaultUID) async throws(StorageError) -> VaultRow?
    /// Takes a vault back of which no archive and no upload was inserted.
    func removeVault(_ uid: VaultUID) async throws(StorageError)
    /// At most ``maxRows`` at once, all of one vault, in any state, damaged or not.
    func insert(_ archives: [ArchiveRow]) async throws(StorageError)
    /// All of one vault, which is not deleted.
    func insert(_ uploads: [RebuiltUpload]) async throws(StorageError)
    /// Everything of the vault has been inserted: writes its keys, its counts and when it changed last.
    func finishVault(_ uid: VaultUID, keys: [VaultKeyWrap], lastChange: Timestamp?) async throws(StorageError)
    func doom(_ blobs: [DoomedBlob]) async throws(StorageError)
    func setFact(_ name: String, _ value: String) async throws(StorageError)
    /// Makes indexes, counts what hangs on each key version, forgets deleted vaults that nothing refers to, checks the whole and makes it
    /// durable. The totals are counted from the rows.
    func finish() async throws(StorageError) -> CatalogTotals
    /// Gives up and removes what was written; never throws, idempotent, does nothing after ``finish()``.
    func abandon() async
}

extension CatalogBuilder {
    /// The bound of one `insert`.
    public var maxRows: Int { 10_000 }
}
