// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import Foundation
import VaultClient
import VaultModel

/// Where the running service's admin socket is, and how results are printed: the options of every operator command.
struct AdminOptions: ParsableArguments {
    @Option(help: "Data directory of the running service; its socket is admin.sock there. Else COLDVAULT_DATA_DIR.")
    var dataDir: String?

    @Option(help: "Path of the admin socket, when it is elsewhere. Else COLDVAULT_ADMIN_SOCKET.")
    var adminSocket: String?

    @Option(help: "How results are printed: table or json.")
    var output: OutputForm = .table

    func validate() throws {
        guard dataDir == nil || adminSocket == nil else {
            throw ValidationError("Give --data-dir or --admin-socket, not both.")
        }
        guard socketPath != nil else {
            throw ValidationError(
                "Name the running service: --data-dir DIR (its data directory) or --admin-socket PATH.")
        }
    }

    /// Flags before the environment, the socket itself before its directory.
    var socketPath: String? {
        if let adminSocket { return adminSocket }
        if let dataDir { return Self.socket(in: dataDir) }
        let environment = ProcessInfo.processInfo.environment
        return environment["COLDVAULT_ADMIN_SOCKET"] ?? environment["COLDVAULT_DATA_DIR"].map(Self.socket)
    }

    private static func socket(in directory: String) -> String {
        directory.hasSuffix("/") ? "\(directory)admin.sock" : "\(directory)/admin.sock"
    }
}

/// What an operator command works with.
struct AdminSession: Sendable {
    let client: AdminClient
    let form: OutputForm

    /// Runs `body` and turns what goes wrong into a message on standard error and a documented exit code.
    static func run(_ options: AdminOptions, _ body: (AdminSession) async throws -> Void) async throws {
        let session = AdminSession(client: AdminClient(socketPath: options.socketPath ?? ""), form: options.output)
        do {
            try await body(session)
        } catch let error as AdminClientError {
            switch options.output {
            case .table: StandardError.write("coldvault: \(error.message)\n")
            case .json:
                let document: JSONValue = ["error": ["message": .string(error.message)]]
                StandardError.write(document.canonicalString() + "\n")
            }
            throw ExitCode(exit(for: error.kind).rawValue)
        } catch let error as ClientError {
            ClientSession.report(error, as: options.output)
            throw ExitCode(ClientExit(error.kind).rawValue)
        }
    }

    private static func exit(for kind: AdminClientError.Kind) -> ClientExit {
        switch kind {
        case .unreachable: .network
        case .notFound: .notFound
        case .refused, .failed: .general
        }
    }

    /// Sends one request and prints its answer: the document as it is, or what `table` makes of it.
    func show(_ request: AdminRequest, table: (JSONValue) -> String) async throws {
        try show(try await client.send(request), table: table)
    }

    func show(_ document: JSONValue, table: (JSONValue) -> String) throws {
        try StandardOutput.write(line: form == .json ? document.canonicalString() : table(document))
    }

    /// The vault that flags name; the account may be left out when there is only one.
    func location(vault: String, account: String?, region: String?) async throws -> VaultLocation {
        guard let name = VaultName(vault) else { throw ValidationError("'\(vault)' cannot be the name of a vault.") }
        guard let region else { throw ValidationError("Name the vault's region with --region.") }
        guard let region = Region(region) else {
            throw ValidationError("'\(region)' is not a region code such as us-east-1.")
        }
        return VaultLocation(account: try await self.account(account), region: region, name: name)
    }

    /// The chosen account alone, or all.
    func accounts(_ chosen: AccountID?) async throws -> [AccountID] {
        if let chosen { return [chosen] }
        return try await client.accounts().compactMap { $0["accountId"]?.stringValue.flatMap { AccountID($0) } }
    }

    /// The account that a flag names; it may be left out when there is only one.
    func account(_ text: String?) async throws -> AccountID {
        if let text { return try AccountArgument.account(text) }
        let accounts = try await client.accounts()
        guard accounts.count == 1, let only = accounts[0]["accountId"]?.stringValue.flatMap({ AccountID($0) }) else {
            throw ValidationError("This service has \(accounts.count) accounts: choose one with --account-id.")
        }
        return only
    }
}

/// Account numbers on the command line.
enum AccountArgument {
    static func account(_ text: String) throws -> AccountID {
        guard let account = AccountID(text) else {
            throw ValidationError("'\(text)' is not an account number of twelve digits.")
        }
        return account
    }
}

/// Names of users on the command line.
enum UserArgument {
    static func user(_ text: String) throws -> UserName {
        guard let user = UserName(text) else {
            throw ValidationError(
                "'\(text)' cannot be the name of a user: 1 to 64 characters out of a-z, A-Z, 0-9 and + = , . @ _ -.")
        }
        return user
    }
}

extension JSONValue {
    /// A member as a table shows it.
    func cell(_ name: String) -> String {
        guard let value = self[name], !value.isNull else { return "-" }
        return value.stringValue ?? value.canonicalString()
    }

    /// A new access key as people see it, once.
    var newKeyText: String {
        let user = self["user"]?.stringValue.map { "User        \($0)\n" } ?? ""
        return """
            Account     \(cell("accountId"))
            \(user)Access key  \(cell("accessKeyId"))
            Secret      \(cell("secretAccessKey"))
            Keep the secret: it is not shown again.
            """
    }
}
