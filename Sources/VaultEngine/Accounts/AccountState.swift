// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Storage
import VaultModel

/// An account with all that belongs to it, opened: what a change works on. It becomes one state record and one
/// catalog transaction.
struct AccountState: Sendable {
    struct AccessKey: Sendable {
        let id: String
        /// Nil for a key of the root.
        let user: UserName?
        var state: AccessKeyRow.State
        let created: Timestamp
        let secret: String
    }

    struct User: Sendable {
        let name: UserName
        var state: UserRow.State
        let created: Timestamp
        /// Identity policies by name, verbatim.
        var policies: [String: String]
    }

    struct Topic: Sendable {
        let topic: TopicARN
        let created: Timestamp
        /// Target and signing secret, as Notifications writes them.
        var document: JSONValue
    }

    let id: AccountID
    var state: AccountRow.State
    let created: Timestamp
    var accessKeys: [AccessKey] = []
    var users: [User] = []
    var topics: [Topic] = []
    var settings = AccountSettings.none

    init(id: AccountID, state: AccountRow.State, created: Timestamp) {
        self.id = id
        self.state = state
        self.created = created
    }

    /// Where the user is in ``users``, or the refusal.
    func index(of name: UserName) throws(VaultError) -> Int {
        guard let index = users.firstIndex(where: { $0.name == name }) else {
            throw VaultError(.notFound, "There is no user \(name) in account \(id). List its users and check the name.")
        }
        return index
    }

    /// The members in the order of the record; expired capacity is forgotten.
    mutating func normalise(at now: Timestamp) {
        accessKeys.sort { $0.id < $1.id }
        users.sort { $0.name < $1.name }
        topics.sort { $0.topic < $1.topic }
        settings.capacity = settings.capacity
            .mapValues { units in units.filter { now < $0.expiration } }.filter { !$0.value.isEmpty }
        settings.retrievalPolicies = settings.retrievalPolicies.filter { $0.value != .none }
    }

    /// What an account may hold, so that its record stays below ``StateRecord/maxBytes``; judged on every change.
    func checkLimits() throws(VaultError) {
        try Self.check(accessKeys.count, Limits.maxAccessKeysPerAccount, "access keys", of: id)
        try Self.check(users.count, Limits.maxUsersPerAccount, "users", of: id)
        try Self.check(topics.count, Limits.maxTopicsPerAccount, "topics", of: id)
        for topic in topics where topic.document.canonicalBytes().count > Self.maxTopicBytes {
            throw VaultError(
                .limitExceeded,
                "The target of topic \(topic.topic) takes more than \(Self.maxTopicBytes) bytes. Shorten it.")
        }
        for user in users {
            try Self.check(user.policies.count, Limits.maxPoliciesPerUser, "policies", of: "user \(user.name)")
            let bytes = user.policies.values.reduce(0) { $0 + $1.utf8.count }
            guard bytes <= Limits.maxIdentityPolicyBytes else {
                throw VaultError(
                    .limitExceeded,
                    "The policies of user \(user.name) take \(bytes) bytes together; "
                        + "\(Limits.maxIdentityPolicyBytes) are allowed. Shorten or merge them.")
            }
        }
    }

    /// A topic's target and secret as a document.
    static let maxTopicBytes = 8 << 10

    private static func check(_ count: Int, _ limit: Int, _ what: String, of owner: AccountID) throws(VaultError) {
        try check(count, limit, what, of: "account \(owner)")
    }

    private static func check(_ count: Int, _ limit: Int, _ what: String, of owner: String) throws(VaultError) {
        guard count <= limit else {
            throw VaultError(
                .limitExceeded, "The \(owner) has \(limit) \(what), which is the limit. Delete some first.")
        }
    }
}
