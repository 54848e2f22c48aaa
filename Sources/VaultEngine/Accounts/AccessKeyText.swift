// SPDX-License-Identifier: Apache-2.0

import Cryptography
import VaultModel

/// Random texts in the alphabets that clients insist on.
enum AccessKeyText {
    /// What permanent and temporary access key ids begin with.
    static let permanentPrefix = "CVAK"
    static let temporaryPrefix = "CVTK"

    static let digits = Array("0123456789".utf8)
    static let idAlphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)
    static let secretAlphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)

    static func makeID(prefix: String, random: any RandomByteSource) -> String {
        prefix + make(characters: Limits.accessKeyCharacters - prefix.utf8.count, out: idAlphabet, random: random)
    }

    static func makeSecret(random: any RandomByteSource) -> String {
        make(characters: Limits.secretCharacters, out: secretAlphabet, random: random)
    }

    /// Each character equally likely: bytes past the greatest multiple of the alphabet's size are drawn again.
    static func make(characters: Int, out alphabet: [UInt8], random: any RandomByteSource) -> String {
        let limit = 256 - 256 % alphabet.count
        var out: [UInt8] = []
        while out.count < characters {
            for byte in random.bytes(64) where out.count < characters && Int(byte) < limit {
                out.append(alphabet[Int(byte) % alphabet.count])
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
