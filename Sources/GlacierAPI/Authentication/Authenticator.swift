// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOHTTP1
import RequestSignature
import VaultEngine
import VaultModel

/// A request whose signature holds.
struct AuthenticatedRequest: Sendable {
    let caller: Caller
    /// The path the signature covers.
    let signedPath: String
    /// Whether the query authenticates it, so that it can be used by who has nothing but the address.
    let isPresigned: Bool
    /// The body, where it had to be read before the signature could be judged.
    let body: [UInt8]?
    /// What the body must hash to, where the client stated it.
    let statedBodyHash: SHA256Digest?
    private let checked: CheckedAuthentication

    init(caller: Caller, checked: CheckedAuthentication, body: [UInt8]?) {
        self.caller = caller
        self.checked = checked
        self.body = body
        signedPath = checked.parsed.signedPath
        isPresigned = checked.parsed.expiresSeconds != nil
        statedBodyHash = checked.parsed.statedPayload?.digest
    }

    /// Compares a body read after the signature was judged with the hash that the signature covers.
    func verify(body: [UInt8]) throws(SignatureError) { try checked.verifyBody(digest: SHA256Hasher.hash(body)) }
}

/// Judges signatures, before any routing, and as much as possible before the body is read.
///
/// The access key is looked up for each request: disabling a key, a user or an account takes effect with the next one.
struct Authenticator: Sendable {
    let operations: any GlacierOperations
    let verifier: SignatureVerifier
    let clock: any TimeSource
    let allowance: BodyAllowance

    /// - Parameter didIdentify: told the access key that the request claims, for the log, before anything is believed.
    func authenticate(
        _ request: IncomingRequest, didIdentify: (String) -> Void
    ) async throws -> AuthenticatedRequest {
        let head = request.head
        let parsed = try ParsedAuthentication(
            parsing: SignedRequest(
                method: head.method.rawValue, rawTarget: head.uri,
                headers: head.headers.map { (name: $0.name, value: $0.value) }))
        didIdentify(parsed.accessKeyID)
        let now = SignatureTimestamp(secondsSinceEpoch: clock.now().milliseconds / 1000)
        let checked = try verifier.check(parsed, now: now)
        let credential = try await operations.credential(for: parsed.accessKeyID, sessionToken: parsed.sessionToken)
        guard let credential, let region = Region(parsed.scope.region) else { throw WireError.unrecognizedClient }
        guard credential.isActive else { throw WireError.inactiveClient }
        let key = SigningKey(secret: credential.secret, scope: parsed.scope)
        var body: [UInt8]?
        if parsed.statedPayload != nil {
            try checked.verify(key: key)
        } else {
            let bytes = try await wholeBody(of: request)
            try checked.verify(bodyDigest: SHA256Hasher.hash(bytes), key: key)
            body = bytes
        }
        return AuthenticatedRequest(
            caller: Caller(
                principal: credential.principal, region: region, accessKeyID: credential.accessKeyID,
                sessionPolicy: credential.sessionPolicy, sourceAddress: request.peer.address,
                isSecure: request.peer.isSecure, userAgent: head.headers.first(name: "user-agent")),
            checked: checked, body: body)
    }

    /// The whole body of a request that does not state its hash: its signature covers the hash of what arrives.
    private func wholeBody(of request: IncomingRequest) async throws -> [UInt8] {
        guard request.body.isPresent else { return [] }
        guard (request.body.declaredBytes ?? 0) <= UInt64(Limits.maxJSONBodyBytes) else {
            throw WireError.missing("x-amz-content-sha256")
        }
        return try await allowance.collect(request.body)
    }
}
