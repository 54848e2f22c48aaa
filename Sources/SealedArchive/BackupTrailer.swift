// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// The end of a backup: how long it is, its digest, and the service's signature. Docs/Formats/Backup-v1.md §5.
public struct BackupTrailer: Hashable, Sendable {
    /// Length in bytes.
    public static let byteCount = 112
    private static let magic: [UInt8] = [0x89, 0x43, 0x56, 0x42, 0x45, 0x0D, 0x0A, 0x1A]
    private static let signedStart = 8
    private static let signatureStart = 48

    /// The 112 bytes.
    public let bytes: [UInt8]

    /// Signs header and sealed message.
    /// - Parameters:
    ///   - length: of header and sealed message together.
    ///   - digest: of the same bytes.
    ///   - sign: gives the 64 bytes of an Ed25519 signature by the header's `service`.
    public init<E: Error>(length: UInt64, digest: SHA256Digest, sign: ([UInt8]) throws(E) -> [UInt8]) throws(E) {
        var bytes = Self.magic
        bytes.append(bigEndian: length)
        bytes += digest.bytes
        let signature = try sign(Self.signed(bytes))
        precondition(signature.count == Ed25519.signatureBytes, "an Ed25519 signature is 64 bytes")
        self.bytes = bytes + signature
    }

    /// Reads the last 112 bytes of a file of `fileBytes` bytes.
    public init(parsing bytes: some Collection<UInt8>, header: BackupHeader, fileBytes: UInt64) throws(FormatError) {
        let bytes = Array(bytes)
        guard bytes.count == Self.byteCount, bytes.starts(with: Self.magic) else { throw .seal(.truncated) }
        let length = bytes.withUnsafeBytes { $0.bigEndian(at: Self.signedStart, as: UInt64.self) }
        let least = UInt64(header.byteCount + Seal.headerBytes + Seal.tagBytes)
        guard length >= least, fileBytes >= UInt64(Self.byteCount), length == fileBytes - UInt64(Self.byteCount) else {
            throw .seal(.truncated)
        }
        self.bytes = bytes
    }

    /// Refuses another digest of header and sealed message, and a signature that is not the header's service's.
    public func check(digest: SHA256Digest, header: BackupHeader) throws(FormatError) {
        guard Array(digest.bytes) == Array(bytes[16..<Self.signatureStart]) else { throw .seal(.tampered(chunk: 0)) }
        guard
            Ed25519.isValid(
                Array(bytes[Self.signatureStart...]), of: Self.signed(Array(bytes[..<Self.signatureStart])), publicKey: header.service)
        else { throw .wrongSignature }
    }

    private static func signed(_ bytes: [UInt8]) -> [UInt8] {
        Array("coldvault/backup-signature/v1".utf8) + [0] + bytes[signedStart...]
    }
}
