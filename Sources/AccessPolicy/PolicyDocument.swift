// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON

/// A policy in the IAM policy language, parsed and checked (Docs/API/Policies.md).
///
/// Two documents are equal when they say the same in the same words: whitespace and the order of members do not matter.
public struct PolicyDocument: Hashable, Sendable {
    /// Where a document is attached, which decides what may stand in it.
    public enum Kind: Hashable, Sendable {
        /// To a user: no `Principal`.
        case identity
        /// To a vault, as its access policy: `Principal` and the vault's own ARN as `Resource` are required.
        case vaultAccess(vaultARN: String)
        /// To a vault, as its lock policy: as the access policy.
        case vaultLock(vaultARN: String)
        /// To temporary credentials: no `Principal`.
        case session
    }

    /// In the order of the document; at least one.
    let statements: [PolicyStatement]

    /// Statements in one policy.
    public static let maxStatements = 100
    /// Nested arrays and objects.
    static let maxDepth = 8
    /// No document is accepted that is longer, whatever the caller allows; bytes.
    static let maxStoredBytes = 64 << 10

    /// Parses what somebody wants to set. Total: a document or a typed error for any text, in time and memory bounded by `maxBytes`.
    /// - Parameter maxBytes: the longest text accepted, UTF-8 bytes.
    /// - Throws: `PolicyError` with the place and the reason.
    public init(parsing text: String, as kind: Kind, maxBytes: Int) throws(PolicyError) {
        let limit = min(maxBytes, Self.maxStoredBytes)
        guard text.utf8.count <= limit else { throw PolicyError(at: "", "the policy is longer than \(limit) bytes") }
        let value: JSONValue
        do throws(JSONParseError) {
            value = try JSONParser.parse(Array(text.utf8), limits: JSONLimits(maxBytes: limit, maxDepth: Self.maxDepth))
        } catch {
            throw PolicyError(at: "", "\(error)")
        }
        statements = try Self.statements(PolicyReader(value: value, place: ""), kind)
    }

    /// Parses a document that was accepted before. Who gets an error here must treat the document as denying everything: what cannot be
    /// read cannot be obeyed.
    public static func stored(_ text: String, as kind: Kind) throws(PolicyError) -> PolicyDocument {
        try PolicyDocument(parsing: text, as: kind, maxBytes: maxStoredBytes)
    }

    /// Whether a statement tests the time or an archive's age, so that its judgement is only as good as the clock.
    public var dependsOnTime: Bool {
        statements.contains { statement in
            statement.conditions.flatMap(\.keys).contains(where: \.dependsOnTime)
                || statement.resources.templates.flatMap(\.keys).contains(where: \.dependsOnTime)
        }
    }

    private static func statements(_ reader: PolicyReader, _ kind: Kind) throws(PolicyError) -> [PolicyStatement] {
        let found = try reader.object(allowing: kind.vaultARN == nil ? ["Version", "Statement"] : ["Version", "Id", "Statement"])
        let variables = try variables(found["Version"])
        if let id = found["Id"] { _ = try id.string() }
        guard let member = found["Statement"] else { throw reader.refused("the policy has no Statement") }
        var statements: [PolicyStatement] = []
        var names: Set<String> = []
        for (index, element) in try elements(of: member, kind).enumerated() {
            let statement = try PolicyStatement(element, index: index, kind: kind, variables: variables)
            guard names.insert(statement.name).inserted else {
                throw element.refused("another statement has the Sid '\(excerpt(statement.name))'")
            }
            statements.append(statement)
        }
        return statements
    }

    /// A vault's access policy may say nothing, as clients write it to take back what was allowed. Elsewhere it would be a mistake: a lock that
    /// holds nothing, a user or session that may do nothing.
    private static func elements(of member: PolicyReader, _ kind: Kind) throws(PolicyError) -> [PolicyReader] {
        if case .vaultAccess = kind, member.isEmptyList { return [] }
        return try member.elements(atMost: maxStatements)
    }

    /// Which language the policy is in: the older one, meant where nothing is said, has no variables.
    private static func variables(_ reader: PolicyReader?) throws(PolicyError) -> PatternTemplate.Forms {
        guard let reader else { return [] }
        switch try reader.string() {
        case "2012-10-17": return .variables
        case "2008-10-17": return []
        default: throw reader.refused("must be 2012-10-17 or 2008-10-17")
        }
    }
}
