// SPDX-License-Identifier: Apache-2.0

import CLibcrypto

/// A 256-bit secret key. It lives in one place outside the Swift heap's value copies, is overwritten when the last
/// reference goes, prints as nothing, and compares in constant time.
@safe
public final class SecretKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// The only length a key has.
    public static let byteCount = 32

    private let storage: SecretStorage

    /// Copies exactly 32 bytes; the caller still owns, and should wipe, its own copy.
    public init(copying bytes: UnsafeRawBufferPointer) throws(CryptographyError) {
        guard bytes.count == Self.byteCount else {
            throw .invalidKeyLength(expected: Self.byteCount, actual: bytes.count)
        }
        storage = unsafe SecretStorage(copying: bytes)
    }

    /// Copies exactly 32 bytes from an array, for test vectors and decoded text. The array itself is not wiped.
    public convenience init(bytes: [UInt8]) throws(CryptographyError) {
        guard bytes.count == Self.byteCount else {
            throw .invalidKeyLength(expected: Self.byteCount, actual: bytes.count)
        }
        unsafe self.init(storage: bytes.withUnsafeBytes { unsafe SecretStorage(copying: $0) })
    }

    /// A fresh random key.
    public convenience init(random: some RandomByteSource) {
        unsafe self.init(storage: SecretStorage(count: Self.byteCount) { unsafe random.fill($0) })
    }

    init(storage: SecretStorage) {
        precondition(storage.count == Self.byteCount, "a secret key is 32 bytes")
        self.storage = storage
    }

    /// Lends the bytes. The pointer must not outlive the call and its contents must not be copied into plain values.
    public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try unsafe storage.withUnsafeBytes(body)
    }

    /// Whether both hold the same bytes, in time that does not depend on them.
    public func isEqual(to other: SecretKey) -> Bool { storage.isEqual(to: other.storage) }

    public var description: String { "SecretKey(redacted)" }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A secret of any length (an access key's secret, a recovery key's text): wiped, redacted, compared in constant time.
@safe
public final class SecretBytes: Sendable, CustomStringConvertible, CustomReflectable {
    private let storage: SecretStorage

    /// Copies the bytes; the caller still owns, and should wipe, its own copy.
    public init(copying bytes: UnsafeRawBufferPointer) { storage = unsafe SecretStorage(copying: bytes) }

    /// Copies the bytes of an array, which itself is not wiped.
    public init(bytes: [UInt8]) { storage = unsafe bytes.withUnsafeBytes { unsafe SecretStorage(copying: $0) } }

    /// `count` fresh random bytes.
    public init(count: Int, random: some RandomByteSource) {
        storage = unsafe SecretStorage(count: count) { unsafe random.fill($0) }
    }

    /// How many bytes the secret has.
    public var count: Int { storage.count }

    /// Lends the bytes. The pointer must not outlive the call.
    public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try unsafe storage.withUnsafeBytes(body)
    }

    /// Whether both hold the same bytes; only their lengths may show in the time taken.
    public func isEqual(to other: SecretBytes) -> Bool { storage.isEqual(to: other.storage) }

    public var description: String { "SecretBytes(redacted)" }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// The memory behind a secret: allocated once, written before `init` returns, never moved, overwritten in `deinit`.
///
/// `@unchecked Sendable` because the bytes are written only inside `init` and `deinit`, when no other thread can hold a
/// reference; in between they are read only.
@safe
final class SecretStorage: @unchecked Sendable {
    private let buffer: UnsafeMutableRawBufferPointer

    init(count: Int, filledBy fill: (UnsafeMutableRawBufferPointer) -> Void) {
        unsafe buffer = .allocate(byteCount: count, alignment: 16)
        unsafe fill(buffer)
    }

    convenience init(copying bytes: UnsafeRawBufferPointer) {
        unsafe self.init(count: bytes.count) { unsafe $0.copyMemory(from: bytes) }
    }

    deinit {
        unsafe Libcrypto.wipe(buffer)
        unsafe buffer.deallocate()
    }

    var count: Int { unsafe buffer.count }

    func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try unsafe body(UnsafeRawBufferPointer(buffer))
    }

    func isEqual(to other: SecretStorage) -> Bool {
        unsafe constantTimeEqual(UnsafeRawBufferPointer(buffer), UnsafeRawBufferPointer(other.buffer))
    }
}
