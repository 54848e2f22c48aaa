// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Testing
import VaultModel

@testable import AccessPolicy

/// What must hold of all policies, tried on random ones.
@Suite(.timeLimit(.minutes(5))) struct PolicyPropertyTests {
    @Test func aDenyMoreNeverAllowsAndADenyOfEverythingDenies() throws {
        var random = Choices(seed: Property.seed)
        var denied = 0
        for number in 0..<Property.cases {
            let request = RandomPolicies.request(&random)
            var set = RandomPolicies.set(&random)
            let before = AccessEvaluation.decide(request, try set.parsed())
            let isTotal = random.below(4) == 0
            let place = random.below(4)
            set.add(RandomPolicies.statement(&random, "Deny", inVault: place < 2, total: isTotal), at: place)
            let after = AccessEvaluation.decide(request, try set.parsed())
            if !before.isAllowed { #expect(!after.isAllowed, "seed \(Property.seed), case \(number): \(after)") }
            // The vault's policies have no say about the account, nor about another vault.
            if isTotal, place >= 2 || request.action.concernsOneVault && request.resource == photos {
                #expect(after.reason == .explicitDeny, "seed \(Property.seed), case \(number): \(after)")
                denied += 1
            }
        }
        #expect(denied > Property.cases / 20)
    }

    @Test func anAllowMoreNeverDenies() throws {
        var random = Choices(seed: Property.seed &+ 1)
        var gained = 0
        for number in 0..<Property.cases {
            let request = RandomPolicies.request(&random)
            var set = RandomPolicies.set(&random)
            let before = AccessEvaluation.decide(request, try set.parsed())
            let place = random.below(4)
            // A first session policy is no allowance more, but a limit.
            if place == 3, set.session == nil { continue }
            set.add(RandomPolicies.statement(&random, "Allow", inVault: place < 2, total: false), at: place)
            let after = AccessEvaluation.decide(request, try set.parsed())
            if before.isAllowed { #expect(after.isAllowed, "seed \(Property.seed), case \(number): \(after)") }
            if !before.isAllowed, after.isAllowed { gained += 1 }
        }
        #expect(gained > 0)
    }

    @Test func nobodyOfAnotherAccountGetsInWithoutBothSides() throws {
        var random = Choices(seed: Property.seed &+ 2)
        var allowed = 0
        for number in 0..<Property.cases {
            let request = RandomPolicies.request(&random)
            guard request.principal.account != request.resourceAccount else { continue }
            var set = RandomPolicies.set(&random)
            if AccessEvaluation.decide(request, try set.parsed()).isAllowed { allowed += 1 }
            let full = set
            set.access = nil
            set.lock = nil
            #expect(!AccessEvaluation.decide(request, try set.parsed()).isAllowed, "seed \(Property.seed), case \(number)")
            guard !request.principal.isRoot else { continue }
            set = full
            set.identity = []
            #expect(!AccessEvaluation.decide(request, try set.parsed()).isAllowed, "seed \(Property.seed), case \(number)")
        }
        #expect(allowed > 0)
    }

    @Test func readingWhatWasPrintedGivesTheSamePolicy() throws {
        var random = Choices(seed: Property.seed &+ 3)
        for number in 0..<Property.cases {
            let inVault = random.below(2) == 0
            let kind: PolicyDocument.Kind = inVault ? .vaultAccess(vaultARN: photos) : .identity
            let value = RandomPolicies.document(&random, inVault: inVault)
            let text = value.canonicalString()
            let first = try PolicyDocument(parsing: text, as: kind, maxBytes: 20 << 10)
            let loose = RandomPolicies.loose(value, &random)
            let second = try PolicyDocument(parsing: loose, as: kind, maxBytes: 60 << 10)
            #expect(first == second, "seed \(Property.seed), case \(number): \(loose)")
            #expect(try JSONParser.parse(Array(loose.utf8)).canonicalString() == text)
        }
    }

    @Test func templatesMatchAsASlowReadingOfTheirDefinitionDoes() throws {
        var random = Choices(seed: Property.seed &+ 4)
        let request = PolicyRequest(vector: [:])
        var matched = 0
        for number in 0..<(Property.cases * 5) {
            let pattern = String((0..<random.below(9)).map { _ in random.one(["a", "b", "*", "?"] as [Character]) })
            let text = String((0..<random.below(9)).map { _ in random.one(["a", "b"] as [Character]) })
            let template = try PatternTemplate(parsing: pattern, forms: .wildcards)
            let expected = slowly(Array(pattern), Array(text))
            let said = template.matches(Array(text.unicodeScalars), request, MatchWork())
            #expect(said == expected && template.matches(text) == expected, "case \(number): \(pattern) on \(text)")
            if expected { matched += 1 }
        }
        #expect(matched > Property.cases / 4)
    }

    private func slowly(_ pattern: [Character], _ text: [Character]) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == "*" {
            return (0...text.count).contains { slowly(Array(pattern.dropFirst()), Array(text.dropFirst($0))) }
        }
        guard let letter = text.first, first == "?" || first == letter else { return false }
        return slowly(Array(pattern.dropFirst()), Array(text.dropFirst()))
    }

    @Test func decimalsCompareAsNumbersDo() throws {
        var random = Choices(seed: Property.seed &+ 5)
        for _ in 0..<Property.cases {
            let left = Int64(random.below(200_000)) - 100_000
            let right = random.below(4) == 0 ? left : Int64(random.below(200_000)) - 100_000
            let one = try #require(DecimalNumber(RandomPolicies.decimal(left, &random)))
            let other = try #require(DecimalNumber(RandomPolicies.decimal(right, &random)))
            #expect((one < other) == (left < right) && (one == other) == (left == right), "\(left) and \(right)")
        }
    }

    @Test(arguments: ["", "-", ".", "1.", ".5", "+1", "1e3", "0x10", " 1", "1 ", "1_000", "--1", "1.2.3", "١"])
    func whatIsNoDecimalIsRefused(text: String) { #expect(DecimalNumber(text) == nil) }

    /// Mutated policies: any answer but a crash or a wait.
    @Test func mutatedPoliciesAreReadOrRefused() throws {
        var random = Choices(seed: Property.seed &+ 6)
        let file = try Vectors.load("policies.json")
        let whole = (file["documents"]?.objectValue ?? [:]).sorted { $0.key < $1.key }.map { Array($0.value.canonicalString().utf8) }
        let conditions = (file["conditions"]?.arrayValue ?? []).compactMap { $0["if"] }.map { condition in
            Array(
                JSONValue.object([
                    "Version": "2012-10-17",
                    "Statement": ["Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition],
                ]).canonicalString().utf8)
        }
        let seeds = whole + conditions
        var accepted = 0
        for _ in 0..<(Property.cases * 5) {
            let text = String(decoding: RandomPolicies.mutated(random.one(seeds), random.one(seeds), &random), as: UTF8.self)
            for kind in [PolicyDocument.Kind.identity, .vaultLock(vaultARN: photos)] {
                guard let document = try? PolicyDocument(parsing: text, as: kind, maxBytes: 20 << 10) else { continue }
                accepted += 1
                let request = RandomPolicies.request(&random)
                let set = kind == .identity ? PolicySet(identity: [("p", document)]) : PolicySet(vaultLock: document)
                let decision = AccessEvaluation.decide(request, set)
                #expect(AccessEvaluation.decide(request, set) == decision, "seed \(Property.seed)")
            }
        }
        #expect(accepted > 0)
    }
}
