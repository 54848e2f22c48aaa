// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import VaultClient

/// The exit codes of the command line: a contract with scripts (Docs/Operations/CLI.md).
enum ClientExit: Int32 {
    case ok = 0
    case general = 1
    case usage = 2
    case notFound = 3
    case access = 4
    case integrity = 5
    case jobFailed = 6
    case interrupted = 7
    case network = 8

    /// The one map from what went wrong to what a script sees.
    init(_ kind: ClientError.Kind) {
        switch kind {
        case .usage: self = .usage
        case .notFound: self = .notFound
        case .access: self = .access
        case .integrity: self = .integrity
        case .jobFailed: self = .jobFailed
        case .interrupted: self = .interrupted
        case .network: self = .network
        case .service, .local: self = .general
        }
    }
}

/// Runs a root command with our exit codes in place of ArgumentParser's: a mistake on the command line is 2, not 64.
enum CommandLineExit {
    /// Parses the command line, runs the command it names and ends the process.
    static func main(_ root: (some AsyncParsableCommand).Type) async -> Never {
        do {
            var command = try await root.asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            Foundation.exit(ClientExit.ok.rawValue)
        } catch {
            guard root.exitCode(for: error) == .validationFailure else { root.exit(withError: error) }
            StandardError.write(root.fullMessage(for: error) + "\n")
            Foundation.exit(ClientExit.usage.rawValue)
        }
    }
}

/// Text for people and diagnostics; standard output belongs to results.
enum StandardError {
    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    static func write(_ text: String) {
        // A closed standard error leaves nowhere to report that.
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}

/// Results.
enum StandardOutput {
    /// - Throws: ``ClientError`` of kind `local` when nobody reads any more.
    static func write(_ bytes: [UInt8]) throws(ClientError) {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(bytes))
        } catch {
            throw ClientError(.local, "Standard output was closed.")
        }
    }

    static func write(line: String) throws(ClientError) { try write(Array("\(line)\n".utf8)) }
}
