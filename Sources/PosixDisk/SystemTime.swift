// SPDX-License-Identifier: Apache-2.0

import Glibc
public import VaultModel

/// The clock of the machine.
public struct SystemTimeSource: TimeSource {
    /// The kernel's name for this boot.
    public let run: String?

    public init() { run = Self.bootName() }

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

    /// A UUID that the kernel makes at every boot; nil where it cannot be read. From memory, not from a disk.
    private static func bootName() -> String? {
        let file = unsafe open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { _ = close(file) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe read(file, &bytes, bytes.count)
        guard count == 36 || count == 37 else { return nil }
        let name = bytes.prefix(36)
        guard name.allSatisfy({ $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        return String(decoding: name, as: UTF8.self)
    }
}
