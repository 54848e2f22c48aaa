// SPDX-License-Identifier: Apache-2.0

/// The 12-digit number of an account; the first segment of every request path.
public struct AccountID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Twelve ASCII digits.
    public let digits: String

    /// Accepts exactly twelve ASCII digits, without hyphens.
    public init?(_ text: String) {
        guard text.utf8.count == 12, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        digits = text
    }

    public var description: String { digits }
    public static func < (left: AccountID, right: AccountID) -> Bool { left.digits < right.digits }
}

/// A region code such as `us-east-1`: each accepted region is its own namespace of vaults.
public struct Region: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let code: String

    /// Accepts 1 to 32 characters out of `a-z 0-9 -`, as the region codes of the field look.
    public init?(_ text: String) {
        let allowed = text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
        guard (1...32).contains(text.utf8.count), allowed else { return nil }
        code = text
    }

    public var description: String { code }
    public static func < (left: Region, right: Region) -> Bool { left.code < right.code }
}
