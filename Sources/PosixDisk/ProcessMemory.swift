// SPDX-License-Identifier: Apache-2.0

import Glibc

/// How the C library's allocator keeps memory.
public enum ProcessMemory {
    /// `M_ARENA_MAX`, `M_MMAP_THRESHOLD` and `M_TRIM_THRESHOLD` of malloc.h.
    private static let options: [(option: Int32, value: Int32)] = [(-8, 2), (-3, 32 << 20), (-1, 64 << 20)]

    /// Keeps freed frames for the next ones, in two arenas instead of one for each thread: peak memory stays near what the budget hands
    /// out, and a frame's memory is not given back to the system and faulted in again for every megabyte. Call before threads start. Does
    /// nothing where the C library has no such setting.
    public static func keepFreedFrames() {
        typealias SetOption = @convention(c) (Int32, Int32) -> Int32
        guard let symbol = unsafe dlsym(nil, "mallopt") else { return }
        let set = unsafe unsafeBitCast(symbol, to: SetOption.self)
        for (option, value) in options { _ = set(option, value) }
    }
}
