// SPDX-License-Identifier: Apache-2.0

import Cryptography
public import Storage
import Testing

/// The laws of ``KeyCustody``. Run each with a custody and another one of the same kind over another root key.
public enum KeyCustodyLaw: String, CaseIterable, Sendable {
    case wrappedKeyComesBack, anotherContextIsRefused, anotherCustodyIsRefused, everyChangedByteIsRefused,
        everyOtherLengthIsRefused
    case twoWrapsDiffer, referenceIsStableAndSaysNothing

    public func check(_ custody: any KeyCustody, other: any KeyCustody) async throws {
        let key = try SecretKey(bytes: pattern(32, 5))
        let context = Array("coldvault/test".utf8)
        let wrapped = try await custody.wrap(key, context: context)
        switch self {
        case .wrappedKeyComesBack:
            #expect(try await custody.unwrap(wrapped, context: context).isEqual(to: key))
            let empty = try await custody.wrap(key, context: [])
            #expect(try await custody.unwrap(empty, context: []).isEqual(to: key))
        case .anotherContextIsRefused:
            for changed in [[], Array(context.dropLast()), context + [0], Array("coldvault/tesu".utf8)] {
                await expectCode(.integrity) { try await custody.unwrap(wrapped, context: changed) }
            }
        case .anotherCustodyIsRefused:
            await expectCode(.integrity) { try await other.unwrap(wrapped, context: context) }
        case .everyChangedByteIsRefused:
            for index in wrapped.indices {
                var changed = wrapped
                changed[index] ^= 1 << UInt8(index % 8)
                await expectCode(.integrity, "byte \(index)") { try await custody.unwrap(changed, context: context) }
            }
        case .everyOtherLengthIsRefused:
            for count in 0..<wrapped.count {
                await expectCode(.integrity, "\(count) bytes") {
                    try await custody.unwrap(Array(wrapped[..<count]), context: context)
                }
            }
            await expectCode(.integrity) { try await custody.unwrap(wrapped + [0], context: context) }
        case .twoWrapsDiffer: #expect(try await custody.wrap(key, context: context) != wrapped)
        case .referenceIsStableAndSaysNothing:
            #expect(custody.reference == custody.reference)
            #expect(custody.reference != other.reference)
            #expect(custody.reference.utf8.count == 32)
            #expect(custody.reference.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        }
    }
}
