// SPDX-License-Identifier: Apache-2.0

/// What went wrong for the person at the keyboard, sorted by what they can do about it.
///
/// Each ``Kind`` is one exit code of the command line (Docs/Operations/CLI.md), because scripts react to these and to
/// nothing finer.
public struct ClientError: Error, Sendable, CustomStringConvertible {
    /// Who must act, and how.
    public enum Kind: String, Sendable, CaseIterable {
        /// The request cannot be right as it was asked: a bad name, size, range or setting.
        case usage
        /// The vault, archive, upload or job does not exist.
        case notFound
        /// No credentials, wrong ones, or the service refuses them.
        case access
        /// Bytes are not what their tree hash says.
        case integrity
        /// The service finished the job without success.
        case jobFailed
        /// The person or the system asked us to stop.
        case interrupted
        /// The service could not be reached, or the connection broke, more often than we retry.
        case network
        /// The service answered with an error that none of the kinds above covers.
        case service
        /// This machine refused: a file cannot be read, written or renamed.
        case local
    }

    /// Who must act.
    public let kind: Kind
    /// What happened, in one sentence, without secrets.
    public let message: String
    /// What to do about it, when there is something to do.
    public let remedy: String?
    /// The service's own words, when it was the service that refused.
    public let fault: ServiceFault?
    /// Whether the same request may simply be sent again.
    public let repetition: Repetition

    /// What may follow a failed attempt.
    public enum Repetition: Sendable {
        /// It would fail the same way.
        case useless
        /// Nothing was done, so nothing can be done twice.
        case safe
        /// It may have been carried out before the connection broke.
        case unsure
    }

    /// An error of `kind`; `message` without secrets.
    public init(
        _ kind: Kind, _ message: String, remedy: String? = nil, fault: ServiceFault? = nil,
        repetition: Repetition = .useless
    ) {
        self.kind = kind
        self.message = message
        self.remedy = remedy
        self.fault = fault
        self.repetition = repetition
    }

    /// Message, request id and remedy, as they are printed.
    public var description: String {
        var text = message
        if let fault, !fault.requestID.isEmpty { text += " (request \(fault.requestID))" }
        if let remedy { text += "\n  \(remedy)" }
        return text
    }
}

/// The error document of the Glacier API together with its status and request id.
public struct ServiceFault: Sendable, Hashable {
    /// The HTTP status.
    public let status: Int
    /// For example `ResourceNotFoundException`; empty when the answer was not a Glacier error document.
    public let code: String
    /// The service's text.
    public let message: String
    /// `x-amzn-RequestId`, to quote in a report; empty when absent.
    public let requestID: String
    /// `Retry-After`: how long the service asks to be left alone.
    public let retryAfter: Duration?

    /// A fault as it was read from an answer.
    public init(status: Int, code: String, message: String, requestID: String, retryAfter: Duration? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.requestID = requestID
        self.retryAfter = retryAfter
    }
}

extension ClientError {
    /// Translates a refusal of the service; the one place that knows which code means what to a person.
    init(_ fault: ServiceFault, doing operation: String) {
        let kind: Kind
        var remedy: String?
        switch fault.code {
        case "ResourceNotFoundException":
            kind = .notFound
        case "AccessDeniedException", "NotAuthorizedException":
            kind = .access
        case "InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignatureException":
            kind = .access
            if fault.message.hasPrefix("Signature expired") || fault.message.hasPrefix("Signature not yet current") {
                remedy = "The clocks of this machine and of the service differ by more than five minutes: set them."
            } else if fault.message.contains("valid region") {
                remedy = "Set the region the service expects: --region or AWS_REGION."
            } else {
                remedy = "Check the secret access key, and that no proxy rewrites the request."
            }
        case "UnrecognizedClientException", "InvalidClientTokenId", "MissingAuthenticationTokenException":
            kind = .access
            remedy = "Check the access key id, and that --profile and --endpoint-url belong together."
        case "ExpiredTokenException":
            kind = .access
            remedy = "The session token has expired: obtain new credentials."
        default:
            kind = fault.status == 404 ? .notFound : fault.status == 401 || fault.status == 403 ? .access : .service
        }
        let name = fault.code.isEmpty ? "HTTP status \(fault.status)" : fault.code
        // A refused signature comes with pages of canonical text, which ``fault`` keeps for those who ask.
        let firstLine = fault.message.split(whereSeparator: \.isNewline).first ?? ""
        let said = firstLine.isEmpty ? name : "\(name): \(firstLine)"
        self.init(
            kind, "\(operation) was refused: \(said)", remedy: remedy, fault: fault,
            repetition: RetryPolicy.isTransient(status: fault.status, code: fault.code) ? .safe : .useless)
    }
}
