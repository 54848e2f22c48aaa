// SPDX-License-Identifier: Apache-2.0

/// SHAKE256 (FIPS 202), the generator of the seal vectors' plaintexts. For tests only.
func shake256(_ message: [UInt8], count: Int) -> [UInt8] {
    let rate = 136
    var padded = message + [0x1F]
    while padded.count % rate != 0 { padded.append(0) }
    padded[padded.count - 1] |= 0x80
    var state = [UInt64](repeating: 0, count: 25)
    for block in stride(from: 0, to: padded.count, by: rate) {
        for index in 0..<rate { state[index / 8] ^= UInt64(padded[block + index]) << UInt64(8 * (index % 8)) }
        keccak(&state)
    }
    var output: [UInt8] = []
    while output.count < count {
        for index in 0..<rate { output.append(UInt8(truncatingIfNeeded: state[index / 8] >> UInt64(8 * (index % 8)))) }
        keccak(&state)
    }
    return Array(output.prefix(count))
}

private func keccak(_ a: inout [UInt64]) {
    var lfsr: UInt8 = 1
    for _ in 0..<24 {
        var c = [UInt64](repeating: 0, count: 5)
        for x in 0..<5 { c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] }
        for x in 0..<5 {
            let d = c[(x + 4) % 5] ^ rotate(c[(x + 1) % 5], 1)
            for y in 0..<5 { a[x + 5 * y] ^= d }
        }
        var (x, y) = (1, 0)
        var current = a[1]
        for step in 1...24 {
            (x, y) = (y, (2 * x + 3 * y) % 5)
            let next = a[x + 5 * y]
            a[x + 5 * y] = rotate(current, UInt64(step * (step + 1) / 2 % 64))
            current = next
        }
        for y in 0..<5 {
            let row = Array(a[(5 * y)..<(5 * y + 5)])
            for x in 0..<5 { a[x + 5 * y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]) }
        }
        for bit in 0..<7 {
            if lfsr & 1 == 1 { a[0] ^= 1 << ((1 << UInt64(bit)) - 1) }
            lfsr = lfsr & 0x80 != 0 ? (lfsr << 1) ^ 0x71 : lfsr << 1
        }
    }
}

private func rotate(_ value: UInt64, _ by: UInt64) -> UInt64 { by == 0 ? value : value << by | value >> (64 - by) }
