// SPDX-License-Identifier: Apache-2.0

import Foundation
import Observability

/// An output for a `LogWriter` that remembers what it was given and can be made to block or to fail.
final class CapturedOutput: @unchecked Sendable {
    // @unchecked Sendable: every stored variable is only touched while `condition` is locked.
    private let condition = NSCondition()
    private var bytes: [UInt8] = []
    private var isBlocked = false
    private var isFailing = false
    private var waitingWriters = 0

    struct Failure: Error {}

    func write(_ new: [UInt8]) throws {
        condition.lock()
        defer { condition.unlock() }
        waitingWriters += 1
        condition.broadcast()
        while isBlocked { condition.wait() }
        waitingWriters -= 1
        if isFailing { throw Failure() }
        bytes += new
    }

    func block() { set { isBlocked = true } }
    func unblock() { set { isBlocked = false } }
    func fail(_ failing: Bool) { set { isFailing = failing } }

    /// Returns once a writer stands inside `write`; bounded by the test's time limit.
    func awaitBlockedWriter() {
        condition.lock()
        defer { condition.unlock() }
        while waitingWriters == 0 { condition.wait() }
    }

    /// Each line as the JSON object it must be.
    func lines() throws -> [[String: Any]] {
        condition.lock()
        let text = String(decoding: bytes, as: UTF8.self)
        condition.unlock()
        return try text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { line in
            let value = try JSONSerialization.jsonObject(with: Data(line.utf8))
            guard let object = value as? [String: Any] else { throw Failure() }
            return object
        }
    }

    var text: String {
        condition.lock()
        defer { condition.unlock() }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func set(_ change: () -> Void) {
        condition.lock()
        change()
        condition.broadcast()
        condition.unlock()
    }
}
