// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import VaultEngine
import VaultModel

/// The vault whose key is meant; without it, the master key or all keys.
struct KeyVaultOptions: ParsableArguments {
    @Option(help: "Of the key of this vault.")
    var vault: String?
    @Option(name: .customLong("account-id"), help: "Account of the vault; may be left out when there is only one.")
    var accountID: String?
    @Option(help: "Region of the vault.")
    var region: String?

    func validate() throws {
        guard vault != nil || (accountID == nil && region == nil) else {
            throw ValidationError("--account-id and --region belong to --vault.")
        }
    }

    func location(_ session: AdminSession) async throws -> VaultLocation? {
        guard let vault else { return nil }
        return try await session.location(vault: vault, account: accountID, region: region)
    }
}

extension KeyCommand {
    struct Rewrap: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Move everything off older versions of one vault's key, or of all keys, in the background.",
            discussion: """
                Returns at once; the service goes on, also after a restart, and ends with a signed certificate for each version that nothing hangs \
                on any more (coldvault key evidence). No byte of an archive is read or written.
                """)

        @Flag(help: "Only show how far it is.")
        var status = false
        @Option(help: "Archives per second at most; 0 sets no limit.")
        var throttle: UInt32 = RewrapOrder.usualPerSecond
        @OptionGroup var key: KeyVaultOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { session in
                let request: KeyRequest =
                    status ? .rewrapStatus : .rewrap(try await key.location(session), perSecond: throttle)
                try await session.show(.key(request)) { report in
                    var lines = [
                        "Re-wrap: \(report.cell("phase")). Moved: \(report.cell("archives")) archives, \(report.cell("uploads")) uploads, "
                            + "\(report.cell("jobs")) jobs and outputs, \(report.cell("records")) records. Proof: \(report.cell("blobsRead")) blobs "
                            + "read, \(report.cell("certificates")) certificates."
                    ]
                    lines += (report["blockers"]?.arrayValue ?? []).compactMap(\.stringValue).map { "  in the way: \($0)" }
                    if let failure = report["failure"]?.stringValue { lines.append("  failed, will be repeated: \(failure)") }
                    return lines.joined(separator: "\n")
                }
            }
        }
    }

    struct Evidence: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List certified, waiting and destroyed key versions; with --version, print the signed statement of one.")

        @Option(help: "Print the receipt of this version, or its certificate while it exists, as it was signed.")
        var version: UInt32?
        @Flag(help: "With --version: the certificate in any case.")
        var certificate = false
        @OptionGroup var key: KeyVaultOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { session in
                let ends = try await session.client.send(.key(.listDestructions))
                guard let version else { return try session.show(ends, table: Self.table) }
                let uid = try await vaultUID(session)
                let end = (ends.arrayValue ?? []).first {
                    $0["version"]?.integerValue == Int64(version) && $0["vaultUid"]?.stringValue == uid
                }
                guard let end, let text = (certificate ? nil : end["receipt"]?.stringValue) ?? end["certificate"]?.stringValue else {
                    throw ValidationError("There is no certificate of that version. Run coldvault key rewrap first.")
                }
                try StandardOutput.write(line: text)
            }
        }

        private func vaultUID(_ session: AdminSession) async throws -> String? {
            guard let location = try await key.location(session) else { return nil }
            let keys = try await session.client.send(.listKeys)["vaultKeys"]?.arrayValue ?? []
            let found = keys.first {
                $0["vault"]?.stringValue == location.name.text && $0["region"]?.stringValue == location.region.code
                    && $0["accountId"]?.stringValue == location.account.digits
            }
            guard let uid = found?["vaultUid"]?.stringValue else {
                throw ValidationError("There is no vault '\(location.name)' in \(location.region).")
            }
            return uid
        }

        private static func table(_ ends: JSONValue) -> String {
            var table = TextTable([
                ("KEY", .left), ("VERSION", .right), ("STATE", .left), ("CERTIFIED", .left), ("DUE", .left), ("DESTROYED", .left),
            ])
            for end in ends.arrayValue ?? [] {
                let key = end["vaultUid"]?.stringValue.map { "vault \($0)" } ?? "master"
                table.add([
                    key, end.cell("version"), end.cell("state"), end.cell("certified"), end.cell("due"), end.cell("destroyed"),
                ])
            }
            return table.text
        }
    }

    struct Destroy: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Destroy a key version that nothing hangs on, after a wait in which it can be taken back.",
            discussion: "Needs the certificate that coldvault key rewrap ends with. Without --vault: a version of the master key.")

        @Argument(help: "The version.")
        var version: UInt32
        @Option(help: "Days until it happens; as configured (7) when left out. 0 destroys at once and needs --now.")
        var waitingDays: UInt32?
        @Flag(help: "Confirms --waiting-days 0: nobody can take it back.")
        var now = false
        @OptionGroup var key: KeyVaultOptions
        @OptionGroup var options: AdminOptions

        func validate() throws {
            guard (waitingDays == 0) == now else {
                throw ValidationError("--waiting-days 0 and --now go together: the version is then destroyed at once, for ever.")
            }
            guard waitingDays ?? 0 <= 365 else { throw ValidationError("--waiting-days is 365 at most.") }
        }

        func run() async throws {
            try await AdminSession.run(options) { session in
                let choice = KeyCommand.choice(version, try await key.location(session))
                try await session.show(.key(.destroy(choice, waitSeconds: waitingDays.map { Int64($0) * 86_400 }))) { end in
                    "Version \(end.cell("version")): \(end.cell("state")), due \(end.cell("due")). Take it back with: coldvault key destroy-cancel."
                }
            }
        }
    }

    struct DestroyCancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "destroy-cancel", abstract: "Keep a key version whose destruction waits.")

        @Argument(help: "The version.")
        var version: UInt32
        @OptionGroup var key: KeyVaultOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { session in
                let choice = KeyCommand.choice(version, try await key.location(session))
                try await session.show(.key(.cancelDestruction(choice))) { "Version \($0.cell("version")) is kept." }
            }
        }
    }

    fileprivate static func choice(_ version: UInt32, _ location: VaultLocation?) -> KeyChoice {
        location.map { .vault($0, version: version) } ?? .master(version: version)
    }
}
