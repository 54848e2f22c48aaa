// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import VaultClient

/// Columns for people: two blanks between them, numbers to the right.
struct TextTable {
    enum Alignment { case left, right }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

    mutating func add(_ row: [String]) { rows.append(row.map(Self.printable)) }

    var text: String {
        var widths = columns.map(\.title.count)
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) }
        }
        let all = [columns.map(\.title)] + rows
        return all.map { row in
            var line = ""
            for (index, cell) in row.enumerated() {
                let gap = String(repeating: " ", count: widths[index] - cell.count)
                line += (index > 0 ? "  " : "") + (columns[index].alignment == .left ? cell + gap : gap + cell)
            }
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }

    /// Text of a service is never trusted to leave the terminal alone.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    }

    /// As ``printable(_:)`` for text of several lines, which stay apart.
    static func printableLines(_ text: String) -> String {
        text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false).map { printable(String($0)) }.joined(
                separator: "\t")
        }.joined(separator: "\n")
    }

    /// The members of a document that have a value, one per line.
    static func members(of document: WireDocument) -> String {
        guard case .object(let members) = document.value else { return "" }
        var table = TextTable([("MEMBER", .left), ("VALUE", .left)])
        for (name, value) in members.sorted(by: { $0.key < $1.key }) where value != .null {
            if case .string(let text) = value {
                table.add([name, text])
            } else {
                table.add([name, value.canonicalString()])
            }
        }
        return table.text
    }
}
