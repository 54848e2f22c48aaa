// SPDX-License-Identifier: Apache-2.0

/// Every bound of the service that the wire or a format fixes. Bounds that an operator may choose live in the configuration.
public enum Limits {
    /// One leaf of the tree hash, one frame of a part: 1 MiB.
    public static let leafBytes = 1 << 20
    /// The largest archive in one request and the largest part: 4 GiB.
    public static let maxPartBytes: UInt64 = 1 << 32
    public static let minPartBytes: UInt64 = 1 << 20
    public static let maxParts = 10_000
    public static let maxVaultsPerAccountAndRegion = 1000
    public static let maxDescriptionBytes = 1024
    /// Page sizes: the default and the greatest; a greater request is clamped.
    public static let vaultsPerPage = 10
    public static let jobsPerPage = 50
    public static let uploadsPerPage = 50
    public static let partsPerPage = 50
    /// The largest JSON body of a request.
    public static let maxJSONBodyBytes = 1 << 20
    public static let maxAccessKeysPerAccount = 100
    public static let maxTagsPerVault = 50
    public static let maxTagsPerRequest = 10
    public static let maxTagKeyCharacters = 128
    public static let maxTagValueCharacters = 255
    /// An access policy or a lock policy: 20 KB.
    public static let maxVaultPolicyBytes = 20 << 10
    /// One identity policy, and all of a user together.
    public static let maxIdentityPolicyBytes = 6 << 10
    public static let maxPoliciesPerUser = 10
    public static let maxUsersPerAccount = 100
    public static let maxTopicsPerAccount = 100
    /// Access keys: 20 characters `[A-Z0-9]`, secrets: 40.
    public static let accessKeyCharacters = 20
    public static let secretCharacters = 40
}
