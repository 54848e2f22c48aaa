// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON

/// The note an upload leaves next to its source, so that `--resume` alone finds it again. Removed when the upload is
/// complete.
///
/// It is a convenience, never a truth: the parts are always compared with the file before they count.
struct UploadState: Sendable, Equatable {
    static let maxBytes = 64 << 10
    private static let format = "coldvault-upload"

    let endpoint: String
    let accountID: String
    let vault: String
    let uploadID: String
    let partBytes: UInt64
    /// The source as it was when the upload began.
    let source: FileStatus

    /// `/a/b.tar` → `/a/.b.tar.coldvault-upload`.
    static func path(forSource path: String) -> String {
        let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        return "\(path[..<slash]).\(path[slash...]).coldvault-upload"
    }

    func encoded() -> [UInt8] {
        JSONValue.object([
            "format": .string(Self.format), "version": .integer(1), "endpoint": .string(endpoint),
            "accountId": .string(accountID), "vault": .string(vault), "uploadId": .string(uploadID),
            "partBytes": .integer(Int64(clamping: partBytes)), "sourceBytes": .integer(Int64(clamping: source.bytes)),
            "sourceModified": .integer(source.modifiedMilliseconds),
        ]).canonicalBytes()
    }

    init(
        endpoint: String, accountID: String, vault: String, uploadID: String, partBytes: UInt64, source: FileStatus
    ) {
        self.endpoint = endpoint
        self.accountID = accountID
        self.vault = vault
        self.uploadID = uploadID
        self.partBytes = partBytes
        self.source = source
    }

    /// Nil when `bytes` are not such a note: then it is as if there were none.
    init?(decoding bytes: [UInt8]) {
        // A note that cannot be read has no say; the listing of the vault's uploads is asked instead.
        guard let document = try? WireDocument(parsing: bytes, what: "upload note"),
            document.string("format") == Self.format, document.count("version") == 1,
            let endpoint = document.string("endpoint"), let accountID = document.string("accountId"),
            let vault = document.string("vault"), let uploadID = document.string("uploadId"),
            let partBytes = document.count("partBytes"), let bytes = document.count("sourceBytes"),
            let modified = document.count("sourceModified")
        else { return nil }
        self.init(
            endpoint: endpoint, accountID: accountID, vault: vault, uploadID: uploadID, partBytes: partBytes,
            source: FileStatus(bytes: bytes, modifiedMilliseconds: Int64(clamping: modified)))
    }
}
