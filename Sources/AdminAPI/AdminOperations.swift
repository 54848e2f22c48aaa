// SPDX-License-Identifier: Apache-2.0

import AccessPolicy
import Messaging
import VaultEngine
import VaultModel

/// What the operator's socket needs of the engine; laws and durability are those of ``VaultEngine``. The second
/// conformance is the tests' double.
protocol AdminOperations: AuditOperations, KeyOperations, ScrubOperations, Sendable {
    func createAccount(_ id: AccountID?) async throws(VaultError) -> NewAccessKey
    func listAccounts(after: AccountID?, limit: Int) async throws(VaultError) -> [AccountDescription]
    func setAccount(_ id: AccountID, active: Bool) async throws(VaultError)
    func createAccessKey(_ account: AccountID, user: UserName?) async throws(VaultError) -> NewAccessKey
    func listAccessKeys(_ account: AccountID) async throws(VaultError) -> [AccessKeyDescription]
    func setAccessKey(_ id: String, active: Bool) async throws(VaultError)
    func deleteAccessKey(_ id: String) async throws(VaultError)

    func createUser(_ account: AccountID, _ name: UserName) async throws(VaultError)
    func listUsers(_ account: AccountID) async throws(VaultError) -> [UserDescription]
    func setUser(_ account: AccountID, _ name: UserName, active: Bool) async throws(VaultError)
    func deleteUser(_ account: AccountID, _ name: UserName) async throws(VaultError)
    func putUserPolicy(_ account: AccountID, _ user: UserName, name: String, document: String) async throws(VaultError)
    func deleteUserPolicy(_ account: AccountID, _ user: UserName, name: String) async throws(VaultError)
    func userPolicies(_ account: AccountID, _ user: UserName) async throws(VaultError) -> [String: String]
    func createSession(
        _ principal: Principal, duration: Duration, policy: String?
    ) async throws(VaultError) -> NewSession
    func simulate(_ question: AccessQuestion) async throws(VaultError) -> AccessVerdict

    func createTopic(_ topic: TopicARN, target: TopicTarget) async throws(VaultError) -> NewTopic
    func listTopics(_ account: AccountID) async throws(VaultError) -> [TopicDescription]
    func deleteTopic(_ topic: TopicARN) async throws(VaultError)
    func testTopic(_ topic: TopicARN) async throws(VaultError)
    func listMessages(
        _ account: AccountID, isDead: Bool, after: MessageUID?, limit: Int
    ) async throws(VaultError) -> [MessageDescription]
    func resendMessage(_ id: MessageUID) async throws(VaultError)
    func dropMessage(_ id: MessageUID) async throws(VaultError)

    func listKeys() async throws(VaultError) -> KeyListing
    func rotateMasterKey() async throws(VaultError) -> RotationReport
    func rotateVaultKey(_ location: VaultLocation) async throws(VaultError) -> RotationReport
    func createBackup(in directory: String, _ selection: BackupSelection) async throws(VaultError) -> BackupReport
    func addBackupKey(_ publicKey: String) async throws(VaultError) -> BackupKeyDescription
    func backupKeys() async throws(VaultError) -> [BackupKeyDescription]
    func removeBackupKey(_ keyID: String) async throws(VaultError)
    func deleteVaultAccessPolicy(_ location: VaultLocation, by caller: Caller?) async throws(VaultError)
    func setVaultCompression(_ location: VaultLocation, _ compression: String?) async throws(VaultError)
    func clockStatus() async throws(VaultError) -> ClockStatus
    func confirmClock() async throws(VaultError) -> ClockStatus
}

extension VaultEngine: AdminOperations {
    /// Judged on the very path of real requests. A session policy that cannot be one is refused: it would only ever
    /// deny.
    func simulate(_ question: AccessQuestion) async throws(VaultError) -> AccessVerdict {
        if let text = question.sessionPolicy {
            do throws(PolicyError) {
                _ = try PolicyDocument(parsing: text, as: .session, maxBytes: Self.maxSessionPolicyBytes)
            } catch {
                throw VaultError(.invalidParameter, "The session policy is refused: \(error).")
            }
        }
        let region: Region =
            switch question.target {
            case .account(_, let region): region
            case .vault(let location), .archive(let location, _): location.region
            }
        let caller = Caller(
            principal: question.principal, region: region, accessKeyID: "simulation",
            sessionPolicy: question.sessionPolicy, sourceAddress: question.sourceAddress, isSecure: question.isSecure,
            userAgent: question.userAgent)
        return AccessVerdict(try await simulate(caller, question.action, on: question.target))
    }
}

/// What a simulation found, as the operator is told.
struct AccessVerdict: Sendable, Hashable {
    let isAllowed: Bool
    /// `allowed`, `rootOfTheAccount`, `explicitDeny` or `noStatementAllows`.
    let reason: String
    /// The policy and the statement that decide; nil where none does.
    let policy: String?
    let statement: String?
    /// One line that begins with the verdict.
    let text: String
}

extension AccessVerdict {
    init(_ decision: AccessDecision) {
        let reason =
            switch decision.reason {
            case .explicitDeny: "explicitDeny"
            case .allowed: "allowed"
            case .rootOfTheAccount: "rootOfTheAccount"
            case .noStatementAllows: "noStatementAllows"
            }
        self.init(
            isAllowed: decision.isAllowed, reason: reason, policy: decision.deciding?.source.description,
            statement: decision.deciding?.statement, text: decision.text)
    }
}
