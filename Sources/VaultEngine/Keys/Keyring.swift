// SPDX-License-Identifier: Apache-2.0

public import Cryptography
import SealedArchive
public import Storage
import Synchronization
public import VaultModel

/// The keys in memory: master key versions, the identifier key, signing and audit keys, and vault keys unwrapped on demand.
///
/// Invariants:
///  1. A key that anything durable was sealed under has its own key file, durable before that.
///  2. Every key file has at least two slots: the operating root key and the recovery key.
///  3. Nothing here is written to disk but through ``KeyFileStore``, wrapped.
/// Safe to share; never blocks but for the shortest of locks.
public final class Keyring: Sendable {
    struct MasterKey: Sendable {
        let version: UInt32
        let created: Timestamp
        let key: SecretKey
        let slots: [String]
    }

    private struct State {
        var masters: [UInt32: MasterKey]
        /// The newest of them.
        var current: MasterKey
        var vaultKeys: [VaultKeyName: SecretKey] = [:]
        /// A version is being written: a second one at once would take its number and replace its file.
        var isAdding = false
    }

    /// The wrap belongs to it: a rotation whose commit failed leaves a key behind that has the version of the next one.
    private struct VaultKeyName: Hashable {
        let vault: VaultUID
        let version: UInt32
        let wrapped: [UInt8]
    }

    /// Unwrapped vault keys kept at once; the cache is emptied when it is full, which costs one unwrap (4 µs) each.
    private static let maxCachedVaultKeys = 4096

    let identifiers: IdentifierCodec
    let signing: SigningKeys
    let audit: AuditKeys
    private let files: any KeyFileStore
    let custodies: [any KeyCustody]
    private let random: any RandomByteSource
    private let state: Mutex<State>

    private init(
        masters: [UInt32: MasterKey], current: MasterKey, identifierKey: SecretKey, signing: SigningKeys, audit: AuditKeys,
        files: any KeyFileStore, custodies: [any KeyCustody], random: any RandomByteSource
    ) {
        identifiers = IdentifierCodec(key: identifierKey)
        self.signing = signing
        self.audit = audit
        self.files = files
        self.custodies = custodies
        self.random = random
        state = Mutex(State(masters: masters, current: current))
    }

    // MARK: Opening and creating

    /// Opens the keyring with whichever of `custodies` fits. To add master versions later, custodies for every slot kind are needed; the
    /// recovery slot's is itself opened from the newest key file of purpose `recovery`. Every file must open, or nothing does and nothing is written.
    /// - Parameter now: makes the signing and the audit key of a directory that was created before there were any, durable on return; nil
    ///   writes nothing, and what needs such a key fails.
    public static func open(
        files: any KeyFileStore, root: any KeyCustody, random: any RandomByteSource, creatingMissing now: Timestamp? = nil,
        recoveryCustody: (SecretKey) -> any KeyCustody
    ) async throws(VaultError) -> Keyring {
        do {
            var masters: [UInt32: MasterKey] = [:]
            var identifier: SecretKey?
            var recovery: (version: UInt32, key: SecretKey)?
            var seeds: [UInt32: ServiceKey] = [:]
            var auditKeys: [UInt32: ServiceKey] = [:]
            for name in try await files.list() where name.hasSuffix(".json") {
                let (file, key) = try await KeyringFiles.read(name, from: files, with: [root])
                let created = Timestamp(milliseconds: file.createdMilliseconds)
                switch file.purpose {
                case .master:
                    masters[file.keyVersion] = MasterKey(
                        version: file.keyVersion, created: created, key: key,
                        slots: file.slots.map { "\($0.custody):\(KeyringFiles.hex($0.reference))" })
                case .identifier: identifier = key
                case .signing: seeds[file.keyVersion] = ServiceKey(version: file.keyVersion, created: created, key: key)
                case .audit: auditKeys[file.keyVersion] = ServiceKey(version: file.keyVersion, created: created, key: key)
                case .recovery:
                    // Two only while a rotation of the recovery key was interrupted: the newer one is the one to come.
                    if file.keyVersion > recovery?.version ?? 0 { recovery = (file.keyVersion, key) }
                }
            }
            guard let current = masters.values.max(by: { $0.version < $1.version }), let identifier, let recovery else {
                throw VaultError(
                    .integrity, "The keyring is incomplete: keys/ must hold a master, an identifier and a recovery key file. Restore keys/.")
            }
            let custodies = [root, recoveryCustody(recovery.key)]
            if let now {
                func made(_ purpose: KeyFile.Purpose) async throws -> ServiceKey {
                    let key = SecretKey(random: random)
                    try await KeyringFiles.write(
                        key, purpose: purpose, version: 1, created: now, custodies: custodies, to: files)
                    return ServiceKey(version: 1, created: now, key: key)
                }
                if seeds.isEmpty { seeds[1] = try await made(.signing) }
                if auditKeys.isEmpty { auditKeys[1] = try await made(.audit) }
            }
            return Keyring(
                masters: masters, current: current, identifierKey: identifier,
                signing: try SigningKeys(seeds.values.sorted { $0.version < $1.version }),
                audit: AuditKeys(auditKeys.values.sorted { $0.version < $1.version }), files: files,
                custodies: custodies, random: random)
        } catch {
            throw KeyringFiles.explain(error)
        }
    }

