// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Cryptography
import NIOCore
import NIOHTTP1
import RequestSignature

/// A client of any service that speaks the Glacier vault API (2012-06-01): one method per operation, signed, retried,
/// and with errors that say what to do.
///
/// A value, free to copy and to use from many tasks. All methods throw ``ClientError`` and `CancellationError`, nothing
/// else.
public struct GlacierClient: Sendable {
    /// Where to, as whom, in which region.
    public let settings: ClientSettings
    /// How often and after what pause a request is repeated.
    public let retry: RetryPolicy
    let surroundings: ClientSurroundings
    private let transport: any GlacierTransport
    private let signer: RequestSigner

    /// A client; all of its requests go through `transport`.
    public init(
        settings: ClientSettings, transport: any GlacierTransport, retry: RetryPolicy, surroundings: ClientSurroundings
    ) {
        self.settings = settings
        self.transport = transport
        self.retry = retry
        self.surroundings = surroundings
        signer = RequestSigner(
            credentials: Credentials(
                accessKeyID: settings.credentials.accessKeyID, secret: settings.credentials.secret,
                sessionToken: settings.credentials.sessionToken),
            region: settings.region, service: "glacier")
    }

    /// Sends `call` until it succeeds or must not be repeated, and reads the answer with `read`; a body that breaks off
    /// counts as a failed attempt, so `read` may run more than once.
    func perform<Answer: Sendable>(
        _ call: GlacierCall, reading read: (InboundResponse) async throws -> Answer
    ) async throws -> Answer {
        var attempt = 1
        while true {
            try Task.checkCancellation()
            do {
                let response = try await transport.send(try signed(call))
                guard (200...299).contains(response.status) else { throw try await refusal(response, of: call) }
                return try await read(response)
            } catch {
                let error = NetworkFailure.classify(error, endpoint: settings.endpoint)
                guard let problem = error as? ClientError, problem.repetition != .useless else { throw error }
                if problem.repetition == .unsure, !call.mayRepeat {
                    throw ClientError(
                        problem.kind, problem.message,
                        remedy: "\(call.operation) may or may not have been carried out: look before you repeat it.")
                }
                guard attempt < retry.attempts else {
                    throw ClientError(
                        problem.kind, "\(problem.message) (\(attempt) attempt\(attempt == 1 ? "" : "s"))",
                        remedy: problem.remedy, fault: problem.fault)
                }
                let pause = retry.pause(
                    after: attempt, chance: surroundings.chance(), asked: problem.fault?.retryAfter)
                surroundings.remark(
                    "\(problem.message); attempt \(attempt + 1) of \(retry.attempts) follows in \(Self.text(pause)).")
                try await surroundings.pause(pause)
                attempt += 1
            }
        }
    }

    /// `1.5 s`: nobody reads more digits of a pause.
    private static func text(_ pause: Duration) -> String {
        let tenths = Int((pause / .milliseconds(100)).rounded(.up))
        return "\(tenths / 10).\(tenths % 10) s"
    }

    /// For operations whose answer is in the headers.
    func perform(_ call: GlacierCall) async throws -> HTTPHeaders {
        try await perform(call) { response in
            // Read to the end, so that the connection can serve the next request.
            _ = try await response.collect(upTo: WireDocument.maxBytes)
            return response.headers
        }
    }

    /// For operations that answer with a JSON document.
    func document(_ call: GlacierCall) async throws -> WireDocument {
        try await perform(call) { response in
            try WireDocument(
                parsing: try await response.collect(upTo: WireDocument.maxBytes), what: "answer to \(call.operation)")
        }
    }

    /// All pages of a list; at most 100,000 of them.
    func pages(_ call: GlacierCall, items name: String) async throws -> [WireDocument] {
        var items: [WireDocument] = []
        var marker: String?
        for _ in 0..<100_000 {
            var page = call
            if let marker { page.query.append((name: "marker", value: marker)) }
            let answer = try await document(page)
            items += answer.documents(name)
            guard let next = answer.string("Marker"), !next.isEmpty else { return items }
            guard next != marker else {
                throw ClientError(.service, "The service repeats the same page of \(call.operation) for ever.")
            }
            marker = next
        }
        throw ClientError(.service, "\(call.operation) has more pages than this client reads.")
    }

    private func signed(_ call: GlacierCall) throws(ClientError) -> OutboundRequest {
        let target = call.rawTarget(prefix: settings.endpoint.pathPrefix, accountID: settings.accountID)
        var headers = [
            (name: "host", value: settings.endpoint.authority), (name: "x-amz-glacier-version", value: "2012-06-01"),
        ]
        headers += call.headers
        var payload = call.payloadHash
        switch call.body {
        case .none: payload = SHA256Hasher.hash([UInt8]())
        case .bytes(let bytes): payload = SHA256Hasher.hash(bytes)
        case .file: break
        }
        guard let payload else {
            throw ClientError(.local, "\(call.operation) was built without the hash of its body.")
        }
        do {
            let added = try signer.sign(
                SignedRequest(method: call.method, rawTarget: target, headers: headers), payloadHash: payload,
                at: SignatureTimestamp(secondsSinceEpoch: surroundings.secondsSince1970()))
            headers += added
        } catch {
            throw ClientError(.access, "The request cannot be signed: \(error)")
        }
        headers.append((name: "user-agent", value: "coldvault"))
        // The length belongs to the head the library writes; it knows it for every kind of body but the absent one.
        if case .none = call.body, call.method != "GET" { headers.append((name: "content-length", value: "0")) }
        return OutboundRequest(method: call.method, rawTarget: target, headers: headers, body: call.body)
    }

    private func refusal(_ response: InboundResponse, of call: GlacierCall) async throws -> ClientError {
        let body = try await response.collect(upTo: 256 << 10)
        // Proxies answer in HTML: the status then has to do.
        let document = try? WireDocument(parsing: body, what: "error")
        let fault = ServiceFault(
            status: response.status,
            code: document?.string("code") ?? document?.string("__type") ?? "",
            message: document?.string("message") ?? document?.string("Message") ?? "",
            requestID: response.header("x-amzn-requestid") ?? "",
            retryAfter: response.header("retry-after").flatMap { Int64($0) }.map { .seconds(min(max($0, 0), 3600)) })
        return ClientError(fault, doing: call.operation)
    }
}
