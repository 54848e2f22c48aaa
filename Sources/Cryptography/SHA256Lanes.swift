// SPDX-License-Identifier: Apache-2.0

import CSHA256Lanes

/// Advances two or three independent SHA-256 streams together. One stream alone leaves the processor's SHA unit idle
/// for half of the time; together they cost little more than one (Docs/Decisions/0014-sha256-lanes.md).
///
/// The result is that of updating each lane alone with its bytes. The byte strings may differ in length, share memory
/// and begin at any address.
public enum SHA256Lanes {
    /// Whether this processor has the SHA instructions. Lanes work without them, at the speed of libcrypto.
    public static let isAvailable = sha256_lanes_supported() != 0

    /// Bytes that fit the first-level cache: without interleaving, a second stream over the same bytes reads what the
    /// first has just fetched.
    private static let sliceBytes = 16 << 10

    /// Adds bytes to two messages.
    public static func update(_ a: inout SHA256Lane, _ aBytes: RawSpan, _ b: inout SHA256Lane, _ bBytes: RawSpan) {
        guard a.library == nil, b.library == nil else {
            for start in stride(from: 0, to: max(aBytes.byteCount, bBytes.byteCount), by: sliceBytes) {
                a.updateSlice(of: aBytes, at: start, count: sliceBytes)
                b.updateSlice(of: bBytes, at: start, count: sliceBytes)
            }
            return
        }
        unsafe aBytes.withUnsafeBytes { aBytes in
            unsafe bBytes.withUnsafeBytes { bBytes in
                var aRest = unsafe a.takingHead(of: aBytes)
                var bRest = unsafe b.takingHead(of: bBytes)
                unsafe advance(&a, &aRest, &b, &bRest)
                unsafe a.update(aRest)
                unsafe b.update(bRest)
            }
        }
    }

    /// Adds bytes to three messages.
    public static func update(
        _ a: inout SHA256Lane, _ aBytes: RawSpan, _ b: inout SHA256Lane, _ bBytes: RawSpan, _ c: inout SHA256Lane,
        _ cBytes: RawSpan
    ) {
        guard a.library == nil, b.library == nil, c.library == nil else {
            let longest = max(aBytes.byteCount, bBytes.byteCount, cBytes.byteCount)
            for start in stride(from: 0, to: longest, by: sliceBytes) {
                a.updateSlice(of: aBytes, at: start, count: sliceBytes)
                b.updateSlice(of: bBytes, at: start, count: sliceBytes)
                c.updateSlice(of: cBytes, at: start, count: sliceBytes)
            }
            return
        }
        unsafe aBytes.withUnsafeBytes { aBytes in
            unsafe bBytes.withUnsafeBytes { bBytes in
                unsafe cBytes.withUnsafeBytes { cBytes in
                    var aRest = unsafe a.takingHead(of: aBytes)
                    var bRest = unsafe b.takingHead(of: bBytes)
                    var cRest = unsafe c.takingHead(of: cBytes)
                    let blocks = min(aRest.count, bRest.count, cRest.count) / SHA256Lane.blockBytes
                    if blocks > 0, let aBase = aRest.baseAddress, let bBase = bRest.baseAddress,
                        let cBase = cRest.baseAddress
                    {
                        unsafe sha256_lanes_3(&a.state, aBase, &b.state, bBase, &c.state, cBase, blocks)
                        unsafe a.advanced(&aRest, blocks: blocks)
                        unsafe b.advanced(&bRest, blocks: blocks)
                        unsafe c.advanced(&cRest, blocks: blocks)
                    }
                    // One of the three has no whole block left: of these calls at most one advances anything.
                    unsafe advance(&a, &aRest, &b, &bRest)
                    unsafe advance(&b, &bRest, &c, &cRest)
                    unsafe advance(&a, &aRest, &c, &cRest)
                    unsafe a.update(aRest)
                    unsafe b.update(bRest)
                    unsafe c.update(cRest)
                }
            }
        }
    }

    /// Advances two lanes by the whole blocks that both have.
    private static func advance(
        _ a: inout SHA256Lane, _ aRest: inout UnsafeRawBufferPointer, _ b: inout SHA256Lane,
        _ bRest: inout UnsafeRawBufferPointer
    ) {
        let blocks = min(aRest.count, bRest.count) / SHA256Lane.blockBytes
        guard blocks > 0, let aBase = aRest.baseAddress, let bBase = bRest.baseAddress else { return }
        unsafe sha256_lanes_2(&a.state, aBase, &b.state, bBase, blocks)
        unsafe a.advanced(&aRest, blocks: blocks)
        unsafe b.advanced(&bRest, blocks: blocks)
    }
}
