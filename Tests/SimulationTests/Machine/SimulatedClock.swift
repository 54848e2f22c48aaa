// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// The simulator's time as the engine sees it.
struct SimulatedClock: TimeSource {
    static let start = Timestamp(milliseconds: 1_700_000_000_000)
    let simulator: Simulator

    func now() -> Timestamp { Self.start.advanced(by: simulator.now) }
    func monotonic() -> Duration { simulator.now }
    func sleep(for duration: Duration) async throws { try await simulator.sleep(for: duration) }
}
