// SPDX-License-Identifier: Apache-2.0

/// A string of a policy in which `*` and `?` may stand for other text and `${key}` for a value of the request.
///
/// Matching compares Unicode scalars one by one, never by canonical equivalence. What a variable brings in is literal: a `*` in a
/// tag's value is no wildcard.
struct PatternTemplate: Hashable, Sendable {
    enum Element: Hashable, Sendable {
        case literal([Unicode.Scalar])
        case anySequence
        case anyScalar
        case variable(ConditionKey, fallback: [Unicode.Scalar]?)
    }

    /// What of the special forms the place of the string gives a meaning to.
    struct Forms: OptionSet {
        let rawValue: Int
        static let wildcards = Forms(rawValue: 1)
        static let variables = Forms(rawValue: 2)
    }

    let elements: [Element]

    init(elements: [Element]) { self.elements = elements }

    /// - Throws: the reason why the text is no template.
    init(parsing text: String, forms: Forms) throws(TemplateError) {
        var builder = Builder()
        let scalars = Array(text.unicodeScalars)
        var position = 0
        while position < scalars.count {
            let scalar = scalars[position]
            if forms.contains(.variables), scalar == "$", position + 1 < scalars.count, scalars[position + 1] == "{" {
                guard let end = scalars[position...].firstIndex(of: "}") else {
                    throw TemplateError(reason: "a policy variable is not closed with '}'")
                }
                try builder.append(variable: scalars[(position + 2)..<end])
                position = end + 1
                continue
            }
            switch scalar {
            case "*" where forms.contains(.wildcards): builder.append(.anySequence)
            case "?" where forms.contains(.wildcards): builder.append(.anyScalar)
            default: builder.append(scalar)
            }
            position += 1
        }
        elements = builder.elements
    }

    /// Whether the template has no wildcard and no variable.
    var isLiteral: Bool { elements.allSatisfy { if case .literal = $0 { true } else { false } } }

    /// The keys its variables read.
    var keys: [ConditionKey] {
        elements.compactMap { if case .variable(let key, _) = $0 { key } else { nil } }
    }

    /// Whether `text` matches, variables replaced by what `request` says. A variable without value and default matches nothing.
    /// - Parameter folded: the text and the template are in lower case, and the values of variables shall be.
    ///
    /// Takes O(template × text) steps at most, because only the last `*` is ever tried again; and no more than `work` affords.
    func matches(
        _ text: [Unicode.Scalar], _ request: PolicyRequest, _ work: MatchWork, folded: Bool = false
    ) -> Bool {
        guard let symbols = symbols(atMost: text.count, request, folded, work), work.affords(symbols.count) else {
            return false
        }
        let limit = work.left
        let (matches, steps) = Self.matches(symbols, text, atMost: limit)
        return work.affords(steps) && matches
    }

    /// Whether `text` matches a template without variables.
    func matches(_ text: String) -> Bool {
        let symbols = elements.flatMap { element -> [UInt32] in
            switch element {
            case .literal(let scalars): scalars.map(\.value)
            case .anySequence: [Self.anySequence]
            case .anyScalar: [Self.anyScalar]
            case .variable: []
            }
        }
        return Self.matches(symbols, Array(text.unicodeScalars), atMost: .max).matches
    }

    /// Whether a variable has neither a value nor a default.
    func lacksValue(_ request: PolicyRequest, _ work: MatchWork) -> Bool {
        elements.contains { element in
            guard case .variable(let key, nil) = element else { return false }
            // What it costs to look a value up.
            guard work.affords(ConditionKey.longestValue) else { return true }
            return key.text(in: request) == nil
        }
    }

