// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// A request that was turned away before anybody knew for sure who sent it. Nothing in it is a secret: no signature, no token, no path.
public struct RefusedRequest: Hashable, Sendable {
    /// Which door it did not get through.
    public enum Reason: String, Sendable, CaseIterable {
        case missingAuthentication = "no authentication"
        case incompleteAuthentication = "incomplete authentication"
        case invalidSignature = "invalid signature"
        case unknownAccessKey = "unknown access key"
        case inactiveAccessKey = "inactive access key"
        case expiredToken = "expired token"
        case foreignAccount = "not an account of this service"
    }

    public let reason: Reason
    /// As claimed; only what has the form of one, since a client may mix up its id and its secret.
    public let accessKeyID: String?
    public let sourceAddress: String?
    /// What method and path ask for, where they ask for anything.
    public let action: VaultAction?

    public init(reason: Reason, accessKeyID: String?, sourceAddress: String?, action: VaultAction?) {
        self.reason = reason
        self.accessKeyID = accessKeyID.flatMap { Self.isAccessKeyID($0) ? $0 : nil }
        self.sourceAddress = sourceAddress.map { String($0.prefix(64)) }
        self.action = action
    }

    /// Whether `text` has the form of an access key id of any service: twenty capitals and digits.
    public static func isAccessKeyID(_ text: String) -> Bool {
        text.utf8.count == Limits.accessKeyCharacters
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) }
    }
}
