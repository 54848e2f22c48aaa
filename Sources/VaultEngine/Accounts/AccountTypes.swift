// SPDX-License-Identifier: Apache-2.0

public import Cryptography
public import VaultModel

/// What authentication needs to know about an access key, permanent or temporary.
public struct Credential: Sendable {
    public let accessKeyID: String
    /// Who signs with it.
    public let principal: Principal
    /// False when the key, its user or its account is disabled: treat as unknown.
    public let isActive: Bool
    public let secret: SecretBytes
    /// Of temporary credentials: they may do only what it allows, too.
    public let sessionPolicy: String?
    public var account: AccountID { principal.account }

    public init(
        accessKeyID: String, principal: Principal, isActive: Bool, secret: SecretBytes, sessionPolicy: String? = nil
    ) {
        self.accessKeyID = accessKeyID
        self.principal = principal
        self.isActive = isActive
        self.secret = secret
        self.sessionPolicy = sessionPolicy
    }
}

/// A fresh access key; the only time its secret is shown.
public struct NewAccessKey: Sendable {
    public let account: AccountID
    public let accessKeyID: String
    public let secretAccessKey: String
}

/// Fresh temporary credentials; the only time they are shown. Nothing about them is stored.
public struct NewSession: Sendable {
    public let principal: Principal
    public let accessKeyID: String
    public let secretAccessKey: String
    public let sessionToken: String
    public let expires: Timestamp

    public init(
        principal: Principal, accessKeyID: String, secretAccessKey: String, sessionToken: String, expires: Timestamp
    ) {
        self.principal = principal
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expires = expires
    }
}

public struct AccountDescription: Sendable, Hashable {
    public let account: AccountID
    public let isActive: Bool
    public let created: Timestamp
}

public struct AccessKeyDescription: Sendable, Hashable {
    public let accessKeyID: String
    public let account: AccountID
    /// Whose key it is; nil for the account's root.
    public let user: UserName?
    public let isActive: Bool
    public let created: Timestamp

    public init(accessKeyID: String, account: AccountID, user: UserName? = nil, isActive: Bool, created: Timestamp) {
        self.accessKeyID = accessKeyID
        self.account = account
        self.user = user
        self.isActive = isActive
        self.created = created
    }
}

public struct UserDescription: Sendable, Hashable {
    public let account: AccountID
    public let name: UserName
    public let isActive: Bool
    public let created: Timestamp
    /// Names of its identity policies, sorted.
    public let policies: [String]

    public init(account: AccountID, name: UserName, isActive: Bool, created: Timestamp, policies: [String]) {
        self.account = account
        self.name = name
        self.isActive = isActive
        self.created = created
        self.policies = policies
    }
}
