// SPDX-License-Identifier: Apache-2.0

public import Storage

/// What a call to a ``SimulatedDisk`` does, so that weather can choose.
public enum DiskCall: Sendable, Hashable, CaseIterable {
    case makeDirectory, syncDirectory, create, open, publish, replace, read, remove, look, write, sync
}

/// What becomes of one call.
public enum DiskMood: Sendable {
    case good
    /// Fails, half done or done if that is possible.
    case fails(StorageError.Code)
    /// Takes so long before it happens.
    case slow(Duration)
    /// A read gives other bytes than were written, and no error. Other calls are good.
    case lies(Misreading)

    public enum Misreading: Sendable {
        /// One bit is another; the number says which.
        case flipped(UInt64)
        /// The blocks are as they were before they were written.
        case stale
        /// The beginning of another file; the number says of which.
        case misdirected(UInt64)
    }
}

/// Decides call by call what a ``SimulatedDisk`` does.
public struct DiskWeather: Sendable {
    public let mood: @Sendable (DiskCall) -> DiskMood
    /// How to let time pass for a slow call.
    public let pause: @Sendable (Duration) async -> Void

    public init(mood: @escaping @Sendable (DiskCall) -> DiskMood, pause: @escaping @Sendable (Duration) async -> Void = { _ in }) {
        self.mood = mood
        self.pause = pause
    }
}
