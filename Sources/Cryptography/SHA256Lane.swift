// SPDX-License-Identifier: Apache-2.0

import CSHA256Lanes

/// One incremental SHA-256 that can advance beside others (`SHA256Lanes`); its digests are those of `SHA256Hasher`.
///
/// A lane computes with the processor's SHA instructions where it has them, and with libcrypto elsewhere: callers need
/// not know. Owned by one task at a time.
@safe
public struct SHA256Lane: ~Copyable {
    static let blockBytes = 64

    /// FIPS 180-4 §5.3.3.
    private static let initialState = sha256_lane_state(
        h: (
            0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19
        ))

    /// The whole computation, where the processor lacks the instructions; nothing below is used then.
    var library: SHA256Hasher?
    /// The state after all whole blocks.
    var state = SHA256Lane.initialState
    /// The bytes after them: `byteCount` modulo 64. The places behind are stale.
    private var pending = SIMD64<UInt8>()
    private var byteCount: UInt64 = 0

    /// Ready for the first byte.
    public init() { self.init(interleaved: SHA256Lanes.isAvailable) }

    /// For tests: lets both ways of computing be forced on one machine.
    /// - Parameter interleaved: false for libcrypto; true only where `SHA256Lanes.isAvailable`.
    init(interleaved: Bool) {
        precondition(!interleaved || SHA256Lanes.isAvailable, "this processor has no SHA instructions")
        library = interleaved ? nil : SHA256Hasher()
    }

    /// Adds bytes to the message.
    public mutating func update(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { unsafe update($0) }
    }

    /// Adds bytes to the message.
    public mutating func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe update($0) }
    }

    /// Adds bytes to the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if library != nil {
            unsafe library?.update(bytes)
            return
        }
        var rest = unsafe takingHead(of: bytes)
        unsafe advance(&rest, blocks: rest.count / Self.blockBytes)
        unsafe takeTail(rest)
    }

    /// Adds at most `count` bytes from there; behind the end, none.
    mutating func updateSlice(of bytes: RawSpan, at start: Int, count: Int) {
        update(bytes.extracting(min(start, bytes.byteCount)..<min(start + count, bytes.byteCount)))
    }

    /// The digest of the message so far; the lane begins a new message.
    public mutating func finalizeAndReset() -> SHA256Digest {
        if let digest = library?.finalizeAndReset() { return digest }
        pad()
        let words = state.h
        let bigEndian = (
            words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian,
            words.4.bigEndian, words.5.bigEndian, words.6.bigEndian, words.7.bigEndian
        )
        let digest = unsafe SHA256Digest { target in
            unsafe withUnsafeBytes(of: bigEndian) { unsafe target.copyMemory(from: $0) }
        }
        state = Self.initialState
        // A message's last bytes do not outlive it here.
        pending = SIMD64()
        byteCount = 0
        return digest
    }

    // MARK: the steps of an update without libcrypto

    /// Completes a block begun earlier, if there is one. What is returned starts on a block, unless it is empty.
    mutating func takingHead(of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let fill = Int(byteCount % UInt64(Self.blockBytes))
        guard fill > 0 else { return unsafe bytes }
        let take = min(Self.blockBytes - fill, bytes.count)
        unsafe store(UnsafeRawBufferPointer(rebasing: bytes[..<take]), at: fill)
        byteCount += UInt64(take)
        if fill + take == Self.blockBytes { advancePending() }
        return unsafe UnsafeRawBufferPointer(rebasing: bytes[take...])
    }

    /// Takes whole blocks from the front of the rest.
    mutating func advance(_ rest: inout UnsafeRawBufferPointer, blocks: Int) {
        guard blocks > 0, let base = rest.baseAddress else { return }
        unsafe sha256_lanes_1(&state, base, blocks)
        unsafe advanced(&rest, blocks: blocks)
    }

    /// Accounts for blocks of the rest that went into the state.
    mutating func advanced(_ rest: inout UnsafeRawBufferPointer, blocks: Int) {
        byteCount += UInt64(blocks * Self.blockBytes)
        unsafe rest = UnsafeRawBufferPointer(rebasing: rest[(blocks * Self.blockBytes)...])
    }

    /// Keeps what is less than a block.
    mutating func takeTail(_ rest: UnsafeRawBufferPointer) {
        guard rest.count > 0 else { return }
        precondition(rest.count < Self.blockBytes && byteCount % UInt64(Self.blockBytes) == 0, "whole blocks left over")
        unsafe store(rest, at: 0)
        byteCount += UInt64(rest.count)
    }

    /// FIPS 180-4 §5.1.1: a one bit, zeros, and the length in bits as the last eight bytes of a block.
    private mutating func pad() {
        let lengthOffset = Self.blockBytes - 8
        let bits = (byteCount &* 8).bigEndian
        var fill = Int(byteCount % UInt64(Self.blockBytes))
        pending[fill] = 0x80
        fill += 1
        if fill > lengthOffset {
            for place in fill..<Self.blockBytes { pending[place] = 0 }
            advancePending()
            fill = 0
        }
        for place in fill..<lengthOffset { pending[place] = 0 }
        unsafe withUnsafeBytes(of: bits) { unsafe store($0, at: lengthOffset) }
        advancePending()
    }

    private mutating func store(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        unsafe withUnsafeMutableBytes(of: &pending) {
            unsafe UnsafeMutableRawBufferPointer(rebasing: $0[offset...]).copyMemory(from: bytes)
        }
    }

    private mutating func advancePending() {
        unsafe sha256_lanes_1(&state, &pending, 1)
    }
}
