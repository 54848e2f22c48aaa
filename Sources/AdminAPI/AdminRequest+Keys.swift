// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
public import VaultEngine
public import VaultModel

/// What an operator asks about the life and the end of keys, and of archives whose grace is not to be waited for.
public enum KeyRequest: Sendable, Hashable {
    /// Moves everything off older versions: of one vault's key, or of all keys. Answer: the status.
    case rewrap(VaultLocation?, perSecond: UInt32)
    case rewrapStatus
    /// Every version that was certified, is to be destroyed, or was, with the signed statements.
    case listDestructions
    /// `waitSeconds` nil: as configured.
    case destroy(KeyChoice, waitSeconds: Int64?)
    case cancelDestruction(KeyChoice)
    /// Answer: the signed receipt.
    case purgeArchive(VaultLocation, archiveID: String)
    /// Answer: the same receipt again; nothing is destroyed.
    case purgeReceipt(VaultLocation, archiveID: String)

    var verb: String {
        switch self {
        case .rewrap: "rewrap-keys"
        case .rewrapStatus: "rewrap-status"
        case .listDestructions: "list-key-destructions"
        case .destroy: "destroy-key"
        case .cancelDestruction: "cancel-key-destruction"
        case .purgeArchive: "purge-archive"
        case .purgeReceipt: "purge-receipt"
        }
    }

    var subject: String? {
        switch self {
        case .rewrap(let location, _): location?.arn
        case .rewrapStatus, .listDestructions: nil
        case .destroy(let key, _), .cancelDestruction(let key): key.subject
        case .purgeArchive(_, let id), .purgeReceipt(_, let id): String(id.prefix(160))
        }
    }

    var body: JSONValue {
        switch self {
        case .rewrap(let location, let perSecond):
            .object(
                (location.map(Self.members) ?? [:]).merging(["perSecond": .integer(Int64(perSecond))]) { _, new in new })
        case .rewrapStatus, .listDestructions: [:]
        case .destroy(let key, let wait):
            .object(Self.members(key).merging(["waitSeconds": wait.map { .integer($0) } ?? .null]) { _, new in new })
        case .cancelDestruction(let key): .object(Self.members(key))
        case .purgeArchive(let location, let id), .purgeReceipt(let location, let id):
            .object(Self.members(location).merging(["archiveId": .string(id)]) { _, new in new })
        }
    }

    /// Nil when the verb is none of these.
    init?(verb: String, _ members: AdminMembers) throws(VaultError) {
        switch verb {
        case "rewrap-keys":
            let location = try members.optionalText("vault") == nil ? nil : try members.location()
            guard let perSecond = UInt32(exactly: try members.number("perSecond")) else {
                throw VaultError(.invalidParameter, "perSecond must be a number of archives; 0 sets no limit.")
            }
            self = .rewrap(location, perSecond: perSecond)
        case "rewrap-status": self = .rewrapStatus
        case "list-key-destructions": self = .listDestructions
        case "destroy-key":
            let wait = try members.optionalNumber("waitSeconds")
            guard (0...Self.maxWaitSeconds).contains(wait ?? 0) else {
                throw VaultError(.invalidParameter, "waitSeconds must be between 0 and \(Self.maxWaitSeconds), a year.")
            }
            self = .destroy(try Self.choice(members), waitSeconds: wait)
        case "cancel-key-destruction": self = .cancelDestruction(try Self.choice(members))
        case "purge-archive":
            self = .purgeArchive(try members.location(), archiveID: try members.text("archiveId"))
        case "purge-receipt":
            self = .purgeReceipt(try members.location(), archiveID: try members.text("archiveId"))
        default: return nil
        }
    }

    private static let maxWaitSeconds: Int64 = 365 * 24 * 3600

    private static func choice(_ members: AdminMembers) throws(VaultError) -> KeyChoice {
        guard let version = UInt32(exactly: try members.number("version")), version > 0 else {
            throw VaultError(.invalidParameter, "version must be the number of a key version.")
        }
        return try members.optionalText("vault") == nil
            ? .master(version: version) : .vault(try members.location(), version: version)
    }

    private static func members(_ location: VaultLocation) -> [String: JSONValue] {
        [
            "accountId": .string(location.account.digits), "region": .string(location.region.code),
            "vault": .string(location.name.text),
        ]
    }

    private static func members(_ key: KeyChoice) -> [String: JSONValue] {
        switch key {
        case .master(let version): ["version": .integer(Int64(version))]
        case .vault(let location, let version):
            members(location).merging(["version": .integer(Int64(version))]) { _, new in new }
        }
    }
}

extension KeyChoice {
    var subject: String {
        switch self {
        case .master(let version): "master key version \(version)"
        case .vault(let location, let version): "\(location.arn) version \(version)"
        }
    }
}

extension AdminMembers {
    /// A whole number from 0 on.
    func optionalNumber(_ name: String) throws(VaultError) -> Int64? {
        guard let value = optional(name) else { return nil }
        guard let number = value.integerValue, number >= 0 else {
            throw VaultError(.invalidParameter, "\(name) must be a whole number from 0 on.")
        }
        return number
    }

    func number(_ name: String) throws(VaultError) -> Int64 {
        guard let number = try optionalNumber(name) else { throw VaultError(.missingParameter, "\(name) is missing.") }
        return number
    }
}
