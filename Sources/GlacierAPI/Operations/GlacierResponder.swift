// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import NIOHTTP1
import VaultModel

/// Answers one request: authenticate ▶ version ▶ route ▶ account ▶ operation. Every failure on the way is an answer.
///
/// Authentication comes before routing, so that a stranger learns nothing about what exists; syntax comes before state;
/// and everything that can be judged from the head is judged before the first byte of a streamed body is asked for.
struct GlacierResponder: Sendable {
    let authenticator: Authenticator
    let endpoints: GlacierEndpoints
    let allowance: BodyAllowance
    let random: any RandomByteSource
    let journal: RequestJournal

    private static let version = "2012-06-01"

    func respond(_ request: IncomingRequest) async -> Answer {
        var record = RequestRecord(
            id: RequestIdentifier.make(random: random), method: request.head.method.rawValue, started: .now())
        var answer: Answer
        do {
            answer = try await answered(request, &record)
        } catch {
            record.failure = error
            answer = Self.refusal(error)
        }
        return finished(answer, record, body: request.body)
    }

    /// The answer to what could not even be parsed as a request.
    func refuse(_ error: any Error) -> Answer {
        var record = RequestRecord(id: RequestIdentifier.make(random: random), method: "", started: .now())
        let refusal = WireError.badRequest(
            "The request is not well-formed HTTP/1.1, or its headers are too large (\(error)).")
        record.failure = refusal
        return finished(Self.refusal(refusal), record, body: nil)
    }

    private func answered(_ request: IncomingRequest, _ record: inout RequestRecord) async throws -> Answer {
        let authenticated = try await authenticator.authenticate(request) { record.accessKeyID = $0 }
        let caller = authenticated.caller
        record.account = caller.account
        let headers = RequestHeaders(request.head.headers)
        guard let version = try headers.optional("x-amz-glacier-version") else {
            throw WireError.missing("API version")
        }
        guard version == Self.version else {
            throw WireError.invalid(
                "x-amz-glacier-version", PrintableText.excerpt(version), because: "It must be \(Self.version).")
        }
        let target = RequestTarget(path: authenticated.signedPath, target: request.head.uri)
        let route = try Route(method: request.head.method.rawValue, segments: target.segments)
        record.operation = route.operation
        guard route.account == "-" || route.account == caller.account.digits else {
            throw WireError.foreignAccount(PrintableText.excerpt(route.account))
        }
        let body = try await wholeBody(request, authenticated, streams: route.operation.streamsBody)
        return try await endpoints.answer(
            OperationRequest(
                caller: caller, route: route, target: target, headers: headers,
                contentLength: request.body.declaredBytes,
                wholeBody: body, stream: request.body, statedBodyHash: authenticated.statedBodyHash))
    }

    /// The body of an operation that does not stream it, compared with the hash that the signature covers.
    private func wholeBody(
        _ request: IncomingRequest, _ authenticated: AuthenticatedRequest, streams: Bool
    ) async throws -> [UInt8] {
        if streams { return [] }
        if let body = authenticated.body { return body }
        let body = try await allowance.collect(request.body)
        try authenticated.verify(body: body)
        return body
    }

    static func refusal(_ error: any Error) -> Answer {
        let wire = WireError(error)
        var answer = Answer.json(wire.document, status: HTTPResponseStatus(statusCode: wire.status))
        if let seconds = wire.retryAfterSeconds { answer.headers.append(("Retry-After", String(seconds))) }
        return answer
    }

    private func finished(_ answer: Answer, _ record: RequestRecord, body: RequestBody?) -> Answer {
        var answer = answer
        answer.headers.append(("x-amzn-RequestId", record.id))
        let status = answer.status
        answer.whenSent = { [journal] sent in
            journal.enter(record, status: status, receivedBytes: body?.receivedBytes ?? 0, sent: sent)
        }
        return answer
    }
}
