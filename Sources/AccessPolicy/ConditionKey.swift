// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// A fact about a request that conditions test and variables bring in: Docs/API/Policies.md, "Keys".
enum ConditionKey: Hashable, Sendable {
    case sourceIP
    case secureTransport
    case currentTime
    case epochTime
    case principalARN
    case principalAccount
    case userAgent
    case userName
    case archiveAgeInDays
    /// With the tag's own key, whose case is preferred but does not have to match.
    case resourceTag(String)

    /// What kind of value it has, which decides the operators that can test it.
    enum ValueKind: Hashable { case text, number, date, epoch, boolean, address, arn }

    /// Nil for a name that is no key. Names are compared without regard to case.
    init?(name: String) {
        let prefix = "glacier:resourcetag/"
        let scalars = Array(name.unicodeScalars)
        let lowered = String(String.UnicodeScalarView(scalars.prefix(prefix.unicodeScalars.count))).lowercased()
        if lowered == prefix {
            let tag = scalars.dropFirst(prefix.unicodeScalars.count)
            guard (1...Limits.maxTagKeyCharacters).contains(tag.count) else { return nil }
            self = .resourceTag(String(String.UnicodeScalarView(tag)))
            return
        }
        guard let key = Self.byName[name.lowercased()] else { return nil }
        self = key
    }

    private static let byName: [String: ConditionKey] = [
        "aws:sourceip": .sourceIP, "aws:securetransport": .secureTransport, "aws:currenttime": .currentTime,
        "aws:epochtime": .epochTime, "aws:principalarn": .principalARN, "aws:principalaccount": .principalAccount,
        "aws:useragent": .userAgent, "aws:username": .userName, "glacier:archiveageindays": .archiveAgeInDays,
    ]

    var kind: ValueKind {
        switch self {
        case .sourceIP: .address
        case .secureTransport: .boolean
        case .currentTime: .date
        case .epochTime: .epoch
        case .principalARN: .arn
        case .archiveAgeInDays: .number
        case .principalAccount, .userAgent, .userName, .resourceTag: .text
        }
    }

    /// Whether what it says changes by waiting.
    var dependsOnTime: Bool {
        switch self {
        case .currentTime, .epochTime, .archiveAgeInDays: true
        default: false
        }
    }

    /// Its value as text; nil where the request has none, or the action does not offer the key.
    func text(in request: PolicyRequest) -> [Unicode.Scalar]? {
        string(in: request).map { Array($0.unicodeScalars.prefix(Self.longestValue)) }
    }

    /// Scalars of a value that are looked at. Only a user agent can be longer, which the client chooses freely anyway.
    static let longestValue = 256

    private func string(in request: PolicyRequest) -> String? {
        let context = request.context
        switch self {
        case .sourceIP: return context.sourceAddress.flatMap { IPAddress(requestText: $0) == nil ? nil : $0 }
        case .secureTransport: return context.isSecure ? "true" : "false"
        case .currentTime: return context.now.iso8601Seconds
        case .epochTime: return String(context.now.wholeSeconds)
        case .principalARN: return request.principal.arn
        case .principalAccount: return request.principal.account.digits
        case .userAgent: return context.userAgent
        case .userName: return request.principal.user?.text
        case .archiveAgeInDays: return request.action.offersArchiveAge ? context.archiveAgeInDays.map { String($0) } : nil
        case .resourceTag(let tag):
            return request.action.offersResourceTags ? Self.value(of: tag, in: context.resourceTags) : nil
        }
    }

    /// The tag of exactly this key; else the first, in the order of bytes, that differs in case only.
    private static func value(of tag: String, in tags: [String: String]) -> String? {
        if let exact = tags.first(where: { $0.key.utf8.elementsEqual(tag.utf8) }) { return exact.value }
        let lowered = tag.lowercased()
        return tags.filter { $0.key.lowercased().utf8.elementsEqual(lowered.utf8) }
            .min { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }?.value
    }
}

extension VaultAction {
    /// Whether `glacier:ArchiveAgeInDays` can have a value.
    var offersArchiveAge: Bool { self == .deleteArchive || self == .initiateJob }

    /// Whether `glacier:ResourceTag/…` can have a value.
    var offersResourceTags: Bool {
        switch self {
        case .addTagsToVault, .completeMultipartUpload, .completeVaultLock, .deleteArchive, .deleteVault, .deleteVaultAccessPolicy,
            .deleteVaultNotifications, .initiateJob, .initiateMultipartUpload, .initiateVaultLock, .removeTagsFromVault,
            .setVaultAccessPolicy, .setVaultNotifications, .uploadArchive, .uploadMultipartPart:
            true
        default: false
        }
    }

    /// Whether vault policies have a say.
    var concernsOneVault: Bool { !isAccountLevel && self != .createVault }
}

extension Timestamp {
    /// Seconds since 1970, the fraction dropped towards the past: the grain of dates in policies.
    var wholeSeconds: Int64 {
        let quotient = milliseconds / 1000
        return milliseconds % 1000 < 0 ? quotient - 1 : quotient
    }
}
