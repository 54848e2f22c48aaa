// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultModel

@testable import AccessPolicy

/// Random policies and requests that have a fair chance to concern each other.
enum RandomPolicies {
    /// The documents of a `PolicySet`, still as lists of statements.
    struct Set {
        var identity: [[JSONValue]]
        var session: [JSONValue]?
        var access: [JSONValue]?
        var lock: [JSONValue]?

        /// 0 the access policy, 1 the lock policy, 2 an identity policy, 3 the session policy.
        mutating func add(_ statement: JSONValue, at place: Int) {
            switch place {
            case 0: access = (access ?? []) + [statement]
            case 1: lock = (lock ?? []) + [statement]
            case 2: if identity.isEmpty { identity = [[statement]] } else { identity[0].append(statement) }
            default: session = (session ?? []) + [statement]
            }
        }

        func parsed() throws -> PolicySet {
            func document(_ statements: [JSONValue], _ kind: PolicyDocument.Kind) throws -> PolicyDocument {
                try policy(["Version": "2012-10-17", "Statement": .array(statements)], as: kind)
            }
            return PolicySet(
                identity: try identity.enumerated().map { ("p\($0)", try document($1, .identity)) },
                session: try session.map { try document($0, .session) },
                vaultAccess: try access.map { try document($0, .vaultAccess(vaultARN: photos)) },
                vaultLock: try lock.map { try document($0, .vaultLock(vaultARN: photos)) })
        }
    }

    static func set(_ random: inout Choices) -> Set {
        func statements(_ inVault: Bool, _ random: inout Choices) -> [JSONValue] {
            (0...random.below(3)).map { _ in statement(&random, random.below(4) == 0 ? "Deny" : "Allow", inVault: inVault, total: false) }
        }
        return Set(
            identity: (0..<random.below(3)).map { _ in statements(false, &random) },
            session: random.below(4) == 0 ? statements(false, &random) : nil,
            access: random.below(2) == 0 ? statements(true, &random) : nil,
            lock: random.below(3) == 0 ? statements(true, &random) : nil)
    }

    static func document(_ random: inout Choices, inVault: Bool) -> JSONValue {
        ["Version": "2012-10-17",
            "Statement": .array((0...random.below(4)).map { _ in
                statement(&random, random.one(["Allow", "Deny"]), inVault: inVault, total: false)
            })]
    }

    static func request(_ random: inout Choices) -> PolicyRequest {
        var row: [String: JSONValue] = [
            "principal": .string(random.one([
                "111122223333:root", "111122223333:alice", "111122223333:bob", "444455556666:root", "444455556666:alice",
            ])),
            "action": .string(random.one(
                VaultAction.allCases.map(\.rawValue) + Array(repeating: "DeleteArchive", count: 10)
                    + Array(repeating: "InitiateJob", count: 10))),
            "age": .integer(Int64(random.below(800))),
            "secure": .bool(random.below(2) == 0),
            "source": .string(random.one(["203.0.113.7", "198.51.100.1", "2001:db8::1", "unix"])),
        ]
        if random.below(2) == 0 { row["tags"] = ["hold": .string(random.one(["true", "false", "", "alice"]))] }
        if random.below(5) == 0 { row["vault"] = "videos" }
        return PolicyRequest(vector: .object(row))
    }

    static func statement(_ random: inout Choices, _ effect: String, inVault: Bool, total: Bool) -> JSONValue {
        var members: [String: JSONValue] = ["Effect": .string(effect)]
        if inVault {
            members["Resource"] = .string(photos)
            let whom: JSONValue = ["AWS": .array((0...random.below(2)).map { _ in
                .string(random.one([
                    "111122223333", "444455556666", "arn:aws:iam::444455556666:root", "arn:aws:iam::111122223333:user/alice",
                    "arn:aws:iam::444455556666:user/alice",
                ]))
            })]
            if total || random.below(2) == 0 {
                members["Principal"] = "*"
            } else {
                members[effect == "Deny" && random.below(4) == 0 ? "NotPrincipal" : "Principal"] = whom
            }
        } else if !total, random.below(4) == 0 {
            members["NotResource"] = .string(random.one(["arn:aws:glacier:*:*:vaults/v*", "arn:aws:glacier:us-east-1:*"]))
        } else {
            members["Resource"] = total ? "*" : .string(random.one(["*", photos, "arn:aws:glacier:*:*:vaults/*", "arn:aws:glacier:*"]))
        }
        let actions: [JSONValue] = [
            "*", "glacier:*", "glacier:DeleteArchive", "glacier:Delete*", "glacier:InitiateJob", ["glacier:Get*", "GLACIER:list*"],
        ]
        let action = total ? "*" : random.one(actions)
        members[!total && action != "*" && action != "glacier:*" && random.below(5) == 0 ? "NotAction" : "Action"] = action
        if !total, random.below(2) == 0 { members["Condition"] = condition(&random) }
        return .object(members)
    }

