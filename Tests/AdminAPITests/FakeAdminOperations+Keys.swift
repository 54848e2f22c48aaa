// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

@testable import AdminAPI
@testable import VaultEngine

extension FakeAdminOperations {
    func orderRewrap(_ location: VaultLocation?, perSecond: UInt32) async throws(VaultError) -> RewrapStatus {
        note("orderRewrap \(location?.arn ?? "-") \(perSecond)")
        return rewrapStatus
    }
    var rewrapStatus: RewrapStatus {
        var status = RewrapStatus()
        status.phase = .waiting
        status.archives = 7
        return status
    }
    private var end: KeyDestructionDescription {
        KeyDestructionDescription(
            KeyDestructionRow(key: .master(version: 2), certified: Self.moment, certificate: "{}", due: Self.moment))
    }
    func keyDestructions() async throws(VaultError) -> [KeyDestructionDescription] { [end] }
    func requestKeyDestruction(_ choice: KeyChoice, wait: Duration?) async throws(VaultError) -> KeyDestructionDescription {
        note("requestKeyDestruction \(choice.subject) \(wait.map { "\($0)" } ?? "-")")
        return end
    }
    func cancelKeyDestruction(_ choice: KeyChoice) async throws(VaultError) -> KeyDestructionDescription {
        throw VaultError(.notFound, "No destruction of \(choice.subject) is waiting.")
    }
    func purgeArchive(_ location: VaultLocation, archiveID: String) async throws(VaultError) -> String {
        note("purgeArchive \(location.arn) \(archiveID)")
        return "{}"
    }
    func purgeReceipt(_ location: VaultLocation, archiveID: String) async throws(VaultError) -> String {
        note("purgeReceipt \(location.arn) \(archiveID)")
        return "{}"
    }
}
