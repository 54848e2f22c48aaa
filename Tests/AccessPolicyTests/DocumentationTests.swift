// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Foundation
import Testing

@testable import AccessPolicy

/// Docs/API/Policies.md says what the code does.
@Suite struct DocumentationTests {
    private let text: String

    init() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        text = try String(contentsOf: root.appending(path: "Docs/API/Policies.md"), encoding: .utf8)
    }

    @Test func everyExampleIsAccepted() throws {
        let blocks = text.split(separator: "```json\n").dropFirst().compactMap { $0.split(separator: "```").first.map(String.init) }
        #expect(blocks.count >= 5)
        for block in blocks {
            let kind: PolicyDocument.Kind = block.contains("Principal\"") ? .vaultLock(vaultARN: photos) : .identity
            #expect(throws: Never.self, "\(block)") { try PolicyDocument(parsing: block, as: kind, maxBytes: 20 << 10) }
        }
    }

    /// The names in the first column of the tables.
    private var names: Set<String> {
        var names: Set<String> = []
        for line in text.split(separator: "\n") where line.hasPrefix("| `") {
            let column = line.split(separator: "|").first ?? ""
            for (index, piece) in column.split(separator: "`", omittingEmptySubsequences: false).enumerated() where index % 2 == 1 {
                names.insert(String(piece))
            }
        }
        return names
    }

    @Test func everyOperatorIsInTheTable() {
        for name in ConditionOperator.names { #expect(names.contains(name), "\(name)") }
        let documented = names.filter { name in ["String", "Numeric", "Date", "Arn"].contains { name.hasPrefix($0) } }
        #expect(documented.count == 6 + 6 + 6 + 4)
        for name in documented { #expect(ConditionOperator(name: name) != nil, "\(name)") }
    }

    @Test func everyKeyIsInTheTable() {
        let keys = names.filter { $0.hasPrefix("aws:") || $0.hasPrefix("glacier:") }
        #expect(keys.count == 10)
        for key in keys { #expect(ConditionKey(name: key) != nil, "\(key)") }
    }
}
