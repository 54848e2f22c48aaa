// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultModel

extension PolicyStatement {
    private static let members: Set = [
        "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
    ]

    /// - Parameters:
    ///   - index: its place among the statements.
    ///   - variables: whether the policy's version has policy variables.
    init(
        _ reader: PolicyReader, index: Int, kind: PolicyDocument.Kind, variables: PatternTemplate.Forms
    ) throws(PolicyError) {
        let found = try reader.object(allowing: Self.members)
        name = try Self.sid(found["Sid"]) ?? "Statement[\(index)]"
        guard let effectMember = found["Effect"] else { throw reader.refused("has no Effect") }
        let effect: Effect
        switch try effectMember.string() {
        case "Allow": effect = .allow
        case "Deny": effect = .deny
        default: throw effectMember.refused("must be Allow or Deny")
        }
        self.effect = effect
        principals = try Self.principals(found, effect, kind, reader)
        actions = try Self.actions(found, kind, reader)
        resources = try Self.resources(found, kind, variables, reader)
        conditions = try found["Condition"].map { reader throws(PolicyError) in try Self.conditions(reader, variables) } ?? []
    }

    /// Nil when there is none, or an empty one, as some tools write it.
    private static func sid(_ reader: PolicyReader?) throws(PolicyError) -> String? {
        guard let reader else { return nil }
        let sid = try reader.string()
        guard sid.utf8.count <= 256, sid.unicodeScalars.allSatisfy(isPrintable) else {
            throw reader.refused("must be at most 256 bytes without control characters")
        }
        return sid.isEmpty ? nil : sid
    }

    /// The one of two members that exclude each other; nil when there is neither.
    private static func either(
        _ name: String, _ found: [String: PolicyReader], _ reader: PolicyReader
    ) throws(PolicyError) -> (reader: PolicyReader, isNegated: Bool)? {
        switch (found[name], found["Not" + name]) {
        case (nil, nil): return nil
        case (let plain?, nil): return (plain, false)
        case (nil, let negated?): return (negated, true)
        case (_?, _?): throw reader.refused("has both \(name) and Not\(name)")
        }
    }
}

// MARK: principals

extension PolicyStatement {
    private static func principals(
        _ found: [String: PolicyReader], _ effect: Effect, _ kind: PolicyDocument.Kind, _ reader: PolicyReader
    ) throws(PolicyError) -> Principals? {
        let member = try either("Principal", found, reader)
        guard kind.vaultARN != nil else {
            guard let member else { return nil }
            throw member.reader.refused("only the policies of vaults name principals; this one speaks of who it is attached to")
        }
        guard let (reader, isNegated) = member else { throw reader.refused("has no Principal") }
        guard !isNegated || effect == .deny else {
            throw reader.refused("NotPrincipal with Allow would let in everybody else; use it with Deny, or name who is allowed")
        }
        if let text = reader.value.stringValue {
            guard text == "*" else { throw reader.refused("must be \"*\" or an object such as {\"AWS\": \"111122223333\"}") }
            guard !isNegated else { throw reader.refused("excepts everybody, so the statement would never apply") }
            return Principals(isNegated: false, everybody: true, accounts: [], users: [])
        }
        guard let list = try reader.object(allowing: ["AWS"])["AWS"] else { throw reader.refused("has no member AWS") }
        var everybody = false
        var accounts: Set<AccountID> = []
        var users: Set<Principal> = []
        for element in try list.elements() {
            let text = try element.string()
            if text == "*" {
                everybody = true
            } else if let principal = Principal(policyText: text) {
                if principal.isRoot { accounts.insert(principal.account) } else { users.insert(principal) }
            } else {
                throw element.refused(
                    "'\(excerpt(text))' is not *, an account id, arn:aws:iam::<account>:root or arn:aws:iam::<account>:user/<name>")
            }
        }
        guard !(isNegated && everybody) else { throw list.refused("excepts everybody, so the statement would never apply") }
        return Principals(isNegated: isNegated, everybody: everybody, accounts: accounts, users: users)
    }
}

extension Principal {
    /// An account's twelve digits, its root's ARN, or a user's ARN.
    fileprivate init?(policyText text: String) {
        if let account = AccountID(text) {
            self.init(account: account)
            return
        }
        let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", parts[1] == "aws", parts[2] == "iam", parts[3].isEmpty,
            let account = AccountID(String(parts[4]))
        else { return nil }
        if parts[5] == "root" {
            self.init(account: account)
        } else {
            guard parts[5].hasPrefix("user/"), let user = UserName(String(parts[5].dropFirst("user/".count))) else { return nil }
            self.init(account: account, user: user)
        }
    }
}

// MARK: actions

extension PolicyStatement {
    private static func actions(
        _ found: [String: PolicyReader], _ kind: PolicyDocument.Kind, _ reader: PolicyReader
    ) throws(PolicyError) -> Set<VaultAction> {
        guard let (reader, isNegated) = try either("Action", found, reader) else { throw reader.refused("has no Action") }
        var named: Set<VaultAction> = []
        for element in try reader.elements() { named.formUnion(try actions(element, kind, isNegated)) }
        guard isNegated else { return named }
        let rest = Set(VaultAction.allCases).subtracting(named)
        guard !rest.isEmpty else { throw reader.refused("excepts every action, so the statement would never apply") }
        return rest
    }

