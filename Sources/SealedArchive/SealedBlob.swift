// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// Manifests and records: one small document, sealed whole. Docs/Formats/Blob-v1.md §3.
public enum SealedBlob {
    /// The longest document; parts stream through `PartSealer` instead.
    public static let maxPlaintextBytes = 16 << 20
    /// The longest blob of this kind.
    public static let maxBlobBytes = BlobPreamble.byteCount + Int(Seal.sealedLength(UInt64(maxPlaintextBytes)))

    /// The blob's bytes: preamble, then the sealed message.
    public static func seal(
        plaintext: [UInt8], preamble: BlobPreamble, account: String, vaultUID: [UInt8], key: SecretKey,
        random: some RandomByteSource
    ) throws(FormatError) -> [UInt8] {
        guard plaintext.count <= maxPlaintextBytes else { throw .limitExceeded("a document of more than 16 MiB") }
        let context = BlobContext(preamble: preamble, account: account, vaultUID: vaultUID).bytes
        return try sealing { () throws(SealError) in
            preamble.bytes + (try Seal.seal(plaintext, key: key, context: context, random: random))
        }
    }

    /// Opens a whole blob. To choose the key first, read `BlobPreamble(parsing:)`: a record's index is its key version.
    public static func open(
        _ blob: [UInt8], expecting expectation: BlobExpectation, account: String, vaultUID: [UInt8], key: SecretKey
    ) throws(FormatError) -> (preamble: BlobPreamble, plaintext: [UInt8]) {
        let preamble = try BlobPreamble(parsing: blob)
        try expectation.check(preamble)
        guard blob.count <= maxBlobBytes else { throw .limitExceeded("a document of more than 16 MiB") }
        let context = BlobContext(preamble: preamble, account: account, vaultUID: vaultUID).bytes
        let plaintext = try sealing { () throws(SealError) in
            try Seal.open(Array(blob[BlobPreamble.byteCount...]), key: key, context: context)
        }
        return (preamble, plaintext)
    }
}
