// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import Cryptography
import Foundation
import VaultEngine
import VaultModel

/// `coldvault audit …`
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "See, verify and export the log of who did what.",
        subcommands: [Show.self, Verify.self, Export.self])

    static func query(
        since: String?, until: String?, account: String?, action: String?
    ) throws -> AuditQuery {
        var query = AuditQuery(account: try account.map { try AccountArgument.account($0) }, action: action)
        query.since = try since.map(Self.time)
        query.until = try until.map(Self.time)
        return query
    }

    private static func time(_ text: String) throws -> Timestamp {
        guard let time = Timestamp(iso8601: text) else {
            throw ValidationError("'\(text)' is not a time such as 2026-01-31T12:00:00Z.")
        }
        return time
    }

    /// Every page from `query.after` on, until `take` has enough.
    static func pages(
        _ session: AdminSession, _ query: AuditQuery, _ take: (JSONValue) throws -> Bool
    ) async throws {
        var query = query
        while true {
            let page = try await session.client.send(.audit(.read(query)))
            guard try take(page), let next = page["next"]?.integerValue else { return }
            query.after = UInt64(clamping: next)
        }
    }
}

extension AuditCommand {
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show entries, oldest first.")

        @Option(help: "Only entries from this time on, such as 2026-01-31T12:00:00Z.") var since: String?
        @Option(help: "Only entries up to this time.") var until: String?
        @Option(help: "Only entries about this account.") var accountID: String?
        @Option(help: "Only this action (glacier:DeleteArchive), or all with this prefix (key).") var action: String?
        @Option(help: "The most entries to show.") var limit = 1000
        @OptionGroup var options: AdminOptions

        func run() async throws {
            let query = try AuditCommand.query(since: since, until: until, account: accountID, action: action)
            try await AdminSession.run(options) { session in
                var left = limit
                try await AuditCommand.pages(session, query) { page in
                    for entry in (page["entries"]?.arrayValue ?? []).prefix(left) {
                        try session.show(entry) { Self.line($0) }
                        left -= 1
                    }
                    return left > 0
                }
            }
        }

        private static func line(_ entry: JSONValue) -> String {
            let act = entry["entry"] ?? [:]
            let who = act["actor"]?["arn"]?.stringValue ?? act["actor"]?["kind"]?.stringValue ?? "-"
            let count = act["count"]?.integerValue.map { $0 > 1 ? "  x\($0)" : "" } ?? ""
            return "\(entry.cell("n"))  \(entry.cell("time"))  \(act.cell("outcome"))  \(act.cell("action"))  \(who)  \(act.cell("resource"))\(count)"
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the whole log as JSON lines, with the checkpoints that prove it complete.",
            discussion: "The file holds the entries in clear: keep it as you keep the keys.")

        @Option(help: "The new file.") var file: String
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { session in
                guard FileManager.default.createFile(
                    atPath: file, contents: nil, attributes: [.posixPermissions: 0o600]),
                    let handle = FileHandle(forWritingAtPath: file)
                else { throw ValidationError("\(file) cannot be written.") }
                defer { try? handle.close() }
                func write(_ line: JSONValue) throws { try handle.write(contentsOf: line.canonicalBytes() + [0x0A]) }
                let known = try await session.client.send(.audit(.checkpoints))
                var isFirst = true
                var last: (n: JSONValue, link: JSONValue) = (0, .string(String(repeating: "0", count: 64)))
                try await AuditCommand.pages(session, AuditQuery()) { page in
                    let entries = page["entries"]?.arrayValue ?? []
                    if isFirst {
                        last.link = page["previousLink"] ?? last.link
                        try write([
                            "header": [
                                "first": entries.first?["n"] ?? 1, "format": "coldvault-audit-export",
                                "previous": last.link, "version": 1,
                            ]
                        ])
                        for checkpoint in known["checkpoints"]?.arrayValue ?? [] {
                            try write(["checkpoint": checkpoint["statement"] ?? .null])
                        }
                        isFirst = false
                    }
                    for entry in entries {
                        last = (entry["n"] ?? .null, entry["link"] ?? .null)
                        try write([
                            "entry": [
                                "document": entry["document"] ?? .null, "link": last.link, "n": last.n,
                                "time": entry["time"] ?? .null, "uid": entry["uid"] ?? .null,
                            ]
                        ])
                    }
                    return true
                }
                try write(["end": ["last": last.n, "link": last.link]])
                try handle.synchronize()
            }
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the log of the running service, or an exported file without any service.")

        @Option(help: "An exported file; needs --public-key and no service.") var file: String?
        @Option(help: "The service's public key, 64 hexadecimal digits, as init printed it.") var publicKey: String?
        @Option(help: "Data directory of the running service.") var dataDir: String?
        @Option(help: "Path of its admin socket.") var adminSocket: String?
        @Option(help: "How results are printed: table or json.") var output: OutputForm = .table

        func run() async throws {
            let found: JSONValue
            if let file {
                guard let key = publicKey.flatMap({ Hex.decode($0) }), key.count == 32 else {
                    throw ValidationError("Give the service's public key: --public-key with 64 hexadecimal digits.")
                }
                found = try Self.check(file, AuditExportCheck(publicKey: key))
                try Self.report(found, output)
            } else {
                var arguments: [String] = ["--output", output.rawValue]
                if let dataDir { arguments += ["--data-dir", dataDir] }
                if let adminSocket { arguments += ["--admin-socket", adminSocket] }
                let options = try AdminOptions.parse(arguments)
                try await AdminSession.run(options) { session in
                    try Self.report(try await session.client.send(.audit(.verify)), output)
                }
            }
        }

        private static func report(_ found: JSONValue, _ output: OutputForm) throws {
            let faults = found["faults"]?.arrayValue ?? []
            switch output {
            case .json: try StandardOutput.write(line: found.canonicalString())
            case .table:
                try StandardOutput.write(
                    line: "\(found.cell("entries")) entries, \(found.cell("first")) to \(found.cell("last")), "
                        + "\(found.cell("checkpoints")) checkpoints: \(faults.isEmpty ? "whole" : "NOT WHOLE")")
                for fault in faults { try StandardOutput.write(line: "  \(fault.stringValue ?? "")") }
            }
            if !faults.isEmpty { throw ExitCode(ClientExit.integrity.rawValue) }
        }

        private static func check(_ path: String, _ start: AuditExportCheck) throws -> JSONValue {
            var check = start
            guard let handle = FileHandle(forReadingAtPath: path) else { throw ValidationError("\(path) cannot be read.") }
            defer { try? handle.close() }
            var rest: [UInt8] = []
            while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty {
                rest += chunk
                var start = 0
                while let end = rest[start...].firstIndex(of: 0x0A) {
                    check.take(Array(rest[start..<end]))
                    start = end + 1
                }
                rest.removeFirst(start)
                guard rest.count <= 1 << 20 else { throw ValidationError("\(path) is no export of an audit log.") }
            }
            if !rest.isEmpty { check.take(rest) }
            let (found, covered) = check.finish()
            return [
                "checkpoints": .integer(Int64(clamping: found.checkpoints)),
                "coveredByCheckpoint": .integer(Int64(clamping: covered)),
                "entries": .integer(Int64(clamping: found.entries)), "faults": .array(found.faults.map { .string($0) }),
                "first": .integer(Int64(clamping: found.first)), "last": .integer(Int64(clamping: found.last)),
                "whole": .bool(found.isWhole),
            ]
        }
    }
}
