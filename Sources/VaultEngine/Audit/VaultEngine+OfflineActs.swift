// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON
import Cryptography
import Logging
import SealedArchive
import Storage
import VaultModel

/// What is done to the data directory while no service runs is entered at the next start, before the first request.
///
/// The act itself is durable first: in `keys/`, or in the catalog that was put in place. What the log was last told of is a fact of the
/// catalog, replaced in the transaction of the entry: so no crash loses the entry or makes two.
extension VaultEngine {
    /// What an offline tool did to the catalog: `{"action", "details"}`; empty once it is entered.
    public static let offlineActFact = "audit_offline_act"
    /// Every key file that the log knows of, with its digest and the root keys that open it.
    private static let keyFilesFact = "audit_key_files"
    /// Names in one entry; what is beyond is in the counts.
    private static let maxNames = 40

    /// The text of ``offlineActFact``.
    public static func offlineAct(_ action: String, _ details: [String: JSONValue]) -> String {
        JSONValue.object(["action": .string(action), "details": .object(details)]).canonicalString()
    }

    func enterWhatWasDoneOffline() async throws {
        try await freeingRoom { try await enterOfflineAct() }
        let found: JSONValue
        do {
            found = try await keyFiles()
        } catch {
            // They opened a moment ago; a disk that fails now must not keep archives from being read.
            return logger.warning("the key files could not be compared with the audit log", metadata: ["error": "\(error)"])
        }
        let known = try await catalog.fact(Self.keyFilesFact).flatMap { try? JSONParser.parse(Array($0.utf8)) }
        guard known != found else { return }
        let audit: AuditEntries = try known.map { try self.audit(Self.difference(from: $0, to: found)) } ?? .none
        try await freeingRoom { try await catalog.setFact(Self.keyFilesFact, found.canonicalString(), audit: audit) }
    }

    private func enterOfflineAct() async throws {
        guard let text = try await catalog.fact(Self.offlineActFact), let act = try? JSONParser.parse(Array(text.utf8)),
            let action = act["action"]?.stringValue
        else { return }
        let kind: AuditKind = action.hasPrefix("backup:") ? .backup : .service
        let entry = AuditAct(kind, action, by: .operator, on: "catalog", act["details"]?.objectValue ?? [:])
        try await catalog.setFact(Self.offlineActFact, "", audit: try audit(entry))
    }

    /// The service itself has changed `keys/`: the act's entry, and what the log knows of the files, in one transaction.
    func noteKeyFiles(as act: AuditAct? = nil) async throws {
        let text = try await keyFiles().canonicalString()
        let audit: AuditEntries = try act.map { try self.audit($0) } ?? .none
        try await freeingRoom { try await catalog.setFact(Self.keyFilesFact, text, audit: audit) }
    }

    private func keyFiles() async throws -> JSONValue {
        var files: [String: JSONValue] = [:]
        for (name, bytes) in try await keyring.fileContents() where name.hasSuffix(".json") {
            let slots = try KeyFile(decoding: bytes).slots.map { "\($0.custody):\(KeyringFiles.hex($0.reference))" }
            files[name] = [
                "sha256": .string(SHA256Hasher.hash(bytes).hex), "slots": .array(slots.sorted().map { .string($0) }),
            ]
        }
        return .object(files)
    }

    private static func difference(from known: JSONValue, to found: JSONValue) -> AuditAct {
        let (before, after) = (known.objectValue ?? [:], found.objectValue ?? [:])
        func slots(_ files: [String: JSONValue]) -> Set<String> {
            Set(files.values.flatMap { $0["slots"]?.arrayValue ?? [] }.compactMap(\.stringValue))
        }
        func list(_ names: [String]) -> JSONValue { .array(names.sorted().prefix(maxNames).map { .string($0) }) }
        let added = after.keys.filter { before[$0] == nil }
        let removed = before.keys.filter { after[$0] == nil }
        let changed = after.keys.filter { before[$0] != nil && before[$0] != after[$0] }
        let replaced = slots(before).symmetricDifference(slots(after))
        // A root key is replaced in every file; a recovery key brings a file of its own along.
        let isRotation = !replaced.isEmpty && (added + removed).allSatisfy { $0.hasPrefix("recovery-") }
        let isRecovery = replaced.contains { $0.hasPrefix("recovery:") }
        let action = isRotation ? isRecovery ? "key:RotateRecoveryKey" : "key:RotateRootKey" : "key:ChangeKeyFiles"
        return AuditAct(
            .key, action, by: .operator, on: "keys/",
            [
                "added": list(Array(added)), "removed": list(Array(removed)), "changed": .integer(Int64(changed.count)),
                "slotsBefore": list(Array(slots(before))), "slotsAfter": list(Array(slots(after))),
            ])
    }
}
