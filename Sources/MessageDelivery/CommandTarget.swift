// SPDX-License-Identifier: Apache-2.0

import Execution
import Messaging
import VaultModel

/// Messages on the standard input of a command, one process for each. No shell is involved. Exit status 0 means taken;
/// a process that has not ended in time is killed with its process group.
struct CommandTarget: Sendable {
    private static let firstNap: Duration = .milliseconds(2)
    private static let longestNap: Duration = .milliseconds(100)
    /// A killed process that does not go (the kernel waits for its disk) is left to the kernel.
    private static let reapPatience: Duration = .seconds(5)

    let pool: BlockingPool
    let clock: any TimeSource
    let limits: DeliveryLimits

    func deliver(_ message: TopicMessage, to arguments: [String]) async throws(DeliveryFailure) {
        // What a program needs to run at all; nothing of the service's own environment.
        let environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
        let input = Envelope.bytes(of: message)
        let started = await pool.run { ChildProcess.start(arguments, environment: environment) }
        let child: ChildProcess
        switch started {
        case .success(let process): child = process
        case .failure(let error): throw DeliveryFailure("the command cannot be started: \(error)", isTransient: true)
        }
        let end = await wait(for: child, input: input)
        child.closeInput()
        switch end {
        case .exited(0): return
        case .exited(let status):
            throw DeliveryFailure("the command ended with exit status \(status)", isTransient: true)
        case .killed(let signal): throw DeliveryFailure("the command was ended by signal \(signal)", isTransient: true)
        case nil:
            await kill(child)
            throw DeliveryFailure(
                Task.isCancelled ? "the delivery was interrupted" : "the command did not end in time and was killed",
                isTransient: true)
        }
    }

    /// Feeds the process and waits for its end; nil when the time is up or the task is cancelled.
    private func wait(for child: ChildProcess, input: [UInt8]) async -> ChildProcess.End? {
        let deadline = clock.monotonic() + limits.total
        var left = input[...]
        var nap = Self.firstNap
        while true {
            if !left.isEmpty {
                left = left.dropFirst(child.feed(left))
                if left.isEmpty { child.closeInput() }
            }
            if let end = child.end() { return end }
            guard clock.monotonic() < deadline else { return nil }
            do { try await clock.sleep(for: nap) } catch { return nil }
            nap = min(nap * 2, Self.longestNap)
        }
    }

    private func kill(_ child: ChildProcess) async {
        child.killGroup()
        let clock = clock
        await withCompletionGuaranteed {
            let deadline = clock.monotonic() + Self.reapPatience
            while child.end() == nil, clock.monotonic() < deadline {
                // Nobody cancels a task of its own.
                try? await clock.sleep(for: Self.firstNap)
            }
        }
    }

    func check(_ arguments: [String]) async throws(DeliveryFailure) {
        guard let executable = arguments.first else { return }
        let canRun = await pool.run { ChildProcess.canRun(executable) }
        guard canRun else {
            throw DeliveryFailure("\(executable) is not a file that the service may execute", isTransient: false)
        }
    }
}
