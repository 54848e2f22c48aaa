// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Messaging
import NIOCore
import NIOHTTP1
import Testing
import VaultModel

@testable import MessageDelivery

/// Messages over real connections to a server on this machine.
@Suite(.serialized) struct WebhookTests {
    private func withWebhook<R>(
        _ adjust: (inout DeliveryLimits) -> Void = { _ in }, _ body: (Webhook) async throws -> R
    ) async throws -> R {
        var limits = DeliveryLimits()
        adjust(&limits)
        let webhook = Webhook(clock: RealClock(), limits: limits)
        do {
            let result = try await body(webhook)
            await webhook.shutdown()
            return result
        } catch {
            await webhook.shutdown()
            throw error
        }
    }

    @Test func theTargetGetsTheEnvelopeAndASignatureThatVerifies() async throws {
        let message = try TopicMessage.example()
        try await LoopbackServer.running(.status(204)) { server in
            try await withWebhook {
                try await $0.deliver(message, to: server.url("/hook?token=x"), secret: exampleSecret)
            }
            let request = try #require(server.requests.first)
            #expect(server.requests.count == 1)
            #expect(request.head.method == .POST && request.head.uri == "/hook?token=x")
            let headers = request.head.headers
            #expect(headers["x-amz-sns-message-type"] == ["Notification"])
            #expect(headers["x-amz-sns-message-id"] == [message.id.hex])
            #expect(headers["x-amz-sns-topic-arn"] == [message.topic.text])
            #expect(headers["content-type"] == ["text/plain; charset=UTF-8"])
            let document = try JSONParser.parse(request.body)
            #expect(document["Type"] == "Notification" && document["Message"] == .string(message.body))
            #expect(
                document["MessageId"] == .string(message.id.hex) && document["TopicArn"] == .string(message.topic.text))
            #expect(document["Timestamp"] == "2026-01-02T03:04:05.678Z")
            let signature = try #require(headers["x-coldvault-signature"].first)
            let moment = try #require(signature.dropFirst(2).split(separator: ",").first)
            let code = HMACSHA256.authenticate(Array("\(moment).".utf8) + request.body, key: exampleSecret)
            #expect(signature == "t=\(moment),v1=\(code.hex)")
            let other = HMACSHA256.authenticate(Array("\(moment).".utf8) + request.body + [0x20], key: exampleSecret)
            #expect(other != code)
        }
    }

    @Test(
        arguments: [
            (200, nil), (204, nil), (299, nil), (301, false), (302, false), (304, false), (400, false), (401, false),
            (403, false),
            (404, false), (410, false), (408, true), (425, true), (429, true), (500, true), (503, true),
        ] as [(Int, Bool?)])
    func onlyA2xxMeansTakenAndARefusalIsNoAccident(status: Int, isTransient: Bool?) async throws {
        let message = try TopicMessage.example()
        try await LoopbackServer.running(.status(status, body: "secret of the target")) { server in
            let url = server.url()
            let outcome = try await withWebhook { webhook in
                await failure { () throws(DeliveryFailure) in
                    try await webhook.deliver(message, to: url, secret: exampleSecret)
                }
            }
            #expect(outcome?.isTransient == isTransient)
            #expect(outcome?.reason.contains("\(status)") ?? true)
            #expect(outcome?.reason.contains("secret") != true, "bodies are not repeated")
        }
    }

    @Test(arguments: [301, 302, 303, 307, 308]) func aRedirectLeadsNowhere(status: Int) async throws {
        let message = try TopicMessage.example()
        try await LoopbackServer.running(.status(200)) { inner in
            try await LoopbackServer.running(.status(status, headers: [("location", inner.url())])) { outer in
                let url = outer.url()
                let outcome = try await withWebhook { webhook in
                    await failure { () throws(DeliveryFailure) in
                        try await webhook.deliver(message, to: url, secret: exampleSecret)
                    }
                }
                #expect(outcome?.isTransient == false)
                #expect(outer.requests.count == 1)
                #expect(inner.requests.isEmpty)
            }
        }
    }

    @Test(.timeLimit(.minutes(5))) func aTargetThatSaysNothingIsGivenUpInTime() async throws {
        let message = try TopicMessage.example()
        try await LoopbackServer.running(.silence) { server in
            let url = server.url()
            let start = NIODeadline.now()
            let outcome = try await withWebhook({ $0.total = .milliseconds(300) }) { webhook in
                await failure { () throws(DeliveryFailure) in
                    try await webhook.deliver(message, to: url, secret: exampleSecret)
                }
            }
            #expect(outcome?.isTransient == true)
            #expect(outcome?.reason.contains("in time") == true, "\(String(describing: outcome))")
            #expect(NIODeadline.now() - start < .seconds(20))
        }
    }

    @Test(.timeLimit(.minutes(5))) func anAnswerWithoutEndCostsAFewKilobytesAndIsTaken() async throws {
        let message = try TopicMessage.example()
        try await LoopbackServer.running(.flood(200)) { server in
            let url = server.url()
            let outcome = try await withWebhook { webhook in
                await failure { () throws(DeliveryFailure) in
                    try await webhook.deliver(message, to: url, secret: exampleSecret)
                }
            }
            #expect(outcome == nil)
            // What the two kernels hold in their socket buffers comes on top of the 64 KiB that are read.
            #expect(server.sentBytes < 32 << 20, "\(server.sentBytes)")
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: [200, 503]) func anAnswerThatStallsDoesNotHoldUpForLong(status: Int)
        async throws
    {
        let message = try TopicMessage.example()
        try await LoopbackServer.running(.stall(status)) { server in
            let url = server.url()
            let outcome = try await withWebhook({ $0.drain = .milliseconds(100) }) { webhook in
                await failure { () throws(DeliveryFailure) in
                    try await webhook.deliver(message, to: url, secret: exampleSecret)
                }
            }
            #expect((outcome == nil) == (status == 200))
        }
    }

    @Test func aConnectionThatFailsIsWorthAnotherAttempt() async throws {
        let message = try TopicMessage.example()
        let closed = try await LoopbackServer.running(.status(200)) { $0.url("/token-in-the-path") }
        let refused = try await withWebhook { webhook in
            await failure { () throws(DeliveryFailure) in
                try await webhook.deliver(message, to: closed, secret: exampleSecret)
            }
        }
        #expect(refused?.isTransient == true)
        #expect(refused?.reason.contains("token") == false, "no URL in a reason: it may hold a token")
        try await LoopbackServer.running(.hangUp) { server in
            let url = server.url()
            let outcome = try await withWebhook { webhook in
                await failure { () throws(DeliveryFailure) in
                    try await webhook.deliver(message, to: url, secret: exampleSecret)
                }
            }
            #expect(outcome?.isTransient == true)
        }
    }

    @Test(.timeLimit(.minutes(5))) func cancellationEndsADeliverySoon() async throws {
        let message = try TopicMessage.example()
        try await LoopbackServer.running(.silence) { server in
            let url = server.url()
            try await withWebhook { webhook in
                let outcome = await withTaskGroup(of: DeliveryFailure?.self) { group in
                    group.addTask {
                        await failure { () throws(DeliveryFailure) in
                            try await webhook.deliver(message, to: url, secret: exampleSecret)
                        }
                    }
                    while server.requests.isEmpty { await Task.yield() }
                    group.cancelAll()
                    return await group.next() ?? nil
                }
                #expect(outcome != nil)
            }
        }
    }

    @Test func connectionsAreUsedAgain() async throws {
        let message = try TopicMessage.example()
        try await LoopbackServer.running(.status(200, body: "thanks")) { server in
            try await withWebhook { webhook in
                for _ in 0..<20 { try await webhook.deliver(message, to: server.url(), secret: exampleSecret) }
            }
            #expect(server.requests.count == 20)
            #expect(server.connections == 1)
        }
    }
}
