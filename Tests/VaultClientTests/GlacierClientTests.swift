// SPDX-License-Identifier: Apache-2.0

import Cryptography
import RequestSignature
import Testing

@testable import VaultClient

@Suite struct GlacierClientTests {
    private static let throttled = ScriptedTransport.Answer.status(
        400, body: #"{"code":"ThrottlingException","message":"Rate exceeded","type":"Client"}"#)
    private static let missing = ScriptedTransport.Answer.status(
        404, headers: [("x-amzn-RequestId", "rid")],
        body: #"{"code":"ResourceNotFoundException","message":"Vault not found","type":"Client"}"#)
    private static let broken = ScriptedTransport.Answer.failure(ClientError(.network, "cut", repetition: .unsure))
    private static let vault = ScriptedTransport.Answer.status(
        200,
        body:
            #"{"VaultName":"v","LastInventoryDate":null,"NumberOfArchives":3,"SizeInBytes":9,"New":1}"#
    )

    @Test func everyHeaderThatMattersIsSentAndSigned() async throws {
        let scripted = try ScriptedClient(
            [.status(200, body: #"{"VaultList":[],"Marker":null}"#)], sessionToken: "token")
        _ = try await scripted.client.listVaults()
        let request = try #require(scripted.transport.requests.first)
        let headers = Dictionary(request.headers.map { ($0.name, $0.value) }) { first, _ in first }
        #expect(request.rawTarget == "/glacier/-/vaults")
        #expect(headers["host"] == "localhost:8080")
        #expect(headers["x-amz-glacier-version"] == "2012-06-01")
        #expect(headers["x-amz-date"] == "20120525T000453Z")
        #expect(headers["x-amz-security-token"] == "token")
        #expect(
            headers["authorization"]?.contains(
                "SignedHeaders=host;x-amz-date;x-amz-glacier-version;x-amz-security-token,") == true)
    }

    @Test func everyReservedCharacterOfAQueryIsEncoded() {
        let call = GlacierCall(
            operation: "", method: "GET", path: ["vaults", "a b"], query: [(name: "marker", value: "arn:aws/ü+&=~")])
        #expect(call.rawTarget(prefix: "", accountID: "-") == "/-/vaults/a%20b?marker=arn%3Aaws%2F%C3%BC%2B%26%3D~")
    }

    @Test func transientErrorsAreRetriedWithGrowingPauses() async throws {
        let scripted = try ScriptedClient([Self.throttled, .status(503), Self.broken, Self.vault])
        let vault = try await scripted.client.describeVault("v")
        #expect(vault.archives == 3)
        #expect(vault.document.count("New") == 1)
        #expect(scripted.pauses == [.milliseconds(150), .milliseconds(300), .milliseconds(600)])
    }

    @Test func theServiceMayAskForALongerPause() async throws {
        let busy = ScriptedTransport.Answer.status(503, headers: [("Retry-After", "3")])
        let scripted = try ScriptedClient([busy, Self.vault])
        _ = try await scripted.client.describeVault("v")
        #expect(scripted.pauses == [.seconds(3)])
    }

    @Test func theNumberOfAttemptsIsALimit() async throws {
        let scripted = try ScriptedClient(Array(repeating: Self.throttled, count: 9), attempts: 3)
        let error = await #expect(throws: ClientError.self) { try await scripted.client.describeVault("v") }
        #expect(error?.message.contains("(3 attempts)") == true)
        #expect(scripted.transport.requests.count == 3)
        #expect(scripted.pauses.count == 2)
    }

    @Test func aRefusalIsNotRetriedAndKeepsTheServicesWords() async throws {
        let scripted = try ScriptedClient([Self.missing])
        let error = await #expect(throws: ClientError.self) { try await scripted.client.describeVault("v") }
        #expect(error?.kind == .notFound)
        #expect(
            error?.fault
                == ServiceFault(
                    status: 404, code: "ResourceNotFoundException", message: "Vault not found", requestID: "rid"))
        #expect(scripted.transport.requests.count == 1)
    }

    @Test func anAnswerThatIsNoErrorDocumentIsJudgedByItsStatus() async throws {
        let scripted = try ScriptedClient([.status(403, body: "<html>proxy</html>")])
        let error = await #expect(throws: ClientError.self) { try await scripted.client.deleteVault("v") }
        #expect(error?.kind == .access)
    }

    @Test(arguments: [
        ("InvalidSignatureException", 403, ClientError.Kind.access), ("UnrecognizedClientException", 400, .access),
        ("AccessDeniedException", 403, .access), ("LimitExceededException", 400, .service),
        ("ResourceNotFoundException", 404, .notFound), ("", 500, .service),
    ])
    func codesBecomeKinds(code: String, status: Int, kind: ClientError.Kind) {
        #expect(
            ClientError(ServiceFault(status: status, code: code, message: "", requestID: ""), doing: "X").kind == kind)
    }

    @Test func pagesAreFollowedAndARepeatedMarkerIsNotFollowedForEver() async throws {
        func page(_ name: String, _ marker: String) -> ScriptedTransport.Answer {
            .status(200, body: #"{"VaultList":[{"VaultName":"\#(name)"}],"Marker":\#(marker)}"#)
        }
        let scripted = try ScriptedClient([page("a", #""x/1""#), page("b", "null")])
        #expect(try await scripted.client.listVaults().map(\.name) == ["a", "b"])
        #expect(scripted.transport.requests.last?.rawTarget == "/glacier/-/vaults?marker=x%2F1")
        let looping = try ScriptedClient(Array(repeating: page("a", #""same""#), count: 9))
        await #expect(throws: ClientError.self) { try await looping.client.listVaults() }
        #expect(looping.transport.requests.count == 2)
    }

    @Test(arguments: ["", ".", "..", "a/b", "a b", "ü", String(repeating: "a", count: 256)])
    func impossibleVaultNamesAreRefusedBeforeARequestIsMade(name: String) async throws {
        let scripted = try ScriptedClient([])
        let error = await #expect(throws: ClientError.self) { _ = try await scripted.client.createVault(name) }
        #expect(error?.kind == .usage)
        #expect(scripted.transport.requests.isEmpty)
    }

    @Test func aJobOrderIsTheBareDocumentWithOnlyWhatWasAsked() async throws {
        let scripted = try ScriptedClient([.status(202, headers: [("x-amz-job-id", "J")])])
        let order = JobOrder(.archive(id: "A", range: 0..<1 << 20), tier: "Bulk")
        #expect(try await scripted.client.initiateJob(vault: "v", order: order) == "J")
        guard case .bytes(let body)? = scripted.transport.requests.first?.body else {
            Issue.record("no body")
            return
        }
        #expect(
            String(decoding: body, as: UTF8.self)
                == #"{"ArchiveId":"A","RetrievalByteRange":"0-1048575","Tier":"Bulk","Type":"archive-retrieval"}"#)
    }

    @Test func waitingForAJobLooksAgainAfterLongerAndLongerPauses() async throws {
        func job(_ status: String) -> ScriptedTransport.Answer {
            .status(200, body: #"{"JobId":"J","StatusCode":"\#(status)"}"#)
        }
        let scripted = try ScriptedClient([job("InProgress"), job("InProgress"), job("InProgress"), job("Failed")])
        let schedule = PollSchedule(first: .milliseconds(200), longest: .milliseconds(400))
        let done = try await scripted.client.waitForJob(vault: "v", jobID: "J", schedule: schedule)
        #expect(done.status == .failed)
        #expect(scripted.pauses == [.milliseconds(200), .milliseconds(300), .milliseconds(400)])
        let error = #expect(throws: ClientError.self) { try done.requireSuccess() }
        #expect(error?.kind == .jobFailed)
    }
}

@Suite struct RetryPolicyTests {
    @Test func pausesDoubleUpToTheLongestAndAreNeverZero() {
        let policy = RetryPolicy(attempts: 9, firstPause: .milliseconds(200), longestPause: .seconds(2))
        #expect(
            (1...6).map { policy.pause(after: $0, chance: 0) }
                == [100, 200, 400, 800, 1000, 1000].map { .milliseconds($0) })
        #expect(policy.pause(after: 1, chance: 0.999) < .milliseconds(200))
        #expect(policy.pause(after: .max, chance: 0.999) <= .seconds(2))
        #expect(policy.pause(after: 1, chance: 0, asked: .seconds(1)) == .seconds(1))
        #expect(policy.pause(after: 1, chance: 0, asked: .seconds(100)) == .seconds(2))
    }

    @Test func onlyErrorsThatMayPassAreTransient() {
        #expect([408, 429, 500, 502, 503, 504].allSatisfy { RetryPolicy.isTransient(status: $0, code: "") })
        #expect([400, 401, 403, 404, 409, 501, 505].allSatisfy { !RetryPolicy.isTransient(status: $0, code: "") })
        #expect(RetryPolicy.isTransient(status: 400, code: "ThrottlingException"))
    }

    @Test func attemptsAreClamped() {
        #expect(RetryPolicy(attempts: 0).attempts == 1)
        #expect(RetryPolicy(attempts: 1000).attempts == 20)
    }
}