    /// The symbols after replacement; nil when a variable has no value, or when more than `length` scalars would have to match.
    private func symbols(
        atMost length: Int, _ request: PolicyRequest, _ folded: Bool, _ work: MatchWork
    ) -> [UInt32]? {
        var symbols: [UInt32] = []
        var needed = 0
        for element in elements {
            switch element {
            case .literal(let scalars):
                needed += scalars.count
                symbols.append(contentsOf: scalars.map(\.value))
            case .anyScalar:
                needed += 1
                symbols.append(Self.anyScalar)
            case .anySequence:
                if symbols.last != Self.anySequence { symbols.append(Self.anySequence) }
            case .variable(let key, let fallback):
                guard work.affords(ConditionKey.longestValue) else { return nil }
                guard var scalars = key.text(in: request) ?? fallback else { return nil }
                if folded { scalars = Self.folded(scalars) }
                needed += scalars.count
                // Before the append: a long value repeated often must not cost more than the text it cannot match.
                guard needed <= length else { return nil }
                symbols.append(contentsOf: scalars.map(\.value))
            }
            guard needed <= length else { return nil }
        }
        return symbols
    }

    // Above the last scalar, U+10FFFF.
    private static let anySequence: UInt32 = 0x11_0000
    private static let anyScalar: UInt32 = 0x11_0001

    /// - Returns: also the steps it took; more than `limit` when it gave up.
    private static func matches(
        _ symbols: [UInt32], _ text: [Unicode.Scalar], atMost limit: Int
    ) -> (matches: Bool, steps: Int) {
        var steps = 0
        var symbol = 0
        var position = 0
        // Where to go on when the last '*' has to swallow one scalar more; earlier ones never have to.
        var retry: (symbol: Int, position: Int)?
        while position < text.count {
            guard steps < limit else { return (false, limit + 1) }
            steps += 1
            if symbol < symbols.count, symbols[symbol] == anySequence {
                retry = (symbol + 1, position)
                symbol += 1
            } else if symbol < symbols.count, symbols[symbol] == anyScalar || symbols[symbol] == text[position].value {
                symbol += 1
                position += 1
            } else if let last = retry {
                retry = (last.symbol, last.position + 1)
                symbol = last.symbol
                position = last.position + 1
            } else {
                return (false, steps)
            }
        }
        while symbol < symbols.count, symbols[symbol] == anySequence { symbol += 1 }
        return (symbol == symbols.count, steps)
    }
}

/// Why a string is no template.
struct TemplateError: Error {
    let reason: String
}

extension PatternTemplate {
    private struct Builder {
        private(set) var elements: [Element] = []

        mutating func append(_ element: Element) { elements.append(element) }

        mutating func append(_ scalar: Unicode.Scalar) {
            if case .literal(var scalars) = elements.last {
                elements.removeLast()
                scalars.append(scalar)
                elements.append(.literal(scalars))
            } else {
                elements.append(.literal([scalar]))
            }
        }

        /// What stands between `${` and `}`: a key, `key, 'default'`, or one of the three special characters.
        mutating func append(variable: ArraySlice<Unicode.Scalar>) throws(TemplateError) {
            if variable.count == 1, let scalar = variable.first, scalar == "*" || scalar == "?" || scalar == "$" {
                return append(scalar)
            }
            let parts = variable.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(String.UnicodeScalarView(parts[0]))
            guard let key = ConditionKey(name: name) else {
                throw TemplateError(reason: "there is no policy variable '\(excerpt(name))'")
            }
            guard parts.count == 2 else { return append(.variable(key, fallback: nil)) }
            let quoted = parts[1].drop { $0 == " " }
            guard quoted.count >= 2, quoted.first == "'", quoted.last == "'", !quoted.dropFirst().dropLast().contains("'") else {
                throw TemplateError(reason: "the default of a policy variable is not written as ${key, 'default'}")
            }
            append(.variable(key, fallback: Array(quoted.dropFirst().dropLast())))
        }
    }

    /// The template cut at its first `count` literal colons: the components of an ARN.
    func components(_ count: Int) -> [PatternTemplate] {
        var components: [[Element]] = [[]]
        for element in elements {
            guard case .literal(let scalars) = element else {
                components[components.count - 1].append(element)
                continue
            }
            var rest = scalars[...]
            while components.count <= count, let colon = rest.firstIndex(of: ":") {
                if colon > rest.startIndex { components[components.count - 1].append(.literal(Array(rest[..<colon]))) }
                components.append([])
                rest = rest[(colon + 1)...]
            }
            if !rest.isEmpty { components[components.count - 1].append(.literal(Array(rest))) }
        }
        return components.map(PatternTemplate.init(elements:))
    }
}
