// SPDX-License-Identifier: Apache-2.0

/// The name of a vault, unique within its account and region; case-sensitive.
///
/// 1 to 255 characters out of `A-Z a-z 0-9 _ - .`. The names `.` and `..` are refused: clients remove dot segments from a path before
/// they sign it, so such a vault could be created but never reached.
public struct VaultName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let text: String

    public init?(_ text: String) {
        let bytes = text.utf8
        guard (1...255).contains(bytes.count), text != ".", text != ".." else { return nil }
        let allowed = bytes.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                || byte == 0x5F || byte == 0x2D || byte == 0x2E
        }
        guard allowed else { return nil }
        self.text = text
    }

    public var description: String { text }

    /// ASCII order, the order of ListVaults.
    public static func < (left: VaultName, right: VaultName) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

/// Where a vault lives and what it is called: its visible identity. The immutable one is its ``VaultUID``.
public struct VaultLocation: Hashable, Sendable {
    public let account: AccountID
    public let region: Region
    public let name: VaultName

    public init(account: AccountID, region: Region, name: VaultName) {
        self.account = account
        self.region = region
        self.name = name
    }

    /// `arn:aws:glacier:<region>:<account>:vaults/<name>`.
    public var arn: String { "arn:aws:glacier:\(region):\(account):vaults/\(name)" }
}
