// SPDX-License-Identifier: Apache-2.0

/// The name of a condition, taken apart: `ForAnyValue:StringNotLikeIfExists`.
struct ConditionOperator: Hashable, Sendable {
    enum SetQualifier: String, Hashable, CaseIterable {
        case forAllValues = "ForAllValues:"
        case forAnyValue = "ForAnyValue:"
    }

    /// How values are compared.
    enum Comparison: Hashable {
        case stringEquals
        case stringEqualsIgnoreCase
        case stringLike
        case numeric(Relation)
        case date(Relation)
        case bool
        case ipAddress
        case arn
        case null
    }

    /// The value of the request stands on the left.
    enum Relation: Hashable {
        case equal, less, lessOrEqual, greater, greaterOrEqual

        func holds<T: Comparable>(_ left: T, _ right: T) -> Bool {
            switch self {
            case .equal: left == right
            case .less: left < right
            case .lessOrEqual: left <= right
            case .greater: left > right
            case .greaterOrEqual: left >= right
            }
        }
    }

    let set: SetQualifier?
    let comparison: Comparison
    /// True of values that match none in the policy.
    let isNegated: Bool
    /// True where the key is absent.
    let ifExists: Bool

    /// Nil for a name that is no operator. Case matters, as it does for all of a policy's own words.
    init?(name: String) {
        var rest = Substring(name)
        set = SetQualifier.allCases.first { name.hasPrefix($0.rawValue) }
        if let set { rest = rest.dropFirst(set.rawValue.count) }
        ifExists = rest.hasSuffix("IfExists")
        if ifExists { rest = rest.dropLast("IfExists".count) }
        guard let (comparison, isNegated) = Self.byName[String(rest)] else { return nil }
        // Asking whether a key is there leaves nothing for a qualifier to do.
        guard comparison != .null || (set == nil && !ifExists) else { return nil }
        self.comparison = comparison
        self.isNegated = isNegated
    }

    /// Every operator, without what may be added to it.
    static var names: [String] { byName.keys.sorted() }

    private static let byName: [String: (Comparison, Bool)] = [
        "StringEquals": (.stringEquals, false), "StringNotEquals": (.stringEquals, true),
        "StringEqualsIgnoreCase": (.stringEqualsIgnoreCase, false), "StringNotEqualsIgnoreCase": (.stringEqualsIgnoreCase, true),
        "StringLike": (.stringLike, false), "StringNotLike": (.stringLike, true),
        "NumericEquals": (.numeric(.equal), false), "NumericNotEquals": (.numeric(.equal), true),
        "NumericLessThan": (.numeric(.less), false), "NumericLessThanEquals": (.numeric(.lessOrEqual), false),
        "NumericGreaterThan": (.numeric(.greater), false), "NumericGreaterThanEquals": (.numeric(.greaterOrEqual), false),
        "DateEquals": (.date(.equal), false), "DateNotEquals": (.date(.equal), true),
        "DateLessThan": (.date(.less), false), "DateLessThanEquals": (.date(.lessOrEqual), false),
        "DateGreaterThan": (.date(.greater), false), "DateGreaterThanEquals": (.date(.greaterOrEqual), false),
        "Bool": (.bool, false),
        "IpAddress": (.ipAddress, false), "NotIpAddress": (.ipAddress, true),
        "ArnEquals": (.arn, false), "ArnLike": (.arn, false), "ArnNotEquals": (.arn, true), "ArnNotLike": (.arn, true),
        "Null": (.null, false),
    ]

    /// Whether policy variables may stand in its values.
    var takesVariables: Bool {
        switch comparison {
        case .stringEquals, .stringEqualsIgnoreCase, .stringLike, .arn: true
        case .numeric, .date, .bool, .ipAddress, .null: false
        }
    }

    /// Whether it can test a key of this kind at all.
    func canTest(_ kind: ConditionKey.ValueKind) -> Bool {
        switch comparison {
        case .stringEquals, .stringEqualsIgnoreCase, .stringLike, .null: true
        case .numeric: kind == .number || kind == .epoch
        case .date: kind == .date || kind == .epoch
        case .bool: kind == .boolean
        case .ipAddress: kind == .address
        case .arn: kind == .arn
        }
    }
}
