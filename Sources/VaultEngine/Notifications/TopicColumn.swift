// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Messaging
import VaultModel

/// The sealed part of a topic: where its messages go and the secret that signs them. Sealed under the master key, row:
/// the ARN's bytes. The same two members stand in the account's state record (Docs/Formats/Record-v1.md).
struct TopicColumn: ColumnDocument, Hashable, Sendable {
    static let table = "topics"
    static let secretBytes = 32

    var target: TopicTarget
    /// 32 bytes.
    var secret: [UInt8]

    init(target: TopicTarget, secret: [UInt8]) {
        self.target = target
        self.secret = secret
    }

    var json: JSONValue { ["secret": .string(Hex.encode(secret)), "target": Self.json(target)] }

    init?(json: JSONValue) {
        guard let secret = json["secret"]?.stringValue.flatMap({ Hex.decode($0) }), secret.count == Self.secretBytes,
            let target = json["target"].flatMap(Self.target)
        else { return nil }
        self.init(target: target, secret: secret)
    }

    private static func json(_ target: TopicTarget) -> JSONValue {
        switch target {
        case .webhook(let url): ["kind": "webhook", "url": .string(url)]
        case .directory(let path): ["kind": "directory", "path": .string(path)]
        case .command(let arguments): ["arguments": .array(arguments.map { .string($0) }), "kind": "command"]
        }
    }

    private static func target(_ json: JSONValue) -> TopicTarget? {
        switch json["kind"]?.stringValue {
        case "webhook": return json["url"]?.stringValue.map { .webhook(url: $0) }
        case "directory": return json["path"]?.stringValue.map { .directory(path: $0) }
        case "command":
            guard let values = json["arguments"]?.arrayValue else { return nil }
            let arguments = values.compactMap(\.stringValue)
            return arguments.count == values.count && !arguments.isEmpty ? .command(arguments: arguments) : nil
        default: return nil
        }
    }
}
