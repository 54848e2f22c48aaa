// SPDX-License-Identifier: Apache-2.0

/// How often, and after what pause, a request is sent again. Pure: chance comes in as a number.
public struct RetryPolicy: Sendable, Hashable {
    /// Attempts in all, the first included; 1 means never again.
    public let attempts: Int
    /// The upper bound of the first pause; it doubles with every attempt.
    public let firstPause: Duration
    /// No pause is longer, whatever the service asks for.
    public let longestPause: Duration

    /// - Parameter attempts: clamped to 1...20, so that no loop is endless.
    public init(attempts: Int = 5, firstPause: Duration = .milliseconds(200), longestPause: Duration = .seconds(20)) {
        self.attempts = min(max(attempts, 1), 20)
        self.firstPause = firstPause
        self.longestPause = longestPause
    }

    /// Statuses and codes after which the same request may succeed: 408, 5xx that are not "never", and throttling,
    /// which this API answers with status 400.
    public static func isTransient(status: Int, code: String) -> Bool {
        switch code {
        case "ThrottlingException", "RequestTimeoutException", "ServiceUnavailableException": return true
        default: return status == 408 || status == 429 || (500...599).contains(status) && status != 501 && status != 505
        }
    }

    /// The pause before attempt `attempt + 1`: exponential, with a chance part so that many clients do not return in
    /// step.
    ///
    /// - Parameters:
    ///   - attempt: the attempt that just failed, from 1.
    ///   - chance: in 0..<1.
    ///   - asked: `Retry-After` of the answer; it is obeyed up to ``longestPause``.
    public func pause(after attempt: Int, chance: Double, asked: Duration? = nil) -> Duration {
        let doublings = min(max(attempt - 1, 0), 16)
        let bound = min(firstPause * (1 << doublings), longestPause)
        // Half is fixed and half is chance: never zero, so that a service in trouble always gets some rest.
        let pause = bound / 2 + (bound / 2) * chance
        return min(max(pause, asked ?? .zero), longestPause)
    }
}
