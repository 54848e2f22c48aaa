// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
public import VaultEngine
import VaultModel

/// What an operator asks about the audit log and the checkpoints.
public enum AuditRequest: Sendable, Hashable {
    /// Answer: `{entries, next, previousLink}`; `next` is null at the end of the log.
    case read(AuditQuery)
    /// Reads the whole log. Answer: counts, and `faults` in words.
    case verify
    /// Answer: `{checkpoints, state, consistent}`.
    case checkpoints
    /// The operator goes on with catalog and blobs as they are.
    case confirm

    var verb: String {
        switch self {
        case .read: "read-audit"
        case .verify: "verify-audit"
        case .checkpoints: "list-checkpoints"
        case .confirm: "confirm-history"
        }
    }

    var body: JSONValue {
        guard case .read(let query) = self else { return [:] }
        return [
            "account": .text(query.account?.digits), "action": .text(query.action), "after": .count(query.after),
            "limit": .integer(Int64(query.limit)), "since": query.since.map { .integer($0.milliseconds) } ?? .null,
            "until": query.until.map { .integer($0.milliseconds) } ?? .null,
        ]
    }

    /// Nil when the verb is another's.
    init?(verb: String, _ members: AdminMembers) throws(VaultError) {
        switch verb {
        case "read-audit":
            var query = AuditQuery(
                after: UInt64(try members.optionalNumber("after") ?? 0), account: try members.optionalAccount("account"),
                action: try members.optionalText("action"))
            query.since = try members.optionalNumber("since").map { Timestamp(milliseconds: $0) }
            query.until = try members.optionalNumber("until").map { Timestamp(milliseconds: $0) }
            query.limit = Int(clamping: try members.optionalNumber("limit") ?? Int64(AuditQuery.maxLimit))
            self = .read(query)
        case "verify-audit": self = .verify
        case "list-checkpoints": self = .checkpoints
        case "confirm-history": self = .confirm
        default: return nil
        }
    }
}

/// What the admin socket needs of the engine for these.
protocol AuditOperations: Sendable {
    func auditPage(_ query: AuditQuery) async throws(VaultError) -> AuditPage
    func verifyAudit() async throws(VaultError) -> AuditVerification
    func historyState() -> HistoryState
    func listCheckpoints() async throws(VaultError) -> [Checkpoint]
    func confirmHistory() async throws(VaultError) -> Checkpoint
}

extension AuditOperations {
    func answer(_ request: AuditRequest) async throws(VaultError) -> JSONValue {
        switch request {
        case .read(let query):
            let page = try await auditPage(query)
            return [
                "entries": .array(page.entries.map(Self.json)), "next": page.next.map { .count($0) } ?? .null,
                "previousLink": .string(page.previousLink),
            ]
        case .verify:
            let found = try await verifyAudit()
            return [
                "checkpoints": .count(found.checkpoints), "entries": .count(found.entries),
                "faults": .array(found.faults.map { .string($0) }), "first": .count(found.first), "last": .count(found.last),
                "segments": .count(found.segments), "whole": .bool(found.isWhole),
            ]
        case .checkpoints:
            let state = historyState()
            return [
                "checkpoints": .array(try await listCheckpoints().map(Self.json)), "consistent": .bool(state.isConsistent),
                "state": .string(state.text),
            ]
        case .confirm: return Self.json(try await confirmHistory())
        }
    }

    private static func json(_ entry: AuditEntryDescription) -> JSONValue {
        [
            "document": .string(entry.document), "entry": entry.members, "link": .string(entry.link),
            "n": .count(entry.sequence), "time": .string(entry.time.iso8601Milliseconds), "uid": .string(entry.uid.hex),
        ]
    }

    private static func json(_ checkpoint: Checkpoint) -> JSONValue {
        [
            "auditSequence": .count(checkpoint.auditSequence), "created": .string(checkpoint.created.iso8601Milliseconds),
            "generation": .count(checkpoint.generation), "hash": .string(checkpoint.hash), "reason": .string(checkpoint.reason),
            // Signed over canonical bytes, which it is again when written canonically.
            "statement": (try? JSONParser.parse(checkpoint.statement)) ?? .null,
        ]
    }
}
