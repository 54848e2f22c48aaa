// SPDX-License-Identifier: Apache-2.0

/// What went wrong, sorted by who must act, and what to do about it.
///
/// One exhaustive `switch` at the API edge maps ``Code`` to the wire; a code exists only because some code reacts to it differently.
public struct VaultError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Hashable, CaseIterable {
        /// The caller sent a bad value.
        case invalidParameter
        /// The caller left out something required.
        case missingParameter
        /// There is no such vault, archive, upload or job (for this caller).
        case notFound
        /// A quota is used up.
        case limitExceeded
        /// The caller may not do this.
        case accessDenied
        /// Temporary credentials are past their time.
        case expiredToken
        /// The account's data retrieval policy does not allow the job.
        case policyEnforced
        /// The signature covers another body than the one that arrived.
        case invalidSignature
        /// The body did not arrive in time.
        case requestTimeout
        /// The body could not be read as what it should be.
        case serialization
        /// No room, on disk or in memory, or the service is stopping: the same request may succeed later.
        case unavailable
        /// Stored bytes do not verify. An operator must act; retrying or deleting helps nobody.
        case integrity
        /// The outcome of a commit is unknown, or a part of the service failed: nothing may be assumed.
        case internalFailure
    }

    public let code: Code
    /// For the caller: what happened and what to do. Never a secret, a plaintext byte or a path.
    public let message: String
    /// For the operator: the error below, for the log.
    public let cause: (any Error)?
    /// When to try again, where a second is too early.
    public let retryAfter: Duration?

    public init(_ code: Code, _ message: String, cause: (any Error)? = nil, retryAfter: Duration? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
        self.retryAfter = retryAfter
    }

    public var description: String {
        if let cause { "\(code): \(message) (cause: \(cause))" } else { "\(code): \(message)" }
    }
}
