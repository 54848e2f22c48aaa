// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// Who sent a request, proven, and how it came.
public struct Caller: Hashable, Sendable {
    public let principal: Principal
    /// From the credential scope: the namespace of vaults the request is about.
    public let region: Region
    public let accessKeyID: String
    /// The session policy of temporary credentials: they may do only what it allows, too.
    public let sessionPolicy: String?
    /// The peer's IP address in its usual text form; nil when there is none to tell (a Unix socket).
    public let sourceAddress: String?
    /// Whether the request came over TLS.
    public let isSecure: Bool
    public let userAgent: String?

    public init(
        principal: Principal, region: Region, accessKeyID: String, sessionPolicy: String? = nil, sourceAddress: String? = nil,
        isSecure: Bool = false, userAgent: String? = nil
    ) {
        self.principal = principal
        self.region = region
        self.accessKeyID = accessKeyID
        self.sessionPolicy = sessionPolicy
        self.sourceAddress = sourceAddress
        self.isSecure = isSecure
        self.userAgent = userAgent
    }
}

/// What an action is about.
public enum AccessTarget: Hashable, Sendable {
    case account(AccountID, Region)
    case vault(VaultLocation)
    /// DeleteArchive and archive retrievals: the archive's age may matter. The id is not judged yet.
    case archive(VaultLocation, id: String)
}

/// An action that was allowed, and on which state of the vault that judgement rests.
public struct AccessGrant: Hashable, Sendable {
    /// The generation of the vault that was judged; nil where there was none to judge.
    public let vaultGeneration: UInt64?
    public init(vaultGeneration: UInt64?) { self.vaultGeneration = vaultGeneration }
}
