// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Testing
import VaultModel

@testable import AccessPolicy

/// Every row of Tests/Vectors/policies.json.
@Suite struct PolicyVectorTests {
    private let file: JSONValue

    init() throws { file = try Vectors.load("policies.json") }

    @Test func conditionsMeanWhatTheTableSays() throws {
        let rows = file["conditions"]?.arrayValue ?? []
        #expect(rows.count >= 120)
        let everything: JSONValue = ["Statement": ["Effect": "Allow", "Action": "*", "Resource": "*"]]
        let all = try policy(everything, as: .identity)
        for row in rows {
            let name = row["name"]?.stringValue ?? "?"
            let condition = try #require(row["if"])
            let holds = try #require(row["holds"]?.boolValue as Bool?)
            let request = PolicyRequest(vector: row["given"] ?? [:])
            if !request.principal.isRoot {
                let allow = try policy(statement(["Effect": "Allow", "Resource": "*"], condition), as: .identity)
                let decision = AccessEvaluation.decide(request, PolicySet(identity: [("p", allow)]))
                #expect(decision.isAllowed == holds, "\(name): \(decision)")
            }
            let deny = try policy(
                statement(["Effect": "Deny", "Principal": "*", "Resource": .string(photos)], condition),
                as: .vaultLock(vaultARN: photos))
            let decision = AccessEvaluation.decide(request, PolicySet(identity: [("all", all)], vaultLock: deny))
            #expect(decision.isAllowed != (row["inDeny"]?.boolValue ?? holds), "\(name), denying: \(decision)")
        }
    }

    private func statement(_ members: [String: JSONValue], _ condition: JSONValue) -> JSONValue {
        let all = members.merging(["Action": "*", "Condition": condition]) { $1 }
        return ["Version": "2012-10-17", "Statement": [.object(all)]]
    }

    @Test func decisionsAreThoseOfTheTable() throws {
        let rows = file["decisions"]?.arrayValue ?? []
        #expect(rows.count >= 60)
        for row in rows {
            let name = row["name"]?.stringValue ?? "?"
            let request = PolicyRequest(vector: row)
            let identity = try (row["identity"]?.arrayValue ?? []).map { entry in
                let name = try #require(entry.stringValue)
                return (name: name, document: try document(name, as: .identity))
            }
            let policies = PolicySet(
                identity: identity, session: try row["session"]?.stringValue.map { try document($0, as: .session) },
                vaultAccess: try row["access"]?.stringValue.map { try document($0, as: .vaultAccess(vaultARN: photos)) },
                vaultLock: try row["lock"]?.stringValue.map { try document($0, as: .vaultLock(vaultARN: photos)) })
            let decision = AccessEvaluation.decide(request, policies)
            #expect(decision.text == row["says"]?.stringValue, "\(name)")
            #expect(decision.isAllowed == decision.text.hasPrefix("allowed"), "\(name)")
        }
    }

    private func document(_ name: String, as kind: PolicyDocument.Kind) throws -> PolicyDocument {
        try policy(try #require(file["documents"]?[name], "no document \(name)"), as: kind)
    }

    @Test func whatIsNotUnderstoodIsRefusedWithItsPlace() throws {
        let rows = file["refused"]?.arrayValue ?? []
        #expect(rows.count >= 70)
        for row in rows {
            let name = row["name"]?.stringValue ?? "?"
            let kind: PolicyDocument.Kind
            switch row["kind"]?.stringValue {
            case "identity": kind = .identity
            case "session": kind = .session
            case "access": kind = .vaultAccess(vaultARN: photos)
            case "lock": kind = .vaultLock(vaultARN: photos)
            default:
                Issue.record("\(name): no kind")
                continue
            }
            let text = row["text"]?.stringValue ?? row["document"]?.canonicalString() ?? ""
            do throws(PolicyError) {
                _ = try PolicyDocument(parsing: text, as: kind, maxBytes: 20 << 10)
                Issue.record("\(name): accepted")
            } catch {
                #expect(error.place == row["place"]?.stringValue, "\(name): \(error)")
                #expect(error.reason.contains(row["says"]?.stringValue ?? "?"), "\(name): \(error)")
            }
        }
    }
}
