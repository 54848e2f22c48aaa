// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Foundation
import Synchronization

/// Gives exactly these bytes, once; how vectors fix what is random otherwise.
final class FixedBytes: RandomByteSource {
    private let rest: Mutex<[UInt8]>

    init(_ bytes: [UInt8]) { rest = Mutex(bytes) }

    func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        rest.withLock { rest in
            precondition(rest.count >= buffer.count, "the vector has no more random bytes")
            buffer.copyBytes(from: rest.prefix(buffer.count))
            rest.removeFirst(buffer.count)
        }
    }
}

/// Repeatable choices out of one printed seed (SplitMix64).
struct Choices: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

/// The files of Tests/Vectors.
enum Vectors {
    static func load(_ name: String) throws -> JSONValue {
        let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors/\(name)")
        return try JSONParser.parse([UInt8](try Data(contentsOf: path)), limits: JSONLimits(maxBytes: 16 << 20))
    }
}

extension JSONValue {
    /// Fields of vectors; a missing one traps, because the vector is wrong.
    func text(_ name: String) -> String { self[name]!.stringValue! }
    func int(_ name: String) -> Int { Int(self[name]!.integerValue!) }
    func hex(_ name: String) -> [UInt8] { Hex.decode(text(name))! }
    func list(_ name: String) -> [JSONValue] { self[name]!.arrayValue! }
}
