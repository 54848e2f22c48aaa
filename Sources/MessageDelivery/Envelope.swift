// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Messaging
import VaultModel

/// A message as it goes out (Docs/Formats/Envelope-v1.md): the field's notification envelope, and our signature of it.
enum Envelope {
    /// One JSON document, the same bytes at every attempt.
    static func bytes(of message: TopicMessage) -> [UInt8] {
        let document: JSONValue = [
            "Message": .string(message.body),
            "MessageId": .string(message.id.hex),
            "Subject": .string(message.subject),
            "Timestamp": .string(message.created.iso8601Milliseconds),
            "TopicArn": .string(message.topic.text),
            "Type": "Notification",
        ]
        return document.canonicalBytes()
    }

    /// `t=<seconds>,v1=<hex>`: HMAC-SHA-256 over the decimal seconds, a full stop and the body. The moment is that of
    /// the attempt, so that a receiver can refuse a request recorded long ago.
    static func signature(of body: [UInt8], secret: [UInt8], at now: Timestamp) -> String {
        let moment = String(now.milliseconds / 1000)
        let code = HMACSHA256.authenticate(Array(moment.utf8) + [UInt8(ascii: ".")] + body, key: secret)
        return "t=\(moment),v1=\(code.hex)"
    }

    /// `20260102T030405.678Z-<message id>.json`: names sort by time, and a repeated delivery has the same name.
    static func fileName(of message: TopicMessage) -> String {
        let moment = message.created.iso8601Milliseconds.filter { $0 != "-" && $0 != ":" }
        return "\(moment)-\(message.id.hex).json"
    }
}
