// SPDX-License-Identifier: Apache-2.0

import Foundation
public import Metrics

/// Carries finished log lines from any thread to a slow or blocked output, without ever making the caller wait for it.
///
/// 1. `submit` only appends to a queue in memory; one thread of its own writes. A blocked pipe blocks that thread
///    alone.
/// 2. The queue is bounded in lines and bytes. A line that does not fit is dropped and counted, and as soon as the
///    output
///    accepts bytes again a line `log lines were dropped` with the count tells the reader.
/// 3. Lines are written whole, in the order of submission.
/// 4. A failing output (a closed pipe) loses the lines it was given, counted, and never ends the process.
public final class LogWriter: @unchecked Sendable {
    // @unchecked Sendable: `state` is only touched while `condition` is locked; everything else is immutable.
    private let condition = NSCondition()
    private var state = State()

    private let maxQueuedLines: Int
    private let maxQueuedBytes: Int
    private let dropCounter: Counter?
    private let output: @Sendable ([UInt8]) throws -> Void
    /// Milliseconds since 1970-01-01T00:00:00Z, for the time of a line.
    let now: @Sendable () -> Int64

    private struct State {
        var lines: [[UInt8]] = []
        var queuedBytes = 0
        var droppedLines = 0
        var unreportedDrops = 0
        var isWriting = false
        var isFailing = false
        var isClosed = false
        var hasStopped = false
    }

    /// Starts the writing thread.
    /// - Parameters:
    ///   - maxQueuedLines: lines that may wait; more are dropped.
    ///   - maxQueuedBytes: bytes that may wait; more are dropped.
    ///   - dropCounter: is incremented for every lost line; make it after the metrics system has been bootstrapped.
    ///   - now: milliseconds since the Unix epoch.
    ///   - output: writes all of the bytes or throws; called on the writing thread only, and may block.
    public init(
        maxQueuedLines: Int = 16_384, maxQueuedBytes: Int = 4 << 20, dropCounter: Counter? = nil,
        now: @escaping @Sendable () -> Int64, output: @escaping @Sendable ([UInt8]) throws -> Void
    ) {
        precondition(maxQueuedLines > 0 && maxQueuedBytes > 0, "a log queue needs room for one line")
        self.maxQueuedLines = maxQueuedLines
        self.maxQueuedBytes = maxQueuedBytes
        self.dropCounter = dropCounter
        self.now = now
        self.output = output
        let thread = Thread { self.drain() }
        thread.name = "log-writer"
        thread.start()
    }

    /// A writer to the process's standard error. The process must ignore SIGPIPE.
    public static func standardError(
        dropCounter: Counter? = nil, now: @escaping @Sendable () -> Int64
    ) -> LogWriter {
        LogWriter(dropCounter: dropCounter, now: now) { bytes in
            try FileHandle.standardError.write(contentsOf: Data(bytes))
        }
    }

    /// Lines lost since the start: refused by the full queue or by a failing output.
    public var droppedLineCount: Int {
        locked { state.droppedLines }
    }

    /// Queues one whole line, newline included, or drops and counts it. Never waits for the output.
    func submit(_ line: [UInt8]) {
        let accepted = locked {
            guard !state.isClosed, state.lines.count < maxQueuedLines, state.queuedBytes + line.count <= maxQueuedBytes
            else {
                state.droppedLines += 1
                state.unreportedDrops += 1
                return false
            }
            state.lines.append(line)
            state.queuedBytes += line.count
            condition.broadcast()
            return true
        }
        if !accepted { dropCounter?.increment() }
    }

    /// Waits until everything submitted before has been written or lost. Blocks the calling thread: not for event
    /// loops.
    /// - Returns: false when the output did not accept it all within the limit.
    @discardableResult
    public func flush(within limit: Duration) -> Bool {
        locked { wait(within: limit) { $0.hasStopped || ($0.lines.isEmpty && !$0.isWriting) } }
    }

    /// Writes what is queued and ends the thread; later lines are dropped. Blocks the calling thread for at most
    /// `limit`;
    /// meant for the last step of the process.
    /// - Returns: false when the output did not accept it all within the limit.
    @discardableResult
    public func shutdown(within limit: Duration) -> Bool {
        locked {
            state.isClosed = true
            condition.broadcast()
            return wait(within: limit) { $0.hasStopped }
        }
    }

    // MARK: the writing thread

    private func drain() {
        while let batch = nextBatch() {
            var bytes = Array(batch.lines.joined())
            if batch.drops > 0 { bytes += dropLine(count: batch.drops) }
            do {
                try output(bytes)
                finishBatch(lost: 0)
            } catch {
                // The log cannot be told about the failure of the log: the counters and the next line that passes do.
                finishBatch(lost: batch.lines.count, unreported: batch.drops)
            }
        }
    }

    /// Waits for work. Nil: closed and drained, the thread ends.
    private func nextBatch() -> (lines: [[UInt8]], drops: Int)? {
        locked {
            while state.lines.isEmpty && !state.isClosed && (state.unreportedDrops == 0 || state.isFailing) {
                condition.wait()
            }
            if state.lines.isEmpty && (state.unreportedDrops == 0 || state.isFailing) {
                state.hasStopped = true
                condition.broadcast()
                return nil
            }
            let batch = (state.lines, state.unreportedDrops)
            state.lines = []
            state.queuedBytes = 0
            state.unreportedDrops = 0
            state.isWriting = true
            return batch
        }
    }

    private func finishBatch(lost: Int, unreported: Int = 0) {
        locked {
            state.isWriting = false
            state.isFailing = lost + unreported > 0
            state.droppedLines += lost
            state.unreportedDrops += lost + unreported
            condition.broadcast()
        }
        if lost > 0 { dropCounter?.increment(by: lost) }
    }

    private func dropLine(count: Int) -> [UInt8] {
        var line = JSONLine()
        line.append("timestamp", .text(TimestampText.rfc3339(milliseconds: now())))
        line.append("level", .text("warning"))
        line.append("message", .text("log lines were dropped because the output was too slow or failed"))
        line.append("dropped", .integer(String(count)))
        return line.finish()
    }

    // MARK: locking

    private func locked<Result>(_ body: () -> Result) -> Result {
        condition.lock()
        defer { condition.unlock() }
        return body()
    }

    /// Only with the lock held.
    private func wait(within limit: Duration, until isTrue: (State) -> Bool) -> Bool {
        // A timed wait of the platform, bounded by the caller; no decision of the service depends on this clock.
        let deadline = Date(timeIntervalSinceNow: limit / .seconds(1))
        while !isTrue(state) {
            if !condition.wait(until: deadline) { return isTrue(state) }
        }
        return true
    }
}
