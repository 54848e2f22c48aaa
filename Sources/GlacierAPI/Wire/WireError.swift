// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import RequestSignature
import VaultEngine
import VaultModel

/// An error as clients see it: a status and three strings. The one place where errors get their wire form.
struct WireError: Error, Hashable, Sendable {
    /// Who is asked to act.
    enum Kind: String, Sendable {
        case client = "Client"
        case server = "Server"
    }

    let status: Int
    let code: String
    let kind: Kind
    let message: String
    /// For the `Retry-After` header.
    var retryAfterSeconds: Int?
    /// For the audit log, never for the wire: why whoever asked was turned away.
    var refusal: RefusedRequest.Reason?

    var document: JSONValue {
        ["code": .string(code), "message": .string(message), "type": .string(kind.rawValue)]
    }

    init(_ status: Int, _ code: String, _ message: String, kind: Kind = .client, retryAfterSeconds: Int? = nil) {
        self.status = status
        self.code = code
        self.kind = kind
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// The wire form of an error of the engine.
    init(_ error: VaultError) {
        let message = error.message
        switch error.code {
        case .invalidParameter: self.init(400, "InvalidParameterValueException", message)
        case .missingParameter: self.init(400, "MissingParameterValueException", message)
        case .notFound: self.init(404, "ResourceNotFoundException", message)
        case .limitExceeded: self.init(400, "LimitExceededException", message)
        case .expiredToken:
            self.init(403, "ExpiredTokenException", message)
            refusal = .expiredToken
        case .policyEnforced: self.init(400, "PolicyEnforcedException", message)
        case .accessDenied: self.init(403, "AccessDeniedException", message)
        case .invalidSignature: self.init(403, "InvalidSignatureException", message)
        case .requestTimeout: self.init(408, "RequestTimeoutException", message)
        case .serialization: self.init(400, "SerializationException", message)
        case .unavailable:
            self.init(
                503, "ServiceUnavailableException", message, kind: .server,
                retryAfterSeconds: error.retryAfter.map { Int(clamping: $0.components.seconds) } ?? 1)
        case .integrity: self.init(500, "ServiceUnavailableException", message, kind: .server)
        // What went wrong inside is the operator's to know: the log has it.
        case .internalFailure: self.init(500, "ServiceUnavailableException", Self.generalFailure, kind: .server)
        }
    }

    /// The wire form of an authentication that failed.
    init(_ error: SignatureError) {
        switch error.code {
        case .missingAuthenticationToken:
            self.init(400, error.code.rawValue, error.message)
            refusal = .missingAuthentication
        case .incompleteSignature:
            self.init(400, error.code.rawValue, error.message)
            refusal = .incompleteAuthentication
        case .invalidSignature:
            self.init(403, error.code.rawValue, error.message)
            refusal = .invalidSignature
        }
    }

    /// The wire form of anything thrown while a request is answered.
    init(_ error: any Error) {
        switch error {
        case let error as WireError: self = error
        case let error as VaultError: self.init(error)
        case let error as SignatureError: self.init(error)
        case is CancellationError:
            self.init(VaultError(.unavailable, "The service is stopping. Please try again."))
        default:
            self.init(VaultError(.internalFailure, Self.generalFailure))
        }
    }

    private static let generalFailure = "The service failed while answering. Please try again."

    // MARK: what the edge itself refuses

    static func badRequest(_ message: String) -> WireError { WireError(400, "BadRequest", message) }

    static func missing(_ parameter: String) -> WireError {
        WireError(400, "MissingParameterValueException", "Required parameter missing: \(parameter)")
    }

    static func invalid(_ message: String) -> WireError { WireError(400, "InvalidParameterValueException", message) }

    /// `Invalid <name>: <value>`, the form the service uses for most headers.
    static func invalid(_ name: String, _ value: String, because reason: String? = nil) -> WireError {
        invalid("Invalid \(name): \(value)" + (reason.map { ". \($0)" } ?? ""))
    }

    /// Status 400, as documented; the SDKs know the code and come back after a pause.
    static func throttled(_ message: String) -> WireError {
        WireError(400, "ThrottlingException", message, retryAfterSeconds: 1)
    }

    static let unrecognizedClient = unrecognized(.unknownAccessKey)
    /// The same to the client: whether a key exists is nobody's business who cannot use it.
    static let inactiveClient = unrecognized(.inactiveAccessKey)

    private static func unrecognized(_ reason: RefusedRequest.Reason) -> WireError {
        var error = WireError(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
        error.refusal = reason
        return error
    }

    static func foreignAccount(_ text: String) -> WireError {
        var error = WireError(403, "AccessDeniedException", "Access denied for account ID: \(text)")
        error.refusal = .foreignAccount
        return error
    }
}
