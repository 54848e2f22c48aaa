// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultEngine
import VaultModel

/// Performs administrative requests and writes their answers as JSON.
struct AdminResponder: Sendable {
    let operations: any AdminOperations

    func answer(_ request: AdminRequest) async throws(VaultError) -> JSONValue {
        switch request {
        case .createAccount(let account): return .answer(try await operations.createAccount(account), user: nil)
        case .listAccounts(let after):
            let page = AdminRequest.accountsPerPage
            return .array(try await operations.listAccounts(after: after, limit: page).map(JSONValue.answer))
        case .setAccount(let account, let active):
            try await operations.setAccount(account, active: active)
            return ["accountId": .string(account.digits), "state": .state(active)]

        case .createAccessKey(let account, let user):
            return .answer(try await operations.createAccessKey(account, user: user), user: user)
        case .listAccessKeys(let account):
            return .array(try await operations.listAccessKeys(account).map(JSONValue.answer))
        case .setAccessKey(let id, let active):
            try await operations.setAccessKey(id, active: active)
            return ["accessKeyId": .string(id), "state": .state(active)]
        case .deleteAccessKey(let id):
            try await operations.deleteAccessKey(id)
            return ["accessKeyId": .string(id), "state": "deleted"]

        case .createUser(let account, let user):
            try await operations.createUser(account, user)
            return .user(account, user, state: .state(true))
        case .listUsers(let account): return .array(try await operations.listUsers(account).map(JSONValue.answer))
        case .setUser(let account, let user, let active):
            try await operations.setUser(account, user, active: active)
            return .user(account, user, state: .state(active))
        case .deleteUser(let account, let user):
            try await operations.deleteUser(account, user)
            return .user(account, user, state: "deleted")

        case .putUserPolicy(let account, let user, let name, let document):
            try await operations.putUserPolicy(account, user, name: name, document: document)
            return .policy(account, user, name, state: "attached")
        case .deleteUserPolicy(let account, let user, let name):
            try await operations.deleteUserPolicy(account, user, name: name)
            return .policy(account, user, name, state: "deleted")
        case .listUserPolicies(let account, let user):
            let policies = try await operations.userPolicies(account, user).sorted { $0.key < $1.key }
            return .array(policies.map { ["document": .string($0.value), "name": .string($0.key)] })
        case .createSession(let order):
            return .answer(
                try await operations.createSession(
                    order.principal, duration: .seconds(order.seconds), policy: order.policy))
        case .simulate(let question): return .answer(try await operations.simulate(question))

        case .createTopic(let topic, let target):
            return .answer(try await operations.createTopic(topic, target: target))
        case .listTopics(let account): return .array(try await operations.listTopics(account).map(JSONValue.answer))
        case .deleteTopic(let topic):
            try await operations.deleteTopic(topic)
            return ["state": "deleted", "topic": .string(topic.text)]
        case .testTopic(let topic):
            try await operations.testTopic(topic)
            return ["state": "delivered", "topic": .string(topic.text)]
        case .listMessages(let account, let state, let after):
            let messages = try await operations.listMessages(
                account, isDead: state == .dead, after: after, limit: AdminRequest.messagesPerPage)
            return .array(messages.map(JSONValue.answer))
        case .resendMessage(let message):
            try await operations.resendMessage(message)
            return ["messageId": .string(message.hex), "state": "waiting"]
        case .dropMessage(let message):
            try await operations.dropMessage(message)
            return ["messageId": .string(message.hex), "state": "dropped"]

        case .listKeys: return .answer(try await operations.listKeys())
        case .rotateMasterKey: return .answer(try await operations.rotateMasterKey())
        case .key(let request): return try await answer(request)
        case .rotateVaultKey(let location): return .answer(try await operations.rotateVaultKey(location))
        case .backup(let request): return try await request.answer(operations)
        case .resetVaultAccessPolicy(let location):
            try await operations.deleteVaultAccessPolicy(location, by: nil)
            return ["vaultArn": .string(location.arn)]
        case .setVaultCompression(let location, let compression):
            try await operations.setVaultCompression(location, compression)
            return ["compression": .text(compression), "vaultArn": .string(location.arn)]
        case .clockStatus: return .answer(try await operations.clockStatus())
        case .confirmClock: return .answer(try await operations.confirmClock())
        case .audit(let request): return try await operations.answer(request)
        case .scrub(let request): return try await answer(request)
        }
    }
}

/// An error on the admin socket: an HTTP status and two strings.
struct AdminRefusal {
    let status: Int
    let code: String
    let message: String

    init(_ error: VaultError) {
        message = error.message
        switch error.code {
        case .invalidParameter: (status, code) = (400, "invalidParameter")
        case .missingParameter: (status, code) = (400, "missingParameter")
        case .serialization: (status, code) = (400, "serialization")
        case .limitExceeded: (status, code) = (400, "limitExceeded")
        case .policyEnforced: (status, code) = (400, "policyEnforced")
        case .accessDenied, .expiredToken, .invalidSignature: (status, code) = (403, "accessDenied")
        case .notFound: (status, code) = (404, "notFound")
        case .requestTimeout: (status, code) = (408, "requestTimeout")
        case .unavailable: (status, code) = (503, "unavailable")
        case .integrity: (status, code) = (500, "integrity")
        case .internalFailure: (status, code) = (500, "internalFailure")
        }
    }

    var document: JSONValue { ["code": .string(code), "message": .string(message)] }
}
