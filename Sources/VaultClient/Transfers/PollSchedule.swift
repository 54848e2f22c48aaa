// SPDX-License-Identifier: Apache-2.0

/// How long to wait between two looks at a job: short at first, because a self-hosted service may be done at once, then
/// longer, because a tape library is not.
public struct PollSchedule: Sendable, Hashable {
    /// The first pause.
    public let first: Duration
    /// The pause that is not exceeded.
    public let longest: Duration

    /// - Parameters:
    ///   - first: at least 10 ms.
    ///   - longest: at least `first`.
    public init(first: Duration = .milliseconds(200), longest: Duration = .seconds(10)) {
        self.first = max(first, .milliseconds(10))
        self.longest = max(longest, self.first)
    }

    /// The pause before look `look + 1`, counted from 1; half as long again every time.
    public func pause(after look: Int) -> Duration {
        var pause = first
        for _ in 1..<max(min(look, 64), 1) where pause < longest { pause = pause * 3 / 2 }
        return min(pause, longest)
    }
}

extension GlacierClient {
    /// Looks at a job until it has finished, well or not.
    ///
    /// Looks for ever, because a Bulk retrieval may take half a day and only the caller knows its patience: cancel the
    /// task to stop.
    /// - Parameter observing: called after every look.
    public func waitForJob(
        vault: String, jobID: String, schedule: PollSchedule, observing: (JobDescription) -> Void = { _ in }
    ) async throws -> JobDescription {
        var look = 1
        while true {
            let job = try await describeJob(vault: vault, jobID: jobID)
            observing(job)
            guard job.status == .inProgress else { return job }
            try await surroundings.pause(schedule.pause(after: look))
            look += 1
        }
    }
}

extension JobDescription {
    /// - Throws: ``ClientError`` of kind `jobFailed` with the service's reason.
    public func requireSuccess() throws(ClientError) {
        guard status == .failed else { return }
        throw ClientError(.jobFailed, "Job \(id) failed: \(statusMessage ?? "the service gave no reason").")
    }
}