    /// Writes the first key files: recovery, identifier, signing, audit, master version 1. Then opens what it wrote through each slot.
    public static func create(
        files: any KeyFileStore, root: any KeyCustody, recovery: any KeyCustody, recoveryKey: SecretKey, now: Timestamp,
        random: any RandomByteSource
    ) async throws(VaultError) {
        do {
            guard try await files.list().isEmpty else {
                throw VaultError(.invalidParameter, "This data directory has a keyring already; nothing was changed.")
            }
            try await KeyringFiles.write(
                recoveryKey, purpose: .recovery, version: 1, created: now, custodies: [root, recovery], to: files)
            for purpose in [KeyFile.Purpose.identifier, .signing, .audit, .master] {
                let key = SecretKey(random: random)
                try await KeyringFiles.write(key, purpose: purpose, version: 1, created: now, custodies: [root, recovery], to: files)
                let file = try KeyFile(decoding: try await files.read(KeyFile.fileName(purpose: purpose, keyVersion: 1)))
                for custody in [root, recovery] {
                    guard try await KeyringFiles.unwrap(file, with: [custody]).isEqual(to: key) else {
                        throw VaultError(.integrity, "A key just written did not read back through its \(custody.kind) slot.")
                    }
                }
            }
        } catch {
            throw KeyringFiles.explain(error)
        }
    }

    /// Adds a master key version, durable in its own file before it is used. The caller re-wraps what hangs on the older ones.
    func addMaster(now: Timestamp) async throws(VaultError) -> UInt32 {
        let isFree = state.withLock { state in
            defer { state.isAdding = true }
            return !state.isAdding
        }
        guard isFree else {
            throw VaultError(.unavailable, "The master key is being rotated already. Wait until that has ended.")
        }
        defer { state.withLock { $0.isAdding = false } }
        let version = currentMaster.version + 1
        let key = SecretKey(random: random)
        do {
            try await KeyringFiles.write(key, purpose: .master, version: version, created: now, custodies: custodies, to: files)
        } catch {
            throw KeyringFiles.explain(error)
        }
        let master = MasterKey(
            version: version, created: now, key: key, slots: custodies.map { "\($0.kind):\($0.reference)" })
        state.withLock {
            $0.masters[version] = master
            $0.current = master
        }
        return version
    }

    /// Forgets a version that nothing is sealed under, its file first: durable on return. The current one stays whatever is asked.
    func removeMaster(_ version: UInt32) async throws {
        guard version != currentMaster.version else {
            throw VaultError(.invalidParameter, "Master key version \(version) is in use. Rotate the master key first.")
        }
        try await files.remove(KeyFile.fileName(purpose: .master, keyVersion: version))
        state.withLock { _ = $0.masters.removeValue(forKey: version) }
    }

