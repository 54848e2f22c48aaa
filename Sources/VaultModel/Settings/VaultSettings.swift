// SPDX-License-Identifier: Apache-2.0

/// What the owner of a vault has set on it: part of the vault's state record, sealed in the catalog.
public struct VaultSettings: Hashable, Sendable {
    /// At most ``Limits/maxTagsPerVault``.
    public var tags: [String: String]
    public var notifications: VaultNotifications?
    /// The access policy, verbatim as it was set.
    public var accessPolicy: String?
    public var lock: VaultLock?

    public init(
        tags: [String: String] = [:], notifications: VaultNotifications? = nil, accessPolicy: String? = nil, lock: VaultLock? = nil
    ) {
        self.tags = tags
        self.notifications = notifications
        self.accessPolicy = accessPolicy
        self.lock = lock
    }

    public static let none = VaultSettings()
}

/// What happens to a vault that its owner may want to hear of. Completed does not mean succeeded.
public enum VaultEvent: String, Hashable, Sendable, CaseIterable {
    case archiveRetrievalCompleted = "ArchiveRetrievalCompleted"
    case inventoryRetrievalCompleted = "InventoryRetrievalCompleted"
}

/// Which events of a vault go to which topic.
public struct VaultNotifications: Hashable, Sendable {
    public var topic: TopicARN
    /// In the order they were set, each once, at least one.
    public var events: [VaultEvent]

    public init(topic: TopicARN, events: [VaultEvent]) {
        self.topic = topic
        self.events = events
    }
}

/// `arn:aws:sns:<region>:<account>:<name>`: a destination that the operator has configured, or may configure later.
public struct TopicARN: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let text: String
    public let region: Region
    public let account: AccountID
    /// 1 to 256 characters out of `A-Z a-z 0-9 _ -`.
    public let name: String

    public init?(_ text: String) {
        let pieces = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard pieces.count == 6, pieces[0] == "arn", pieces[1] == "aws", pieces[2] == "sns", let region = Region(pieces[3]),
            let account = AccountID(pieces[4]), (1...256).contains(pieces[5].utf8.count),
            pieces[5].utf8.allSatisfy({ byte in
                (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5F
                    || byte == 0x2D
            })
        else { return nil }
        self.text = text
        self.region = region
        self.account = account
        name = pieces[5]
    }

    public var description: String { text }
    public static func < (left: TopicARN, right: TopicARN) -> Bool { left.text < right.text }
}
