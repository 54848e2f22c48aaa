// SPDX-License-Identifier: Apache-2.0

import Glibc
public import VaultModel

/// The clock of the machine.
public struct SystemTimeSource: TimeSource {
    public init() {}

    public func now() -> Timestamp {
        var time = timespec()
        // It cannot fail: the clock exists and the memory is ours.
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    public func monotonic() -> Duration {
        var time = timespec()
        // As above. It counts through the machine's sleep, which CLOCK_MONOTONIC does not.
        _ = unsafe clock_gettime(CLOCK_BOOTTIME, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }

    public func sleep(for duration: Duration) async throws { try await Task.sleep(for: duration) }
}
