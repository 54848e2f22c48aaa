// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultEngine
import VaultModel

/// Performs administrative requests and writes their answers as JSON.
struct AdminResponder: Sendable {
    let operations: any AdminOperations

    func answer(_ request: AdminRequest) async throws(VaultError) -> JSONValue {
        switch request {
        case .createAccount(let account): return newKey(try await operations.createAccount(account))
        case .listAccounts(let after):
            let accounts = try await operations.listAccounts(after: after, limit: AdminRequest.accountsPerPage)
            return .array(accounts.map(self.account))
        case .setAccount(let account, let active):
            try await operations.setAccount(account, active: active)
            return ["accountId": .string(account.digits), "state": state(active)]
        case .createAccessKey(let account): return newKey(try await operations.createAccessKey(account))
        case .listAccessKeys(let account): return .array(try await operations.listAccessKeys(account).map(key))
        case .setAccessKey(let id, let active):
            try await operations.setAccessKey(id, active: active)
            return ["accessKeyId": .string(id), "state": state(active)]
        case .deleteAccessKey(let id):
            try await operations.deleteAccessKey(id)
            return ["accessKeyId": .string(id), "state": "deleted"]
        case .listKeys: return listing(try await operations.listKeys())
        case .rotateMasterKey: return rotation(try await operations.rotateMasterKey())
        case .rotateVaultKey(let location): return rotation(try await operations.rotateVaultKey(location))
        case .createBackup(let directory): return backup(try await operations.createBackup(in: directory))
        case .setVaultCompression(let location, let compression):
            try await operations.setVaultCompression(location, compression)
            return ["compression": .text(compression), "vaultArn": .string(location.arn)]
        }
    }

    private func state(_ active: Bool) -> JSONValue { active ? "active" : "disabled" }

    private func newKey(_ key: NewAccessKey) -> JSONValue {
        [
            "accessKeyId": .string(key.accessKeyID), "accountId": .string(key.account.digits),
            "secretAccessKey": .string(key.secretAccessKey),
        ]
    }

    private func account(_ account: AccountDescription) -> JSONValue {
        [
            "accountId": .string(account.account.digits), "created": .string(account.created.iso8601Milliseconds),
            "state": state(account.isActive),
        ]
    }

    private func key(_ key: AccessKeyDescription) -> JSONValue {
        [
            "accessKeyId": .string(key.accessKeyID), "accountId": .string(key.account.digits),
            "created": .string(key.created.iso8601Milliseconds), "state": state(key.isActive),
        ]
    }

    private func listing(_ listing: KeyListing) -> JSONValue {
        [
            "masterKeys": .array(
                listing.master.map { key in
                    [
                        "created": .string(key.created.iso8601Milliseconds), "current": .bool(key.isCurrent),
                        "references": .count(key.references), "slots": .array(key.slots.map { .string($0) }),
                        "version": .integer(Int64(key.version)),
                    ]
                }),
            "vaultKeys": .array(
                listing.vaults.map { key in
                    [
                        "accountId": .string(key.location.account.digits),
                        "created": .string(key.created.iso8601Milliseconds),
                        "current": .bool(key.isCurrent), "masterKeyVersion": .integer(Int64(key.masterVersion)),
                        "references": .count(key.references), "region": .string(key.location.region.code),
                        "vault": .string(key.location.name.text), "vaultUid": .string(key.vault.hex),
                        "version": .integer(Int64(key.version)),
                    ]
                }),
        ]
    }

    private func rotation(_ report: RotationReport) -> JSONValue {
        [
            "newVersion": .integer(Int64(report.newVersion)), "resealedAccounts": .count(report.resealedAccounts),
            "rewrappedVaultKeys": .count(report.rewrappedVaultKeys),
        ]
    }

    private func backup(_ report: BackupReport) -> JSONValue {
        [
            "catalogPath": .string(report.catalogPath), "keyFiles": .integer(Int64(report.keyFiles)),
            "keyringPath": .string(report.keyringPath),
        ]
    }
}

/// An error on the admin socket: an HTTP status and two strings.
struct AdminRefusal {
    let status: Int
    let code: String
    let message: String

    init(_ error: VaultError) {
        message = error.message
        switch error.code {
        case .invalidParameter: (status, code) = (400, "invalidParameter")
        case .missingParameter: (status, code) = (400, "missingParameter")
        case .serialization: (status, code) = (400, "serialization")
        case .limitExceeded: (status, code) = (400, "limitExceeded")
        case .policyEnforced: (status, code) = (400, "policyEnforced")
        case .accessDenied, .expiredToken, .invalidSignature: (status, code) = (403, "accessDenied")
        case .notFound: (status, code) = (404, "notFound")
        case .requestTimeout: (status, code) = (408, "requestTimeout")
        case .unavailable: (status, code) = (503, "unavailable")
        case .integrity: (status, code) = (500, "integrity")
        case .internalFailure: (status, code) = (500, "internalFailure")
        }
    }

    var document: JSONValue { ["code": .string(code), "message": .string(message)] }
}
