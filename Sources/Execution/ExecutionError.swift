// SPDX-License-Identifier: Apache-2.0

/// Why work was not even begun.
public enum ExecutionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// As many callers as allowed wait already. Answer "busy, try again later".
    case tooManyWaiters

    public var description: String {
        switch self {
        case .tooManyWaiters: "too many callers wait already; try again later"
        }
    }
}
