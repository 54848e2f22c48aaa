// SPDX-License-Identifier: Apache-2.0

/// Keys as plaintext of a seal: the bytes go from one wiped memory to another and never through an array.
extension Seal {
    /// Bytes of one sealed key: header, key, tag.
    public static let sealedKeyBytes = headerBytes + SecretKey.byteCount + tagBytes

    /// Seals a key under another one. The result has `sealedKeyBytes` bytes.
    public static func seal(
        keyMaterial: SecretKey, key: SecretKey, context: [UInt8], random: some RandomByteSource
    ) throws(SealError) -> [UInt8] {
        let sealer = try MessageSealer(key: key, context: context, random: random)
        return try unsafe keyMaterial.withUnsafeBytes { bytes throws(SealError) in
            try unsafe seal(bytes.bytes, with: sealer)
        }
    }

    /// Opens a key that `seal(keyMaterial:)` sealed.
    public static func openKeyMaterial(
        _ sealed: [UInt8], key: SecretKey, context: [UInt8]
    ) throws(SealError) -> SecretKey {
        guard sealed.count == sealedKeyBytes else {
            throw .invalidLength(expected: UInt64(sealedKeyBytes), actual: UInt64(sealed.count))
        }
        let span = unsafe sealed.span.bytes
        let opener = try MessageOpener(
            key: key, context: context, header: SealHeader(span: span.extracting(0..<headerBytes)),
            sealedLength: UInt64(sealed.count))
        var failure: SealError?
        let storage = unsafe SecretStorage(count: SecretKey.byteCount) { target in
            unsafe target.initializeMemory(as: UInt8.self, repeating: 0)
            do throws(SealError) {
                let body = unsafe sealed.span.bytes.extracting(headerBytes..<sealed.count)
                _ = try unsafe opener.open(chunks: 0..<1, ciphertext: body, into: target)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return SecretKey(storage: storage)
    }
}
