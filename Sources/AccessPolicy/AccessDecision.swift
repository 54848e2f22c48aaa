// SPDX-License-Identifier: Apache-2.0

/// Whether a request is allowed, why, and which statement says so.
public struct AccessDecision: Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        /// A statement denies; nothing else matters.
        case explicitDeny
        /// A statement, or one on each side, allows.
        case allowed
        /// The principal is the root of the account that owns the resource, and nothing denies.
        case rootOfTheAccount
        /// Nothing denies, but nothing on this side allows.
        case noStatementAllows(Side)
    }

    /// Who would have had to allow.
    public enum Side: Hashable, Sendable {
        /// The principal's identity policies.
        case identity
        /// The vault's access or lock policy.
        case vault
        /// Either of both: inside one account one is enough.
        case identityOrVault
        /// Nobody: only the account's own principals may do what concerns the account, or create its vaults.
        case ownAccount
        /// The session policy of the temporary credentials.
        case session
        /// The account that owns the resource: it is disabled, or there is none.
        case activeOwner
    }

    /// Where a statement stands.
    public enum Source: Hashable, Sendable, CustomStringConvertible {
        case lockPolicy
        case accessPolicy
        case identityPolicy(String)
        case sessionPolicy

        public var description: String {
            switch self {
            case .lockPolicy: "lock policy"
            case .accessPolicy: "access policy"
            case .identityPolicy(let name): "identity policy \(name)"
            case .sessionPolicy: "session policy"
            }
        }
    }

    /// One statement of one policy.
    public struct DecidingStatement: Hashable, Sendable, CustomStringConvertible {
        public let source: Source
        /// Its `Sid`, or `Statement[<index>]` where it has none.
        public let statement: String

        public init(source: Source, statement: String) {
            self.source = source
            self.statement = statement
        }

        public var description: String { "statement \(statement) of the \(source)" }
    }

    public let reason: Reason
    /// The statement that denies, or that allows; nil where none does.
    public let deciding: DecidingStatement?

    public init(_ reason: Reason, _ deciding: DecidingStatement? = nil) {
        self.reason = reason
        self.deciding = deciding
    }

    public var isAllowed: Bool {
        switch reason {
        case .allowed, .rootOfTheAccount: true
        case .explicitDeny, .noStatementAllows: false
        }
    }

    /// One line for logs and the operator; never for the client, who learns nothing of other people's policies.
    public var text: String {
        switch reason {
        case .explicitDeny: "denied by \(deciding.map { "\($0)" } ?? "a policy")"
        case .allowed: "allowed by \(deciding.map { "\($0)" } ?? "a policy")"
        case .rootOfTheAccount: "allowed: the root of the account"
        case .noStatementAllows(.identity): "denied: no identity policy of the principal allows it"
        case .noStatementAllows(.vault): "denied: no policy of the vault allows it to another account's principal"
        case .noStatementAllows(.identityOrVault): "denied: neither an identity policy nor a policy of the vault allows it"
        case .noStatementAllows(.ownAccount): "denied: another account's principal cannot be given this action"
        case .noStatementAllows(.session): "denied: the session policy does not allow it"
        case .noStatementAllows(.activeOwner): "denied: the account that owns the resource is not active"
        }
    }

    public var description: String { text }
}
