// SPDX-License-Identifier: Apache-2.0

import Execution
import Synchronization
import VaultModel

/// Keeps the scrub within its limits and out of the way: between two slices of at most a frame it rests for what the slices cost, and
/// longer while requests are waiting for the compute pool or for memory.
final class ScrubPace: Sendable {
    /// How long one slice gives way at most: the scrub is slow under load, never stopped.
    private static let longestYield: Duration = .milliseconds(200)
    private static let yieldStep: Duration = .milliseconds(5)

    let limits: ScrubConfiguration
    private let clock: any TimeSource
    private let isBusy: @Sendable () -> Bool
    private let isPaused: @Sendable () -> Bool
    private let bytes: Mutex<TokenBucket>
    /// Nanoseconds of computing.
    private let computing: Mutex<TokenBucket>

    init(
        _ limits: ScrubConfiguration, clock: any TimeSource, isBusy: @escaping @Sendable () -> Bool = { false },
        isPaused: @escaping @Sendable () -> Bool = { false }
    ) {
        self.limits = limits
        self.clock = clock
        self.isBusy = isBusy
        self.isPaused = isPaused
        bytes = Mutex(TokenBucket(perSecond: limits.bytesPerSecond))
        computing = Mutex(TokenBucket(perSecond: limits.cpuPercent >= 100 ? nil : UInt64(max(1, limits.cpuPercent)) * 10_000_000))
    }

    /// How long `work` took, to be handed to ``rest(bytes:computed:)``.
    func measure(_ work: () throws -> Void) rethrows -> Duration {
        let start = clock.monotonic()
        try work()
        return clock.monotonic() - start
    }

    /// After a slice that read `count` bytes and computed for `computed`.
    func rest(bytes count: UInt64, computed: Duration) async throws {
        try Task.checkCancellation()
        let now = clock.monotonic()
        let (seconds, attoseconds) = computed.components
        let nanoseconds = UInt64(clamping: seconds) * 1_000_000_000 + UInt64(clamping: attoseconds / 1_000_000_000)
        let forBytes = bytes.withLock { $0.take(count, at: now) }
        // The slice itself is a part of the span that its share is taken of.
        let forComputing = computing.withLock { $0.take(nanoseconds, at: now - computed) } - computed
        let pause = max(forBytes, forComputing)
        if pause > .zero { try await clock.sleep(for: pause) }
        while isPaused() { try await clock.sleep(for: .seconds(1)) }
        guard limits.bytesPerSecond != nil || limits.cpuPercent < 100 else { return }
        var yielded: Duration = .zero
        while isBusy(), yielded < Self.longestYield {
            try await clock.sleep(for: Self.yieldStep)
            yielded += Self.yieldStep
        }
    }
}
