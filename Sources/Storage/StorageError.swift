// SPDX-License-Identifier: Apache-2.0

/// What a store, catalog, custody or disk could not do, by who must act.
public struct StorageError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Hashable, CaseIterable {
        /// Nothing is stored under that name.
        case notFound
        /// A write-once name is taken, or a unique row exists.
        case alreadyExists
        /// The medium is full (or its reserve is all that is left). Deletes still work.
        case noSpace
        /// It may work later: busy, interrupted, too many open files.
        case transient
        /// Stored bytes are not what they must be, or the medium failed to keep them (EIO, a failed fsync). Page someone.
        case integrity
        /// A commit may or may not have happened. Keep everything, acknowledge nothing.
        case outcomeUnknown
        /// The caller's belief is out of date: a generation or revision has moved on.
        case conflict
        /// The store is of a newer format, locked by another process, or otherwise not to be used by us.
        case unusable
    }

    public let code: Code
    /// What happened and what to do, for the operator.
    public let message: String
    public let cause: (any Error)?

    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    public var description: String {
        if let cause { "\(code): \(message) (cause: \(cause))" } else { "\(code): \(message)" }
    }
}