    private static func condition(_ random: inout Choices) -> JSONValue {
        random.one([
            ["NumericLessThan": ["glacier:ArchiveAgeInDays": "365"]], ["NumericGreaterThanEquals": ["glacier:ArchiveAgeInDays": 100]],
            ["Bool": ["aws:SecureTransport": "true"]], ["IpAddress": ["aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32"]]],
            ["NotIpAddress": ["aws:SourceIp": "203.0.113.0/24"]], ["StringEquals": ["glacier:ResourceTag/hold": ["true", ""]]],
            ["StringNotLike": ["glacier:ResourceTag/hold": "${aws:username}"]], ["Null": ["glacier:ResourceTag/hold": false]],
            ["ArnLike": ["aws:PrincipalArn": "arn:aws:iam::*:user/*"]], ["ForAnyValue:StringEquals": ["aws:username": ["alice", "eve"]]],
            ["StringEqualsIfExists": ["glacier:ResourceTag/hold": "false", "aws:username": "alice"]],
            ["DateLessThan": ["aws:CurrentTime": "2027-01-01"], "StringEquals": ["aws:PrincipalAccount": "111122223333"]],
        ] as [JSONValue])
    }

    /// The same JSON with blanks between its tokens, the members of each object shuffled, and some letters escaped.
    static func loose(_ value: JSONValue, _ random: inout Choices) -> String {
        func blank(_ random: inout Choices) -> String { random.one(["", "", " ", "\n\t"]) }
        switch value {
        case .array(let elements):
            return "[" + elements.map { blank(&random) + loose($0, &random) + blank(&random) }.joined(separator: ",") + "]"
        case .object(let members):
            return "{" + members.sorted { $0.key < $1.key }.shuffled(using: &random).map { name, member in
                blank(&random) + loose(.string(name), &random) + blank(&random) + ":" + blank(&random) + loose(member, &random)
            }.joined(separator: ",") + "}"
        case .string(let text):
            return "\"" + text.unicodeScalars.map { scalar in
                let digits = String(scalar.value, radix: 16)
                return random.below(20) == 0 && scalar.isASCII
                    ? "\\u" + String(repeating: "0", count: 4 - digits.count) + digits : String(scalar)
            }.joined() + "\""
        default: return value.canonicalString()
        }
    }

    /// `value` thousandths as text, with zeros that make no difference.
    static func decimal(_ value: Int64, _ random: inout Choices) -> String {
        let digits = String(value.magnitude)
        let padded = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        let zeros = String(repeating: "0", count: random.below(3))
        return (value < 0 ? "-" : "") + zeros + padded.dropLast(3) + "." + padded.suffix(3) + String(repeating: "0", count: random.below(3))
    }

    /// Bytes changed, dropped, doubled, or taken from another text.
    static func mutated(_ text: [UInt8], _ other: [UInt8], _ random: inout Choices) -> [UInt8] {
        var bytes = text
        for _ in 0...random.below(4) {
            guard !bytes.isEmpty else { break }
            let at = random.below(bytes.count)
            switch random.below(6) {
            case 0: bytes[at] = UInt8(random.below(256))
            case 1: bytes[at] = random.one(Array("\"{}[],:\\*?$0aZ".utf8))
            case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.below(8)))
            case 3: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 1 + random.below(30))], at: at)
            case 4:
                let from = random.below(other.count)
                bytes.insert(contentsOf: other[from..<min(other.count, from + 1 + random.below(40))], at: at)
            default: bytes.removeLast(bytes.count - at)
            }
        }
        return bytes
    }
}
