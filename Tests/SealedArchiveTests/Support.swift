// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Foundation
import SealedArchive
import Synchronization

/// Reproducible bytes: SHA-256 of seed and counter. For tests only, never in production.
final class SeededRandomBytes: RandomByteSource {
    private let seed: UInt64
    private let counter = Mutex<UInt64>(0)

    init(seed: UInt64) { self.seed = seed }

    func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        var filled = 0
        while filled < buffer.count {
            let count = counter.withLock { value in
                value += 1
                return value
            }
            let block = SHA256Hasher.hash(Array("\(seed)/\(count)".utf8)).bytes
            for byte in block.prefix(buffer.count - filled) {
                buffer[filled] = byte
                filled += 1
            }
        }
    }
}

/// Gives exactly these bytes, once; how vectors fix a salt.
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

/// The files of Tests/Vectors.
enum Vectors {
    static func load(_ name: String) throws -> JSONValue {
        let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors/\(name)")
        return try JSONParser.parse([UInt8](try Data(contentsOf: path)), limits: JSONLimits(maxBytes: 16 << 20))
    }

    /// Applies the mutations of a must-fail vector.
    static func mutate(_ bytes: [UInt8], _ mutations: JSONValue?) -> [UInt8] {
        var bytes = bytes
        for mutation in mutations?.arrayValue ?? [] {
            func number(_ name: String) -> Int { Int(mutation[name]?.integerValue ?? -1) }
            switch mutation["op"]?.stringValue {
            case "flip": bytes[number("offset")] ^= UInt8(number("mask"))
            case "truncate": bytes = Array(bytes.prefix(number("length")))
            case "append": bytes += Hex.decode(mutation["bytes"]?.stringValue ?? "") ?? []
            case "swap":
                for offset in 0..<number("length") { bytes.swapAt(number("a") + offset, number("b") + offset) }
            case "copy":
                for offset in 0..<number("length") { bytes[number("to") + offset] = bytes[number("from") + offset] }
            default: preconditionFailure("unknown mutation")
            }
        }
        return bytes
    }
}

extension JSONValue {
    /// Fields of vectors; a missing one traps, because the vector is wrong.
    func text(_ name: String) -> String { self[name]!.stringValue! }
    func int(_ name: String) -> Int { Int(self[name]!.integerValue!) }
    func hex(_ name: String) -> [UInt8] { Hex.decode(text(name))! }
    func list(_ name: String) -> [JSONValue] { self[name]!.arrayValue! }
}

extension SecretKey {
    static func vector(_ bytes: [UInt8]) -> SecretKey { try! SecretKey(bytes: bytes) }
    var bytesForTests: [UInt8] { withUnsafeBytes { Array($0) } }
}

/// The class name that vectors use (Docs/Formats/README.md).
func failureClass(_ error: FormatError) -> String {
    switch error {
    case .notABlob: "notABlob"
    case .newerVersion: "newerVersion"
    case .unknownSuite: "unknownSuite"
    case .unknownCritical: "unknownCritical"
    case .wrongIdentity: "wrongIdentity"
    case .wrongSealHeader: "wrongSealHeader"
    case .malformed: "malformed"
    case .limitExceeded: "limitExceeded"
    case .wrongLeafHash: "wrongLeafHash"
    case .wrongSignature: "wrongSignature"
    case .seal(let error): failureClass(error)
    }
}

func failureClass(_ error: SealError) -> String {
    switch error {
    case .wrongKeyOrContext: "wrongKeyOrContext"
    case .tampered: "tampered"
    case .truncated: "truncated"
    case .invalidLength: "invalidLength"
    case .messageTooLong: "messageTooLong"
    case .libraryFailure: "libraryFailure"
    }
}

/// The content that a vector's generator describes.
func content(_ spec: JSONValue) -> [UInt8] {
    let length = spec.int("length")
    switch spec.text("generator") {
    case "repeat":
        let pattern = spec.hex("pattern")
        return (0..<length).map { pattern[$0 % pattern.count] }
    case "concat": return spec.list("pieces").flatMap { content($0) }
    default:
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length + 32)
        let label = Array(spec.text("label").utf8)
        for index in 0..<UInt64((length + 31) / 32) {
            bytes += SHA256Hasher.hash(label + withUnsafeBytes(of: index.bigEndian) { Array($0) }).bytes
        }
        return Array(bytes.prefix(length))
    }
}
