// SPDX-License-Identifier: Apache-2.0

/// Every policy that has a say about one request.
public struct PolicySet: Sendable {
    /// The principal's own policies; none for a root.
    public var identity: [(name: String, document: PolicyDocument)]
    /// The session policy of temporary credentials; nil when there is none, or the credentials are long-lived.
    public var session: PolicyDocument?
    /// The access policy of the vault.
    public var vaultAccess: PolicyDocument?
    /// The lock policy of the vault, in progress or locked, not expired.
    public var vaultLock: PolicyDocument?

    public init(
        identity: [(name: String, document: PolicyDocument)] = [], session: PolicyDocument? = nil,
        vaultAccess: PolicyDocument? = nil, vaultLock: PolicyDocument? = nil
    ) {
        self.identity = identity
        self.session = session
        self.vaultAccess = vaultAccess
        self.vaultLock = vaultLock
    }
}
