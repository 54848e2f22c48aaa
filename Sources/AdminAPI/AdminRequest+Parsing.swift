// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON
public import VaultModel

extension AdminRequest {
    /// Reads what ``verb`` and ``body`` write.
    /// - Throws: `VaultError` naming the member that is missing or wrong.
    public init(verb: String, body: JSONValue) throws(VaultError) {
        let members = AdminMembers(body)
        if let request = try Self.accounts(verb, members) {
            self = request
        } else if let request = try Self.identities(verb, members) {
            self = request
        } else if let request = try Self.topics(verb, members) {
            self = request
        } else if let request = try Self.maintenance(verb, members) {
            self = request
        } else if let request = try AuditRequest(verb: verb, members) {
            self = .audit(request)
        } else if let request = try KeyRequest(verb: verb, members) {
            self = .key(request)
        } else if let request = try ScrubRequest(verb: verb, members) {
            self = .scrub(request)
        } else if let request = try BackupRequest(verb: verb, members) {
            self = .backup(request)
        } else {
            throw VaultError(.notFound, "There is no such administrative request: \(verb.prefix(64))")
        }
    }

    private static func accounts(_ verb: String, _ members: AdminMembers) throws(VaultError) -> AdminRequest? {
        switch verb {
        case "create-account": .createAccount(try members.optionalAccount("accountId"))
        case "list-accounts": .listAccounts(after: try members.optionalAccount("after"))
        case "set-account": .setAccount(try members.account(), active: try members.active())
        case "create-access-key": .createAccessKey(try members.account(), user: try members.optionalUser())
        case "list-access-keys": .listAccessKeys(try members.account())
        case "set-access-key": .setAccessKey(try members.text("accessKeyId"), active: try members.active())
        case "delete-access-key": .deleteAccessKey(try members.text("accessKeyId"))
        default: nil
        }
    }

    private static func identities(_ verb: String, _ members: AdminMembers) throws(VaultError) -> AdminRequest? {
        switch verb {
        case "create-user": return .createUser(try members.account(), try members.user())
        case "list-users": return .listUsers(try members.account())
        case "set-user": return .setUser(try members.account(), try members.user(), active: try members.active())
        case "delete-user": return .deleteUser(try members.account(), try members.user())
        case "put-user-policy":
            return .putUserPolicy(
                try members.account(), try members.user(), name: try members.text("name"),
                document: try members.text("document"))
        case "delete-user-policy":
            return .deleteUserPolicy(try members.account(), try members.user(), name: try members.text("name"))
        case "list-user-policies": return .listUserPolicies(try members.account(), try members.user())
        case "create-session":
            let order = SessionOrder(
                principal: try members.principal(), seconds: try members.seconds(),
                policy: try members.optionalText("policy"))
            return .createSession(order)
        case "simulate": return .simulate(try members.question())
        default: return nil
        }
    }

    private static func topics(_ verb: String, _ members: AdminMembers) throws(VaultError) -> AdminRequest? {
        switch verb {
        case "create-topic": return .createTopic(try members.topic(), try members.target())
        case "list-topics": return .listTopics(try members.account())
        case "delete-topic": return .deleteTopic(try members.topic())
        case "test-topic": return .testTopic(try members.topic())
        case "list-messages":
            guard let state = MessageState(rawValue: try members.text("state")) else {
                throw VaultError(.invalidParameter, "state must be waiting or dead.")
            }
            return .listMessages(try members.account(), state, after: try members.optionalMessage("after"))
        case "resend-message": return .resendMessage(try members.message())
        case "drop-message": return .dropMessage(try members.message())
        default: return nil
        }
    }

    private static func maintenance(_ verb: String, _ members: AdminMembers) throws(VaultError) -> AdminRequest? {
        switch verb {
        case "list-keys": return .listKeys
        case "rotate-master-key": return .rotateMasterKey
        case "rotate-vault-key": return .rotateVaultKey(try members.location())
        case "reset-vault-access-policy": return .resetVaultAccessPolicy(try members.location())
        case "set-vault-compression":
            let compression = try members.optionalText("compression")
            guard compression == nil || compression == "lz4" || compression == "none" else {
                throw VaultError(.invalidParameter, "compression must be lz4, none or null.")
            }
            return .setVaultCompression(try members.location(), compression)
        case "clock-status": return .clockStatus
        case "confirm-clock": return .confirmClock
        default: return nil
        }
    }
}
