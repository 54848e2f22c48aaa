// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Testing

@testable import VaultClient

/// The requests about a vault's settings, its lock and an account's retrievals, byte for byte.
@Suite struct SettingsOperationTests {
    private static let done = ScriptedTransport.Answer.status(204, body: "")
    private static let broken = ScriptedTransport.Answer.failure(ClientError(.network, "cut", repetition: .unsure))

    private static func line(_ request: OutboundRequest) -> String {
        var text = "\(request.method) \(request.rawTarget.replacing("/glacier", with: ""))"
        if case .bytes(let body) = request.body { text += " " + String(decoding: body, as: UTF8.self) }
        return text
    }

    private static func sent(_ scripted: ScriptedClient) -> [String] { scripted.transport.requests.map(line) }

    @Test func tagsAreAddedTenAtATime() async throws {
        let scripted = try ScriptedClient([Self.done, Self.done])
        let tags = Dictionary(uniqueKeysWithValues: (10...20).map { ("k\($0)", "v") })
        try await scripted.client.addTags(tags, vault: "v")
        let first = (10...19).map { #""k\#($0)":"v""# }.joined(separator: ",")
        #expect(
            Self.sent(scripted) == [
                #"POST /-/vaults/v/tags?operation=add {"Tags":{\#(first)}}"#,
                #"POST /-/vaults/v/tags?operation=add {"Tags":{"k20":"v"}}"#,
            ])
    }

    @Test func tagsAreRemovedAndListed() async throws {
        let scripted = try ScriptedClient([Self.done, .status(200, body: #"{"Tags":{"a":"1","b":""}}"#)])
        try await scripted.client.removeTags(["a", "x y"], vault: "v")
        #expect(try await scripted.client.tags(vault: "v") == ["a": "1", "b": ""])
        #expect(
            Self.sent(scripted) == [
                #"POST /-/vaults/v/tags?operation=remove {"TagKeys":["a","x y"]}"#, "GET /-/vaults/v/tags",
            ])
    }

    @Test func notificationsAreTheBareDocument() async throws {
        let topic = "arn:aws:sns:us-east-1:111122223333:t"
        let document = #"{"Events":["ArchiveRetrievalCompleted"],"SNSTopic":"\#(topic)"}"#
        let scripted = try ScriptedClient([Self.done, .status(200, body: document), Self.done])
        let settings = VaultNotificationSettings(topic: topic, events: ["ArchiveRetrievalCompleted"])
        try await scripted.client.setVaultNotifications(settings, vault: "v")
        #expect(try await scripted.client.vaultNotifications(vault: "v") == settings)
        try await scripted.client.deleteVaultNotifications(vault: "v")
        let path = "/-/vaults/v/notification-configuration"
        #expect(Self.sent(scripted) == ["PUT \(path) \(document)", "GET \(path)", "DELETE \(path)"])
    }

    @Test func policiesTravelAsTextsWithinTheDocument() async throws {
        let policy = "{\n \"Version\": \"2012-10-17\"\n}"
        let wire = #"{"Policy":"{\n \"Version\": \"2012-10-17\"\n}"}"#
        let scripted = try ScriptedClient([Self.done, .status(200, body: wire), Self.done])
        try await scripted.client.setVaultAccessPolicy(policy, vault: "v")
        #expect(try await scripted.client.vaultAccessPolicy(vault: "v") == policy)
        try await scripted.client.deleteVaultAccessPolicy(vault: "v")
        let path = "/-/vaults/v/access-policy"
        #expect(Self.sent(scripted) == ["PUT \(path) \(wire)", "GET \(path)", "DELETE \(path)"])
    }

    @Test func aLockGoesThroughItsStates() async throws {
        let progress =
            #"{"Policy":"{}","State":"InProgress","ExpirationDate":"2026-01-02T00:00:00.000Z","CreationDate":"2026-01-01T00:00:00.000Z"}"#
        let locked =
            #"{"Policy":"{}","State":"Locked","ExpirationDate":null,"CreationDate":"2026-01-01T00:00:00.000Z"}"#
        let scripted = try ScriptedClient([
            .status(201, headers: [("x-amz-lock-id", "Lock_Id-1")]), .status(200, body: progress), Self.done,
            .status(200, body: locked), Self.done,
        ])
        let id = try await scripted.client.initiateVaultLock(policy: "{}", vault: "v")
        #expect(id == "Lock_Id-1")
        #expect(try await scripted.client.vaultLock(vault: "v").expirationDate == "2026-01-02T00:00:00.000Z")
        try await scripted.client.completeVaultLock(lockID: id, vault: "v")
        let lock = try await scripted.client.vaultLock(vault: "v")
        #expect(lock.state == "Locked" && lock.expirationDate == nil && lock.policy == "{}")
        try await scripted.client.abortVaultLock(vault: "v")
        let path = "/-/vaults/v/lock-policy"
        #expect(
            Self.sent(scripted) == [
                #"POST \#(path) {"Policy":"{}"}"#, "GET \(path)", "POST \(path)/Lock_Id-1", "GET \(path)",
                "DELETE \(path)",
            ])
    }

    @Test func whatCannotBeDoneTwiceIsNotRepeatedWhenItsOutcomeIsUnknown() async throws {
        let lock = try ScriptedClient([Self.broken, Self.done])
        let refused = await #expect(throws: ClientError.self) {
            _ = try await lock.client.initiateVaultLock(policy: "{}", vault: "v")
        }
        #expect(refused?.remedy?.contains("may or may not") == true && lock.transport.requests.count == 1)
        let capacity = try ScriptedClient([Self.broken, Self.done])
        await #expect(throws: ClientError.self) { _ = try await capacity.client.purchaseCapacity() }
        #expect(capacity.transport.requests.count == 1)
        let tags = try ScriptedClient([Self.broken, Self.done])
        try await tags.client.addTags(["a": "b"], vault: "v")
        #expect(tags.transport.requests.count == 2)
    }

