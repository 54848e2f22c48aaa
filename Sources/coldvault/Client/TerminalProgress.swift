// SPDX-License-Identifier: Apache-2.0

import Synchronization
import VaultClient

/// A progress bar on standard error, drawn at most ten times a second and only on a terminal, and the remarks around
/// it.
final class TerminalProgress: TransferProgress {
    private struct State {
        var activity = ""
        var total: UInt64 = 0
        var done: Int64 = 0
        var start = ContinuousClock.now
        var lastDrawn: ContinuousClock.Instant?
        var isRunning = false
    }

    private static let drawingInterval = Duration.milliseconds(100)
    private static let barWidth = 30
    private let isShown: Bool
    private let state = Mutex(State())

    init(isShown: Bool) { self.isShown = isShown }

    func begin(_ activity: String, totalBytes: UInt64) {
        state.withLock {
            $0 = State()
            $0.activity = activity
            $0.total = totalBytes
            $0.isRunning = true
        }
    }

    func advance(by bytes: Int64) {
        let line = state.withLock { state -> String? in
            state.done += bytes
            guard isShown, state.isRunning else { return nil }
            let now = ContinuousClock.now
            if let last = state.lastDrawn, now - last < Self.drawingInterval, state.done < Int64(clamping: state.total)
            {
                return nil
            }
            state.lastDrawn = now
            return Self.line(state, at: now)
        }
        if let line { StandardError.write("\r\u{1B}[2K\(line)") }
    }

    func end() {
        let wasDrawn = state.withLock { state in
            defer { state.isRunning = false }
            return state.isRunning && state.lastDrawn != nil
        }
        if wasDrawn { StandardError.write("\n") }
    }

    /// A line for the person, on a line of its own.
    func remark(_ text: String) { StandardError.write(isShown ? "\r\u{1B}[2K\(text)\n" : "\(text)\n") }

    private static func line(_ state: State, at now: ContinuousClock.Instant) -> String {
        let done = UInt64(clamping: state.done)
        let share = state.total == 0 ? 1 : min(Double(done) / Double(state.total), 1)
        let filled = Int((share * Double(barWidth)).rounded(.down))
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: barWidth - filled)
        let seconds = (now - state.start) / .seconds(1)
        let rate = seconds > 0.2 ? " \(ByteText.short(UInt64(Double(done) / seconds)))/s" : ""
        return
            "\(state.activity) [\(bar)] \(Int(share * 100))% \(ByteText.short(done)) of "
            + "\(ByteText.short(state.total))\(rate)"
    }
}
