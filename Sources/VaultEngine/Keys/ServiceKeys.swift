// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON
public import Cryptography
public import SealedArchive
public import VaultModel

/// A version of a key that belongs to the service as a whole and not to the hierarchy that seals archives.
struct ServiceKey: Sendable {
    let version: UInt32
    let created: Timestamp
    let key: SecretKey
}

/// The seeds that statements are signed with: the newest signs, all say which public keys were in use.
struct SigningKeys: Sendable {
    struct Pair: Sendable {
        let seed: ServiceKey
        let publicKey: [UInt8]
    }

    /// Oldest first; empty only in a keyring that was opened without the right to write.
    let pairs: [Pair]

    init(_ seeds: [ServiceKey]) throws {
        pairs = try seeds.map { Pair(seed: $0, publicKey: try Ed25519.publicKey(seed: $0.key)) }
    }

    func newest() throws(VaultError) -> Pair {
        guard let pair = pairs.last else { throw Keyring.missing("signing") }
        return pair
    }
}

/// The keys of the audit log, by version.
struct AuditKeys: Sendable {
    /// Oldest first; empty only in a keyring that was opened without the right to write.
    let keys: [ServiceKey]

    init(_ keys: [ServiceKey]) { self.keys = keys }
}

extension Keyring {
    // MARK: Signing

    /// Signs bytes with the newest signing key: 64 bytes of Ed25519. The caller separates domains; documents are signed by
    /// ``statement(_:created:body:)``.
    public func sign(_ bytes: [UInt8]) throws(VaultError) -> [UInt8] {
        let pair = try signing.newest()
        do {
            return try Ed25519.sign(bytes, seed: pair.seed.key)
        } catch {
            throw .wrapping(error, "signing")
        }
    }

    /// The 32 bytes that verify what ``sign(_:)`` signs; empty in a keyring of an older directory that was opened without the right to write.
    public var signingPublicKey: [UInt8] { signing.pairs.last?.publicKey ?? [] }

    /// Of every version, oldest first: what an older version signed stays valid.
    public var signingPublicKeys: [[UInt8]] { signing.pairs.map(\.publicKey) }

    /// A document that proves something outside of the service, signed with the newest key (Docs/Formats/Statement-v1.md).
    public func statement(
        _ type: StatementType, created: Timestamp, body: [String: JSONValue]
    ) throws(VaultError) -> SignedStatement {
        let publicKey = try signing.newest().publicKey
        return try SignedStatement(
            type, createdMilliseconds: created.milliseconds, body: body, service: publicKey
        ) { bytes throws(VaultError) in try sign(bytes) }
    }

    // MARK: The audit log

    /// The version of the audit key and the key; `.integrity` when keys/ lacks it.
    public func auditKey(_ version: UInt32) throws(VaultError) -> SecretKey {
        guard let key = audit.keys.first(where: { $0.version == version }) else {
            throw VaultError(
                .integrity, "The audit log needs version \(version) of its key, which keys/ does not hold. Restore that key file.")
        }
        return key.key
    }

    /// What new entries are sealed and chained under.
    public var currentAudit: (version: UInt32, key: SecretKey) {
        get throws(VaultError) {
            guard let key = audit.keys.last else { throw Self.missing("audit") }
            return (key.version, key.key)
        }
    }

    static func missing(_ purpose: String) -> VaultError {
        VaultError(
            .unavailable, "This data directory has no \(purpose) key yet: it gets one when coldvault serve opens it. Serve it once.")
    }
}
