// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Cryptography
import NIOCore
import NIOHTTP1
import Synchronization

@testable import VaultClient

/// A service that answers what it was told to, in order, and remembers what it was asked.
final class ScriptedTransport: GlacierTransport {
    enum Answer: Sendable {
        case status(Int, headers: [(String, String)] = [], body: String = "{}")
        case failure(ClientError)
    }

    private let script: Mutex<[Answer]>
    private let seen = Mutex<[OutboundRequest]>([])

    init(_ script: [Answer]) { self.script = Mutex(script) }

    var requests: [OutboundRequest] { seen.withLock { $0 } }

    func send(_ request: OutboundRequest) async throws -> InboundResponse {
        seen.withLock { $0.append(request) }
        let answer = script.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        switch answer {
        case .status(let status, let headers, let body):
            return InboundResponse(
                status: status, headers: HTTPHeaders(headers), body: .bytes(ByteBuffer(string: body)))
        case .failure(let error): throw error
        case nil: throw ClientError(.local, "The script has no answer left.")
        }
    }
}

/// A client over a script, whose pauses are only written down.
struct ScriptedClient {
    let transport: ScriptedTransport
    let client: GlacierClient
    private let log: PauseLog

    var pauses: [Duration] { log.pauses }

    init(_ script: [ScriptedTransport.Answer], attempts: Int = 5, sessionToken: String? = nil) throws {
        let log = PauseLog()
        self.log = log
        transport = ScriptedTransport(script)
        client = GlacierClient(
            settings: ClientSettings(
                endpoint: try Endpoint(parsing: "http://localhost:8080/glacier"), region: "us-east-1",
                credentials: AccessCredentials(
                    accessKeyID: "AKIDTESTTESTTESTTEST", secret: SecretBytes(bytes: Array("secret".utf8)),
                    sessionToken: sessionToken, origin: "the test")),
            transport: transport, retry: RetryPolicy(attempts: attempts),
            surroundings: ClientSurroundings(
                secondsSince1970: { 1_337_904_293 }, pause: { log.add($0) }, chance: { 0.5 }, remark: { _ in }))
    }
}

private final class PauseLog: Sendable {
    private let list = Mutex<[Duration]>([])
    var pauses: [Duration] { list.withLock { $0 } }
    func add(_ pause: Duration) { list.withLock { $0.append(pause) } }
}
