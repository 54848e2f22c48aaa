// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Logging
import Storage
public import VaultModel

extension VaultEngine {
    /// The public key that verifies the service's statements: 32 bytes.
    public var signingPublicKey: [UInt8] { keyring.signingPublicKey }

    /// Master and vault key versions with exact reference counts.
    public func listKeys() async throws(VaultError) -> KeyListing {
        try await vaultErrors("listing keys") {
            let references = try await catalog.keyReferences()
            let ends = try await keyEnds()
            let current = keyring.currentMaster.version
            var master = keyring.masterKeys.map { key in
                MasterKeyDescription(
                    version: key.version, created: key.created, isCurrent: key.version == current,
                    references: references.master[key.version] ?? 0, slots: key.slots,
                    state: key.version == current ? .current : ends[.master(version: key.version)] ?? .retired)
            }
            // Of a destroyed version nothing is left but the evidence.
            for case (.master(let version), .destroyed) in ends where !master.contains(where: { $0.version == version }) {
                master.append(
                    MasterKeyDescription(
                        version: version, created: Timestamp(milliseconds: 0), isCurrent: false, references: 0, slots: [],
                        state: .destroyed))
            }
            master.sort { $0.version < $1.version }
            var vaults: [VaultKeyDescription] = []
            try await forEachVault { vault in
                guard vault.state != .deleted else { return }
                for key in vault.keys {
                    vaults.append(
                        VaultKeyDescription(
                            vault: vault.uid, location: vault.location, version: key.version, created: key.created,
                            isCurrent: key.version == vault.keys.last?.version, masterVersion: key.masterVersion,
                            references: references.vaults[vault.uid]?[key.version] ?? 0,
                            state: key.version == vault.keys.last?.version
                                ? .current : ends[.vault(vault.uid, version: key.version)] ?? .retired))
                }
            }
            let signing = keyring.signing.pairs
            let audit = keyring.audit.keys
            return KeyListing(
                master: master, vaults: vaults,
                signing: signing.map { pair in
                    ServiceKeyDescription(
                        version: pair.seed.version, created: pair.seed.created,
                        isCurrent: pair.seed.version == signing.last?.seed.version, publicKey: Hex.encode(pair.publicKey))
                },
                audit: audit.map { key in
                    ServiceKeyDescription(
                        version: key.version, created: key.created, isCurrent: key.version == audit.last?.version, publicKey: nil)
                })
        }
    }

    /// Versions whose destruction was asked for or done.
    private func keyEnds() async throws -> [KeyVersionName: KeyState] {
        var ends: [KeyVersionName: KeyState] = [:]
        var after: KeyVersionName?
        while true {
            let page = try await catalog.keyDestructions(after: after, limit: 500)
            for row in page where row.due != nil { ends[row.key] = row.finished == nil ? .destroying : .destroyed }
            guard page.count == 500, let last = page.last else { return ends }
            after = last.key
        }
    }

    /// Makes a new master key version and re-wraps every vault key and account under it: O(vaults), no archive is touched. A crash in
    /// between is finished at the next start. Durable on return.
    public func rotateMasterKey() async throws(VaultError) -> RotationReport { try await rotateMasterKey(by: .operator) }

    func rotateMasterKey(by actor: AuditActor) async throws(VaultError) -> RotationReport {
        try await vaultErrors("rotating the master key") {
            let version = try await keyring.addMaster(now: clock.now())
            // A crash before this: the next start finds a key file that nobody entered (``enterWhatWasDoneOffline()``).
            try await noteKeyFiles(
                as: AuditAct(.key, "key:RotateMasterKey", by: actor, on: "master key", ["version": .integer(Int64(version))]))
            let report = try await rewrapEverything()
            try await recordAct(
                AuditAct(
                    .key, "key:EndRotation", by: .service, on: "master key",
                    [
                        "version": .integer(Int64(version)), "vaultKeys": .integer(Int64(clamping: report.rewrappedVaultKeys)),
                        "accounts": .integer(Int64(clamping: report.resealedAccounts)),
                    ]))
            return report
        }
    }

    /// Moves what hangs on older master versions to the newest. Idempotent.
    func rewrapEverything() async throws -> RotationReport {
        let (report, failure) = try await rewrapAll()
        if let failure { throw failure }
        return report
    }

    /// The same; what fails is logged, keeps its older version, and keeps no other from being moved. The first failure comes back.
    func rewrapAll() async throws -> (RotationReport, (any Error)?) {
        var first: (any Error)?
        func attempt(_ what: String, _ move: () async throws -> Void) async throws -> Bool {
            do {
                try await freeingRoom(move)
                return true
            } catch {
                guard !Task.isCancelled else { throw error }
                logger.error(
                    "could not be moved to the newest master key", metadata: ["item": "\(what)", "error": "\(error)"])
                if first == nil { first = error }
                return false
            }
        }
        let current = keyring.currentMaster.version
        var rewrapped: UInt64 = 0
        try await forEachVault { vault in
            guard vault.keys.contains(where: { $0.masterVersion != current }) else { return }
            _ = try await attempt("\(vault.location.arn)") { rewrapped += try await rewrapKeys(of: vault, under: current) }
        }
        var resealed: UInt64 = 0
        var after: AccountID?
        while true {
            let page = try await catalog.accounts(after: after, limit: 200)
            for account in page where account.masterVersion != current {
                let act = AuditAct(
                    .key, "key:ResealAccount", by: .service, account: account.id, on: "account \(account.id)",
                    ["masterVersion": .integer(Int64(current))])
                if try await attempt("account \(account.id)", { try await changeAccount(account.id, as: act) { _ in } }) {
                    resealed += 1
                }
            }
            guard page.count == 200, let last = page.last else { break }
            after = last.id
        }
        return (
            RotationReport(newVersion: current, rewrappedVaultKeys: rewrapped, resealedAccounts: resealed), first
        )
    }

    /// Returns how many keys were moved: none when the vault was forgotten meanwhile.
    private func rewrapKeys(of vault: VaultRow, under master: UInt32) async throws -> UInt64 {
        let act = AuditAct.vault(
            vault.location, .key, "key:RewrapVaultKeys", by: .service,
            ["masterVersion": .integer(Int64(master)), "vault": .string(vault.uid.hex)])
        var vault = vault
        // A deletion that went on meanwhile: active, being deleted, deleted, or active again.
        for _ in 0..<8 {
            do {
                return UInt64(
                    try await updateVault(vault, as: act) { row in
                        row.keys = try row.keys.map { try keyring.rewrap($0, of: row) }
                    }.keys.count)
            } catch let error as VaultError where error.code == .notFound {
                guard let newer = try await catalog.vault(vault.uid) else { return 0 }
                vault = newer
            }
        }
        throw VaultError(.unavailable, "The vault \(vault.location.arn) is being changed by others. Please try again.")
    }

    /// Makes a new version of a vault's key for new archives; older ones stay for the archives that they seal. Durable on return.
    public func rotateVaultKey(_ location: VaultLocation) async throws(VaultError) -> RotationReport {
        try await vaultErrors("rotating a vault key") {
            let vault = try await updateVault(
                try await activeVault(location), as: .vault(location, .key, "key:RotateVaultKey", by: .operator)
            ) { row in
                let next = (row.keys.last?.version ?? 0) + 1
                row.keys.append(
                    try keyring.makeVaultKey(account: location.account, vault: row.uid, version: next, now: clock.now()))
            }
            return RotationReport(newVersion: vault.keys.last?.version ?? 0, rewrappedVaultKeys: 0, resealedAccounts: 0)
        }
    }
}
