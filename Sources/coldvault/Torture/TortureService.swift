// SPDX-License-Identifier: Apache-2.0

import Execution
import Foundation
import VaultClient

/// One run of `coldvault serve`, as a child process that is killed without warning.
struct TortureService: Sendable {
    /// How long a restart may take before it counts as stuck.
    private static let patience: Duration = .seconds(300)

    let client: GlacierClient
    private let transport: HTTPTransport
    private let process: TortureProcess
    private let pool: BlockingPool

    /// Starts the service and returns when it has said that it listens.
    static func start(_ directory: TortureDirectory, flags: [String], pool: BlockingPool) async throws -> TortureService {
        let process = try await pool.run {
            try TortureProcess(
                ["serve", "--data-dir", directory.dataPath, "--root-key-file", directory.rootKeyPath, "--listen", "127.0.0.1:0",
                 "--operator-listen", "off"] + flags, log: directory.logPath)
        }
        let line = try await withThrowingTaskGroup(of: String?.self) { group in
            group.addTask { await pool.run { process.firstLine() } }
            group.addTask {
                try await Task.sleep(for: patience, clock: .continuous)
                process.kill()
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        guard let line, let url = line.split(separator: " ").last, url.hasPrefix("http://") else {
            process.kill()
            let status = await pool.run { process.wait() }
            throw TortureFinding("the service did not start (exit \(status)); its log is \(directory.logPath)")
        }
        let credentials = try await pool.run { try directory.credentials() }
        let endpoint = try Endpoint(parsing: String(url))
        let transport = try HTTPTransport(endpoint: endpoint, connections: 16, caBundlePath: nil)
        let client = GlacierClient(
            settings: ClientSettings(endpoint: endpoint, region: TortureDirectory.region, credentials: credentials),
            transport: transport, retry: RetryPolicy(attempts: 1),
            surroundings: ClientSurroundings(
                secondsSince1970: { Int64(Date().timeIntervalSince1970) },
                pause: { try await Task.sleep(for: $0, clock: .continuous) }, chance: { 0.5 }, remark: { _ in }))
        return TortureService(client: client, transport: transport, process: process, pool: pool)
    }

    /// SIGKILL: what a power cut looks like to the process. Returns when it is gone.
    func kill() async {
        process.kill()
        _ = await pool.run { process.wait() }
        // Its connections are broken already.
        try? await transport.shutdown()
    }

    /// SIGTERM, and its exit status.
    func stop() async -> Int32 {
        process.terminate()
        let status = await pool.run { process.wait() }
        try? await transport.shutdown()
        return status
    }
}

/// `@unchecked Sendable`: `Process` is used from one thread at a time; its signals are sent by process id.
final class TortureProcess: @unchecked Sendable {
    private let process = Process()
    private let output = Pipe()

    init(_ arguments: [String], log: String?) throws {
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = arguments
        // Nothing of the caller's configures the service.
        process.environment = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("COLDVAULT_") && !$0.key.hasPrefix("AWS_")
        }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        if let log {
            if !FileManager.default.fileExists(atPath: log) { _ = FileManager.default.createFile(atPath: log, contents: nil) }
            guard let handle = FileHandle(forWritingAtPath: log) else {
                throw OperatorError("\(log) cannot be written.")
            }
            try handle.seekToEnd()
            process.standardError = handle
        }
        try process.run()
    }

    /// Blocks. Nil when the process ended before it said a line.
    func firstLine() -> String? {
        var text = Data()
        while !text.contains(0x0A), text.count < 4096 {
            let piece = output.fileHandleForReading.availableData
            guard !piece.isEmpty else { return nil }
            text += piece
        }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").first.map(String.init)
    }

    /// Blocks until its output ends; at most 64 KiB of it.
    func wholeOutput() -> [UInt8] {
        var text = Data()
        while text.count < 64 << 10 {
            let piece = output.fileHandleForReading.availableData
            guard !piece.isEmpty else { break }
            text += piece
        }
        return Array(text)
    }

    func kill() { _ = Foundation.kill(process.processIdentifier, SIGKILL) }
    func terminate() { _ = Foundation.kill(process.processIdentifier, SIGTERM) }

    /// Blocks.
    func wait() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }
}

/// Something that must not be: a loss, or a service that cannot go on.
struct TortureFinding: Error, CustomStringConvertible, Hashable {
    let description: String
    init(_ description: String) { self.description = description }
}
