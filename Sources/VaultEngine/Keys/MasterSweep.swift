// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import SealedArchive
import Storage
import VaultModel

/// The same for the master key: records of accounts and vaults, wherever they lie, and the kept checkpoints. Records that were replaced are named for deletion;
/// those of vaults that the catalog has forgotten are sealed again, with their vault keys re-wrapped.
struct MasterSweep: Sendable {
    private static let page = 500

    let engine: VaultEngine

    func sweep(isProof: Bool = false) async throws -> KeySweepResult {
        var result = KeySweepResult()
        try await walk(BlobName.accountsPrefix, isProof, &result)
        try await walk(BlobName.vaultsPrefix, isProof, &result)
        try await walk(BlobName.checkpointPrefix, isProof, &result)
        return result
    }

    private func walk(_ prefix: String, _ isProof: Bool, _ result: inout KeySweepResult) async throws {
        let newest = engine.keyring.currentMaster.version
        var after: BlobID?
        while true {
            try Task.checkCancellation()
            let page = try await engine.cold.list(prefix: prefix, after: after, limit: Self.page)
            var jump: BlobID?
            for entry in page {
                if let jump, entry.id < jump { continue }
                jump = nil
                guard let name = BlobName(entry.id.name) else { continue }
                switch name {
                case .vault, .account, .checkpoint: break
                default:
                    // Nothing of an archive is under the master key: on to the end of the vault's folder.
                    jump = Self.end(of: entry.id)
                    continue
                }
                guard let version = try await engine.keyVersion(of: entry.id) else { continue }
                result.read += 1
                guard version != newest else { continue }
                result.naming[version, default: 0] += 1
                guard !isProof else { continue }
                do {
                    try await handle(name, entry.id, under: version, &result)
                } catch let error as FormatError {
                    result.block(entry.id, "\(error)")
                } catch let error as VaultError where error.code == .integrity {
                    result.block(entry.id, error.message)
                }
            }
            guard page.count == Self.page, let last = page.last else { return }
            after = jump ?? last.id
        }
    }

    /// Behind everything in the folder of this name that belongs to archives: `…/archives/…` sorts before `…/archives0`.
    private static func end(of id: BlobID) -> BlobID? {
        let fields = id.name.split(separator: "/")
        guard fields.count > 4 else { return nil }
        return BlobID(fields[..<4].joined(separator: "/") + "0")
    }

    private func handle(
        _ name: BlobName, _ id: BlobID, under version: UInt32, _ result: inout KeySweepResult
    ) async throws {
        switch name {
        case .account(let account, let generation):
            let newer = try await engine.recordNames(above: generation) { .account(account: account, generation: $0) }
            guard !newer.isEmpty else { return result.block(id, "the account could not be moved") }
            try await engine.doom([id], of: .cold)
            result.acted += 1
        case .vault(let account, let bytes, let generation):
            guard let uid = VaultUID(bytes: bytes), let owner = AccountID(account) else { return }
            let newer = try await engine.recordNames(above: generation) {
                .vault(account: account, vaultUID: bytes, generation: $0)
            }
            if newer.isEmpty {
                guard try await engine.catalog.vault(uid) == nil else {
                    return result.block(id, "the vault could not be moved")
                }
                try await reseal(id, of: uid, owner: owner, generation: generation, under: version)
            } else {
                try await engine.doom([id], of: .cold)
            }
            result.acted += 1
        case .checkpoint(let generation):
            try await engine.moveCheckpoint(generation)
            result.acted += 1
        default: return
        }
    }

    /// The last record of a vault that is gone stays, so that a rebuild knows that it is.
    private func reseal(
        _ id: BlobID, of uid: VaultUID, owner: AccountID, generation: UInt64, under version: UInt32
    ) async throws {
        guard let size = try await engine.cold.size(of: id), size <= UInt64(engine.cold.maxReadBytes) else {
            throw FormatError.limitExceeded("a record of more than 4 MiB")
        }
        let opened = try SealedBlob.open(
            Array(try await engine.cold.read(id, range: 0..<size).readableBytesView),
            expecting: BlobExpectation(.record, uid: uid.bytes, index: version, number: generation),
            account: owner.digits, vaultUID: uid.bytes, key: try engine.keyring.master(version))
        var body = try StateRecord(decoding: opened.plaintext, expecting: .vault).body
        let master = engine.keyring.currentMaster
        body["keys"] = .array(
            try (body["keys"]?.arrayValue ?? []).map { value in
                guard var members = value.objectValue,
                    let number = members["version"]?.integerValue.flatMap(UInt32.init(exactly:)),
                    let old = members["masterVersion"]?.integerValue.flatMap(UInt32.init(exactly:)),
                    let wrapped = members["wrapped"]?.stringValue.flatMap({ Base64.decode($0) })
                else { throw FormatError.malformed("keys of a vault record") }
                let context = WrapContext.vaultKey(account: owner.digits, vaultUID: uid.bytes, version: number)
                let key = try KeyWrap.unwrap(wrapped, under: try engine.keyring.master(old), context: context)
                members["wrapped"] = .string(
                    Base64.encode(try KeyWrap.wrap(key, under: master.key, context: context, random: engine.random)))
                members["masterVersion"] = .integer(Int64(master.version))
                return .object(members)
            })
        _ = try await engine.write(
            .vault, body: body, uid: uid.bytes, account: owner, vault: uid, key: master.key, keyVersion: master.version,
            from: generation + 1
        ) { .vault(account: owner.digits, vaultUID: uid.bytes, generation: $0) }
        engine.keyDesk.update { $0.records += 1 }
        try await engine.doom([id], of: .cold)
    }
}