    /// Forgets an unwrapped version; wiped when its last user has gone.
    func forget(_ vault: VaultUID, version: UInt32) {
        state.withLock { state in
            for name in state.vaultKeys.keys where name.vault == vault && name.version == version { state.vaultKeys[name] = nil }
        }
    }

    /// Every key file with its bytes, as they lie in `keys/`: for a keyring backup.
    func fileContents() async throws(StorageError) -> [(name: String, bytes: [UInt8])] {
        var contents: [(name: String, bytes: [UInt8])] = []
        for name in try await files.list() { contents.append((name, try await files.read(name))) }
        return contents
    }

    // MARK: Master keys

    /// The newest master key: what new wraps are made under.
    var currentMaster: MasterKey { state.withLock { $0.current } }

    var masterKeys: [MasterKey] { state.withLock { $0.masters.values.sorted { $0.version < $1.version } } }

    func master(_ version: UInt32) throws(VaultError) -> SecretKey {
        guard let key = state.withLock({ $0.masters[version]?.key }) else {
            throw VaultError(
                .integrity, "Stored data needs master key version \(version), which keys/ does not hold. Restore that key file.")
        }
        return key
    }

    // MARK: Vault keys

    /// A fresh vault key version, wrapped under the newest master key.
    func makeVaultKey(account: AccountID, vault: VaultUID, version: UInt32, now: Timestamp) throws(VaultError) -> VaultKeyWrap {
        try wrapVaultKey(SecretKey(random: random), account: account, vault: vault, version: version, created: now)
    }

    /// The same key wrapped under the newest master key.
    func rewrap(_ wrap: VaultKeyWrap, of vault: VaultRow) throws(VaultError) -> VaultKeyWrap {
        try wrapVaultKey(
            key(wrap, account: vault.location.account, vault: vault.uid), account: vault.location.account, vault: vault.uid,
            version: wrap.version, created: wrap.created)
    }

    private func wrapVaultKey(
        _ key: SecretKey, account: AccountID, vault: VaultUID, version: UInt32, created: Timestamp
    ) throws(VaultError) -> VaultKeyWrap {
        let master = currentMaster
        do {
            let wrapped = try KeyWrap.wrap(
                key, under: master.key,
                context: WrapContext.vaultKey(account: account.digits, vaultUID: vault.bytes, version: version), random: random)
            return VaultKeyWrap(version: version, created: created, masterVersion: master.version, wrapped: wrapped)
        } catch {
            throw .wrapping(error, "wrapping a vault key")
        }
    }

    /// The key that new archives of the vault use.
    func currentKey(of vault: VaultRow) throws(VaultError) -> (version: UInt32, key: SecretKey) {
        guard let wrap = vault.keys.last else {
            throw VaultError(.integrity, "The catalog holds no key for vault \(vault.uid). Restore the catalog.")
        }
        return (wrap.version, try key(wrap, account: vault.location.account, vault: vault.uid))
    }

    func key(of vault: VaultRow, version: UInt32) throws(VaultError) -> SecretKey {
        guard let wrap = vault.keys.first(where: { $0.version == version }) else {
            throw VaultError(
                .integrity, "Stored data of vault \(vault.uid) needs its key version \(version), which does not exist any more.")
        }
        return try key(wrap, account: vault.location.account, vault: vault.uid)
    }

    private func key(_ wrap: VaultKeyWrap, account: AccountID, vault: VaultUID) throws(VaultError) -> SecretKey {
        let name = VaultKeyName(vault: vault, version: wrap.version, wrapped: wrap.wrapped)
        if let cached = state.withLock({ $0.vaultKeys[name] }) { return cached }
        let master = try master(wrap.masterVersion)
        do {
            let key = try KeyWrap.unwrap(
                wrap.wrapped, under: master,
                context: WrapContext.vaultKey(account: account.digits, vaultUID: vault.bytes, version: wrap.version))
            state.withLock { state in
                if state.vaultKeys.count >= Self.maxCachedVaultKeys { state.vaultKeys.removeAll() }
                state.vaultKeys[name] = key
            }
            return key
        } catch {
            throw .wrapping(error, "unwrapping key version \(wrap.version) of vault \(vault)")
        }
    }
}
