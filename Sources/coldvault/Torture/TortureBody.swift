// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON

/// Numbers that follow from a seed (SplitMix64), so that a run's choices can be repeated.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// A body that can be made again from three values: so the ledger is small, and no copy is needed to compare with.
struct TortureBody: Sendable, Hashable {
    let bytes: Int
    let seed: UInt64
    /// Words that repeat, or noise that does not compress.
    let isText: Bool

    static func random(largest: Int, _ numbers: inout SeededNumbers) -> TortureBody {
        // Small ones are what most archives are; the largest make writes that a kill finds half done.
        let bound = [1, 5000, largest].randomElement(using: &numbers) ?? 1
        return TortureBody(
            bytes: Int.random(in: 1...max(1, bound), using: &numbers),
            seed: UInt64.random(in: 0..<(1 << 53), using: &numbers), isText: Bool.random(using: &numbers))
    }

    /// All of it.
    func content() -> [UInt8] {
        var numbers = SeededNumbers(seed: seed)
        var content: [UInt8] = []
        content.reserveCapacity(bytes + 32)
        while content.count < bytes {
            if isText {
                content += Array("line \(content.count) of \(numbers.next() % 1000) ".utf8)
            } else {
                let number = numbers.next()
                for shift in stride(from: UInt64(0), to: 64, by: 8) { content.append(UInt8(number >> shift & 0xFF)) }
            }
        }
        content.removeLast(content.count - bytes)
        return content
    }

    var json: JSONValue { ["bytes": .integer(Int64(bytes)), "seed": .integer(Int64(seed)), "text": .bool(isText)] }

    init(bytes: Int, seed: UInt64, isText: Bool) {
        self.bytes = bytes
        self.seed = seed
        self.isText = isText
    }

    init?(_ json: JSONValue?) {
        guard let bytes = json?["bytes"]?.integerValue, let seed = json?["seed"]?.integerValue,
            let isText = json?["text"]?.boolValue, (1...(1 << 32)).contains(bytes), seed >= 0
        else { return nil }
        self.init(bytes: Int(bytes), seed: UInt64(seed), isText: isText)
    }
}
