// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Foundation
import Testing
import VaultModel

@testable import AccessPolicy

/// The files of Tests/Vectors.
enum Vectors {
    static func load(_ name: String) throws -> JSONValue {
        let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors/\(name)")
        return try JSONParser.parse([UInt8](try Data(contentsOf: path)), limits: JSONLimits(maxBytes: 16 << 20))
    }
}

/// Repeatable choices out of one printed seed (SplitMix64).
struct Choices: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    mutating func one<T>(_ choices: [T]) -> T { choices.randomElement(using: &self)! }
    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
}

/// `PROPERTY_SEED` replays a run, `PROPERTY_CASES` lengthens it.
enum Property {
    static let seed = ProcessInfo.processInfo.environment["PROPERTY_SEED"].flatMap { UInt64($0) } ?? 0x0C01_D7A0
    static let cases = ProcessInfo.processInfo.environment["PROPERTY_CASES"].flatMap { Int($0) } ?? 500
}

let photos = "arn:aws:glacier:us-east-1:111122223333:vaults/photos"

/// Tests may stop at a wrong vector or a name that is none.
func account(_ digits: String) -> AccountID { AccountID(digits)! }

func principal(_ text: String) -> Principal {
    let parts = text.split(separator: ":")
    return Principal(account: account(String(parts[0])), user: parts[1] == "root" ? nil : UserName(String(parts[1]))!)
}

func policy(_ document: JSONValue, as kind: PolicyDocument.Kind) throws(PolicyError) -> PolicyDocument {
    try PolicyDocument(parsing: document.canonicalString(), as: kind, maxBytes: 20 << 10)
}

extension PolicyRequest {
    /// A request as the vectors describe it, with their defaults.
    init(vector row: JSONValue) {
        let region = Region("us-east-1")!
        let owner = account("111122223333")
        let action = VaultAction(rawValue: row["action"]?.stringValue ?? "DeleteArchive")!
        let vault = VaultName(row["vault"]?.stringValue ?? "photos")!
        let tags = row["tags"]?.objectValue ?? [:]
        self.init(
            principal: AccessPolicyTests.principal(row["principal"]?.stringValue ?? "111122223333:alice"),
            action: action,
            resource: action.isAccountLevel
                ? PolicyResource.account(region: region, account: owner, action: action)
                : PolicyResource.vault(region: region, account: owner, name: vault),
            resourceAccount: owner,
            context: RequestContext(
                now: Timestamp(iso8601: row["now"]?.stringValue ?? "2026-06-15T12:00:00Z")!,
                sourceAddress: row.text("source", or: "203.0.113.7"),
                isSecure: row["secure"]?.boolValue ?? true,
                userAgent: row.text("userAgent", or: "tool/1.0"),
                archiveAgeInDays: row["age"].map { $0.integerValue.map { UInt64($0) } } ?? 100,
                resourceTags: tags.compactMapValues(\.stringValue)))
    }
}

extension JSONValue {
    /// The member's text; the default where the member is absent, nil where it is null.
    fileprivate func text(_ name: String, or missing: String) -> String? { self[name].map(\.stringValue) ?? missing }
}