    @Test func anAnswerWithoutTheIdIsAnError() async throws {
        let scripted = try ScriptedClient([.status(201), .status(201)])
        await #expect(throws: ClientError.self) {
            _ = try await scripted.client.initiateVaultLock(policy: "{}", vault: "v")
        }
        await #expect(throws: ClientError.self) { _ = try await scripted.client.purchaseCapacity() }
    }

    @Test(arguments: [
        (RetrievalAllowance.none, #"{"Strategy":"None"}"#), (.freeTier, #"{"Strategy":"FreeTier"}"#),
        (.bytesPerHour(1 << 40), #"{"BytesPerHour":1099511627776,"Strategy":"BytesPerHour"}"#),
    ])
    func aRetrievalPolicyHasOneRule(allowance: RetrievalAllowance, rule: String) async throws {
        let document = #"{"Policy":{"Rules":[\#(rule)]}}"#
        let scripted = try ScriptedClient([Self.done, .status(200, body: document)])
        try await scripted.client.setDataRetrievalPolicy(allowance)
        #expect(try await scripted.client.dataRetrievalPolicy().allowance == allowance)
        #expect(
            Self.sent(scripted) == ["PUT /-/policies/data-retrieval \(document)", "GET /-/policies/data-retrieval"])
    }

    @Test func serviceAnswersWithNullsAndWithoutRulesAreRead() async throws {
        let null = #"{"Policy":{"Rules":[{"BytesPerHour":null,"Strategy":"FreeTier"}]}}"#
        let scripted = try ScriptedClient([
            .status(200, body: null), .status(200, body: #"{"Policy":{"Rules":[]}}"#),
            .status(200, body: #"{"Policy":{"Rules":[{"Strategy":"Later"}]}}"#),
        ])
        #expect(try await scripted.client.dataRetrievalPolicy().allowance == .freeTier)
        #expect(try await scripted.client.dataRetrievalPolicy().allowance == .none)
        await #expect(throws: ClientError.self) { _ = try await scripted.client.dataRetrievalPolicy() }
    }

    @Test func capacityIsPurchasedAndListed() async throws {
        let list =
            #"{"ProvisionedCapacityList":[{"CapacityId":"C","StartDate":"2026-01-31T00:00:00.000Z","ExpirationDate":"2026-02-28T00:00:00.000Z"}]}"#
        let scripted = try ScriptedClient([
            .status(201, headers: [("x-amz-capacity-id", "C")]), .status(200, body: list),
        ])
        #expect(try await scripted.client.purchaseCapacity() == "C")
        let unit = try #require(try await scripted.client.provisionedCapacity().first)
        #expect(unit.id == "C" && unit.expiration == "2026-02-28T00:00:00.000Z")
        #expect(Self.sent(scripted) == ["POST /-/provisioned-capacity", "GET /-/provisioned-capacity"])
    }

    @Test func temporaryCredentialsSignTheirToken() async throws {
        let scripted = try ScriptedClient([Self.done], sessionToken: "the/token+=")
        try await scripted.client.addTags(["a": "b"], vault: "v")
        let headers = try #require(scripted.transport.requests.first).headers
        #expect(headers.first { $0.name == "x-amz-security-token" }?.value == "the/token+=")
        let authorization = headers.first { $0.name == "authorization" }?.value
        #expect(authorization?.contains("x-amz-glacier-version;x-amz-security-token,") == true)
    }
}
