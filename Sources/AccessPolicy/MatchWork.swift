// SPDX-License-Identifier: Apache-2.0

/// Counts what one decision spends on matching patterns, and says when it is too much: a policy of 20 KiB and a request made for it
/// must not keep a processor busy.
///
/// One per decision; not shared.
final class MatchWork {
    /// Steps of one decision: some milliseconds. A policy full of wildcards stays far below it.
    static let steps = 1_000_000

    private(set) var left: Int
    private var isExceeded = false

    init(steps: Int = MatchWork.steps) { left = steps }

    /// Takes the steps, if as many are left; else what is being matched counts as too much, and so does all that follows.
    func affords(_ steps: Int) -> Bool {
        guard steps <= left else {
            left = 0
            isExceeded = true
            return false
        }
        left -= steps
        return true
    }

    /// What `body` says; nil when it could not afford to find out.
    func judging(_ body: () -> Bool) -> Bool? {
        isExceeded = false
        let result = body()
        return isExceeded ? nil : result
    }
}
