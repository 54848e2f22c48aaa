// SPDX-License-Identifier: Apache-2.0

import StorageLaws
import VaultModel

@testable import VaultEngine

/// A second opinion on who may do what, written from the documentation and sharing no code with the product: it never reads JSON, but knows
/// the statements that the texts were made of.
enum AccessOracle {
    struct Statement: Hashable {
        enum Who: Hashable {
            case everybody
            case account(AccountID)
            case one(Principal)
        }
        enum When: Hashable {
            case always
            /// Deletions and retrievals of archives that are not that many days old.
            case youngerThan(days: Int64)
            case tagged(String)
            /// Before that time.
            case until(Timestamp)
        }
        var isDeny: Bool
        /// Nil in identity and session policies.
        var who: Who?
        /// Empty: all.
        var actions: [VaultAction]
        var when: When = .always
        /// For identity and session policies; nil: everything.
        var resource: VaultLocation?
    }

    /// What is asked, as the truth has it.
    struct Question {
        var who: Principal
        var session: [Statement]?
        var action: VaultAction
        /// Nil: about the account as a whole.
        var vault: VaultLocation?
        var account: AccountID
        /// How old the archive is, in whole days; nil when there is none.
        var days: Int64?
        /// The time by which grants end, and the one by which denials do. With a moved clock they differ: neither may end by a wrong one.
        var grantTime: Timestamp
        var denialTime: Timestamp
        var tags: [String: String] = [:]
        var identity: [Statement] = []
        var access: [Statement]?
        var lock: [Statement]?
    }

    static func allows(_ question: Question) -> Bool {
        let isAboutVault = question.vault != nil && question.action != .createVault
        let ofVault = isAboutVault ? (question.lock ?? []) + (question.access ?? []) : []
        let identity = question.who.user == nil ? [] : question.identity
        let applying = { (list: [Statement]) in list.filter { applies($0, question) } }

        if applying(ofVault + identity + (question.session ?? [])).contains(where: \.isDeny) { return false }
        if let session = question.session, applying(session).isEmpty { return false }
        let ownSide = question.who.user == nil || !applying(identity).isEmpty
        let grants = applying(ofVault)
        if question.who.account != question.account { return ownSide && !grants.isEmpty }
        // A grant to the account is for the account to hand on; one to everybody or to this principal counts by itself.
        return ownSide || grants.contains { if case .account = $0.who { false } else { true } }
    }

    private static func applies(_ statement: Statement, _ question: Question) -> Bool {
        switch statement.who {
        case nil, .everybody?: break
        case .account(let account)?: guard account == question.who.account else { return false }
        case .one(let principal)?: guard principal == question.who else { return false }
        }
        guard statement.actions.isEmpty || statement.actions.contains(question.action) else { return false }
        if let resource = statement.resource, resource != question.vault { return false }
        switch statement.when {
        case .always: return true
        case .youngerThan(let days): return question.days.map { $0 < days } ?? false
        case .tagged(let tag): return question.tags[tag] == "true"
        case .until(let end): return (statement.isDeny ? question.denialTime : question.grantTime) < end
        }
    }

    // MARK: Texts

    /// The statements as a vault's policy.
    static func text(_ statements: [Statement], for vault: VaultLocation) -> String {
        document(statements.map { text($0, resource: vault.arn) })
    }

    /// The statements as an identity or session policy.
    static func text(_ statements: [Statement]) -> String {
        document(statements.map { text($0, resource: $0.resource?.arn ?? "*") })
    }

    private static func document(_ statements: [String]) -> String {
        "{\"Version\":\"2012-10-17\",\"Statement\":[\(statements.joined(separator: ","))]}"
    }

