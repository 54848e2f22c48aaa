// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Testing

/// Tests/Vectors/curves.json: the RFCs' own figures, and more that another library computed.
@Suite struct CurveTests {
    let file = try! Vectors.load("curves.json")

    @Test func signaturesAreTheStandardsBytes() throws {
        #expect(file.list("ed25519").count == 4)
        for vector in file.list("ed25519") {
            let (seed, message) = (SecretKey.vector(vector.hex("seed")), vector.hex("message"))
            let publicKey = try Ed25519.publicKey(seed: seed)
            #expect(publicKey == vector.hex("publicKey"))
            let signature = try Ed25519.sign(message, seed: seed)
            #expect(signature == vector.hex("signature"))
            #expect(Ed25519.isValid(signature, of: message, publicKey: publicKey))
        }
    }

    @Test func everyChangedBitMakesASignatureInvalid() throws {
        let vector = file.list("ed25519")[2]
        let (message, signature, key) = (vector.hex("message"), vector.hex("signature"), vector.hex("publicKey"))
        for bit in 0..<signature.count * 8 {
            var changed = signature
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!Ed25519.isValid(changed, of: message, publicKey: key), "bit \(bit)")
        }
        for bit in 0..<message.count * 8 {
            var changed = message
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!Ed25519.isValid(signature, of: changed, publicKey: key), "bit \(bit)")
        }
        for bit in 0..<key.count * 8 {
            var changed = key
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!Ed25519.isValid(signature, of: message, publicKey: changed), "bit \(bit)")
        }
        #expect(!Ed25519.isValid(Array(signature.dropLast()), of: message, publicKey: key))
        #expect(!Ed25519.isValid(signature + [0], of: message, publicKey: key))
        #expect(!Ed25519.isValid(signature, of: message, publicKey: Array(key.dropLast())))
        #expect(!Ed25519.isValid([], of: message, publicKey: []))
    }

    @Test func bothEndsAgreeOnTheStandardsSecret() throws {
        for vector in file.list("x25519") {
            let (own, other) = (SecretKey.vector(vector.hex("secret")), SecretKey.vector(vector.hex("peerSecret")))
            #expect(try X25519.publicKey(secret: own) == vector.hex("publicKey"))
            #expect(try X25519.publicKey(secret: other) == vector.hex("peer"))
            #expect(try X25519.sharedSecret(secret: own, peer: vector.hex("peer")).bytesForTests == vector.hex("shared"))
            #expect(
                try X25519.sharedSecret(secret: other, peer: vector.hex("publicKey")).bytesForTests == vector.hex("shared"))
        }
    }

    @Test func keysThatFixTheSecretAreRefused() {
        let own = SecretKey(random: SeededRandomBytes(seed: 3))
        for text in file.list("x25519Unusable") {
            let peer = Hex.decode(text.stringValue ?? "") ?? []
            #expect(peer.count == 32)
            #expect(throws: CryptographyError.unusablePublicKey) { try X25519.sharedSecret(secret: own, peer: peer) }
        }
        #expect(throws: CryptographyError.unusablePublicKey) { try X25519.sharedSecret(secret: own, peer: [9]) }
    }

    @Test func extractAndExpandGiveTheVectorsKeys() {
        #expect(file.list("hkdf").count == 3)
        for vector in file.list("hkdf") {
            let (secret, salt) = (vector.hex("secret"), vector.hex("salt"))
            let extracted = secret.withUnsafeBytes { HKDFSHA512.extract(salt: salt, input: $0) }
            #expect(extracted.isEqual(to: SecretBytes(bytes: vector.hex("extracted"))))
            let key = HKDFSHA512.derive(from: .vector(secret), salt: salt, info: vector.hex("info"))
            #expect(key.bytesForTests == vector.hex("key"))
        }
    }
}
