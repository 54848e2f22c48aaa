// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ServiceConfiguration
import Storage
import VaultModel

/// Turns what `init` and `serve` throw into one message on standard error and a documented exit code.
enum OperatorExit {
    static func run(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as ExitCode {
            throw error
        } catch let error as ValidationError {
            throw error
        } catch {
            StandardError.write("coldvault: \(message(error))\n")
            throw ExitCode(code(error).rawValue)
        }
    }

    private static func message(_ error: any Error) -> String {
        switch error {
        case let error as StorageError: error.message + (error.cause.map { " (\($0))" } ?? "")
        case let error as VaultError: error.message + (error.cause.map { " (\($0))" } ?? "")
        default: "\(error)"
        }
    }

    private static func code(_ error: any Error) -> ClientExit {
        switch error {
        case is ConfigurationErrors: .usage
        case is UnusableBackup: .integrity
        case let error as VaultError where error.code == .accessDenied: .access
        case let error as VaultError where error.code == .integrity: .integrity
        case let error as StorageError where error.code == .integrity: .integrity
        default: .general
        }
    }
}
