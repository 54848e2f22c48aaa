// SPDX-License-Identifier: Apache-2.0

/// How long a retrieval job of each tier waits before it may start. Zero everywhere unless the operator wants
/// otherwise.
public struct RetrievalDelay: Hashable, Sendable {
    public let expedited: Duration
    public let standard: Duration
    public let bulk: Duration

    static let longest = Duration.seconds(7 * 86_400)
    private static let tiers = ["expedited", "standard", "bulk"]
    private static let remedy = "Write for example expedited=0s,standard=3h,bulk=5h; a tier left out has no delay."

    public init(expedited: Duration = .zero, standard: Duration = .zero, bulk: Duration = .zero) {
        self.expedited = expedited
        self.standard = standard
        self.bulk = bulk
    }

    /// Parses `expedited=0s,standard=0s,bulk=0s`: tiers in any order, each at most once, delays up to 7 days.
    public init(parsing text: String) throws(InvalidValue) {
        var delays: [String: Duration] = [:]
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                $0.trimmingSpaces
            }
            guard sides.count == 2, Self.tiers.contains(sides[0]) else {
                throw InvalidValue("names a tier that is none of expedited, standard and bulk", remedy: Self.remedy)
            }
            guard delays[sides[0]] == nil else { throw InvalidValue("names a tier twice", remedy: Self.remedy) }
            delays[sides[0]] = try DurationText.parse(sides[1], in: .zero...Self.longest)
        }
        self.init(
            expedited: delays["expedited"] ?? .zero, standard: delays["standard"] ?? .zero,
            bulk: delays["bulk"] ?? .zero)
    }
}

extension StringProtocol {
    /// Without blanks and tabs at both ends.
    var trimmingSpaces: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(String(drop(while: isBlank).reversed().drop(while: isBlank)).reversed())
    }
}
