// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Synchronization
import Testing
import VaultModel

@testable import GlacierAPI
@testable import VaultEngine

/// What is set on vaults and accounts, over a real connection, the engine doubled.
@Suite(.timeLimit(.minutes(5)))
struct SettingOperationTests {
    static let base = "/-/vaults/v"

    private func expect(_ server: TestServer, _ action: VaultAction, _ document: String) async throws {
        let answer = try await server.answer(.wellFormed(action))
        #expect(answer.status == 200 && answer.header("Content-Type") == "application/json", "\(answer.text)")
        #expect(answer.text == document)
    }

    @Test func documentsAreExactlyTheDocumentedBytes() async throws {
        try await TestServer.run { server in
            let topic = "arn:aws:sns:us-east-1:123456789012:topic"
            try await expect(
                server, .getVaultNotifications, #"{"Events":["InventoryRetrievalCompleted"],"SNSTopic":"\#(topic)"}"#)
            try await expect(server, .getVaultAccessPolicy, #"{"Policy":"{\"a\": 1}"}"#)
            try await expect(server, .listTagsForVault, #"{"Tags":{"a":"é","b":""}}"#)
            let created = #""CreationDate":"2013-03-20T17:03:43.221Z""#
            try await expect(
                server, .getVaultLock,
                #"{\#(created),"ExpirationDate":"2013-03-21T17:03:43.221Z","Policy":"{}","State":"InProgress"}"#)
            server.operations.state.withLock { $0.lock.state = .locked }
            try await expect(
                server, .getVaultLock, #"{\#(created),"ExpirationDate":null,"Policy":"{}","State":"Locked"}"#)
            let most = UInt64(Int64.max)
            let policies: [(DataRetrievalPolicy, String)] = [
                (.none, #"{"BytesPerHour":null,"Strategy":"None"}"#),
                (.freeTier, #"{"BytesPerHour":null,"Strategy":"FreeTier"}"#),
                (.bytesPerHour(most), #"{"BytesPerHour":9223372036854775807,"Strategy":"BytesPerHour"}"#),
            ]
            for (policy, rule) in policies {
                server.operations.state.withLock { $0.retrievalPolicy = policy }
                try await expect(server, .getDataRetrievalPolicy, #"{"Policy":{"Rules":[\#(rule)]}}"#)
            }
            try await expect(
                server, .listProvisionedCapacity,
                #"{"ProvisionedCapacityList":[{"CapacityId":"\#(FakeOperations.lockID)","#
                    + #""ExpirationDate":"2013-04-20T17:03:43.000Z","StartDate":"2013-03-20T17:03:43.221Z"}]}"#)
        }
    }

    @Test func locksAndCapacityAreNamedInHeadersBesideAnEmptyObject() async throws {
        try await TestServer.run { server in
            for (action, name) in [
                (VaultAction.initiateVaultLock, "x-amz-lock-id"), (.purchaseProvisionedCapacity, "x-amz-capacity-id"),
            ] {
                let answer = try await server.answer(.wellFormed(action))
                #expect(answer.status == 201 && answer.text == "{}" && answer.header("Content-Length") == "2")
                #expect(answer.header(name) == FakeOperations.lockID && answer.header("Location") == nil)
            }
        }
    }

    @Test func whatSetsAnswersWithoutContent() async throws {
        try await TestServer.run { server in
            for action in VaultAction.allCases where SignedText.successStatus(action) == 204 {
                let answer = try await server.answer(.wellFormed(action))
                #expect(answer.status == 204, "\(action): \(answer.text)")
                #expect(answer.header("Content-Length") == nil && answer.header("Content-Type") == nil)
            }
        }
    }

    @Test func theEngineIsHandedWhatTheBodySays() async throws {
        try await TestServer.run { server in
            func send(_ method: String, _ target: String, _ body: String) async throws {
                var request = SignedText(method, target)
                request.body = Array(body.utf8)
                let answer = try await server.answer(request)
                #expect((201...204).contains(answer.status), "\(target): \(answer.text)")
            }
            let topic = "arn:aws:sns:eu-west-1:000000000001:a_Topic-9"
            try await send(
                "PUT", "\(Self.base)/notification-configuration",
                #"{"SNSTopic":"\#(topic)","Events":["InventoryRetrievalCompleted","ArchiveRetrievalCompleted","#
                    + #""InventoryRetrievalCompleted"]}"#)
            try await send("PUT", "\(Self.base)/access-policy", #"{"Policy":" {\"x\" : 1}\n"}"#)
            let (notifications, policy) = server.operations.state.withLock { ($0.lastNotifications, $0.lastPolicy) }
            #expect(notifications?.topic.text == topic)
            #expect(notifications?.events == [.inventoryRetrievalCompleted, .archiveRetrievalCompleted])
            #expect(policy == " {\"x\" : 1}\n")
            try await send("POST", "\(Self.base)/lock-policy", #"{"Policy":"lock"}"#)
            try await send("POST", "\(Self.base)/lock-policy/-_lock", "")
            try await send("POST", "\(Self.base)/tags?operation=add", #"{"Tags":{"a":"1","b":""}}"#)
            try await send("POST", "\(Self.base)/tags?operation=remove", #"{"TagKeys":["a","b"]}"#)
            try await send(
                "PUT", "/-/policies/data-retrieval",
                #"{"Policy":{"Rules":[{"Strategy":"BytesPerHour","BytesPerHour":10737418240}]}}"#)
            try await send("POST", "/-/provisioned-capacity", "")
            server.operations.state.withLock { state in
                #expect(state.lastPolicy == "lock" && state.lastTags == ["a": "1", "b": ""])
                #expect(state.lastKeys == ["a", "b"] && state.lastRetrievalPolicy == .bytesPerHour(10_737_418_240))
                #expect(
                    state.calls == [
                        "setVaultNotifications", "setVaultAccessPolicy", "initiateVaultLock",
                        "completeVaultLock -_lock",
                        "addTags", "removeTags", "setDataRetrievalPolicy 123456789012 us-east-1",
                        "purchaseProvisionedCapacity 123456789012 us-east-1",
                    ])
            }
        }
    }

    @Test func anErrorOfTheEngineKeepsItsDocumentedForm() async throws {
        try await TestServer.run { server in
            let table: [(VaultError.Code, Int, String)] = [
                (.notFound, 404, "ResourceNotFoundException"), (.limitExceeded, 400, "LimitExceededException"),
                (.accessDenied, 403, "AccessDeniedException"),
                (.invalidParameter, 400, "InvalidParameterValueException"),
                (.policyEnforced, 400, "PolicyEnforcedException"),
            ]
            for (code, status, name) in table {
                server.operations.state.withLock { $0.refusal = VaultError(code, "Said the engine.") }
                for action in VaultAction.allCases {
                    let answer = try await server.answer(.wellFormed(action))
                    #expect(answer.status == status && answer.code == name, "\(action): \(answer.text)")
                    #expect(answer.message == "Said the engine.")
                }
            }
        }
    }

    @Test func aTagRequestSaysWhetherToAddOrToRemove() async throws {
        try await TestServer.run { server in
            let table = [
                ("", "MissingParameterValueException", "Required parameter missing: operation"),
                ("?operation=", "MissingParameterValueException", "Required parameter missing: operation"),
                ("?operation=replace", "InvalidParameterValueException", "Invalid operation: replace"),
                ("?operation=ADD", "InvalidParameterValueException", "Invalid operation: ADD"),
            ]
            for (query, code, message) in table {
                var request = SignedText("POST", "\(Self.base)/tags\(query)")
                request.body = Array(#"{"Tags":{"k":"v"}}"#.utf8)
                let answer = try await server.answer(request)
                #expect(answer.status == 400 && answer.code == code, "\(query): \(answer.text)")
                #expect(answer.message?.hasPrefix(message) == true, "\(answer.text)")
            }
            #expect(server.operations.state.withLock { $0.calls } == [])
        }
    }

    @Test func strangeIdentifiersNeverGiveAnythingButDocumentedErrors() async throws {
        let documented: Set<String> = [
            "AccessDeniedException", "BadRequest", "InvalidParameterValueException", "ResourceNotFoundException",
        ]
        let strange = [
            "%00", "%FF%FE", "..%2f..", "%2e%2e", "%F0%9F%A7%8A", String(repeating: "x", count: 4000), "a%0d%0ab", "%",
            "%zz", "'", "%22%7B", "-", "null", "%20", "a;b", "a%3Fb", "a%23b", "~",
        ]
        try await TestServer.run { server in
            server.operations.state.withLock { $0.refusal = VaultError(.notFound, "No.") }
            for action in VaultAction.allCases {
                for text in strange {
                    for request in [
                        SignedText.wellFormed(action, identifier: text), .wellFormed(action, vault: text),
                        .wellFormed(action, account: text),
                    ] {
                        let answer = try await server.answer(request)
                        #expect(
                            documented.contains(answer.code ?? "") && (400..<500).contains(answer.status),
                            "\(request.method) \(request.target.prefix(100)): \(answer.status) \(answer.text.prefix(200))"
                        )
                    }
                }
            }
        }
    }
}