    private static func actions(
        _ reader: PolicyReader, _ kind: PolicyDocument.Kind, _ isNegated: Bool
    ) throws(PolicyError) -> Set<VaultAction> {
        let text = try reader.string()
        if text == "*" { return Set(VaultAction.allCases) }
        let lowered = text.lowercased()
        guard lowered.hasPrefix("glacier:") else {
            throw reader.refused("'\(excerpt(text))' is not an action of this service; they begin with glacier:")
        }
        let template = try reader.placed { () throws(TemplateError) in try PatternTemplate(parsing: lowered, forms: .wildcards) }
        let matching = VaultAction.allCases.filter { template.matches($0.policyName.lowercased()) }
        guard !matching.isEmpty else { throw reader.refused("there is no action '\(excerpt(text))'") }
        guard kind.vaultARN == nil || isNegated || matching.contains(where: \.concernsOneVault) else {
            throw reader.refused("'\(excerpt(text))' concerns the account; no policy of a vault has a say about it")
        }
        return Set(matching)
    }
}

// MARK: resources

extension PolicyStatement {
    private static func resources(
        _ found: [String: PolicyReader], _ kind: PolicyDocument.Kind, _ variables: PatternTemplate.Forms, _ reader: PolicyReader
    ) throws(PolicyError) -> Resources {
        guard let (reader, isNegated) = try either("Resource", found, reader) else { throw reader.refused("has no Resource") }
        if let vaultARN = kind.vaultARN {
            guard !isNegated else { throw reader.refused("the policy of a vault is about that vault: use Resource") }
            for element in try reader.elements() where try !element.string().utf8.elementsEqual(vaultARN.utf8) {
                throw element.refused("must be the ARN of the vault, \(vaultARN)")
            }
            let literal = PatternTemplate(elements: [.literal(Array(vaultARN.unicodeScalars))])
            return Resources(isNegated: false, templates: [literal])
        }
        var templates: [PatternTemplate] = []
        for element in try reader.elements() { templates.append(try resource(element, variables)) }
        return Resources(isNegated: isNegated, templates: templates)
    }

    private static func resource(
        _ reader: PolicyReader, _ variables: PatternTemplate.Forms
    ) throws(PolicyError) -> PatternTemplate {
        let text = try reader.string()
        try reader.refuseUnusableVariables(text, variables)
        let template = try reader.placed { () throws(TemplateError) in
            try PatternTemplate(parsing: text, forms: variables.union(.wildcards))
        }
        guard text != "*" else { return template }
        // What stands before the first wildcard must not exclude every resource there is.
        let start = Array("arn:aws:glacier:".unicodeScalars)
        guard case .literal(let lead) = template.elements.first, zip(lead, start).allSatisfy({ $0 == $1 }) else {
            throw reader.refused("'\(excerpt(text))' is neither * nor an ARN of this service, arn:aws:glacier:…")
        }
        guard template.components(5).prefix(5).allSatisfy(\.keys.isEmpty) else {
            throw reader.refused("a policy variable may only stand after the fifth colon of an ARN")
        }
        return template
    }
}

// MARK: conditions

extension PolicyStatement {
    private static func conditions(
        _ reader: PolicyReader, _ variables: PatternTemplate.Forms
    ) throws(PolicyError) -> [PolicyCondition] {
        var conditions: [PolicyCondition] = []
        // Sorted by name, so that equal policies are equal whatever the order of their members.
        for (name, keys) in try reader.members() {
            guard let test = ConditionOperator(name: name) else {
                throw keys.refused("there is no condition operator '\(excerpt(name))'")
            }
            var seen: Set<ConditionKey> = []
            for (keyName, values) in try keys.members() {
                guard let key = ConditionKey(name: keyName) else {
                    throw values.refused("there is no condition key '\(excerpt(keyName))'")
                }
                guard seen.insert(key).inserted else { throw values.refused("the key stands here twice; case makes no difference") }
                conditions.append(try condition(test, key, name, values, variables))
            }
        }
        return conditions
    }

    private static func condition(
        _ test: ConditionOperator, _ key: ConditionKey, _ name: String, _ reader: PolicyReader, _ variables: PatternTemplate.Forms
    ) throws(PolicyError) -> PolicyCondition {
        guard test.canTest(key.kind) else { throw reader.refused("\(name) cannot test this key") }
        let elements = try reader.elements()
        guard test.comparison != .null || elements.count == 1 else { throw reader.refused("Null takes one value, true or false") }
        var values: [PolicyCondition.Value] = []
        for element in elements {
            let text = try element.scalarText()
            try element.refuseUnusableVariables(text, test.takesVariables ? variables : [])
            values.append(
                try element.placed { () throws(TemplateError) in try PolicyCondition.value(text, for: test, variables: variables) })
        }
        return PolicyCondition(test: test, key: key, values: values)
    }
}

extension PolicyReader {
    /// A variable that would be taken for plain text is a trap for whoever wrote it.
    fileprivate func refuseUnusableVariables(_ text: String, _ variables: PatternTemplate.Forms) throws(PolicyError) {
        guard !variables.contains(.variables), text.contains("${") else { return }
        throw refused("policy variables need Version 2012-10-17 and a Resource, a String… or an Arn… condition")
    }
}

extension PolicyDocument.Kind {
    /// The vault whose policy it is; nil for identity and session policies.
    var vaultARN: String? {
        switch self {
        case .identity, .session: nil
        case .vaultAccess(let arn), .vaultLock(let arn): arn
        }
    }
}
