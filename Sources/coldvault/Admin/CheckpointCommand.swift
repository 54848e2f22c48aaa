// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import ArgumentParser
import CanonicalJSON
import Foundation
import SealedArchive
import VaultEngine
import VaultModel

/// `coldvault checkpoint …`
struct CheckpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint", abstract: "See whether catalog and blobs are of one history.",
        subcommands: [List.self, Confirm.self, Verify.self])
}

extension CheckpointCommand {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the kept checkpoints and the state.")
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { session in
                try await session.show(.audit(.checkpoints)) { answer in
                    var table = TextTable([
                        ("GENERATION", .right), ("CREATED", .left), ("REASON", .left), ("AUDIT", .right), ("HASH", .left),
                    ])
                    for one in answer["checkpoints"]?.arrayValue ?? [] {
                        table.add([
                            one.cell("generation"), one.cell("created"), one.cell("reason"), one.cell("auditSequence"),
                            one.cell("hash"),
                        ])
                    }
                    return table.text + "\nState: \(answer.cell("state"))"
                }
            }
        }
    }

    struct Confirm: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Go on with catalog and blobs as they are, after one of them was put back.",
            discussion: "Find out first who put back what, and why: from now on things may be removed again.")
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await AdminSession.run(options) { session in
                try await session.show(.audit(.confirm)) { "Checkpoint \($0.cell("generation")) begins a new history." }
            }
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compare a checkpoint that was kept elsewhere with the running service.",
            discussion: "Finds what cannot be seen from inside: catalog and blobs put back together.")
        @Option(help: "The signed statement, as checkpoint list --output json shows it.") var file: String
        @OptionGroup var options: AdminOptions

        func run() async throws {
            guard let bytes = FileManager.default.contents(atPath: file), bytes.count <= 1 << 20,
                let json = try? JSONParser.parse([UInt8](bytes)),
                let statement = try? SignedStatement(decoding: json.canonicalBytes()), let kept = Checkpoint(statement)
            else { throw ValidationError("\(file) does not hold a signed checkpoint.") }
            try await AdminSession.run(options) { session in
                let answer = try await session.client.send(.audit(.checkpoints))
                let query = AuditQuery(after: max(1, kept.auditSequence) - 1, limit: 1)
                let page = try await session.client.send(.audit(.read(query)))
                let verdict = Self.verdict(kept, statement, answer, page)
                try session.show(["agrees": .bool(verdict == nil), "fault": verdict.map { .string($0) } ?? .null]) { _ in
                    verdict ?? "The service's history holds checkpoint \(kept.generation)."
                }
                if verdict != nil { throw ExitCode(ClientExit.integrity.rawValue) }
            }
        }

        /// What is wrong; nil when nothing is.
        private static func verdict(
            _ kept: Checkpoint, _ statement: SignedStatement, _ answer: JSONValue, _ page: JSONValue
        ) -> String? {
            let known = answer["checkpoints"]?.arrayValue ?? []
            let generations = known.compactMap { $0["generation"]?.integerValue }
            guard let newest = known.last, let last = generations.last, UInt64(clamping: last) >= kept.generation else {
                return "catalog and blobs were put back: the service knows checkpoint \(generations.last ?? 0), the kept one is \(kept.generation)"
            }
            if let same = known.first(where: { $0["generation"]?.integerValue == Int64(clamping: kept.generation) }) {
                if same["hash"]?.stringValue == kept.hash { return nil }
                return "the service holds another checkpoint \(kept.generation): its history was put back and went on differently"
            }
            // Not kept any more: the log itself tells.
            let entry = page["entries"]?.arrayValue?.first
            let link = entry?["link"]?.stringValue.flatMap { AuditLinkText($0) }
            guard kept.auditSequence == 0 || link == AuditLinkText(kept.auditLink) else {
                return "entry \(kept.auditSequence) of the audit log is not the one that the kept checkpoint names (newest here: \(newest.cell("generation")))"
            }
            return nil
        }
    }
}

/// A link for comparisons.
private struct AuditLinkText: Equatable {
    let text: String
    init(_ text: String) { self.text = text }
    init(_ bytes: [UInt8]) { text = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}
