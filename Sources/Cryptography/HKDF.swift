// SPDX-License-Identifier: Apache-2.0

/// HKDF-Expand (RFC 5869 section 2.3) with SHA-512. Keys that go in are uniformly random already, so there is no
/// Extract.
public enum HKDFSHA512 {
    /// The longest output the function may give: 255 blocks.
    public static let maxOutputBytes = 255 * 64

    /// Expands a secret key into `count` bytes that are not secret (a reference, a fingerprint).
    public static func expand(prk: SecretKey, info: [UInt8], count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let output = unsafe UnsafeMutableRawBufferPointer(
                rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count])
            unsafe prk.withUnsafeBytes { unsafe expand(prk: $0, info: info, into: output) }
            initialized = count
        }
    }

    /// Expands into memory that the caller wipes. `output` holds 1 to `maxOutputBytes` bytes.
    public static func expand(
        prk: UnsafeRawBufferPointer, info: [UInt8], into output: UnsafeMutableRawBufferPointer
    ) {
        precondition(output.count <= maxOutputBytes, "HKDF output is limited to 255 blocks")
        unsafe info.withUnsafeBytes { info in
            unsafe withUnsafeTemporaryAllocation(byteCount: HashFunction.sha512.digestBytes, alignment: 8) { block in
                var written = 0
                var counter: UInt8 = 0
                while written < output.count {
                    counter += 1
                    var computation = unsafe HMACComputation(.sha512, key: prk)
                    if counter > 1 { unsafe computation.update(UnsafeRawBufferPointer(block)) }
                    unsafe computation.update(info)
                    unsafe withUnsafeBytes(of: counter) { unsafe computation.update($0) }
                    unsafe computation.finish(into: block)
                    let take = min(block.count, output.count - written)
                    unsafe UnsafeMutableRawBufferPointer(rebasing: output[written..<(written + take)])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: block[..<take]))
                    written += take
                }
                unsafe Libcrypto.wipe(block)
            }
        }
    }
}
