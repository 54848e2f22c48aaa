// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// What a principal asks for, as policies see it.
public struct PolicyRequest: Hashable, Sendable {
    /// Who asks, proven.
    public let principal: Principal
    public let action: VaultAction
    /// The ARN of what the action is about: ``PolicyResource``.
    public let resource: String
    /// The account that owns the resource.
    public let resourceAccount: AccountID
    public let context: RequestContext

    public init(
        principal: Principal, action: VaultAction, resource: String, resourceAccount: AccountID, context: RequestContext
    ) {
        self.principal = principal
        self.action = action
        self.resource = resource
        self.resourceAccount = resourceAccount
        self.context = context
    }
}

/// The circumstances of a request: what condition keys are read from.
///
/// Keys that the action does not offer (Docs/API/Policies.md, "Keys") are absent for it, whatever stands here.
public struct RequestContext: Hashable, Sendable {
    /// `aws:CurrentTime` and `aws:EpochTime`.
    public var now: Timestamp
    /// `aws:SourceIp`: an IPv4 or IPv6 address in a usual text form; nil, and any text that is no address, leave the key absent.
    public var sourceAddress: String?
    /// `aws:SecureTransport`.
    public var isSecure: Bool
    /// `aws:UserAgent`.
    public var userAgent: String?
    /// `glacier:ArchiveAgeInDays`: whole days since the archive was stored; nil where no archive is concerned.
    public var archiveAgeInDays: UInt64?
    /// `glacier:ResourceTag/<tag>`: the vault's tags.
    public var resourceTags: [String: String]

    public init(
        now: Timestamp, sourceAddress: String? = nil, isSecure: Bool = false, userAgent: String? = nil,
        archiveAgeInDays: UInt64? = nil, resourceTags: [String: String] = [:]
    ) {
        self.now = now
        self.sourceAddress = sourceAddress
        self.isSecure = isSecure
        self.userAgent = userAgent
        self.archiveAgeInDays = archiveAgeInDays
        self.resourceTags = resourceTags
    }
}

/// The ARNs that `Resource` elements name.
public enum PolicyResource {
    /// `arn:aws:glacier:<region>:<account>:vaults/<name>`.
    public static func vault(region: Region, account: AccountID, name: VaultName) -> String {
        "arn:aws:glacier:\(region):\(account):vaults/\(name)"
    }

    /// What an account-level action is about: all vaults for ListVaults, `policies/retrieval-limit-policy` for the data retrieval policy,
    /// `provisioned-capacity` for the capacity.
    public static func account(region: Region, account: AccountID, action: VaultAction) -> String {
        let prefix = "arn:aws:glacier:\(region):\(account):"
        return switch action {
        case .setDataRetrievalPolicy, .getDataRetrievalPolicy: prefix + "policies/retrieval-limit-policy"
        case .purchaseProvisionedCapacity, .listProvisionedCapacity: prefix + "provisioned-capacity"
        default: prefix + "vaults/*"
        }
    }
}
