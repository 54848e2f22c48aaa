// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Foundation
import Messaging
import Testing
import VaultModel

@testable import MessageDelivery

/// The envelope as Docs/Formats/Envelope-v1.md has it; the vectors are made by another implementation
/// (Tests/Tools/make_envelope_vectors.py).
@Suite struct EnvelopeTests {
    @Test func theVectorsComeOutByteForByte() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Vectors/envelope.json")
        let vectors = try JSONParser.parse([UInt8](try Data(contentsOf: path)))
        let cases = try #require(vectors["cases"]?.arrayValue)
        #expect(cases.count >= 3)
        for vector in cases {
            func text(_ name: String) throws -> String { try #require(vector[name]?.stringValue) }
            let message = TopicMessage(
                id: try #require(MessageUID(hex: try text("messageId"))),
                topic: try #require(TopicARN(try text("topic"))),
                subject: try text("subject"), body: try text("message"),
                created: Timestamp(milliseconds: try #require(vector["created"]?.integerValue)))
            let bytes = Envelope.bytes(of: message)
            let (envelope, name, code) = (try text("envelope"), try text("fileName"), try text("signature"))
            #expect(Hex.encode(bytes) == envelope)
            #expect(Envelope.fileName(of: message) == name)
            let secret = try #require(Hex.decode(try text("secret")))
            let attempt = Timestamp(milliseconds: try #require(vector["attempt"]?.integerValue))
            #expect(Envelope.signature(of: bytes, secret: secret, at: attempt) == code)
        }
    }
}
