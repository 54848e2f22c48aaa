// SPDX-License-Identifier: Apache-2.0

public import Cryptography
public import VaultModel

/// What authentication needs to know about an access key.
public struct Credential: Sendable {
    public let accessKeyID: String
    public let account: AccountID
    /// False when the key or its account is disabled: treat as unknown.
    public let isActive: Bool
    public let secret: SecretBytes
}

/// A fresh access key; the only time its secret is shown.
public struct NewAccessKey: Sendable {
    public let account: AccountID
    public let accessKeyID: String
    public let secretAccessKey: String
}

public struct AccountDescription: Sendable, Hashable {
    public let account: AccountID
    public let isActive: Bool
    public let created: Timestamp
}

public struct AccessKeyDescription: Sendable, Hashable {
    public let accessKeyID: String
    public let account: AccountID
    public let isActive: Bool
    public let created: Timestamp
}
