// SPDX-License-Identifier: Apache-2.0

import AccessPolicy
import Logging
import SQLiteCatalog
import Storage
import Testing
import VaultModel

@testable import VaultEngine

/// Who is let in, what a denial says, and that nothing can be learnt from how one is made.
@Suite(.serialized) struct AccessTests {
    private static let other = AccountID("999988887777")
    private static let alice = UserName("alice")

    /// A vault, a second account, and a user `alice` in each.
    private func withAccounts(_ body: (TestVault, VaultEngine, LoggedLines, AccountID, UserName) async throws -> Void)
        async throws
    {
        let (other, alice) = (try #require(Self.other), try #require(Self.alice))
        try await withVault { vault in
            let lines = LoggedLines()
            let engine = vault.engine(over: vault.catalog, logger: lines.logger)
            for account in [TestVault.account, other] {
                _ = try await engine.createAccount(account)
                try await engine.createUser(account, alice)
            }
            try await body(vault, engine, lines, other, alice)
        }
    }

    @Test func theRootOfTheAccountMayAndAUserNeedsAPolicy() async throws {
        try await withAccounts { vault, engine, _, _, alice in
            let target = AccessTarget.vault(vault.location)
            #expect(try await engine.authorize(.root(), .describeVault, on: target) == AccessGrant(vaultGeneration: 1))
            await expectRefusal(
                .accessDenied,
                "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: glacier:DescribeVault on resource: \(vault.location.arn)"
            ) { _ = try await engine.authorize(.user("alice"), .describeVault, on: target) }
            try await engine.putUserPolicy(
                TestVault.account, alice, name: "p", document: PolicyText.of(PolicyText.own("Allow", "Describe*")))
            _ = try await engine.authorize(.user("alice"), .describeVault, on: target)
            await expectRefusal(.accessDenied) {
                _ = try await engine.authorize(.user("alice"), .uploadArchive, on: target)
            }
            // The vault's own policy may let a user of its account in, too.
            try await engine.setVaultAccessPolicy(
                vault.location,
                PolicyText.of(
                    PolicyText.vault(
                        "Allow", "UploadArchive", to: "{\"AWS\": \"arn:aws:iam::123456789012:user/alice\"}")))
            _ = try await engine.authorize(.user("alice"), .uploadArchive, on: target)
        }
    }

    private func isLetIn(_ caller: Caller, _ engine: VaultEngine, _ target: AccessTarget) async throws -> Bool {
        do throws(VaultError) {
            _ = try await engine.authorize(caller, .initiateJob, on: target)
            return true
        } catch {
            #expect(error.code == .accessDenied && error.message == "Access denied for account ID: 123456789012")
            return false
        }
    }

    @Test func anotherAccountNeedsBothSides() async throws {
        try await withAccounts { vault, engine, _, other, alice in
            let target = AccessTarget.vault(vault.location)
            let callers = [Caller.root(other), Caller.user("alice", other)]
            for caller in callers { #expect(try await !isLetIn(caller, engine, target)) }
            // One side: the identity.
            try await engine.putUserPolicy(
                other, alice, name: "p", document: PolicyText.of(PolicyText.own("Allow", "InitiateJob")))
            for caller in callers { #expect(try await !isLetIn(caller, engine, target)) }
            // Both.
            try await engine.setVaultAccessPolicy(
                vault.location, PolicyText.of(PolicyText.vault("Allow", "InitiateJob", to: "{\"AWS\": \"\(other)\"}")))
            for caller in callers { #expect(try await isLetIn(caller, engine, target)) }
            // The other side only.
            try await engine.deleteUserPolicy(other, alice, name: "p")
            #expect(try await isLetIn(callers[0], engine, target))
            #expect(try await !isLetIn(callers[1], engine, target))
        }
    }

    @Test func aSessionMayOnlyWhatItsPolicyAllowsToo() async throws {
        try await withAccounts { vault, engine, _, _, _ in
            let session = PolicyText.of(PolicyText.own("Allow", "DescribeVault"))
            _ = try await engine.authorize(.root(session: session), .describeVault, on: .vault(vault.location))
            await expectRefusal(.accessDenied) {
                _ = try await engine.authorize(.root(session: session), .uploadArchive, on: .vault(vault.location))
            }
        }
    }

    @Test func tagsTimeAndAddressAreSeenByPolicies() async throws {
        try await withAccounts { vault, engine, _, _, _ in
            try await engine.addTags(vault.location, ["hold": "true"])
            try await engine.setVaultAccessPolicy(
                vault.location,
                PolicyText.of(
                    PolicyText.vault(
                        "Deny", "DeleteArchive", when: "{\"StringEquals\": {\"glacier:ResourceTag/hold\": \"true\"}}",
                        sid: "hold"),
                    PolicyText.vault(
                        "Deny", "ListJobs", when: "{\"IpAddress\": {\"aws:SourceIp\": \"192.0.2.0/24\"}}", sid: "net"),
                    PolicyText.vault(
                        "Deny", "InitiateJob", when: "{\"Bool\": {\"aws:SecureTransport\": \"false\"}}", sid: "tls")))
            let target = AccessTarget.vault(vault.location)
            for (action, allowed) in [(VaultAction.deleteArchive, false), (.listJobs, false), (.initiateJob, true)] {
                #expect(try await engine.simulate(.root(), action, on: target).isAllowed == allowed, "\(action)")
            }
            try await engine.removeTags(vault.location, ["hold"])
            #expect(try await engine.simulate(.root(), .deleteArchive, on: target).isAllowed)
        }
    }

    @Test func aDenialIsLoggedWithWhoWhatAndWhy() async throws {
        try await withAccounts { vault, engine, lines, _, _ in
            try await engine.setVaultAccessPolicy(
                vault.location, PolicyText.of(PolicyText.vault("Deny", "UploadArchive", sid: "no-more")))
            await expectRefusal(.accessDenied) {
                _ = try await engine.authorize(.root(), .uploadArchive, on: .vault(vault.location))
            }
            let line = try #require(lines.named("access denied").first)
            #expect(line.level == .notice)
            #expect(
                line.metadata == [
                    "principal": "arn:aws:iam::123456789012:root", "accessKey": "CVAKROOT",
                    "action": "glacier:UploadArchive",
                    "resource": vault.location.arn, "decision": "denied by statement no-more of the access policy",
                    "sourceAddress": "192.0.2.7",
                ])
            _ = try await engine.simulate(.root(), .uploadArchive, on: .vault(vault.location))
            _ = try await engine.authorize(.root(), .describeVault, on: .vault(vault.location))
            #expect(lines.named("access denied").count == 1, "neither a simulation nor an allowed action is a denial")
        }
    }

    @Test func accountLevelActionsHaveTheirDocumentedResources() async throws {
        try await withAccounts { vault, engine, _, other, alice in
            let target = AccessTarget.account(TestVault.account, TestVault.region)
            let arns: [VaultAction: String] = [
                .listVaults: "arn:aws:glacier:us-east-1:123456789012:vaults/*",
                .getDataRetrievalPolicy: "arn:aws:glacier:us-east-1:123456789012:policies/retrieval-limit-policy",
            ]
            for action in VaultAction.allCases where action.isAccountLevel {
                #expect(try await engine.authorize(.root(), action, on: target) == AccessGrant(vaultGeneration: nil))
                await expectRefusal(.accessDenied, arns[action] ?? "") {
                    _ = try await engine.authorize(.user("alice"), action, on: target)
                }
                await expectRefusal(.accessDenied, "Access denied for account ID: 123456789012") {
                    _ = try await engine.authorize(.root(other), action, on: target)
                }
                try await engine.putUserPolicy(
                    TestVault.account, alice, name: "p",
                    document: PolicyText.of(PolicyText.own("Allow", action.rawValue)))
                _ = try await engine.authorize(.user("alice"), action, on: target)
                try await engine.deleteUserPolicy(TestVault.account, alice, name: "p")
            }
        }
    }

    @Test func anotherAccountsVaultCannotBeCreatedWhateverItsPolicySays() async throws {
        try await withAccounts { vault, engine, _, other, _ in
            try await engine.setVaultAccessPolicy(vault.location, PolicyText.of(PolicyText.vault("Allow", "*")))
            await expectRefusal(.accessDenied, "Access denied for account ID: 123456789012") {
                _ = try await engine.authorize(.root(other), .createVault, on: .vault(vault.location))
            }
            _ = try await engine.authorize(.root(), .createVault, on: .vault(TestVault.location("fresh")))
        }
    }

    @Test func aDisabledAccountsVaultsAreClosedToOthers() async throws {
        try await withAccounts { vault, engine, lines, other, alice in
            try await engine.setVaultAccessPolicy(vault.location, PolicyText.of(PolicyText.vault("Allow", "*")))
            try await engine.putUserPolicy(
                other, alice, name: "p", document: PolicyText.of(PolicyText.own("Allow", "*")))
            let stored = try await vault.upload([1])
            let actions = VaultAction.allCases.filter { !$0.isAccountLevel && $0 != .createVault }
            let callers = [Caller.root(other), Caller.user("alice", other)]
            for action in actions {
                for caller in callers { _ = try await engine.authorize(caller, action, on: .vault(vault.location)) }
            }
            try await engine.setAccount(TestVault.account, active: false)
            for action in actions {
                for caller in callers {
                    await expectRefusal(.accessDenied, "Access denied for account ID: 123456789012") {
                        _ = try await engine.authorize(caller, action, on: .vault(vault.location))
                    }
                }
            }
            await expectRefusal(.accessDenied, "Access denied for account ID: 123456789012") {
                try await engine.deleteArchive(.root(other), vault.location, archiveID: stored.archiveID)
            }
            #expect(
                lines.named("access denied").last?.metadata["decision"]
                    == "denied: the account that owns the resource is not active")
            #expect(try await !engine.simulate(.root(other), .describeVault, on: .vault(vault.location)).isAllowed)
            try await engine.setAccount(TestVault.account, active: true)
            try await engine.deleteArchive(.root(other), vault.location, archiveID: stored.archiveID)
        }
    }

    /// Texts that look the same, with letters composed differently, are two policies.
    @Test func sessionPoliciesAreTakenByTheirBytes() throws {
        let cache = SessionPolicies()
        let texts = ["\u{E9}", "e\u{301}"].map { PolicyText.of(PolicyText.own("Allow", "*", sid: $0)) }
        #expect(texts[0] == texts[1] && Array(texts[0].utf8) != Array(texts[1].utf8))
        for text in texts + texts {
            let said = try AccessEvaluation.decide(
                PolicyRequest(
                    principal: Principal(account: TestVault.account, user: Self.alice), action: .describeVault,
                    resource: TestVault.location("v").arn, resourceAccount: TestVault.account,
                    context: RequestContext(now: Timestamp(milliseconds: 0))),
                PolicySet(identity: [("p", cache.document(text))]))
            let name = try #require(said.deciding?.statement)
            #expect(text.utf8.firstRange(of: "\"\(name)\"".utf8) != nil, "the other text's statement")
        }
    }

    // MARK: What a guess costs

    /// Whether the vault, the account or the archive exists: for a principal without rights the answer and the reads are the same.
    @Test func guessesCostTheSameReadsAndGetTheSameAnswer() async throws {
        try await withAccounts { vault, engine, _, other, _ in
            let stored = try await vault.upload([1])
            let away = VaultLocation(account: other, region: TestVault.region, name: vault.location.name)
            try await vault.engine.createVault(away)
            let theirs = try await vault.upload([2], to: away).archiveID
            try await engine.setVaultAccessPolicy(
                vault.location, PolicyText.of(PolicyText.vault("Allow", "ListJobs", to: "{\"AWS\": \"\(other)\"}")))
            let catalog = AccessCountingCatalog(vault.catalog)
            let spied = vault.engine(over: catalog)
            _ = try await spied.clockStatus()
            let unknownVault = TestVault.location("unknown")
            let noAccount = VaultLocation(
                account: try #require(AccountID("555544443333")), region: TestVault.region, name: vault.location.name)

            for action in VaultAction.allCases where !action.isAccountLevel {
                var costs: [[String]] = []
                var answers: Set<String> = []
                for location in [vault.location, unknownVault, noAccount] {
                    costs.append(
                        await catalog.calls {
                            do {
                                if action == .deleteArchive {
                                    try await spied.deleteArchive(.user("alice", other), location, archiveID: theirs)
                                } else {
                                    _ = try await spied.authorize(.user("alice", other), action, on: .vault(location))
                                }
                                Issue.record("\(action) was allowed")
                            } catch {
                                answers.insert("\(error)".replacing(location.account.digits, with: "OWNER"))
                            }
                        })
                }
                if action == .deleteArchive {
                    // A genuine identifier of the vault is found out no more than any other.
                    costs.append(
                        await catalog.calls {
                            await expectRefusal(.accessDenied, "Access denied for account ID: 123456789012") {
                                try await spied.deleteArchive(
                                    .user("alice", other), vault.location, archiveID: stored.archiveID)
                            }
                        })
                }
                #expect(Set(costs).count == 1, "\(action): \(costs)")
                #expect(answers == ["accessDenied: Access denied for account ID: OWNER"], "\(action)")
            }

            // Archive ids: a stranger's, a forged one, one of another account; all against a vault of one's own.
            let forged = String(stored.archiveID.dropLast(4)) + "AAAA"
            var costs: [[String]] = []
            for id in [theirs, forged, "short", stored.archiveID.lowercased()] {
                costs.append(
                    await catalog.calls {
                        await expectRefusal(.notFound, "The archive ID was not found: \(id)") {
                            try await spied.deleteArchive(.root(), vault.location, archiveID: id)
                        }
                    })
            }
            #expect(Set(costs) == [["vault", "archive"]])
            let second = TestVault.location("second")
            try await vault.engine.createVault(second)
            let neighbour = try await vault.upload([3], to: second).archiveID
            let cost = await catalog.calls {
                await expectRefusal(.invalidParameter, "Invalid vault name: \(vault.location.arn)") {
                    try await spied.deleteArchive(.root(), vault.location, archiveID: neighbour)
                }
            }
            #expect(cost == ["vault", "archive"])
        }
    }

    @Test func withRightsAnUnknownVaultIsSimplyNotFound() async throws {
        try await withAccounts { _, engine, _, _, _ in
            let unknown = TestVault.location("unknown")
            let grant = try await engine.authorize(.root(), .describeVault, on: .vault(unknown))
            #expect(grant == AccessGrant(vaultGeneration: nil))
            await expectRefusal(.notFound, "Vault not found for ARN") {
                try await engine.deleteArchive(.root(), unknown, archiveID: "x")
            }
        }
    }

    @Test func anArchivesAgeCountsWholeDaysOfTheBelievedTime() {
        let start = Timestamp(milliseconds: 1_700_000_000_123)
        let day: Int64 = 86_400_000
        for (milliseconds, days) in [(-5, 0), (0, 0), (day - 1, 0), (day, 1), (2 * day - 1, 1), (365 * day, 365)]
            as [(Int64, UInt64)]
        {
            #expect(
                VaultEngine.wholeDays(from: start, to: Timestamp(milliseconds: start.milliseconds + milliseconds))
                    == days)
        }
    }

    @Test func retrievalsSeeTheArchivesAge() async throws {
        try await withAccounts { vault, engine, _, _, _ in
            let stored = try await vault.upload([1])
            _ = try await engine.clockStatus()
            try await engine.setVaultAccessPolicy(
                vault.location,
                PolicyText.of(
                    PolicyText.vault(
                        "Deny", "InitiateJob",
                        when: "{\"NumericGreaterThanEquals\": {\"glacier:ArchiveAgeInDays\": \"7\"}}")))
            let target = AccessTarget.archive(vault.location, id: stored.archiveID)
            _ = try await engine.authorize(.root(), .initiateJob, on: target)
            vault.clock.advance(by: .seconds(7 * 86_400))
            await expectRefusal(.accessDenied) { _ = try await engine.authorize(.root(), .initiateJob, on: target) }
            _ = try await engine.authorize(.root(), .initiateJob, on: .vault(vault.location))
        }
    }
}
