// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Logging
import SealedArchive
import Storage
public import VaultModel

extension VaultEngine {
    /// Begins to move everything off older key versions, or goes on with other limits. Returns when the order is durable; a restart goes on
    /// with it.
    /// - Parameter location: one vault's key; nil: every vault's and the master key.
    public func orderRewrap(_ location: VaultLocation?, perSecond: UInt32) async throws(VaultError) -> RewrapStatus {
        try await vaultErrors("ordering a re-wrap") {
            let vault = try await rewrapTarget(location)
            let order = RewrapOrder(vault: vault, perSecond: perSecond)
            let audit = try audit(
                AuditAct(
                    .key, "key:BeginRewrap", by: .operator, account: location?.account, on: location?.arn ?? "all keys",
                    ["perSecond": .integer(Int64(perSecond))]))
            try await freeingRoom { try await catalog.setFact(KeyDesk.orderFact, order.text, audit: audit) }
            keyDesk.update {
                $0 = RewrapStatus()
                $0.phase = .moving
            }
            keyDesk.wake.signal()
            return keyDesk.status
        }
    }

    private func rewrapTarget(_ location: VaultLocation?) async throws -> VaultUID? {
        guard let location else { return nil }
        return try await activeVault(location).uid
    }

    /// How far the re-wrap is.
    public var rewrapStatus: RewrapStatus { keyDesk.status }

    /// Writes down, signed, that nothing is sealed under a version any more: the pass found no blob that names it, and the catalog counts
    /// none. Nothing happens when the catalog does count some, or when there is a certificate.
    func certify(
        _ key: KeyVersionName, _ found: KeySweepResult, replacedBy newest: UInt32, of vault: VaultRow?
    ) async throws {
        guard try await catalog.keyDestruction(key) == nil, try await references(of: key) == 0 else { return }
        let now = clock.now()
        var body: [String: JSONValue] = key.facts(vault)
        body["replacedBy"] = .integer(Int64(newest))
        body["catalogReferences"] = 0
        body["blobsRead"] = .integer(Int64(clamping: found.read))
        body["blobsNaming"] = 0
        body["proven"] = .integer(now.milliseconds)
        let statement = try keyring.statement(.certificate, created: now, body: body)
        let row = KeyDestructionRow(
            key: key, certified: now, certificate: String(decoding: statement.encode(), as: UTF8.self))
        let audit = try audit(
            .key(key, "Certify", by: .service, ["certificate": .string(SHA256Hasher.hash(Array(row.certificate.utf8)).hex)]))
        try await freeingRoom { try await catalog.putKeyDestruction(row, audit: audit) }
        keyDesk.update { $0.certificates += 1 }
        logger.notice("nothing hangs on a key version any more", metadata: ["key": "\(key)"])
    }

    /// What the catalog counts under a version.
    func references(of key: KeyVersionName) async throws -> UInt64 {
        let references = try await catalog.keyReferences()
        switch key {
        case .master(let version): return references.master[version] ?? 0
        case .vault(let uid, let version):
            let settings = try await catalog.vault(uid)?.settings?.keyVersion == version ? 1 : 0 as UInt64
            return (references.vaults[uid]?[version] ?? 0) + settings
        }
    }
}

extension KeyVersionName {
    /// As statements name it.
    func facts(_ vault: VaultRow?) -> [String: JSONValue] {
        let scope: JSONValue
        let uid: JSONValue
        switch self {
        case .master: (scope, uid) = ("master", .null)
        case .vault(let vault, _): (scope, uid) = ("vault", .string(vault.hex))
        }
        return [
            "scope": scope, "vault": uid, "keyVersion": .integer(Int64(version)),
            "account": .optional(vault?.location.account.digits), "region": .optional(vault?.location.region.code),
            "vaultName": .optional(vault?.location.name.text),
        ]
    }
}
