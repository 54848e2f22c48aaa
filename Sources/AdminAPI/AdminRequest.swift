// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
public import Messaging
public import VaultEngine
public import VaultModel

/// One thing an operator asks of the running service.
///
/// On the wire: `POST /v1/<verb>` with a JSON object, over the admin socket. Both ends use this type, so they cannot
/// disagree.
public enum AdminRequest: Sendable, Hashable {
    // MARK: accounts and access keys

    /// With a random number when none is given. Answer: the account's first access key, the only time its secret is
    /// shown.
    case createAccount(AccountID?)
    /// Up to ``accountsPerPage`` accounts with greater numbers than `after`.
    case listAccounts(after: AccountID?)
    case setAccount(AccountID, active: Bool)
    /// Of the account's root when no user is named. Answer: the key with its secret, shown this once.
    case createAccessKey(AccountID, user: UserName?)
    case listAccessKeys(AccountID)
    case setAccessKey(String, active: Bool)
    case deleteAccessKey(String)

    // MARK: users, policies, sessions

    case createUser(AccountID, UserName)
    case listUsers(AccountID)
    case setUser(AccountID, UserName, active: Bool)
    /// With its access keys and policies.
    case deleteUser(AccountID, UserName)
    /// Takes the place of the user's policy of that name.
    case putUserPolicy(AccountID, UserName, name: String, document: String)
    case deleteUserPolicy(AccountID, UserName, name: String)
    /// Answer: name and text of each.
    case listUserPolicies(AccountID, UserName)
    /// Answer: temporary credentials, shown this once.
    case createSession(SessionOrder)
    case simulate(AccessQuestion)

    // MARK: topics and their messages

    /// Answer: the topic with its signing secret, shown this once.
    case createTopic(TopicARN, TopicTarget)
    case listTopics(AccountID)
    case deleteTopic(TopicARN)
    /// Delivers a message at once; fails when the target does not take it.
    case testTopic(TopicARN)
    /// Up to ``messagesPerPage`` messages after `after`.
    case listMessages(AccountID, MessageState, after: MessageUID?)
    case resendMessage(MessageUID)
    case dropMessage(MessageUID)

    // MARK: keys, backups, the clock

    case listKeys
    case rotateMasterKey
    case rotateVaultKey(VaultLocation)
    case key(KeyRequest)
    case backup(BackupRequest)
    /// `lz4`, `none`, or nil for the service's default.
    case setVaultCompression(VaultLocation, String?)
    /// Removes the access policy of a vault, also one that shuts out the vault's owner. A vault lock stays.
    case resetVaultAccessPolicy(VaultLocation)
    case clockStatus
    /// The operator vouches for the wall clock: deletions that wait for it go on.
    case confirmClock

    // MARK: the audit log and checkpoints, scrub

    case audit(AuditRequest)
    case scrub(ScrubRequest)

    public static let accountsPerPage = 1000
    public static let messagesPerPage = 1000
    static let pathPrefix = "/v1/"
    /// The longest request: a policy of the greatest length in JSON's most wasteful spelling.
    static let maxBodyBytes = 256 << 10

    /// The messages that ``listMessages(_:_:after:)`` tells.
    public enum MessageState: String, Sendable, Hashable, CaseIterable {
        /// On their way, or waiting for the next attempt.
        case waiting
        /// Given up.
        case dead
    }

