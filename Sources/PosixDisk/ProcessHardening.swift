// SPDX-License-Identifier: Apache-2.0

import Glibc
public import Storage

/// What keeps the memory of a process that holds keys out of files and out of other processes.
public enum ProcessHardening {
    /// Turns core dumps off and forbids other processes of the same user to attach. Call first thing at start.
    public static func disableCoreDumps() throws(StorageError) {
        var limit = rlimit(rlim_cur: 0, rlim_max: 0)
        guard unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit) == 0 else {
            throw DiskFailure("setrlimit", "RLIMIT_CORE").error
        }
        // prctl is variadic in C and so out of Swift's reach; on our platforms its words are passed like fixed
        // arguments.
        typealias ProcessControl = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
        guard let symbol = unsafe dlsym(nil, "prctl") else {
            throw StorageError(.unusable, "the C library has no prctl: core dumps cannot be ruled out")
        }
        let processControl = unsafe unsafeBitCast(symbol, to: ProcessControl.self)
        let setDumpable: Int32 = 4
        guard processControl(setDumpable, 0, 0, 0, 0) == 0 else { throw DiskFailure("prctl", "PR_SET_DUMPABLE").error }
    }

    /// Lets the process open as many files as the system lets it, and says how many that are.
    public static func raiseFileLimit() throws(StorageError) -> Int {
        var limit = rlimit(rlim_cur: 0, rlim_max: 0)
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            throw DiskFailure("getrlimit", "RLIMIT_NOFILE").error
        }
        limit.rlim_cur = limit.rlim_max
        guard unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            throw DiskFailure("setrlimit", "RLIMIT_NOFILE").error
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// A peer or a log reader that goes away is an error of one write, not the end of the process.
    public static func ignoreBrokenPipes() {
        _ = signal(SIGPIPE, SIG_IGN)
    }
}
