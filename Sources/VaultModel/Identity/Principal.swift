// SPDX-License-Identifier: Apache-2.0

/// The name of a user within an account: 1 to 64 characters out of `A-Z a-z 0-9 + = , . @ _ -`, as the field has it.
public struct UserName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let text: String

    public init?(_ text: String) {
        let bytes = text.utf8
        guard (1...64).contains(bytes.count) else { return nil }
        let marks = Array("+=,.@_-".utf8)
        let allowed = bytes.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte) || marks.contains(byte)
        }
        guard allowed else { return nil }
        self.text = text
    }

    public var description: String { text }
    public static func < (left: UserName, right: UserName) -> Bool { left.text.utf8.lexicographicallyPrecedes(right.text.utf8) }
}

/// Who acts: an account as a whole (its root) or one of its users. Temporary credentials act as the principal they were issued for.
public struct Principal: Hashable, Sendable, CustomStringConvertible {
    public let account: AccountID
    /// Nil for the account's root.
    public let user: UserName?

    public init(account: AccountID, user: UserName? = nil) {
        self.account = account
        self.user = user
    }

    public var isRoot: Bool { user == nil }

    /// `arn:aws:iam::<account>:root` or `arn:aws:iam::<account>:user/<name>`.
    public var arn: String { user.map { "arn:aws:iam::\(account):user/\($0)" } ?? "arn:aws:iam::\(account):root" }
    public var description: String { arn }
}
