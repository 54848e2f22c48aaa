// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import VaultModel

/// What a session token says; sealed, so that nobody but the service reads or makes one (Docs/Formats/Session-v1.md).
struct SessionToken: Equatable, Sendable {
    /// The longest token, as text.
    static let maxCharacters = 4096
    private static let version: UInt8 = 1
    private static let context = Array("coldvault/session/v1".utf8)
    /// Version and master key version, before the sealed message.
    private static let headBytes = 5

    let principal: Principal
    /// When the user (the account, for its root) was created: a user made again under the same name is another one.
    let principalCreated: Timestamp
    let accessKeyID: String
    let secret: String
    let expires: Timestamp
    let policy: String?

    private var json: JSONValue {
        [
            "accessKeyId": .string(accessKeyID), "account": .string(principal.account.digits),
            "expires": .integer(expires.milliseconds),
            "policy": .optional(policy), "principalCreated": .integer(principalCreated.milliseconds),
            "secret": .string(secret),
            "user": .optional(principal.user?.text), "version": 1,
        ]
    }

    /// The token's text.
    func sealed(version masterVersion: UInt32, key: SecretKey, random: some RandomByteSource) throws(SealError)
        -> String
    {
        let head = [Self.version] + (0..<4).map { UInt8(truncatingIfNeeded: masterVersion >> (24 - 8 * UInt32($0))) }
        return Base64.encode(
            head + (try Seal.seal(json.canonicalBytes(), key: key, context: Self.context, random: random)))
    }

    /// Nil for whatever this service has not made, and for what was sealed under a master key that is gone. Costs
    /// no look-up.
    static func opened(_ text: String, key: (UInt32) -> SecretKey?) -> SessionToken? {
        guard text.utf8.count <= maxCharacters, let bytes = Base64.decode(text), bytes.count > headBytes,
            bytes[0] == version,
            let key = key(bytes[1..<headBytes].reduce(0) { $0 << 8 | UInt32($1) })
        else { return nil }
        // Forged or damaged: the caller is told the same as for an unknown access key.
        guard let plain = try? Seal.open(Array(bytes[headBytes...]), key: key, context: context),
            let json = try? JSONParser.parseCanonical(plain)
        else { return nil }
        return SessionToken(json: json)
    }

    init(
        principal: Principal, principalCreated: Timestamp, accessKeyID: String, secret: String, expires: Timestamp,
        policy: String?
    ) {
        self.principal = principal
        self.principalCreated = principalCreated
        self.accessKeyID = accessKeyID
        self.secret = secret
        self.expires = expires
        self.policy = policy
    }

    /// Exactly the members of the format; anything else is not ours.
    private init?(json: JSONValue) {
        guard json.objectValue?.count == 8, json["version"]?.integerValue == 1,
            let account = json["account"]?.stringValue.flatMap({ AccountID($0) }),
            let accessKeyID = json["accessKeyId"]?.stringValue,
            let secret = json["secret"]?.stringValue, let expires = json["expires"]?.integerValue,
            let created = json["principalCreated"]?.integerValue, let userValue = json["user"],
            let policyValue = json["policy"],
            policyValue.isNull || policyValue.stringValue != nil
        else { return nil }
        let user = userValue.stringValue.flatMap { UserName($0) }
        guard userValue.isNull || user != nil else { return nil }
        self.init(
            principal: Principal(account: account, user: user), principalCreated: Timestamp(milliseconds: created),
            accessKeyID: accessKeyID, secret: secret, expires: Timestamp(milliseconds: expires),
            policy: policyValue.stringValue)
    }
}
