// SPDX-License-Identifier: Apache-2.0

/// Where random bytes come from. Keys, salts and identifiers take a source through their initialisers, so that
/// composition chooses the operating system's generator and a test chooses a seeded one.
///
/// Law: every byte of the buffer is overwritten with an unpredictable byte before `fill` returns; a source that cannot
/// do that ends the process rather than return. Safe to call from any thread.
public protocol RandomByteSource: Sendable {
    /// Overwrites the whole buffer. An empty buffer is allowed.
    func fill(_ buffer: UnsafeMutableRawBufferPointer)
}

extension RandomByteSource {
    /// `count` random bytes, for identifiers and salts. Key material belongs in `SecretKey(random:)` instead.
    public func bytes(_ count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            unsafe fill(UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
            initialized = count
        }
    }
}
