// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultEngine
import VaultModel

/// What the operator's socket needs of the engine for the life of keys.
protocol KeyOperations: Sendable {
    func orderRewrap(_ location: VaultLocation?, perSecond: UInt32) async throws(VaultError) -> RewrapStatus
    var rewrapStatus: RewrapStatus { get }
    func keyDestructions() async throws(VaultError) -> [KeyDestructionDescription]
    func requestKeyDestruction(_ choice: KeyChoice, wait: Duration?) async throws(VaultError) -> KeyDestructionDescription
    func cancelKeyDestruction(_ choice: KeyChoice) async throws(VaultError) -> KeyDestructionDescription
    func purgeArchive(_ location: VaultLocation, archiveID: String) async throws(VaultError) -> String
    func purgeReceipt(_ location: VaultLocation, archiveID: String) async throws(VaultError) -> String
}

extension AdminResponder {
    func answer(_ request: KeyRequest) async throws(VaultError) -> JSONValue {
        switch request {
        case .rewrap(let location, let perSecond):
            return .answer(try await operations.orderRewrap(location, perSecond: perSecond))
        case .rewrapStatus: return .answer(operations.rewrapStatus)
        case .listDestructions: return .array(try await operations.keyDestructions().map(JSONValue.answer))
        case .destroy(let key, let seconds):
            return .answer(try await operations.requestKeyDestruction(key, wait: seconds.map { .seconds($0) }))
        case .cancelDestruction(let key): return .answer(try await operations.cancelKeyDestruction(key))
        case .purgeArchive(let location, let id):
            let receipt = try await operations.purgeArchive(location, archiveID: id)
            return ["archiveId": .string(id), "receipt": .string(receipt), "state": "purged"]
        case .purgeReceipt(let location, let id):
            let receipt = try await operations.purgeReceipt(location, archiveID: id)
            return ["archiveId": .string(id), "receipt": .string(receipt), "state": "purged"]
        }
    }
}

extension JSONValue {
    static func answer(_ status: RewrapStatus) -> JSONValue {
        [
            "archives": .count(status.archives), "blobsRead": .count(status.blobsRead),
            "blockers": .array(status.blockers.map { .string($0) }), "certificates": .count(status.certificates),
            "failure": .text(status.failure), "jobs": .count(status.jobs), "phase": .string(status.phase.rawValue),
            "records": .count(status.records), "uploads": .count(status.uploads),
        ]
    }

    static func answer(_ end: KeyDestructionDescription) -> JSONValue {
        [
            "certificate": .string(end.certificate), "certified": .string(end.certified.iso8601Milliseconds),
            "destroyed": .text(end.finished?.iso8601Milliseconds), "due": .text(end.due?.iso8601Milliseconds),
            "receipt": .text(end.receipt), "state": .string(end.state.rawValue), "vaultUid": .text(end.vault?.hex),
            "version": .integer(Int64(end.version)),
        ]
    }

    static func answer(_ key: ServiceKeyDescription) -> JSONValue {
        [
            "created": .string(key.created.iso8601Milliseconds), "current": .bool(key.isCurrent),
            "publicKey": .text(key.publicKey), "version": .integer(Int64(key.version)),
        ]
    }
}
