// SPDX-License-Identifier: Apache-2.0

import AccessPolicy
import ArgumentParser
import CanonicalJSON
import VaultClient
import VaultEngine
import VaultModel

/// `coldvault policy check`: asks nobody.
struct PolicyCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check a policy without setting it; exit code 1 when it would be refused.",
        discussion: "Works without a service: the rules are those of this program.")

    /// Where the policy is meant to stand.
    enum Kind: String, ExpressibleByArgument, CaseIterable, Sendable {
        case identity
        case vault
        case lock
        case session
    }

    @OptionGroup var policy: PolicyFileOption
    @Option(help: "identity (of a user), vault (access policy), lock (vault lock) or session (temporary credentials).")
    var kind: Kind
    @Option(name: .customLong("vault-arn"), help: "With vault and lock: arn:aws:glacier:REGION:ACCOUNT:vaults/NAME.")
    var vaultARN: String?
    @Option(help: "How results are printed: table or json.")
    var output: OutputForm = .table

    func validate() throws {
        let needsVault = kind == .vault || kind == .lock
        guard needsVault == (vaultARN != nil) else {
            throw ValidationError(
                needsVault
                    ? "A \(kind.rawValue) policy belongs to one vault: name it with --vault-arn."
                    : "--vault-arn belongs to --kind vault and --kind lock.")
        }
    }

    func run() async throws {
        let text: String
        do throws(ClientError) {
            text = try policy.text()
        } catch {
            ClientSession.report(error, as: output)
            throw ExitCode(ClientExit(error.kind).rawValue)
        }
        let refusal = refusal(of: text)
        try show(refusal)
        if refusal != nil { throw ExitCode(ClientExit.general.rawValue) }
    }

    private func refusal(of text: String) -> PolicyError? {
        do throws(PolicyError) {
            _ = try PolicyDocument(parsing: text, as: documentKind, maxBytes: maxBytes)
            return nil
        } catch {
            return error
        }
    }

    private func show(_ error: PolicyError?) throws(ClientError) {
        switch output {
        case .json:
            let document: JSONValue = [
                "place": error.map { .string($0.place) } ?? .null, "reason": error.map { .string($0.reason) } ?? .null,
                "valid": .bool(error == nil),
            ]
            try StandardOutput.write(line: document.canonicalString())
        case .table:
            guard let error else { return try StandardOutput.write(line: "The policy can be set.") }
            let place = TextTable.printable(error.place.isEmpty ? "" : " at \(error.place)")
            let reason = TextTable.printable(error.reason)
            StandardError.write("coldvault: The policy would be refused\(place): \(reason).\n")
        }
    }

    private var documentKind: PolicyDocument.Kind {
        switch kind {
        case .identity: .identity
        case .vault: .vaultAccess(vaultARN: vaultARN ?? "")
        case .lock: .vaultLock(vaultARN: vaultARN ?? "")
        case .session: .session
        }
    }

    private var maxBytes: Int {
        switch kind {
        case .identity: Limits.maxIdentityPolicyBytes
        case .vault, .lock: Limits.maxVaultPolicyBytes
        case .session: VaultEngine.maxSessionPolicyBytes
        }
    }
}
