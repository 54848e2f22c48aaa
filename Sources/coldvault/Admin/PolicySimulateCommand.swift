// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import Foundation
import VaultEngine
import VaultModel

/// `coldvault policy simulate`
struct PolicySimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Ask whether a principal would be allowed an action, and which statement decides. Nothing is done.",
        discussion: """
            For example:
            coldvault policy simulate --principal arn:aws:iam::111122223333:user/anna --action DeleteVault --vault photos
            Exit code 0 means allowed, 1 denied.
            """)

    @Option(help: "arn:aws:iam::ACCOUNT:user/NAME or arn:aws:iam::ACCOUNT:root.")
    var principal: PrincipalArgument
    @Option(help: "Name of the operation, such as DeleteArchive.")
    var action: ActionArgument
    @Option(help: "Name of the vault it is about.")
    var vault: String?
    @Option(name: .customLong("account-id"), help: "Account that owns the vault. Left out: the principal's.")
    var accountID: String?
    @Option(help: "Region of the vault. Else AWS_REGION, AWS_DEFAULT_REGION, us-east-1.")
    var region: String?
    @Option(
        name: .customLong("archive-id"), parsing: .unconditional,
        help: "With DeleteArchive and InitiateJob: the archive, whose age may matter.")
    var archiveID: String?
    @Option(name: .customLong("source-ip"), help: "Address the request would come from (aws:SourceIp).")
    var sourceIP: String?
    @Flag(name: .customLong("plain-http"), help: "As if the request came without TLS (aws:SecureTransport).")
    var isPlain = false
    @Option(name: .customLong("user-agent"), help: "What the client would call itself (aws:UserAgent).")
    var userAgent: String?
    @Option(
        name: .customLong("session-policy"), help: "File with the policy of temporary credentials, if such are meant.",
        completion: .file())
    var sessionPolicy: String?
    @OptionGroup var options: AdminOptions

    func validate() throws {
        guard action.action.isAccountLevel || vault != nil else {
            throw ValidationError("\(action.action.rawValue) is about a vault: name it with --vault.")
        }
        guard !action.action.isAccountLevel || vault == nil else {
            throw ValidationError(
                "\(action.action.rawValue) is about the account, not about a vault: leave out --vault.")
        }
        guard archiveID == nil || action.action == .deleteArchive || action.action == .initiateJob else {
            throw ValidationError("--archive-id belongs to DeleteArchive and InitiateJob.")
        }
    }

    func run() async throws {
        let target = try target()
        try await AdminSession.run(options) { session in
            let question = AccessQuestion(
                principal: principal.principal, action: action.action, target: target,
                sessionPolicy: try sessionPolicy.map(PolicyFile.text), sourceAddress: sourceIP, isSecure: !isPlain,
                userAgent: userAgent)
            let answer = try await session.client.send(.simulate(question))
            let isAllowed = answer["allowed"]?.boolValue == true
            // The decision begins with its verdict.
            try session.show(answer) { TextTable.printable($0.cell("text")) }
            if !isAllowed { throw ExitCode(ClientExit.general.rawValue) }
        }
    }

    private func target() throws -> AccessTarget {
        let account = try accountID.map(AccountArgument.account) ?? principal.principal.account
        let environment = ProcessInfo.processInfo.environment
        let code = region ?? environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? "us-east-1"
        guard let region = Region(code) else {
            throw ValidationError("'\(code)' is not a region code such as us-east-1.")
        }
        guard let vault else { return .account(account, region) }
        guard let name = VaultName(vault) else { throw ValidationError("'\(vault)' cannot be the name of a vault.") }
        let location = VaultLocation(account: account, region: region, name: name)
        return archiveID.map { .archive(location, id: $0) } ?? .vault(location)
    }
}

/// A principal by its ARN; an account number alone means its root.
struct PrincipalArgument: ExpressibleByArgument, Sendable {
    let principal: Principal

    init?(argument: String) {
        if let account = AccountID(argument) {
            principal = Principal(account: account)
            return
        }
        let pieces = argument.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
        guard pieces.count == 6, pieces[..<4] == ["arn", "aws", "iam", ""], let account = AccountID(pieces[4]) else {
            return nil
        }
        if pieces[5] == "root" {
            principal = Principal(account: account)
        } else if pieces[5].hasPrefix("user/"), let user = UserName(String(pieces[5].dropFirst("user/".count))) {
            principal = Principal(account: account, user: user)
        } else {
            return nil
        }
    }
}

/// The name of an operation, with or without `glacier:` in front.
struct ActionArgument: ExpressibleByArgument, Sendable {
    let action: VaultAction

    init?(argument: String) {
        let name = argument.hasPrefix("glacier:") ? String(argument.dropFirst("glacier:".count)) : argument
        guard let action = VaultAction(rawValue: name) else { return nil }
        self.action = action
    }

    static var allValueStrings: [String] { VaultAction.allCases.map(\.rawValue) }
}
