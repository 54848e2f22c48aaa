// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import VaultModel

/// The sealed part of a message. Under the master key, row: the message's uid.
struct MessageColumn: ColumnDocument, Equatable {
    static let table = "outbox"

    var subject: String
    /// The documented job document, as text.
    var body: String

    init(subject: String, body: String) {
        self.subject = subject
        self.body = body
    }

    var json: JSONValue { ["body": .string(body), "subject": .string(subject)] }

    init?(json: JSONValue) {
        guard let subject = json["subject"]?.stringValue, let body = json["body"]?.stringValue else { return nil }
        self.init(subject: subject, body: body)
    }
}

extension MessageUID {
    /// A fresh identifier that sorts by time: 48 bits of milliseconds, 80 random bits. So the oldest messages come
    /// first in a page, and the oldest dead letters are the ones that give way.
    init(at time: Timestamp, random: some RandomByteSource) {
        let fresh = MessageUID(random: random).words
        let milliseconds = UInt64(max(0, time.milliseconds)) & (1 << 48 - 1)
        self.init(words: UIDWords(high: milliseconds << 16 | fresh.high & 0xFFFF, low: fresh.low))
    }
}
