// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Storage
import VaultModel

/// What an entry of the audit log is about (Docs/Formats/Audit-v1.md §2).
enum AuditKind: String, Sendable {
    case archive, retrieval, vault, lock, policy, account, session, key, message, clock, scrub, backup, service, denial
}

/// Who acts.
enum AuditActor: Hashable, Sendable {
    /// Whoever signed the request.
    case caller(Caller)
    /// Whoever failed to show who it is: what was claimed, and from where.
    case stranger(accessKeyID: String?, sourceAddress: String?)
    /// The admin socket.
    case `operator`
    /// Nobody asked: maintenance, start-up, a worker.
    case service

    /// Requests name their caller; what comes without one came over the admin socket.
    init(_ caller: Caller?) { self = caller.map { .caller($0) } ?? .operator }

    var json: JSONValue {
        switch self {
        case .operator: ["kind": "operator"]
        case .service: ["kind": "service"]
        case .stranger(let key, let address):
            .object(
                [
                    "kind": "stranger", "accessKeyId": key.map { .string($0) }, "sourceAddress": address.map { .string($0) },
                ].compactMapValues(\.self))
        case .caller(let caller):
            .object(
                [
                    "kind": .string("caller"), "arn": .string(caller.principal.arn), "accessKeyId": .string(caller.accessKeyID),
                    "sourceAddress": caller.sourceAddress.map { .string($0) },
                    // Sent by the client: bounded here, harmless as a JSON string.
                    "userAgent": caller.userAgent.map { .string(String($0.prefix(256))) },
                ].compactMapValues(\.self))
        }
    }
}

/// One act that is to be accounted for.
struct AuditAct: Sendable {
    var kind: AuditKind
    var action: String
    var actor: AuditActor
    var account: AccountID?
    var resource: String
    var details: [String: JSONValue]
    var outcome = "done"
    /// For a denial: what decided.
    var statement: String?
    /// For folded denials: how many, and when the last came.
    var count: UInt64?
    var until: Timestamp?

    init(
        _ kind: AuditKind, _ action: String, by actor: AuditActor, account: AccountID? = nil, on resource: String,
        _ details: [String: JSONValue] = [:]
    ) {
        self.kind = kind
        self.action = action
        self.actor = actor
        self.account = account
        self.resource = resource
        self.details = details
    }

    /// The longest document: details are numbers and names, each bounded where it comes from.
    static let maxBytes = 16 << 10

    func document(at time: Timestamp, salt: [UInt8]) -> [UInt8] {
        var members: [String: JSONValue] = [
            "format": "coldvault-audit", "kind": .string(kind.rawValue), "action": .string(action),
            "time": .integer(time.milliseconds), "actor": actor.json, "resource": .string(resource),
            "outcome": .string(outcome), "salt": .string(ArchiveUID(bytes: salt)?.hex ?? ""),
        ]
        if let account { members["account"] = .string(account.digits) }
        if let statement { members["statement"] = .string(String(statement.prefix(2048))) }
        if let count { members["count"] = .integer(Int64(clamping: count)) }
        if let until { members["until"] = .integer(until.milliseconds) }
        if !details.isEmpty { members["details"] = .object(details) }
        return JSONValue.object(members).canonicalBytes()
    }
}

extension AuditAct {
    /// Whatever changed an account, when nobody said what.
    static func account(_ account: AccountID, _ action: String = "Change", _ details: [String: JSONValue] = [:]) -> AuditAct {
        AuditAct(.account, "account:\(action)", by: .operator, account: account, on: "account \(account)", details)
    }

    static func account(
        _ account: AccountID, _ region: Region, _ action: String, by actor: AuditActor
    ) -> AuditAct {
        AuditAct(.account, action, by: actor, account: account, on: "account \(account) in \(region)")
    }

    /// A policy of a user; its text is nobody's business here.
    static func policy(_ account: AccountID, _ action: String, _ user: UserName, _ name: String) -> AuditAct {
        AuditAct(
            .policy, "account:\(action)", by: .operator, account: account, on: Principal(account: account, user: user).arn,
            ["policy": .string(name)])
    }

    static func vault(
        _ vault: VaultLocation, _ kind: AuditKind, _ action: String, by actor: AuditActor,
        _ details: [String: JSONValue] = [:]
    ) -> AuditAct {
        AuditAct(kind, action, by: actor, account: vault.account, on: vault.arn, details)
    }

    static func vault(
        _ location: VaultLocation, _ action: String, by actor: AuditActor, _ details: [String: JSONValue] = [:]
    ) -> AuditAct {
        .vault(location, .vault, action, by: actor, details)
    }

    /// What happens to a version of a key.
    static func key(
        _ key: KeyVersionName, _ action: String, by actor: AuditActor, _ details: [String: JSONValue] = [:]
    ) -> AuditAct {
        let name: String
        switch key {
        case .master: name = "master key"
        case .vault(let uid, _): name = "key of vault \(uid.hex)"
        }
        return AuditAct(
            .key, "key:\(action)", by: actor, on: name,
            details.merging(["version": .integer(Int64(key.version))]) { given, _ in given })
    }

    /// A retrieval unwraps the data key of its archive.
    static func job(_ job: JobRow, _ action: String, by actor: AuditActor, in vault: VaultRow) -> AuditAct {
        var details: [String: JSONValue] = ["jobId": .string(job.id), "job": .string(job.action.rawValue)]
        if let archive = job.archiveID { details["archiveId"] = .string(archive) }
        if let range = job.range { details["range"] = .string("\(range)") }
        if let bytes = job.outputBytes { details["outputBytes"] = .integer(Int64(clamping: bytes)) }
        return .vault(vault.location, .retrieval, action, by: actor, details)
    }

    static func message(_ row: OutboxRow, _ action: String) -> AuditAct {
        AuditAct(
            .message, action, by: .operator, account: row.account, on: row.topic.text, ["message": .string(row.id.hex)])
    }
}
