// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import NIOHTTP1

/// A vault lock as GetVaultLock tells it.
public struct VaultLockDescription: Sendable, Hashable {
    /// All members as on the wire.
    public let document: WireDocument
    /// The policy, verbatim.
    public let policy: String
    /// `InProgress` or `Locked`.
    public let state: String
    /// ISO 8601, as the service wrote it.
    public let creationDate: String
    /// When a lock in progress falls away; nil once locked.
    public let expirationDate: String?

    init(_ document: WireDocument) throws(ClientError) {
        guard let policy = document.string("Policy"), let state = document.string("State") else {
            throw Missing.member("Policy or State", of: "vault lock")
        }
        self.document = document
        self.policy = policy
        self.state = state
        creationDate = document.string("CreationDate") ?? ""
        expirationDate = document.string("ExpirationDate")
    }
}

extension GlacierClient {
    /// SetVaultAccessPolicy: replaces what was set before. The service judges the text.
    public func setVaultAccessPolicy(_ policy: String, vault: String) async throws {
        var call = try vaultCall("SetVaultAccessPolicy of", vault, method: "PUT", tail: ["access-policy"])
        call.carry(["Policy": .string(policy)])
        _ = try await perform(call)
    }

    /// GetVaultAccessPolicy: kind `notFound` when there is none.
    public func vaultAccessPolicy(vault: String) async throws -> String {
        let call = try vaultCall("GetVaultAccessPolicy of", vault, method: "GET", tail: ["access-policy"])
        guard let policy = try await document(call).string("Policy") else {
            throw Missing.member("Policy", of: "answer to \(call.operation)")
        }
        return policy
    }

    /// DeleteVaultAccessPolicy: succeeds also when there is none.
    public func deleteVaultAccessPolicy(vault: String) async throws {
        _ = try await perform(
            try vaultCall("DeleteVaultAccessPolicy of", vault, method: "DELETE", tail: ["access-policy"]))
    }

    /// InitiateVaultLock: the policy is in force at once, for 24 hours. Returns the lock id, without which the lock
    /// cannot be completed.
    ///
    /// Not repeated when its outcome is unknown: the lock may be in progress under an id that nobody was told. Abort it
    /// then, and begin again.
    public func initiateVaultLock(policy: String, vault: String) async throws -> String {
        var call = try vaultCall("InitiateVaultLock of", vault, method: "POST", tail: ["lock-policy"])
        call.carry(["Policy": .string(policy)])
        call.mayRepeat = false
        guard let id = try await perform(call).first(name: "x-amz-lock-id"), !id.isEmpty else {
            throw Missing.member("x-amz-lock-id", of: "answer to \(call.operation)")
        }
        return id
    }

    /// CompleteVaultLock: from now on nobody can change or remove the policy. Completing again succeeds.
    public func completeVaultLock(lockID: String, vault: String) async throws {
        let tail = ["lock-policy", try Self.identifier(lockID, "a lock id")]
        _ = try await perform(try vaultCall("CompleteVaultLock of", vault, method: "POST", tail: tail))
    }

    /// AbortVaultLock: refused once the lock is completed; succeeds when there is none.
    public func abortVaultLock(vault: String) async throws {
        _ = try await perform(try vaultCall("AbortVaultLock of", vault, method: "DELETE", tail: ["lock-policy"]))
    }

    /// GetVaultLock: kind `notFound` when there is none.
    public func vaultLock(vault: String) async throws -> VaultLockDescription {
        let call = try vaultCall("GetVaultLock of", vault, method: "GET", tail: ["lock-policy"])
        return try VaultLockDescription(try await document(call))
    }
}
