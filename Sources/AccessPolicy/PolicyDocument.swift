// SPDX-License-Identifier: Apache-2.0

/// A policy in the IAM policy language, parsed and checked (Docs/API/Policies.md).
public struct PolicyDocument: Hashable, Sendable {
    /// Where a document is attached, which decides what may stand in it.
    public enum Kind: Hashable, Sendable {
        /// To a user: no `Principal`.
        case identity
        /// To a vault, as its access policy: `Principal` and the vault's own ARN as `Resource` are required.
        case vaultAccess(vaultARN: String)
        /// To a vault, as its lock policy: as the access policy.
        case vaultLock(vaultARN: String)
        /// To temporary credentials: no `Principal`.
        case session
    }

    /// Parses what somebody wants to set. Total: a document or a typed error for any text, in time and memory bounded by `maxBytes`.
    /// - Parameter maxBytes: the longest text accepted, UTF-8 bytes.
    /// - Throws: `PolicyError` with the place and the reason.
    public init(parsing text: String, as kind: Kind, maxBytes: Int) throws(PolicyError) {
        guard text.utf8.count <= maxBytes else { throw PolicyError(at: "", "the policy is longer than \(maxBytes) bytes") }
    }

    /// Parses a document that was accepted before. Who gets an error here must treat the document as denying everything: what cannot be
    /// read cannot be obeyed.
    public static func stored(_ text: String, as kind: Kind) throws(PolicyError) -> PolicyDocument {
        try PolicyDocument(parsing: text, as: kind, maxBytes: maxStoredBytes)
    }

    /// No document is accepted that is longer.
    static let maxStoredBytes = 1 << 20
}
