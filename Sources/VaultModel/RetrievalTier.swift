// SPDX-License-Identifier: Apache-2.0

/// How soon a retrieval is wanted: a not-before delay (zero unless configured) and a deadline for the scheduler.
public enum RetrievalTier: String, Sendable, Hashable, CaseIterable {
    case expedited = "Expedited"
    case standard = "Standard"
    case bulk = "Bulk"

    /// The promise the tier makes: 5 minutes, 5 hours, 12 hours after the request.
    public var deadline: Duration {
        switch self {
        case .expedited: .seconds(5 * 60)
        case .standard: .seconds(5 * 3600)
        case .bulk: .seconds(12 * 3600)
        }
    }
}

/// The delays before a job of a tier may start; all zero by default, so that a vault answers as fast as its media allows.
public struct RetrievalDelays: Sendable, Hashable {
    public var expedited: Duration
    public var standard: Duration
    public var bulk: Duration

    public init(expedited: Duration = .zero, standard: Duration = .zero, bulk: Duration = .zero) {
        self.expedited = expedited
        self.standard = standard
        self.bulk = bulk
    }

    public subscript(tier: RetrievalTier) -> Duration {
        switch tier {
        case .expedited: expedited
        case .standard: standard
        case .bulk: bulk
        }
    }
}
