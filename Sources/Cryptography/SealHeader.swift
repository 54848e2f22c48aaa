// SPDX-License-Identifier: Apache-2.0

/// The first 56 bytes of a sealed message: 24 bytes of salt and the 32-byte key commitment. Two messages with the same
/// header are the same message, which is why a manifest pins the headers of its parts.
public struct SealHeader: Hashable, Sendable, CustomStringConvertible {
    /// The 56 bytes.
    public let bytes: [UInt8]

    /// Takes exactly 56 bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Seal.headerBytes else { return nil }
        self.bytes = Array(bytes)
    }

    init(span: RawSpan) { bytes = unsafe span.withUnsafeBytes { unsafe Array($0) } }

    init(salt: [UInt8], commitment: [UInt8]) { bytes = salt + commitment }

    /// Parses exactly 112 lowercase hexadecimal digits.
    public init?(hex: some StringProtocol) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes: bytes)
    }

    /// 112 lowercase hexadecimal digits.
    public var hex: String { Hex.encode(bytes) }

    /// The salt, which makes the message's key and nonces unique.
    public var salt: [UInt8] { Array(bytes[..<Derivation.saltBytes]) }

    /// What the opener compares before it decrypts anything.
    public var commitment: [UInt8] { Array(bytes[Derivation.saltBytes...]) }

    public var description: String { hex }
}
