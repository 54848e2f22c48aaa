// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Testing
import VaultModel

@testable import AccessPolicy

/// Sizes at their limits and one beyond, and inputs made to take long.
@Suite(.timeLimit(.minutes(5))) struct PolicyLimitTests {
    private let allow: JSONValue = ["Effect": "Allow", "Action": "*", "Resource": "*"]

    @Test func theLongestPolicyIsReadAndOneByteMoreIsNot() throws {
        let text = JSONValue.object(["Statement": allow]).canonicalString()
        let longest = text + String(repeating: " ", count: 6144 - text.utf8.count)
        _ = try PolicyDocument(parsing: longest, as: .identity, maxBytes: 6144)
        #expect(throws: PolicyError(at: "", "the policy is longer than 6144 bytes")) {
            try PolicyDocument(parsing: longest + " ", as: .identity, maxBytes: 6144)
        }
    }

    @Test func noCallerCanAllowMoreThanTheStoredLimit() {
        let text = String(repeating: " ", count: PolicyDocument.maxStoredBytes + 1)
        #expect(throws: PolicyError(at: "", "the policy is longer than 65536 bytes")) {
            try PolicyDocument(parsing: text, as: .identity, maxBytes: .max)
        }
    }

    @Test func aHundredStatementsAreReadAndOneMoreIsNot() throws {
        _ = try policy(["Statement": .array(Array(repeating: allow, count: 100))], as: .identity)
        #expect(throws: PolicyError(at: "Statement", "has more than 100 elements")) {
            try policy(["Statement": .array(Array(repeating: allow, count: 101))], as: .identity)
        }
    }

    @Test(arguments: ["Action", "Resource"])
    func twoHundredValuesAreReadAndOneMoreIsNot(member: String) throws {
        func document(_ count: Int) -> JSONValue {
            var statement = ["Effect": "Allow", "Action": "*", "Resource": "*"] as [String: JSONValue]
            statement[member] = .array(Array(repeating: "*", count: count))
            return ["Statement": [.object(statement)]]
        }
        _ = try policy(document(200), as: .identity)
        #expect(throws: PolicyError(at: "Statement[0].\(member)", "has more than 200 elements")) {
            try policy(document(201), as: .identity)
        }
    }

    @Test func aHundredThousandBracketsAreRefusedAtOnce() {
        let text = "{\"Statement\":" + String(repeating: "[", count: 20_000)
        #expect(throws: PolicyError.self) { try PolicyDocument(parsing: text, as: .identity, maxBytes: 1 << 20) }
    }

    @Test func storedPoliciesAreReadByTheSameRules() throws {
        let text = JSONValue.object(["Statement": allow]).canonicalString()
        #expect(try PolicyDocument.stored(text, as: .identity) == PolicyDocument(parsing: text, as: .identity, maxBytes: 6144))
        #expect(throws: PolicyError.self) { try PolicyDocument.stored(text, as: .vaultLock(vaultARN: photos)) }
    }

    /// Patterns on which a matcher that tries every split of the text takes longer than the sun will shine.
    @Test(arguments: [("*a", 1000, "b"), ("a*", 1000, "c"), ("*", 18_000, "b"), ("*?", 600, "b"), ("*a?", 600, "b")])
    func wildcardsMadeToBackTrackEndSoon(piece: String, count: Int, end: String) throws {
        let pattern = String(repeating: piece, count: count) + end
        let document = try policy(
            ["Version": "2012-10-17",
                "Statement": [
                    "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": ["StringLike": ["aws:UserAgent": .string(pattern)]],
                ]], as: .identity)
        var request = PolicyRequest(vector: [:])
        request = request.with(userAgent: String(repeating: "a", count: 100_000))
        #expect(!AccessEvaluation.decide(request, PolicySet(identity: [("p", document)])).isAllowed)
        request = request.with(userAgent: String(repeating: "a", count: 1990))
        #expect(!AccessEvaluation.decide(request, PolicySet(identity: [("p", document)])).isAllowed)
    }

    @Test func aLongValueRepeatedOftenEndsSoon() throws {
        let document = try policy(
            ["Version": "2012-10-17",
                "Statement": [
                    "Effect": "Allow", "Action": "*", "Resource": "*",
                    "Condition": ["StringLike": ["aws:UserAgent": .string(String(repeating: "*${aws:UserAgent}", count: 1000))]],
                ]], as: .identity)
        let request = PolicyRequest(vector: [:]).with(userAgent: String(repeating: "a", count: 100_000))
        #expect(!AccessEvaluation.decide(request, PolicySet(identity: [("p", document)])).isAllowed)
    }

    /// What does not fit into the bound gives no access, whichever way it would have gone.
    @Test func whatTakesTooLongToMatchDeniesAndNeverAllows() throws {
        let dear = String(repeating: "*" + String(repeating: "a", count: 120) + "b", count: 1)
        let values = JSONValue.array(Array(repeating: .string(dear), count: 150))
        func document(_ effect: String, _ test: String, _ values: JSONValue) throws -> PolicyDocument {
            try policy(
                ["Version": "2012-10-17",
                    "Statement": [
                        "Sid": "dear", "Effect": .string(effect), "Action": "*", "Resource": "*",
                        "Condition": [test: ["aws:UserAgent": values]],
                    ]], as: .identity)
        }
        let cheap = try policy(["Statement": ["Sid": "cheap", "Effect": "Allow", "Action": "*", "Resource": "*"]], as: .identity)
        let hostile = PolicyRequest(vector: [:]).with(userAgent: String(repeating: "a", count: 2000))
        let usual = PolicyRequest(vector: [:])
        for test in ["StringLike", "StringNotLike"] {
            let (deny, allow) = (try document("Deny", test, values), try document("Allow", test, values))
            let denied = AccessEvaluation.decide(hostile, PolicySet(identity: [("c", cheap), ("d", deny)]))
            #expect(denied.reason == .explicitDeny && denied.deciding?.statement == "dear")
            #expect(!AccessEvaluation.decide(hostile, PolicySet(identity: [("d", allow)])).isAllowed)
            // The same policies on a request that was not made for them.
            #expect(
                AccessEvaluation.decide(usual, PolicySet(identity: [("c", cheap), ("d", deny)])).isAllowed
                    == (test == "StringLike"))
            #expect(
                AccessEvaluation.decide(usual, PolicySet(identity: [("d", allow)])).isAllowed == (test == "StringNotLike"))
        }
    }

    @Test func aDecisionSpendsNoMoreThanItMay() throws {
        let values = JSONValue.array(Array(repeating: .string("*" + String(repeating: "a", count: 90) + "b"), count: 190))
        let document = try policy(
            ["Version": "2012-10-17",
                "Statement": .array(
                    (0..<1).map { _ in
                        [
                            "Effect": "Allow", "Action": "*", "Resource": "*",
                            "Condition": ["StringLike": ["aws:UserAgent": values]],
                        ]
                    })], as: .identity)
        let request = PolicyRequest(vector: [:]).with(userAgent: String(repeating: "a", count: 256))
        let work = MatchWork()
        let policies = PolicySet(
            identity: (0..<10).map { ("p\($0)", document) }, session: document, vaultAccess: document, vaultLock: document)
        #expect(!AccessEvaluation.decide(request, policies, work).isAllowed)
        #expect(work.left == 0)
        let usual = MatchWork()
        #expect(!AccessEvaluation.decide(PolicyRequest(vector: [:]), policies, usual).isAllowed)
        #expect(usual.left > MatchWork.steps / 2, "a usual request is far below the bound")
    }

    /// A step more or less decides exactly at the bound.
    @Test func theBoundIsExact() throws {
        let document = try policy(
            ["Version": "2012-10-17",
                "Statement": [
                    "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": ["StringLike": ["aws:UserAgent": "a*b"]],
                ]], as: .identity)
        let request = PolicyRequest(vector: [:]).with(userAgent: "aab")
        let ample = MatchWork()
        #expect(AccessEvaluation.decide(request, PolicySet(identity: [("p", document)]), ample).isAllowed)
        let needed = MatchWork.steps - ample.left
        #expect(needed > 3)
        for (steps, allowed) in [(needed, true), (needed - 1, false), (1, false), (0, false)] {
            let work = MatchWork(steps: steps)
            #expect(AccessEvaluation.decide(request, PolicySet(identity: [("p", document)]), work).isAllowed == allowed)
        }
    }

    @Test(arguments: [
        "Action", "Effect", "Resource", "Version", "Sid", "NumericEquals", "DateEquals", "Bool", "StringEquals", "member", "key",
    ])
    func errorsQuoteLittleAndOnOneLine(place: String) {
        let bad = "\n\u{202E}${" + String(repeating: "x", count: 5000) + "}"
        var statement = ["Effect": "Allow", "Action": "*", "Resource": "*"] as [String: JSONValue]
        var document: [String: JSONValue] = ["Version": "2012-10-17"]
        switch place {
        case "Version": document["Version"] = .string(bad)
        case "NumericEquals": statement["Condition"] = ["NumericEquals": ["glacier:ArchiveAgeInDays": .string(bad)]]
        case "DateEquals": statement["Condition"] = ["DateEquals": ["aws:CurrentTime": .string(bad)]]
        case "Bool": statement["Condition"] = ["Bool": ["aws:SecureTransport": .string(bad)]]
        case "StringEquals": statement["Condition"] = ["StringEquals": ["aws:username": .string(bad)]]
        case "member": statement[bad] = "*"
        case "key": statement["Condition"] = ["StringEquals": .object([bad: "x"])]
        default: statement[place] = .string(bad)
        }
        document["Statement"] = .object(statement)
        do throws(PolicyError) {
            _ = try policy(.object(document), as: .identity)
            Issue.record("accepted")
        } catch {
            #expect(error.description.utf8.count < 300)
            #expect(!error.description.contains("\n") && !error.description.contains("\u{202E}"))
        }
    }

    @Test func policiesKnowWhetherTheyTestTheTime() throws {
        func document(_ condition: JSONValue) throws -> PolicyDocument {
            try policy(
                ["Version": "2012-10-17",
                    "Statement": ["Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition]], as: .identity)
        }
        #expect(try document(["NumericLessThan": ["glacier:ArchiveAgeInDays": "1"]]).dependsOnTime)
        #expect(try document(["DateLessThan": ["aws:CurrentTime": "2030-01-01"]]).dependsOnTime)
        #expect(try document(["NumericLessThan": ["aws:EpochTime": "1"]]).dependsOnTime)
        #expect(try document(["StringEquals": ["aws:username": "${aws:CurrentTime}"]]).dependsOnTime)
        #expect(try !document(["StringEquals": ["aws:username": "alice"]]).dependsOnTime)
    }
}

extension PolicyRequest {
    func with(userAgent: String) -> PolicyRequest {
        var context = context
        context.userAgent = userAgent
        return PolicyRequest(
            principal: principal, action: action, resource: resource, resourceAccount: resourceAccount, context: context)
    }
}
