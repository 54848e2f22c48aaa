// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Logging
import SealedArchive
import Storage
public import VaultModel

/// A key version that an operator names.
public enum KeyChoice: Sendable, Hashable {
    case master(version: UInt32)
    case vault(VaultLocation, version: UInt32)
}

/// What is known about the end of a key version.
public struct KeyDestructionDescription: Sendable, Hashable {
    public enum State: String, Sendable {
        /// Nothing hangs on it.
        case certified
        /// Its destruction was asked for and can be taken back until ``KeyDestructionDescription/due``.
        case destroying
        case destroyed
    }
    /// Nil: the master key.
    public let vault: VaultUID?
    public let version: UInt32
    public let state: State
    public let certified: Timestamp
    public let due: Timestamp?
    public let finished: Timestamp?
    /// Signed statements, as they were made.
    public let certificate: String
    public let receipt: String?

    init(_ row: KeyDestructionRow) {
        switch row.key {
        case .master: vault = nil
        case .vault(let uid, _): vault = uid
        }
        version = row.key.version
        state = row.finished != nil ? .destroyed : row.due != nil ? .destroying : .certified
        certified = row.certified
        due = row.due
        finished = row.finished
        certificate = row.certificate
        receipt = row.receipt
    }
}

extension VaultEngine {
    /// Every version that was certified, was to be destroyed, or was.
    public func keyDestructions() async throws(VaultError) -> [KeyDestructionDescription] {
        try await vaultErrors("listing the ends of keys") {
            var all: [KeyDestructionDescription] = []
            var after: KeyVersionName?
            while all.count < 100_000 {
                let page = try await catalog.keyDestructions(after: after, limit: 500)
                all += page.map(KeyDestructionDescription.init)
                guard page.count == 500, let last = page.last else { break }
                after = last.key
            }
            return all
        }
    }

    /// Asks for the destruction of a version that has a certificate. Durable on return; it happens when the wait has ended.
    /// - Parameter wait: nil: as configured.
    public func requestKeyDestruction(_ choice: KeyChoice, wait: Duration?) async throws(VaultError) -> KeyDestructionDescription {
        try await vaultErrors("asking for the destruction of a key") {
            let key = try await name(choice)
            try checkIsOld(key, try await vaultRow(of: key))
            guard var row = try await catalog.keyDestruction(key) else {
                throw VaultError(
                    .invalidParameter,
                    "There is no certificate that nothing hangs on version \(key.version). Run coldvault key rewrap until it is done, then ask again.")
            }
            guard row.finished == nil else { return KeyDestructionDescription(row) }
            let count = try await references(of: key)
            guard count == 0 else {
                throw VaultError(.invalidParameter, "\(count) things hang on version \(key.version) again. Run coldvault key rewrap.")
            }
            let now = clock.now()
            row.requested = now
            row.due = now.advanced(by: wait ?? configuration.keyDestructionWait)
            let requested = row
            let audit = try audit(.key(key, "RequestDestruction", by: .operator, ["due": .integer(requested.due?.milliseconds ?? 0)]))
            try await freeingRoom { try await catalog.putKeyDestruction(requested, audit: audit) }
            logger.notice("the destruction of a key version was requested", metadata: ["key": "\(key)"])
            keyDesk.wake.signal()
            return KeyDestructionDescription(row)
        }
    }

    /// Takes a request back, while it waits.
    public func cancelKeyDestruction(_ choice: KeyChoice) async throws(VaultError) -> KeyDestructionDescription {
        try await vaultErrors("keeping a key") {
            let key = try await name(choice)
            let audit = try audit(.key(key, "CancelDestruction", by: .operator))
            guard try await catalog.cancelKeyDestruction(key, audit: audit), let row = try await catalog.keyDestruction(key) else {
                throw VaultError(.notFound, "No destruction of version \(key.version) is waiting.")
            }
            return KeyDestructionDescription(row)
        }
    }

