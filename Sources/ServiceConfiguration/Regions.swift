// SPDX-License-Identifier: Apache-2.0

/// The syntax of region names. Any name of the right form is accepted: a private installation may invent its own.
enum Regions {
    static let maxCount = 32
    static let maxNameBytes = 32
    private static let remedy =
        "Write names such as us-east-1 (small letters, digits, single hyphens), separated by commas."

    /// One to 32 names, separated by commas, no two alike.
    static func parse(_ text: String) throws(InvalidValue) -> [String] {
        let names = text.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmingSpaces }
        guard names.count <= maxCount else {
            throw InvalidValue("holds more than \(maxCount) regions", remedy: "Leave some out.")
        }
        guard names.allSatisfy(isName) else {
            throw InvalidValue("holds a name that cannot be a region", remedy: remedy)
        }
        guard Set(names).count == names.count else {
            throw InvalidValue("holds a region twice", remedy: "Write each region once.")
        }
        return names
    }

    private static func isName(_ name: String) -> Bool {
        let words = name.split(separator: "-", omittingEmptySubsequences: false)
        return name.utf8.count <= maxNameBytes && name.first?.isLetter == true
            && words.allSatisfy { word in
                !word.isEmpty && word.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) }
            }
    }
}