    private static func text(_ statement: Statement, resource: String) -> String {
        let actions =
            statement.actions.isEmpty ? ["\"glacier:*\""] : statement.actions.map { "\"glacier:\($0.rawValue)\"" }
        var members = [
            "\"Effect\":\"\(statement.isDeny ? "Deny" : "Allow")\"", "\"Action\":[\(actions.joined(separator: ","))]",
            "\"Resource\":\"\(resource)\"",
        ]
        switch statement.who {
        case nil: break
        case .everybody?: members.append("\"Principal\":\"*\"")
        case .account(let account)?: members.append("\"Principal\":{\"AWS\":\"\(account)\"}")
        case .one(let principal)?: members.append("\"Principal\":{\"AWS\":[\"\(principal.arn)\"]}")
        }
        switch statement.when {
        case .always: break
        case .youngerThan(let days):
            members.append("\"Condition\":{\"NumericLessThan\":{\"glacier:ArchiveAgeInDays\":\"\(days)\"}}")
        case .tagged(let tag):
            members.append("\"Condition\":{\"StringEquals\":{\"glacier:ResourceTag/\(tag)\":\"true\"}}")
        case .until(let end):
            members.append("\"Condition\":{\"DateLessThan\":{\"aws:CurrentTime\":\"\(end.iso8601Seconds)\"}}")
        }
        return "{\(members.joined(separator: ","))}"
    }
}

/// Random statements.
struct StatementMaker {
    let principals: [Principal]
    let vaults: [VaultLocation]

    private static let mild: [VaultAction] = [
        .deleteArchive, .uploadArchive, .describeVault, .initiateJob, .listJobs, .deleteVault,
    ]

    private func actions(_ choices: inout SeededGenerator) -> [VaultAction] {
        if Int.random(in: 0..<3, using: &choices) == 0 { return [] }
        return (0..<Int.random(in: 1...4, using: &choices)).map { _ in
            let pool = VaultAction.allCases.filter { !$0.isAccountLevel && $0 != .createVault }
            return pool[Int.random(in: 0..<pool.count, using: &choices)]
        }
    }

    private func who(_ choices: inout SeededGenerator) -> AccessOracle.Statement.Who {
        let principal = principals[Int.random(in: 0..<principals.count, using: &choices)]
        // The root's ARN names its account.
        switch Int.random(in: 0..<3, using: &choices) {
        case 0: return .everybody
        case 1: return .account(principal.account)
        default: return principal.isRoot ? .account(principal.account) : .one(principal)
        }
    }

    /// - Parameter now: the time it is; some statements end hours or days later.
    func access(_ choices: inout SeededGenerator, at now: Timestamp) -> [AccessOracle.Statement] {
        (0..<Int.random(in: 1...3, using: &choices)).map { _ in
            let when = end(&choices, at: now)
            if Int.random(in: 0..<4, using: &choices) > 0 {
                return AccessOracle.Statement(isDeny: false, who: who(&choices), actions: actions(&choices), when: when)
            }
            // Nothing that would shut the owner out of his own policy for good.
            let action = Self.mild[Int.random(in: 0..<Self.mild.count, using: &choices)]
            return AccessOracle.Statement(isDeny: true, who: who(&choices), actions: [action], when: when)
        }
    }

    private func end(_ choices: inout SeededGenerator, at now: Timestamp) -> AccessOracle.Statement.When {
        guard Int.random(in: 0..<3, using: &choices) == 0 else { return .always }
        let hours: Int64 = [1, 2, 3, 12, 48, 240][Int.random(in: 0..<6, using: &choices)]
        return .until(now.advanced(by: .seconds(hours * 3600 + Int64.random(in: 0..<3600, using: &choices))))
    }

    func lock(_ choices: inout SeededGenerator) -> [AccessOracle.Statement] {
        (0..<Int.random(in: 1...2, using: &choices)).map { number in
            let isHold = number > 0 || Int.random(in: 0..<5, using: &choices) == 0
            let days: Int64 = [1, 2, 5, 10, 30][Int.random(in: 0..<5, using: &choices)]
            let everybody = Int.random(in: 0..<5, using: &choices) > 0
            return AccessOracle.Statement(
                isDeny: true, who: everybody ? .everybody : who(&choices), actions: [.deleteArchive],
                when: isHold ? .tagged("hold") : .youngerThan(days: days))
        }
    }

    /// For users and sessions.
    func own(_ choices: inout SeededGenerator, at now: Timestamp) -> [AccessOracle.Statement] {
        (0..<Int.random(in: 1...3, using: &choices)).map { _ in
            AccessOracle.Statement(
                isDeny: Int.random(in: 0..<5, using: &choices) == 0, who: nil,
                actions: Bool.random(using: &choices) ? [] : actions(&choices), when: end(&choices, at: now),
                resource: Bool.random(using: &choices) ? nil : vaults[Int.random(in: 0..<vaults.count, using: &choices)]
            )
        }
    }
}