    /// Destroys a version whose time has come, after the proof was repeated. Repeatable: a crash in between leaves the rest to the next round.
    func destroy(_ row: KeyDestructionRow) async throws {
        let vault = try await vaultRow(of: row.key)
        try checkIsOld(row.key, vault)
        let pace = RewrapPace(perSecond: 0, clock: clock)
        let found: KeySweepResult
        switch row.key {
        case .master: found = try await MasterSweep(engine: self).sweep(isProof: true)
        case .vault(let uid, _): found = try await KeySweep(engine: self, pace: pace).sweep(uid, isProof: true)
        }
        let count = try await references(of: row.key) + found.naming[row.key.version, default: 0]
        guard count == 0 else {
            throw VaultError(.unavailable, "\(count) things hang on version \(row.key.version) again: it is kept. Run coldvault key rewrap.")
        }
        // A request that was taken back a moment ago.
        guard try await catalog.keyDestruction(row.key)?.due != nil else { return }
        switch row.key {
        case .master(let version): try await keyring.removeMaster(version)
        case .vault(let uid, let version):
            if let vault { try await removeWraps(of: version, from: vault) }
            keyring.forget(uid, version: version)
        }
        let receipt = try await destructionReceipt(row, of: vault)
        let audit = try audit(
            .key(row.key, "Destroy", by: .service, ["receipt": .string(SHA256Hasher.hash(Array(receipt.utf8)).hex)]))
        try await freeingRoom {
            try await catalog.finishKeyDestruction(row.key, at: clock.now(), receipt: receipt, audit: audit)
        }
        if case .master = row.key { try await noteKeyFiles() }
        try await catalog.truncateLog()
        logger.notice("a key version was destroyed", metadata: ["key": "\(row.key)"])
    }

    /// The vault's record without the version, durable; then every older record of it, which all hold the wrap, at once.
    private func removeWraps(of version: UInt32, from vault: VaultRow) async throws {
        let act = AuditAct.vault(
            vault.location, .key, "key:RemoveWraps", by: .service, ["version": .integer(Int64(version))])
        let changed = try await updateVault(vault, as: act) { row in row.keys.removeAll { $0.version == version } }
        guard !changed.keys.contains(where: { $0.version == version }) else {
            throw VaultError(.internalFailure, "The version is still in the vault's record.")
        }
        let old = try await recordNames(above: 0, Self.recordName(vault)).filter { $0.generation < changed.generation }
        try await doom(old.map(\.blob), of: .cold)
        for record in old { try await cold.delete(record.blob) }
    }

    private func destructionReceipt(_ row: KeyDestructionRow, of vault: VaultRow?) async throws -> String {
        let now = clock.now()
        var body = row.key.facts(vault)
        let isMaster = if case .master = row.key { true } else { false }
        body["subject"] = isMaster ? "masterKey" : "vaultKey"
        body["destroyed"] = .integer(now.milliseconds)
        body["certificate"] = .string(SHA256Hasher.hash(Array(row.certificate.utf8)).hex)
        body["stillOpenedBy"] = try await keyringBackups()
        body["advice"] = .string(
            isMaster
                ? "Destroy the keyring backups listed, and copies of keys/ made otherwise: the version is in them."
                : "Wraps of the version stand in older catalog backups and blob copies, under master keys that were in use: rotate and destroy those master "
                    + "key versions, then destroy the keyring backups listed.")
        let statement = try keyring.statement(.receipt, created: now, body: body)
        return String(decoding: statement.encode(), as: UTF8.self)
    }

    /// The keyring backups that this service has made: each holds every master key version there was then.
    func keyringBackups() async throws -> JSONValue {
        let text = try await catalog.fact("backup_keyrings") ?? "[]"
        return (try? JSONParser.parse(Array(text.utf8))) ?? .array([])
    }

    private func name(_ choice: KeyChoice) async throws -> KeyVersionName {
        switch choice {
        case .master(let version): .master(version: version)
        case .vault(let location, let version): .vault(try await activeVault(location).uid, version: version)
        }
    }

    private func vaultRow(of key: KeyVersionName) async throws -> VaultRow? {
        guard case .vault(let uid, _) = key else { return nil }
        return try await catalog.vault(uid)
    }

    private func checkIsOld(_ key: KeyVersionName, _ vault: VaultRow?) throws(VaultError) {
        let newest: UInt32?
        switch key {
        case .master: newest = keyring.currentMaster.version
        case .vault: newest = vault?.keys.last?.version
        }
        guard newest != key.version else {
            throw VaultError(.invalidParameter, "Version \(key.version) is in use. Rotate the key first: coldvault key rotate.")
        }
    }
}
