// SPDX-License-Identifier: Apache-2.0

import Logging
import Storage
import Synchronization
import VaultModel

@testable import VaultEngine

/// Keeps what is logged.
final class LoggedLines: Sendable {
    struct Line: Sendable {
        let level: Logger.Level
        let message: String
        let metadata: [String: String]
    }
    private let lines = Mutex<[Line]>([])

    var all: [Line] { lines.withLock { $0 } }
    func named(_ message: String) -> [Line] { all.filter { $0.message == message } }

    var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

    private struct Handler: LogHandler {
        let lines: LoggedLines
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).mapValues { "\($0)" }
            lines.lines.withLock {
                $0.append(Line(level: event.level, message: "\(event.message)", metadata: metadata))
            }
        }
    }
}

/// What happened, in order.
final class Diary: Sendable {
    private let lines = Mutex<[String]>([])
    func note(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}

extension TestVault {
    /// An engine over the same stores and keys with another catalog, clock or log.
    func engine(over catalog: any Catalog, clock: (any TimeSource)? = nil, logger: Logger? = nil) -> VaultEngine {
        VaultEngine(
            configuration: setup, catalog: catalog, cold: cold, warm: warm, keyring: keyring, compute: Self.compute,
            clock: clock ?? self.clock, random: random,
            logger: logger ?? Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}

extension Caller {
    static func root(_ account: AccountID = TestVault.account, session: String? = nil) -> Caller {
        Caller(
            principal: Principal(account: account), region: TestVault.region, accessKeyID: "CVAKROOT",
            sessionPolicy: session,
            sourceAddress: "192.0.2.7", isSecure: true, userAgent: "tests")
    }
    static func user(_ name: String, _ account: AccountID = TestVault.account, session: String? = nil) -> Caller {
        Caller(
            principal: Principal(account: account, user: UserName(name)), region: TestVault.region,
            accessKeyID: "CVAKUSER",
            sessionPolicy: session, sourceAddress: "192.0.2.7", isSecure: true, userAgent: "tests")
    }
}

/// Policies that tests need, as texts.
enum PolicyText {
    static func of(_ statements: String...) -> String {
        "{\"Version\": \"2012-10-17\", \"Statement\": [\(statements.joined(separator: ", "))]}"
    }

    /// A statement of a vault's policy.
    static func vault(
        _ effect: String, _ actions: String..., to principal: String = "\"*\"",
        on location: VaultLocation = TestVault.location("v"),
        when condition: String = "", sid: String = "s"
    ) -> String {
        let list = actions.map { "\"glacier:\($0)\"" }.joined(separator: ", ")
        return "{\"Sid\": \"\(sid)\", \"Effect\": \"\(effect)\", \"Principal\": \(principal), \"Action\": [\(list)], "
            + "\"Resource\": \"\(location.arn)\"\(condition.isEmpty ? "" : ", \"Condition\": \(condition)")}"
    }

    /// A statement of an identity or session policy.
    static func own(_ effect: String, _ actions: String..., on resource: String = "*", sid: String = "s") -> String {
        let list = actions.map { "\"glacier:\($0)\"" }.joined(separator: ", ")
        return "{\"Sid\": \"\(sid)\", \"Effect\": \"\(effect)\", \"Action\": [\(list)], \"Resource\": \"\(resource)\"}"
    }

    /// The guide's retention rule.
    static func retention(days: Int, on location: VaultLocation = TestVault.location("v")) -> String {
        of(
            vault(
                "Deny", "DeleteArchive", on: location,
                when: "{\"NumericLessThan\": {\"glacier:ArchiveAgeInDays\": \"\(days)\"}}",
                sid: "retain"))
    }
}
