// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Storage

/// Wrapping under a root key that is in memory: what the file and the recovery custody have in common.
///
/// A wrapped key is the 104-byte seal of its 32 bytes (Docs/Formats/Seal-v1.md) with the caller's context.
struct RootKeyWrap: Sendable {
    let rootKey: SecretKey
    let random: any RandomByteSource
    /// 32 hexadecimal digits: the first 16 bytes of HKDF-Expand-SHA-512(root key, label) (Docs/Formats/Keyring-v1.md).
    let reference: String

    static let referenceLabel = "coldvault/root-key-reference/v1"

    init(rootKey: SecretKey, random: any RandomByteSource) {
        self.rootKey = rootKey
        self.random = random
        let bytes = HKDFSHA512.expand(prk: rootKey, info: Array(Self.referenceLabel.utf8), count: 16)
        let digits = Array("0123456789abcdef".utf8)
        reference = String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    func wrap(_ key: SecretKey, context: [UInt8]) throws(StorageError) -> [UInt8] {
        do throws(SealError) {
            return try Seal.seal(keyMaterial: key, key: rootKey, context: context, random: random)
        } catch {
            throw StorageError(.transient, "the key could not be wrapped; free memory and try again", cause: error)
        }
    }

    func unwrap(_ wrapped: [UInt8], context: [UInt8]) throws(StorageError) -> SecretKey {
        do throws(SealError) {
            return try Seal.openKeyMaterial(wrapped, key: rootKey, context: context)
        } catch {
            if case .libraryFailure = error {
                throw StorageError(
                    .transient, "the key could not be unwrapped; free memory and try again", cause: error)
            }
            throw StorageError(
                .integrity,
                "a wrapped key does not open under root key \(reference): it belongs to another root key or place, or is damaged; "
                    + "use another slot or another copy of the key file",
                cause: error)
        }
    }
}
