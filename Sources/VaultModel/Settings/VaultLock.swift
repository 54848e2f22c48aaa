// SPDX-License-Identifier: Apache-2.0

/// The lock of a vault: a policy that, once the lock is completed, nobody can change or remove.
///
///     none ──initiate──▶ inProgress ──complete(id)──▶ locked (for ever)
///                            │ abort, or 24 hours
///                            ▼
///                           none
///
/// The policy is enforced in both states.
public struct VaultLock: Hashable, Sendable {
    public enum State: String, Hashable, Sendable {
        case inProgress = "InProgress"
        case locked = "Locked"
    }

    /// How long a lock may stay in progress.
    public static let testPeriod: Duration = .seconds(24 * 3600)

    /// Only who knows it can complete the lock. Kept for ever, because completing again succeeds.
    public let id: String
    /// Verbatim as it was set.
    public let policy: String
    public var state: State
    /// When it was initiated.
    public let created: Timestamp

    public init(id: String, policy: String, state: State, created: Timestamp) {
        self.id = id
        self.policy = policy
        self.state = state
        self.created = created
    }

    /// When a lock in progress falls away; nil once locked.
    public var expires: Timestamp? { state == .locked ? nil : created.advanced(by: Self.testPeriod) }

    /// Whether the lock has fallen away at `now`.
    public func isExpired(at now: Timestamp) -> Bool { expires.map { $0 <= now } ?? false }
}
