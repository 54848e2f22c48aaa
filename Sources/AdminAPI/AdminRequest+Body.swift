// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON
import Messaging
import VaultEngine
import VaultModel

extension AdminRequest {
    /// The JSON object that goes with the verb.
    public var body: JSONValue {
        switch self {
        case .createAccount(let account): ["accountId": .text(account?.digits)]
        case .listAccounts(let after): ["after": .text(after?.digits)]
        case .setAccount(let account, let active): ["accountId": .string(account.digits), "active": .bool(active)]
        case .createAccessKey(let account, let user): Self.user(account, user)
        case .listAccessKeys(let account), .listUsers(let account), .listTopics(let account):
            ["accountId": .string(account.digits)]
        case .setAccessKey(let key, let active): ["accessKeyId": .string(key), "active": .bool(active)]
        case .deleteAccessKey(let key): ["accessKeyId": .string(key)]
        case .createUser(let account, let user), .deleteUser(let account, let user),
            .listUserPolicies(let account, let user):
            Self.user(account, user)
        case .setUser(let account, let user, let active): Self.user(account, user, ["active": .bool(active)])
        case .putUserPolicy(let account, let user, let name, let document):
            Self.user(account, user, ["document": .string(document), "name": .string(name)])
        case .deleteUserPolicy(let account, let user, let name): Self.user(account, user, ["name": .string(name)])
        case .createSession(let order):
            Self.user(
                order.principal.account, order.principal.user,
                ["policy": .text(order.policy), "seconds": .integer(order.seconds)])
        case .simulate(let question): Self.question(question)
        case .createTopic(let topic, let target): ["target": target.document, "topic": .string(topic.text)]
        case .deleteTopic(let topic), .testTopic(let topic): ["topic": .string(topic.text)]
        case .listMessages(let account, let state, let after):
            ["accountId": .string(account.digits), "after": .text(after?.hex), "state": .string(state.rawValue)]
        case .resendMessage(let message), .dropMessage(let message): ["messageId": .string(message.hex)]
        case .scrub(let request): request.body
        case .listKeys, .rotateMasterKey, .clockStatus, .confirmClock: [:]
        case .audit(let request): request.body
        case .rotateVaultKey(let location): Self.vault(location)
        case .key(let request): request.body
        case .backup(let request): request.body
        case .resetVaultAccessPolicy(let location): Self.vault(location)
        case .setVaultCompression(let location, let compression):
            Self.vault(location, ["compression": .text(compression)])
        }
    }

    private static func user(
        _ account: AccountID, _ user: UserName?, _ more: [String: JSONValue] = [:]
    ) -> JSONValue {
        .object(more.merging(["accountId": .string(account.digits), "user": .text(user?.text)]) { first, _ in first })
    }

    private static func vault(_ location: VaultLocation, _ more: [String: JSONValue] = [:]) -> JSONValue {
        .object(
            more.merging([
                "accountId": .string(location.account.digits), "region": .string(location.region.code),
                "vault": .string(location.name.text),
            ]) { first, _ in first })
    }

    private static func question(_ question: AccessQuestion) -> JSONValue {
        let target: JSONValue
        switch question.target {
        case .account(let account, let region):
            target = ["accountId": .string(account.digits), "region": .string(region.code)]
        case .vault(let location): target = vault(location)
        case .archive(let location, let id): target = vault(location, ["archiveId": .string(id)])
        }
        return [
            "action": .string(question.action.rawValue), "policy": .text(question.sessionPolicy),
            "principal": user(question.principal.account, question.principal.user),
            "secure": .bool(question.isSecure), "sourceIp": .text(question.sourceAddress), "target": target,
            "userAgent": .text(question.userAgent),
        ]
    }
}

extension TopicTarget {
    /// One member, named for the kind of target.
    var document: JSONValue {
        switch self {
        case .webhook(let url): ["webhook": .string(url)]
        case .directory(let path): ["directory": .string(path)]
        case .command(let arguments): ["command": .array(arguments.map { .string($0) })]
        }
    }
}
