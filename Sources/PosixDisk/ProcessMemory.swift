// SPDX-License-Identifier: Apache-2.0

import Glibc

/// How the C library's allocator keeps memory.
public enum ProcessMemory {
    /// `M_ARENA_MAX` of malloc.h.
    private static let arenaMaximum: Int32 = -8

    /// Keeps freed frames in two arenas instead of one for each thread, so that peak memory stays near what the budget hands out. Call
    /// before threads start.
    /// Does nothing where the C library has no such setting.
    public static func limitArenas() {
        typealias SetOption = @convention(c) (Int32, Int32) -> Int32
        guard let symbol = unsafe dlsym(nil, "mallopt") else { return }
        _ = unsafe unsafeBitCast(symbol, to: SetOption.self)(arenaMaximum, 2)
    }
}
