// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import Execution
import Foundation
import UnixSignals
import VaultClient

/// What a client command works with, and the composition root of the client: the only place with a clock, chance,
/// signals and the process environment.
struct ClientSession: Sendable {
    let client: GlacierClient
    let pool: BlockingPool
    let progress: TerminalProgress
    let form: OutputForm

    /// Runs `body` with a client for `options`, and turns whatever happens into a message and an exit code.
    ///
    /// - Parameters:
    ///   - parallel: transfers at once; sizes the connection and the thread pool.
    ///   - hint: what to say when the command is interrupted.
    static func run(
        _ options: ClientOptions, parallel: Int = 1, whenInterrupted hint: String? = nil,
        _ body: @escaping @Sendable (ClientSession) async throws -> Void
    ) async throws {
        let pool = BlockingPool(name: "client-files", threads: min(max(parallel, 1), 32) + 2)
        do {
            try await open(options, parallel: parallel, pool: pool, body)
            await pool.shutdown()
        } catch {
            await pool.shutdown()
            let problem =
                error as? ClientError
                ?? (error is CancellationError
                    ? ClientError(.interrupted, "Interrupted.", remedy: hint) : ClientError(.local, "\(error)"))
            report(problem, as: options.output)
            throw ExitCode(ClientExit(problem.kind).rawValue)
        }
    }

    private static func open(
        _ options: ClientOptions, parallel: Int, pool: BlockingPool,
        _ body: @escaping @Sendable (ClientSession) async throws -> Void
    ) async throws {
        let flags = options.flags
        let settings = try await pool.run { () throws(ClientError) in
            try ClientSettings.resolve(
                flags: flags, environment: ProcessInfo.processInfo.environment, readFile: LocalFile.settingsText)
        }
        let progress = TerminalProgress(isShown: StandardError.isTerminal)
        let transport = try HTTPTransport(
            endpoint: settings.endpoint, connections: parallel + 1, caBundlePath: settings.caBundlePath)
        let client = GlacierClient(
            settings: settings, transport: transport, retry: RetryPolicy(attempts: options.maxAttempts),
            surroundings: ClientSurroundings(
                secondsSince1970: { Int64(Date().timeIntervalSince1970) },
                pause: { try await Task.sleep(for: $0, clock: .continuous) },
                chance: { Double.random(in: 0..<1) },
                remark: { progress.remark($0) }))
        let session = ClientSession(client: client, pool: pool, progress: progress, form: options.output)
        do {
            try await untilSignal { try await body(session) }
            try await transport.shutdown()
        } catch {
            // What went wrong before matters more than how the connections close.
            try? await transport.shutdown()
            throw error
        }
    }

    /// Runs `body`; SIGINT and SIGTERM cancel it, so that transfers stop at a point from which they can be resumed.
    ///
    /// - Throws: `CancellationError` when a signal came first.
    private static func untilSignal(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await body()
                return true
            }
            group.addTask {
                for await _ in signals { break }
                return false
            }
            let isDone = try await group.next() ?? true
            group.cancelAll()
            guard !isDone else { return }
            StandardError.write("\nStopping; what is complete is kept.\n")
            // The body may still win the race, and its work then counts.
            if try await group.next() != true { throw CancellationError() }
        }
    }

    static func report(_ problem: ClientError, as form: OutputForm) {
        switch form {
        case .table:
            StandardError.write("coldvault: \(problem)\n")
        case .json:
            var members: [String: JSONValue] = [
                "kind": .string(problem.kind.rawValue), "message": .string(problem.message),
            ]
            if let remedy = problem.remedy { members["remedy"] = .string(remedy) }
            if let fault = problem.fault {
                members["code"] = .string(fault.code)
                members["status"] = .integer(Int64(fault.status))
                members["requestId"] = .string(fault.requestID)
            }
            StandardError.write(JSONValue.object(["error": .object(members)]).canonicalString() + "\n")
        }
    }
}

extension ClientSession {
    /// Prints one JSON document on its own line, or the table.
    func show(_ json: JSONValue, table: () -> String) throws(ClientError) {
        switch form {
        case .json: try StandardOutput.write(line: json.canonicalString())
        case .table:
            let text = table()
            if !text.isEmpty { try StandardOutput.write(line: text) }
        }
    }

    /// Remarks on every change of a job's status while a command waits for it.
    func watching(_ jobID: String? = nil) -> (JobDescription) -> Void {
        var last: String?
        return { job in
            let state = job.statusMessage ?? "in progress"
            if job.status == .inProgress, state != last { progress.remark("Job \(job.id): \(state)") }
            last = state
        }
    }
}
