// SPDX-License-Identifier: Apache-2.0

import NIOHTTP1
import VaultEngine
import VaultModel

/// Notifications, policies, the lock and the tags of a vault.
extension GlacierEndpoints {
    func setVaultNotifications(_ request: OperationRequest) async throws -> Answer {
        let notifications = try SettingParameters.notifications(request.wholeBody)
        try await operations.setVaultNotifications(try request.location(), notifications, by: request.caller)
        return .noContent()
    }

    func getVaultNotifications(_ request: OperationRequest) async throws -> Answer {
        .json(Documents.notifications(try await operations.vaultNotifications(try request.location())))
    }

    func deleteVaultNotifications(_ request: OperationRequest) async throws -> Answer {
        try await operations.deleteVaultNotifications(try request.location(), by: request.caller)
        return .noContent()
    }

    func setVaultAccessPolicy(_ request: OperationRequest) async throws -> Answer {
        let policy = try SettingParameters.policy(request.wholeBody)
        try await operations.setVaultAccessPolicy(try request.location(), policy, by: request.caller)
        return .noContent()
    }

    func getVaultAccessPolicy(_ request: OperationRequest) async throws -> Answer {
        .json(Documents.accessPolicy(try await operations.vaultAccessPolicy(try request.location())))
    }

    func deleteVaultAccessPolicy(_ request: OperationRequest) async throws -> Answer {
        try await operations.deleteVaultAccessPolicy(try request.location(), by: request.caller)
        return .noContent()
    }

    func initiateVaultLock(_ request: OperationRequest) async throws -> Answer {
        let policy = try SettingParameters.policy(request.wholeBody)
        let lockID = try await operations.initiateVaultLock(try request.location(), policy: policy, by: request.caller)
        return .accepted(.created, [("x-amz-lock-id", lockID)])
    }

    func completeVaultLock(_ request: OperationRequest) async throws -> Answer {
        try await operations.completeVaultLock(try request.location(), lockID: request.route.identifier, by: request.caller)
        return .noContent()
    }

    func abortVaultLock(_ request: OperationRequest) async throws -> Answer {
        try await operations.abortVaultLock(try request.location(), by: request.caller)
        return .noContent()
    }

    func getVaultLock(_ request: OperationRequest) async throws -> Answer {
        .json(Documents.lock(try await operations.vaultLock(try request.location())))
    }

    func addTags(_ request: OperationRequest) async throws -> Answer {
        try await operations.addTags(try request.location(), try TagParameters.tags(request.wholeBody), by: request.caller)
        return .noContent()
    }

    func removeTags(_ request: OperationRequest) async throws -> Answer {
        try await operations.removeTags(try request.location(), try TagParameters.keys(request.wholeBody), by: request.caller)
        return .noContent()
    }

    func listTags(_ request: OperationRequest) async throws -> Answer {
        .json(Documents.tags(try await operations.tags(try request.location())))
    }
}

/// Data retrieval policy and provisioned capacity of an account in a region.
extension GlacierEndpoints {
    func setDataRetrievalPolicy(_ request: OperationRequest) async throws -> Answer {
        let policy = try SettingParameters.retrievalPolicy(request.wholeBody)
        try await operations.setDataRetrievalPolicy(request.account, request.caller.region, policy, by: request.caller)
        return .noContent()
    }

    func getDataRetrievalPolicy(_ request: OperationRequest) async throws -> Answer {
        .json(
            Documents.retrievalPolicy(
                try await operations.dataRetrievalPolicy(request.account, request.caller.region)))
    }

    func purchaseProvisionedCapacity(_ request: OperationRequest) async throws -> Answer {
        let id = try await operations.purchaseProvisionedCapacity(request.account, request.caller.region, by: request.caller)
        return .accepted(.created, [("x-amz-capacity-id", id)])
    }

    func listProvisionedCapacity(_ request: OperationRequest) async throws -> Answer {
        .json(Documents.capacity(try await operations.provisionedCapacity(request.account, request.caller.region)))
    }
}
