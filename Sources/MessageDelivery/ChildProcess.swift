// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// A process in a group of its own, with a pipe as standard input and nowhere to write to. It has no other open file
/// and no signal blocked or ignored.
///
/// Starting blocks for a moment; everything else does not. One task at a time.
final class ChildProcess: Sendable {
    enum End: Hashable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)
    }

    /// A pipe must not be inherited by a process that another thread starts at the same moment.
    private static let starting = Mutex(())

    private let pid: pid_t
    /// The write end of standard input; negative once closed.
    private let input: Mutex<Int32>

    private init(pid: pid_t, input: Int32) {
        self.pid = pid
        self.input = Mutex(input)
    }

    deinit { closeInput() }

    struct Failure: Error, Hashable, CustomStringConvertible {
        let code: Int32
        var description: String { String(cString: strerror(code)) }
    }

    /// - Parameter arguments: the executable's absolute path first; no shell looks at them.
    static func start(_ arguments: [String], environment: [String]) -> Result<ChildProcess, Failure> {
        starting.withLock { _ in
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else { return .failure(Failure(code: errno)) }
            // A reader that has gone is told by EPIPE, not by a signal that ends the service.
            signal(SIGPIPE, SIG_IGN)
            _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            let result = spawn(arguments, environment, input: ends[0])
            close(ends[0])
            switch result {
            case .success(let pid): return .success(ChildProcess(pid: pid, input: ends[1]))
            case .failure(let failure):
                close(ends[1])
                return .failure(failure)
            }
        }
    }

    private static func spawn(_ arguments: [String], _ environment: [String], input: Int32) -> Result<pid_t, Failure> {
        guard let executable = arguments.first else { return .failure(Failure(code: ENOENT)) }
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        guard posix_spawn_file_actions_init(&actions) == 0 else { return .failure(Failure(code: ENOMEM)) }
        defer { posix_spawn_file_actions_destroy(&actions) }
        guard posix_spawnattr_init(&attributes) == 0 else { return .failure(Failure(code: ENOMEM)) }
        defer { posix_spawnattr_destroy(&attributes) }

        var code = posix_spawn_file_actions_adddup2(&actions, input, 0)
        for output in [Int32(1), 2] where code == 0 {
            code = posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0)
        }
        for descriptor in openDescriptors() where code == 0 {
            code = posix_spawn_file_actions_addclose(&actions, descriptor)
        }

        var all = sigset_t()
        var none = sigset_t()
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        // Group 0: a new one, led by the process.
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        guard code == 0 else { return .failure(Failure(code: code)) }
        var pid: pid_t = 0
        code = withStrings(arguments) { arguments in
            withStrings(environment) { environment in
                posix_spawn(&pid, executable, &actions, &attributes, arguments, environment)
            }
        }
        return code == 0 ? .success(pid) : .failure(Failure(code: code))
    }

    /// Those beyond the three standard ones; closing one that has gone meanwhile does no harm.
    private static func openDescriptors() -> [Int32] {
        guard let directory = opendir("/proc/self/fd") else { return [] }
        defer { closedir(directory) }
        var found: [Int32] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let descriptor = Int32(name), descriptor > 2 { found.append(descriptor) }
        }
        return found
    }

    private static func withStrings<R>(_ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R) -> R {
        let copies = texts.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }

    /// Hands over what fits now; how many bytes need not be handed over any more: all of them when the process does not
    /// listen.
    func feed(_ bytes: ArraySlice<UInt8>) -> Int {
        input.withLock { input in
            guard input >= 0 else { return bytes.count }
            let count = bytes.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
            if count >= 0 { return count }
            return errno == EAGAIN || errno == EINTR ? 0 : bytes.count
        }
    }

    /// The process reads the end of its input. Idempotent.
    func closeInput() {
        input.withLock { input in
            if input >= 0 { close(input) }
            input = -1
        }
    }

    /// How the process has ended; nil while it runs. Not to be asked again after it has told.
    func end() -> End? {
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        let signal = status & 0x7F
        return signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: signal)
    }

    /// Only before ``end()`` has told: the number belongs to the process until then.
    func killGroup() { _ = kill(-pid, SIGKILL) }

    static func canRun(_ path: String) -> Bool {
        var facts = stat()
        return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }
}
