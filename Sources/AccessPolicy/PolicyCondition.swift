// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// One key tested by one operator against the values of the policy: Docs/API/Policies.md, "Conditions".
struct PolicyCondition: Hashable, Sendable {
    /// A value of the policy, parsed for its operator.
    enum Value: Hashable, Sendable {
        case text(PatternTemplate)
        /// Lower case, scalar by scalar.
        case foldedText(PatternTemplate)
        case number(DecimalNumber)
        /// Seconds since 1970.
        case date(Int64)
        case bool(Bool)
        case range(IPRange)
        /// Six components.
        case arn([PatternTemplate])

        var templates: [PatternTemplate] {
            switch self {
            case .text(let template), .foldedText(let template): [template]
            case .arn(let components): components
            case .number, .date, .bool, .range: []
            }
        }
    }

    let test: ConditionOperator
    let key: ConditionKey
    /// At least one.
    let values: [Value]

    /// The keys it reads: its own, and those of variables.
    var keys: [ConditionKey] { [key] + values.flatMap(\.templates).flatMap(\.keys) }

    /// Whether the condition is met, in a statement of this effect.
    func holds(for request: PolicyRequest, effect: PolicyStatement.Effect, _ work: MatchWork) -> Bool {
        let text = key.text(in: request)
        // "Is none of these" cannot be affirmed of a value nobody knows: no access is given on that, but it is denied.
        if test.isNegated, effect == .allow,
            values.flatMap(\.templates).contains(where: { $0.lacksValue(request, work) })
        {
            return false
        }
        if test.comparison == .null { return values.contains(.bool(text == nil)) }
        if let set = test.set {
            // An empty value is an empty set. Whether the key may be absent is said by the set qualifier alone.
            guard let text, !text.isEmpty else { return set == .forAllValues }
            return matches(text, request, work) != test.isNegated
        }
        guard let text else { return test.isNegated || test.ifExists }
        return matches(text, request, work) != test.isNegated
    }

    /// Whether the value matches any of the policy's.
    private func matches(_ text: [Unicode.Scalar], _ request: PolicyRequest, _ work: MatchWork) -> Bool {
        let subject = Subject(text, test.comparison)
        return values.contains { matches(subject, $0, request, work) }
    }

    private func matches(
        _ subject: Subject, _ value: Value, _ request: PolicyRequest, _ work: MatchWork
    ) -> Bool {
        switch (subject, value) {
        case (.text(let text), .text(let template)): template.matches(text, request, work)
        case (.text(let text), .foldedText(let template)): template.matches(text, request, work, folded: true)
        case (.number(let number), .number(let other)): relation.holds(number, other)
        case (.date(let date), .date(let other)): relation.holds(date, other)
        case (.bool(let flag), .bool(let other)): flag == other
        case (.address(let address), .range(let range)): range.contains(address)
        case (.arn(let components), .arn(let templates)):
            zip(components, templates).allSatisfy { $1.matches($0, request, work) }
        default: false
        }
    }

    private var relation: ConditionOperator.Relation {
        switch test.comparison {
        case .numeric(let relation), .date(let relation): relation
        default: .equal
        }
    }

    /// The value of the request, read as the operator wants it.
    private enum Subject {
        case text([Unicode.Scalar])
        case number(DecimalNumber)
        case date(Int64)
        case bool(Bool)
        case address(IPAddress)
        case arn([[Unicode.Scalar]])
        /// Not what the operator compares: matches nothing.
        case unreadable

        init(_ scalars: [Unicode.Scalar], _ comparison: ConditionOperator.Comparison) {
            let text = String(String.UnicodeScalarView(scalars))
            let subject: Subject? =
                switch comparison {
                case .stringEquals, .stringLike, .null: .text(scalars)
                case .stringEqualsIgnoreCase: .text(PatternTemplate.folded(scalars))
                case .numeric: DecimalNumber(text).map { .number($0) }
                case .date: PolicyDate.seconds(text).map { .date($0) }
                case .bool: PolicyCondition.flag(text).map { .bool($0) }
                case .ipAddress: IPAddress(requestText: text).map { .address($0) }
                case .arn: .arn(scalars.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map { Array($0) })
                }
            self = subject ?? .unreadable
        }
    }

    /// Parses a value of a policy for `test`.
    /// - Throws: the reason why the operator cannot use it.
    static func value(
        _ text: String, for test: ConditionOperator, variables: PatternTemplate.Forms
    ) throws(TemplateError) -> Value {
        switch test.comparison {
        case .stringEquals: return .text(try PatternTemplate(parsing: text, forms: variables))
        case .stringEqualsIgnoreCase: return .foldedText(try PatternTemplate(parsing: text, forms: variables).folded)
        case .stringLike: return .text(try PatternTemplate(parsing: text, forms: variables.union(.wildcards)))
        case .numeric:
            guard let number = DecimalNumber(text) else { throw TemplateError(reason: "'\(excerpt(text))' is not a decimal number") }
            return .number(number)
        case .date:
            guard let seconds = PolicyDate.seconds(text) else {
                throw TemplateError(reason: "'\(excerpt(text))' is not a date such as 2030-01-31T12:00:00Z, nor seconds since 1970")
            }
            return .date(seconds)
        case .bool, .null:
            guard let flag = flag(text) else { throw TemplateError(reason: "'\(excerpt(text))' is neither true nor false") }
            return .bool(flag)
        case .ipAddress:
            guard let range = IPRange(text) else {
                throw TemplateError(reason: "'\(excerpt(text))' is not an IP address or a range such as 203.0.113.0/24")
            }
            return .range(range)
        case .arn:
            let components = try PatternTemplate(parsing: text, forms: variables.union(.wildcards)).components(5)
            guard components.count == 6 else {
                throw TemplateError(reason: "'\(excerpt(text))' is not an ARN of six parts separated by colons")
            }
            return .arn(components)
        }
    }

    private static func flag(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true": true
        case "false": false
        default: nil
        }
    }
}

extension PatternTemplate {
    static func folded(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar] {
        scalars.flatMap { $0.properties.lowercaseMapping.unicodeScalars }
    }

    /// Its literals in lower case; values of variables follow when they are known.
    var folded: PatternTemplate {
        PatternTemplate(
            elements: elements.map { element in
                switch element {
                case .literal(let scalars): .literal(Self.folded(scalars))
                case .variable(let key, let fallback): .variable(key, fallback: fallback.map(Self.folded))
                default: element
                }
            })
    }
}

/// Dates as conditions write them.
enum PolicyDate {
    /// Whole seconds since 1970: of `2030-01-31`, `2030-01-31T12:00Z`, `2030-01-31T12:00:00[.fraction]Z` (or an offset), or of a number of
    /// seconds. A bare year is refused: four digits are seconds, too.
    static func seconds(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count <= 40 else { return nil }
        let digits = bytes.first == UInt8(ascii: "-") ? bytes.dropFirst() : bytes[...]
        if !digits.isEmpty, digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return digits.count == 4 ? nil : Int64(text)
        }
        if bytes.count == 10 { return Timestamp(iso8601: text + "T00:00:00Z")?.wholeSeconds }
        // Seconds may be left out: the byte after the minutes opens the zone.
        if bytes.count > 16, bytes[16] != UInt8(ascii: ":") {
            let minutes = String(decoding: bytes[..<16], as: UTF8.self)
            return Timestamp(iso8601: minutes + ":00" + String(decoding: bytes[16...], as: UTF8.self))?.wholeSeconds
        }
        return Timestamp(iso8601: text)?.wholeSeconds
    }
}
