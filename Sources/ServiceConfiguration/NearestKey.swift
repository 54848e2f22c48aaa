// SPDX-License-Identifier: Apache-2.0

/// Finds the known name that a mistyped one was probably meant to be.
enum NearestKey {
    /// The closest candidate when it is close enough to be worth suggesting, ignoring case and separators.
    static func suggestion(for name: String, among candidates: [String]) -> String? {
        let wanted = folded(name)
        guard wanted.count <= 64 else { return nil }
        let best = candidates.map { ($0, distance(wanted, folded($0))) }.min { $0.1 < $1.1 }
        guard let best, best.1 <= max(2, wanted.count / 3) else { return nil }
        return best.0
    }

    private static func folded(_ text: String) -> [Character] {
        Array(text.lowercased().filter { $0 != "-" && $0 != "_" && $0 != "." })
    }

    /// Levenshtein's distance, one row at a time.
    private static func distance(_ a: [Character], _ b: [Character]) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let replaced = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, diagonal + 1, row[j] + 1)
            }
        }
        return row[b.count]
    }
}
