// SPDX-License-Identifier: Apache-2.0

/// HMAC-SHA-256 (RFC 2104), for signatures and identifiers.
public enum HMACSHA256 {
    /// The code of `data` under `key` (any length).
    public static func authenticate(_ data: [UInt8], key: UnsafeRawBufferPointer) -> SHA256Digest {
        unsafe data.withUnsafeBytes { data in
            unsafe SHA256Digest { code in
                var computation = unsafe HMACComputation(.sha256, key: key)
                unsafe computation.update(data)
                unsafe computation.finish(into: code)
            }
        }
    }

    /// The code of `data` under `key` (any length).
    public static func authenticate(_ data: [UInt8], key: [UInt8]) -> SHA256Digest {
        unsafe key.withUnsafeBytes { unsafe authenticate(data, key: $0) }
    }

    /// The code of `data` under a secret key.
    public static func authenticate(_ data: [UInt8], key: SecretKey) -> SHA256Digest {
        unsafe key.withUnsafeBytes { unsafe authenticate(data, key: $0) }
    }

    /// The code of `data` under a secret of any length.
    public static func authenticate(_ data: [UInt8], key: SecretBytes) -> SHA256Digest {
        unsafe key.withUnsafeBytes { unsafe authenticate(data, key: $0) }
    }
}

/// One HMAC in progress, over two libcrypto hash contexts.
struct HMACComputation: ~Copyable {
    private var inner: DigestContext
    private var outer: DigestContext
    private let digestBytes: Int

    init(_ hash: HashFunction, key: UnsafeRawBufferPointer) {
        inner = unsafe DigestContext(hash.algorithm)
        outer = unsafe DigestContext(hash.algorithm)
        digestBytes = hash.digestBytes
        unsafe withUnsafeTemporaryAllocation(byteCount: hash.blockBytes, alignment: 8) { block in
            unsafe block.initializeMemory(as: UInt8.self, repeating: 0)
            if key.count > block.count {
                unsafe inner.update(key)
                unsafe inner.finish(into: block)
                inner.reset()
            } else {
                unsafe block.copyMemory(from: key)
            }
            for index in block.indices { unsafe block[index] ^= 0x36 }
            unsafe inner.update(UnsafeRawBufferPointer(block))
            for index in block.indices { unsafe block[index] ^= 0x36 ^ 0x5C }
            unsafe outer.update(UnsafeRawBufferPointer(block))
            unsafe Libcrypto.wipe(block)
        }
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) { unsafe inner.update(bytes) }

    /// Writes the code (the digest's length). The computation is over.
    mutating func finish(into code: UnsafeMutableRawBufferPointer) {
        unsafe withUnsafeTemporaryAllocation(byteCount: digestBytes, alignment: 8) { digest in
            unsafe inner.finish(into: digest)
            unsafe outer.update(UnsafeRawBufferPointer(digest))
            unsafe Libcrypto.wipe(digest)
        }
        unsafe outer.finish(into: code)
    }
}

/// The two hash functions in use, with the numbers HMAC needs.
enum HashFunction {
    case sha256, sha512

    var algorithm: OpaquePointer {
        switch self {
        case .sha256: unsafe Libcrypto.sha256
        case .sha512: unsafe Libcrypto.sha512
        }
    }
    var blockBytes: Int { self == .sha256 ? 64 : 128 }
    var digestBytes: Int { self == .sha256 ? 32 : 64 }
}
