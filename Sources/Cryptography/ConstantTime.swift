// SPDX-License-Identifier: Apache-2.0

import CLibcrypto

/// Whether two byte strings are equal, in time that depends on their lengths only. For MACs, digests given by a client
/// and anything else where the place of the first difference would help an attacker.
public func constantTimeEqual(_ a: some Collection<UInt8>, _ b: some Collection<UInt8>) -> Bool {
    guard a.count == b.count else { return false }
    if let equal = a.withContiguousStorageIfAvailable({ a in
        b.withContiguousStorageIfAvailable { b in
            unsafe constantTimeEqual(UnsafeRawBufferPointer(a), UnsafeRawBufferPointer(b))
        }
    }), let equal {
        return equal
    }
    return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
}

/// `constantTimeEqual` for memory.
func constantTimeEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count else { return false }
    guard let first = a.baseAddress, let second = b.baseAddress else { return true }
    return unsafe CRYPTO_memcmp(first, second, a.count) == 0
}