    /// The last segment of the path.
    public var verb: String {
        switch self {
        case .createAccount: "create-account"
        case .listAccounts: "list-accounts"
        case .setAccount: "set-account"
        case .createAccessKey: "create-access-key"
        case .listAccessKeys: "list-access-keys"
        case .setAccessKey: "set-access-key"
        case .deleteAccessKey: "delete-access-key"
        case .createUser: "create-user"
        case .listUsers: "list-users"
        case .setUser: "set-user"
        case .deleteUser: "delete-user"
        case .putUserPolicy: "put-user-policy"
        case .deleteUserPolicy: "delete-user-policy"
        case .listUserPolicies: "list-user-policies"
        case .createSession: "create-session"
        case .simulate: "simulate"
        case .createTopic: "create-topic"
        case .listTopics: "list-topics"
        case .deleteTopic: "delete-topic"
        case .testTopic: "test-topic"
        case .listMessages: "list-messages"
        case .resendMessage: "resend-message"
        case .dropMessage: "drop-message"
        case .listKeys: "list-keys"
        case .rotateMasterKey: "rotate-master-key"
        case .rotateVaultKey: "rotate-vault-key"
        case .key(let request): request.verb
        case .backup(let request): request.verb
        case .setVaultCompression: "set-vault-compression"
        case .resetVaultAccessPolicy: "reset-vault-access-policy"
        case .clockStatus: "clock-status"
        case .confirmClock: "confirm-clock"
        case .audit(let request): request.verb
        case .scrub(let request): request.verb
        }
    }
}

extension AdminRequest {
    /// Whom or what it is about, for the log; never a secret nor a document.
    var subject: String? {
        switch self {
        case .createAccount(let account), .listAccounts(let account): account?.digits
        case .setAccount(let account, _), .listAccessKeys(let account), .listUsers(let account),
            .listTopics(let account), .listMessages(let account, _, _):
            account.digits
        case .createAccessKey(let account, let user): Principal(account: account, user: user).arn
        case .setAccessKey(let key, _), .deleteAccessKey(let key): String(key.prefix(64))
        case .createUser(let account, let user), .setUser(let account, let user, _), .deleteUser(let account, let user),
            .putUserPolicy(let account, let user, _, _), .deleteUserPolicy(let account, let user, _),
            .listUserPolicies(let account, let user):
            Principal(account: account, user: user).arn
        case .createSession(let order): order.principal.arn
        case .simulate(let question): question.principal.arn
        case .createTopic(let topic, _), .deleteTopic(let topic), .testTopic(let topic): topic.text
        case .resendMessage(let message), .dropMessage(let message): message.hex
        case .rotateVaultKey(let location), .setVaultCompression(let location, _), .resetVaultAccessPolicy(let location):
            location.arn
        case .key(let request): request.subject
        case .backup(let request): request.subject
        case .scrub(.damaged(let location, _)): location?.arn
        case .listKeys, .rotateMasterKey, .clockStatus, .confirmClock, .audit, .scrub: nil
        }
    }
}

/// What temporary credentials are asked for.
public struct SessionOrder: Sendable, Hashable {
    public let principal: Principal
    /// Whole seconds; the engine judges how many.
    public let seconds: Int64
    /// A session policy: the credentials may do only what it allows, too.
    public let policy: String?

    public init(principal: Principal, seconds: Int64, policy: String? = nil) {
        self.principal = principal
        self.seconds = seconds
        self.policy = policy
    }
}

/// "Would this principal be allowed this action?", with the circumstances under which it is asked.
public struct AccessQuestion: Sendable, Hashable {
    public let principal: Principal
    public let action: VaultAction
    public let target: AccessTarget
    public let sessionPolicy: String?
    /// `aws:SourceIp`; nil leaves the key absent.
    public let sourceAddress: String?
    /// `aws:SecureTransport`.
    public let isSecure: Bool
    /// `aws:UserAgent`; nil leaves the key absent.
    public let userAgent: String?

    public init(
        principal: Principal, action: VaultAction, target: AccessTarget, sessionPolicy: String? = nil,
        sourceAddress: String? = nil, isSecure: Bool = true, userAgent: String? = nil
    ) {
        self.principal = principal
        self.action = action
        self.target = target
        self.sessionPolicy = sessionPolicy
        self.sourceAddress = sourceAddress
        self.isSecure = isSecure
        self.userAgent = userAgent
    }
}

extension JSONValue {
    /// A string, or null.
    static func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }

    static func count(_ value: UInt64) -> JSONValue { .integer(Int64(clamping: value)) }
}
