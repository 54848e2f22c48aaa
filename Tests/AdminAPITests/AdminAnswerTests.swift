// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Messaging
import Synchronization
import Testing
import VaultEngine
import VaultModel

@testable import AdminAPI

/// What operators and their scripts read: the JSON of every answer about users, policies, topics and the clock.
@Suite(.timeLimit(.minutes(5)))
struct AdminAnswerTests {
    typealias Requests = AdminRequestTests

    @Test(arguments: [
        (
            AdminRequest.createUser(Requests.account, Requests.user),
            #"{"accountId":"123456789012","arn":"arn:aws:iam::123456789012:user/anna@example.org","state":"active","user":"anna@example.org"}"#
        ),
        (
            .listUsers(Requests.account),
            #"[{"accountId":"123456789012","arn":"arn:aws:iam::123456789012:user/anna@example.org","created":"2013-03-20T17:03:43.221Z","policies":["reader","writer"],"state":"active","user":"anna@example.org"}]"#
        ),
        (
            .setUser(Requests.account, Requests.user, active: false),
            #"{"accountId":"123456789012","arn":"arn:aws:iam::123456789012:user/anna@example.org","state":"disabled","user":"anna@example.org"}"#
        ),
        (
            .createAccessKey(Requests.account, user: Requests.user),
            #"{"accessKeyId":"AKIAIOSFODNN7EXAMPLE","accountId":"123456789012","secretAccessKey":"secret","user":"anna@example.org"}"#
        ),
        (
            .putUserPolicy(Requests.account, Requests.user, name: "reader", document: "{}"),
            #"{"accountId":"123456789012","name":"reader","state":"attached","user":"anna@example.org"}"#
        ),
        (
            .listUserPolicies(Requests.account, Requests.user),
            #"[{"document":"{ }","name":"reader"},{"document":"{\"b\":1}","name":"writer"}]"#
        ),
        (
            .deleteUserPolicy(Requests.account, Requests.user, name: "reader"),
            #"{"accountId":"123456789012","name":"reader","state":"deleted","user":"anna@example.org"}"#
        ),
        (
            .createSession(SessionOrder(principal: Principal(account: Requests.account), seconds: 900)),
            #"{"accessKeyId":"CVTKIOSFODNN7EXAMPLE","expires":"2013-03-20T17:03:43Z","principal":"arn:aws:iam::123456789012:root","secretAccessKey":"secret","sessionToken":"token"}"#
        ),
        (
            .simulate(Requests.question),
            #"{"allowed":false,"policy":"lock policy","reason":"explicitDeny","statement":"one-year","text":"denied by statement one-year of the lock policy"}"#
        ),
        (
            .simulate(
                AccessQuestion(
                    principal: Principal(account: Requests.account), action: .describeVault,
                    target: .vault(Requests.vault))),
            #"{"allowed":true,"policy":null,"reason":"rootOfTheAccount","statement":null,"text":"allowed: the root of the account"}"#
        ),
        (
            .createTopic(Requests.topic, .webhook(url: "https://example.net/hook")),
            #"{"signingSecret":"5555555555555555555555555555555555555555555555555555555555555555","target":{"webhook":"https://example.net/hook"},"topic":"arn:aws:sns:us-east-1:123456789012:ready"}"#
        ),
        (
            .listTopics(Requests.account),
            #"[{"created":"2013-03-20T17:03:43.221Z","target":{"command":["/bin/notify","-x"]},"topic":"arn:aws:sns:us-east-1:123456789012:ready"}]"#
        ),
        (.deleteTopic(Requests.topic), #"{"state":"deleted","topic":"arn:aws:sns:us-east-1:123456789012:ready"}"#),
        (.resendMessage(Requests.message), #"{"messageId":"00112233445566778899aabbccddeeff","state":"waiting"}"#),
        (.dropMessage(Requests.message), #"{"messageId":"00112233445566778899aabbccddeeff","state":"dropped"}"#),
        (
            .clockStatus,
            #"{"expected":"2013-03-20T17:03:43.221Z","highest":"2013-03-20T17:03:43.221Z","now":"2013-03-20T19:03:43.221Z","trusted":false}"#
        ),
        (
            .confirmClock,
            #"{"expected":"2013-03-20T17:03:43.221Z","highest":"2013-03-20T17:03:43.221Z","now":"2013-03-20T17:03:43.221Z","trusted":true}"#
        ),
        (
            .audit(.verify),
            #"{"checkpoints":2,"entries":3,"faults":["entry 2 was changed"],"first":1,"last":3,"segments":1,"whole":false}"#
        ),
        (
            .audit(.checkpoints),
            #"{"checkpoints":[],"consistent":false,"state":"the catalog was rolled back: it knows checkpoint 3, the blobs hold checkpoint 5"}"#
        ),
    ])
    func anAnswerHasItsShape(request: AdminRequest, answer: String) async throws {
        let responder = AdminResponder(operations: FakeAdminOperations())
        #expect(try await responder.answer(request).canonicalString() == answer)
    }

    @Test func whatARequestSaysArrivesAtTheEngine() async throws {
        let operations = FakeAdminOperations()
        try await AdminServerTests.admin(operations) { client, _ in
            let policy = "{\n \"Version\": \"2012-10-17\"\n}"
            _ = try await client.send(
                .putUserPolicy(Requests.account, Requests.user, name: "reader", document: policy))
            let principal = Principal(account: Requests.account, user: Requests.user)
            _ = try await client.send(
                .createSession(SessionOrder(principal: principal, seconds: 900, policy: "{}")))
            _ = try await client.send(.simulate(Requests.question))
            _ = try await client.send(.setUser(Requests.account, Requests.user, active: false))
        }
        #expect(
            operations.calls.withLock { $0 } == [
                "putUserPolicy 123456789012 anna@example.org reader {\n \"Version\": \"2012-10-17\"\n}",
                "createSession arn:aws:iam::123456789012:user/anna@example.org 900 {}",
                "simulate arn:aws:iam::123456789012:user/anna@example.org DeleteArchive 192.0.2.7 false",
                "setUser 123456789012 anna@example.org false",
            ])
    }

    @Test func refusalsNameWhatIsWrong() async throws {
        try await AdminServerTests.admin(FakeAdminOperations()) { client, _ in
            func refusal(_ request: AdminRequest) async -> AdminClientError? {
                do throws(AdminClientError) {
                    _ = try await client.send(request)
                    return nil
                } catch { return error }
            }
            let policy = await refusal(
                .putUserPolicy(Requests.account, Requests.user, name: "reader", document: "no"))
            #expect(policy?.kind == .refused && policy?.message.hasPrefix("Statement[0].Action: ") == true)
            let user = await refusal(.deleteUser(Requests.account, Requests.user))
            #expect(user?.kind == .notFound)
            #expect(user?.message == "There is no user anna@example.org in account 123456789012.")
            #expect(await refusal(.testTopic(Requests.topic))?.kind == .failed)
        }
    }

    @Test func allMessagesAreListedPageByPage() async throws {
        let operations = FakeAdminOperations()
        try await AdminServerTests.admin(operations) { client, _ in
            let messages = try await client.messages(Requests.account, .dead)
            #expect(messages.count == AdminRequest.messagesPerPage + 1)
            #expect(Set(messages.compactMap { $0["messageId"]?.stringValue }).count == messages.count)
            #expect(
                messages[0].canonicalString()
                    == #"{"attempts":30,"created":"2013-03-20T17:03:43.221Z","lastFailure":"status 500","messageId":"00000000000000000000000000000001","nextAttempt":null,"state":"dead","topic":"arn:aws:sns:us-east-1:123456789012:ready"}"#
            )
        }
        #expect(
            operations.calls.withLock { $0 } == [
                "listMessages 123456789012 true - 1000",
                "listMessages 123456789012 true 000000000000000000000000000003e8 1000",
            ])
    }
}
