// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import NIOHTTP1

/// Which events of a vault are announced, and where.
public struct VaultNotificationSettings: Sendable, Hashable {
    /// ARN of the topic.
    public let topic: String
    /// For example `ArchiveRetrievalCompleted`, in the service's order.
    public let events: [String]

    /// Settings to send; nothing is checked before.
    public init(topic: String, events: [String]) {
        self.topic = topic
        self.events = events
    }

    var document: JSONValue {
        ["SNSTopic": .string(topic), "Events": .array(events.map { .string($0) })]
    }

    init(_ document: WireDocument) throws(ClientError) {
        guard let topic = document.string("SNSTopic") else {
            throw Missing.member("SNSTopic", of: "notification configuration")
        }
        self.topic = topic
        events = document.strings("Events")
    }
}

extension GlacierClient {
    /// The most tags that one request may add.
    static let tagsPerRequest = 10

    /// AddTagsToVault: a tag that exists gets the new value. More than ten go in several requests, in the order of
    /// their keys, so that a refusal may come when some are added.
    public func addTags(_ tags: [String: String], vault: String) async throws {
        let sorted = tags.sorted { $0.key < $1.key }
        for first in stride(from: 0, to: sorted.count, by: Self.tagsPerRequest) {
            let some = sorted[first..<min(first + Self.tagsPerRequest, sorted.count)]
            let document: JSONValue = [
                "Tags": .object(Dictionary(uniqueKeysWithValues: some.map { ($0.key, .string($0.value)) }))
            ]
            try await send(document, "AddTagsToVault", vault, method: "POST", tail: ["tags"], query: "add")
        }
    }

    /// RemoveTagsFromVault: keys that no tag has are no error.
    public func removeTags(_ keys: [String], vault: String) async throws {
        let document: JSONValue = ["TagKeys": .array(keys.map { .string($0) })]
        try await send(document, "RemoveTagsFromVault", vault, method: "POST", tail: ["tags"], query: "remove")
    }

    /// ListTagsForVault.
    public func tags(vault: String) async throws -> [String: String] {
        let call = try vaultCall("ListTagsForVault of", vault, method: "GET", tail: ["tags"])
        return try await document(call).texts("Tags")
    }

    /// SetVaultNotifications: replaces what was set before.
    public func setVaultNotifications(_ settings: VaultNotificationSettings, vault: String) async throws {
        try await send(
            settings.document, "SetVaultNotifications", vault, method: "PUT", tail: ["notification-configuration"])
    }

    /// GetVaultNotifications: kind `notFound` when nothing is set.
    public func vaultNotifications(vault: String) async throws -> VaultNotificationSettings {
        let call = try vaultCall("GetVaultNotifications of", vault, method: "GET", tail: ["notification-configuration"])
        return try VaultNotificationSettings(try await document(call))
    }

    /// DeleteVaultNotifications: succeeds also when nothing is set.
    public func deleteVaultNotifications(vault: String) async throws {
        _ = try await perform(
            try vaultCall("DeleteVaultNotifications of", vault, method: "DELETE", tail: ["notification-configuration"]))
    }

    /// A call about something below a vault.
    func vaultCall(
        _ operation: String, _ vault: String, method: String, tail: [String]
    ) throws(ClientError) -> GlacierCall {
        GlacierCall(
            operation: "\(operation) '\(vault)'", method: method, path: try Self.vaultPath(vault) + tail)
    }

    private func send(
        _ document: JSONValue, _ operation: String, _ vault: String, method: String, tail: [String],
        query: String? = nil
    ) async throws {
        var call = try vaultCall("\(operation) of", vault, method: method, tail: tail)
        if let query { call.query = [(name: "operation", value: query)] }
        call.carry(document)
        _ = try await perform(call)
    }
}

extension GlacierCall {
    /// Gives the call a JSON body.
    mutating func carry(_ document: JSONValue) {
        headers.append((name: "content-type", value: "application/json"))
        body = .bytes(document.canonicalBytes())
    }
}

extension WireDocument {
    /// The strings of an array member; anything else in it is skipped.
    func strings(_ name: String) -> [String] { (value[name]?.arrayValue ?? []).compactMap(\.stringValue) }

    /// The string members of an object member.
    func texts(_ name: String) -> [String: String] {
        (value[name]?.objectValue ?? [:]).compactMapValues(\.stringValue)
    }
}
