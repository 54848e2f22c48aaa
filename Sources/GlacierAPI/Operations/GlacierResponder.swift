// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import NIOHTTP1
import VaultEngine
import VaultModel

/// Answers one request: authenticate ▶ the account's limits ▶ version ▶ route ▶ account ▶ authorise ▶ operation. Every failure on the way is
/// an answer.
///
/// Authentication comes before routing, so that a stranger learns nothing about what exists; permission comes before
/// everything else about the request, for the same reason; syntax comes before state; and everything that can be judged
/// from the head is judged before the first byte of a streamed body is asked for.
struct GlacierResponder: Sendable {
    let authenticator: Authenticator
    let endpoints: GlacierEndpoints
    let allowance: BodyAllowance
    let random: any RandomByteSource
    let accounts: AccountDesk
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
            noteRefusal(error, of: request, record)
        }
        return finished(answer, record, body: request.body)
    }

    /// What was turned away at the door goes into the audit log, without anything of the request that could be a secret.
    private func noteRefusal(_ error: any Error, of request: IncomingRequest, _ record: RequestRecord) {
        guard let reason = WireError(error).refusal else { return }
        let path = String(request.head.uri.prefix { $0 != "?" })
        let route = try? Route(method: request.head.method.rawValue, target: RequestTarget(path: path, target: request.head.uri))
        endpoints.operations.noteRefusal(
            RefusedRequest(
                reason: reason, accessKeyID: record.accessKeyID, sourceAddress: request.peer.address,
                action: record.action ?? route?.action))
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
        record.principal = caller.principal
        request.didAuthenticate()
        try accounts.begins(caller.principal.account)
        record.isAtWork = true
        let headers = RequestHeaders(request.head.headers)
        try checkVersion(headers, isPresigned: authenticated.isPresigned)
        let target = RequestTarget(path: authenticated.signedPath, target: request.head.uri)
        let route = try Route(method: request.head.method.rawValue, target: target)
        record.action = route.action
        guard let account = route.account == "-" ? caller.principal.account : AccountID(route.account) else {
            throw WireError.foreignAccount(PrintableText.excerpt(route.account))
        }
        var operation = OperationRequest(
            caller: caller, route: route, account: account, target: target, headers: headers,
            contentLength: request.body.declaredBytes, stream: request.body,
            statedBodyHash: authenticated.statedBodyHash)
        if route.action == .initiateJob {
            // The one operation whose permission may depend on its body: an archive's age may matter.
            let body = try await wholeBody(of: request, authenticated)
            operation.job = Result { () throws(WireError) in try JobParameters.parse(body) }
            try await authorize(operation)
        } else {
            try await authorize(operation)
            if !route.action.streamsBody { operation.wholeBody = try await wholeBody(of: request, authenticated) }
        }
        return try await endpoints.answer(operation)
    }

    /// A presigned request need not carry the header: whoever was handed no more than an address can use it.
    private func checkVersion(_ headers: RequestHeaders, isPresigned: Bool) throws(WireError) {
        guard let version = try headers.optional("x-amz-glacier-version") else {
            if isPresigned { return }
            throw .missing("API version")
        }
        guard version == Self.version else {
            throw .invalid(
                "x-amz-glacier-version", PrintableText.excerpt(version), because: "It must be \(Self.version).")
        }
    }

    /// The one place where permission is asked; DeleteArchive alone asks while it deletes.
    private func authorize(_ request: OperationRequest) async throws {
        guard let target = try request.accessTarget() else { return }
        _ = try await endpoints.operations.authorize(request.caller, request.route.action, on: target)
    }

    /// The body of an operation that does not stream it, compared with the hash that the signature covers.
    private func wholeBody(
        of request: IncomingRequest, _ authenticated: AuthenticatedRequest
    ) async throws -> [UInt8] {
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
        answer.whenSent = { [accounts, journal] sent in
            if record.isAtWork, let account = record.principal?.account { accounts.ends(account) }
            journal.enter(record, status: status, receivedBytes: body?.receivedBytes ?? 0, sent: sent)
        }
        return answer
    }
}
