// SPDX-License-Identifier: Apache-2.0

public import Cryptography
import Glibc

/// The random number generator of the kernel, for keys, salts and identifiers.
public struct SystemRandomBytes: RandomByteSource {
    public init() {}

    /// Fills all of `buffer`. At boot it blocks until the kernel has gathered enough; never afterwards. A kernel that
    /// cannot answer stops the process: going on without randomness would give keys away.
    public func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        var done = 0
        while done < buffer.count {
            // getentropy(3) is getrandom(2) without its short answers, for at most 256 bytes.
            let count = min(256, buffer.count - done)
            let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
            guard let address = piece.baseAddress else { return }
            guard unsafe getentropy(address, count) == 0 else {
                preconditionFailure("getentropy failed with errno \(errno): the kernel gives no randomness")
            }
            done += count
        }
    }
}
