// SPDX-License-Identifier: Apache-2.0

import Cryptography

/// The logical name of a blob: fixed-width fields, so that names sort by generation and one listing of a prefix finds
/// all there is. Docs/Formats/Blob-v1.md §4.
public enum BlobName: Hashable, Sendable, CustomStringConvertible {
    case account(account: String, generation: UInt64)
    case vault(account: String, vaultUID: [UInt8], generation: UInt64)
    case upload(account: String, vaultUID: [UInt8], archiveUID: [UInt8], generation: UInt64)
    case manifest(account: String, vaultUID: [UInt8], archiveUID: [UInt8], generation: UInt64)
    case deletion(account: String, vaultUID: [UInt8], archiveUID: [UInt8], generation: UInt64)
    case part(account: String, vaultUID: [UInt8], archiveUID: [UInt8], index: UInt32, number: UInt64)
    case staged(uid: [UInt8])
    /// Docs/Formats/Checkpoint-v1.md
    case checkpoint(generation: UInt64)
    /// Docs/Formats/Audit-v1.md
    case audit(first: UInt64)

    /// Part indices have five digits.
    public static let maxPartIndex: UInt32 = 99_999

    /// The name.
    public var text: String {
        switch self {
        case .account(let account, let generation):
            return Self.accountPrefix(account: account) + Self.padded(generation)
        case .vault(let account, let vault, let generation):
            return Self.vaultPrefix(account: account, vaultUID: vault) + "records/vault-" + Self.padded(generation)
        case .upload(let account, let vault, let archive, let generation):
            return Self.uploadPrefix(account: account, vaultUID: vault, archiveUID: archive) + Self.padded(generation)
        case .manifest(let account, let vault, let archive, let generation):
            return Self.archivePrefix(account: account, vaultUID: vault, archiveUID: archive)
                + "manifest-" + Self.padded(generation)
        case .deletion(let account, let vault, let archive, let generation):
            return Self.archivePrefix(account: account, vaultUID: vault, archiveUID: archive)
                + "deletion-" + Self.padded(generation)
        case .part(let account, let vault, let archive, let index, let number):
            precondition(index <= Self.maxPartIndex, "a part index has five digits")
            return Self.archivePrefix(account: account, vaultUID: vault, archiveUID: archive)
                + "part-\(Self.padded(UInt64(index), digits: 5))-" + Self.padded(number)
        case .staged(let uid): return Self.stagedPrefix + Hex.encode(uid)
        case .checkpoint(let generation): return Self.checkpointPrefix + Self.padded(generation)
        case .audit(let first): return Self.auditPrefix + Self.padded(first)
        }
    }

    public var description: String { text }

    /// Parses a name; nil unless it is exactly one that `text` gives.
    public init?(_ text: String) {
        let fields = text.split(separator: "/", omittingEmptySubsequences: false)
        switch (fields.count, fields[0]) {
        case (2, "staged"):
            guard let uid = Self.uid(fields[1]) else { return nil }
            self = .staged(uid: uid)
        case (2, "service"):
            guard let generation = Self.number(fields[1], after: "checkpoint-") else { return nil }
            self = .checkpoint(generation: generation)
        case (2, "audit"):
            guard let first = Self.number(fields[1]) else { return nil }
            self = .audit(first: first)
        case (3, "accounts"):
            guard Self.isAccount(fields[1]), let generation = Self.number(fields[2]) else { return nil }
            self = .account(account: String(fields[1]), generation: generation)
        case (5..., "vaults"):
            guard Self.isAccount(fields[1]), let vault = Self.uid(fields[2]),
                let name = Self.insideVault(String(fields[1]), vault, fields[3...])
            else { return nil }
            self = name
        default: return nil
        }
    }

    private static func insideVault(
        _ account: String, _ vault: [UInt8], _ fields: ArraySlice<Substring>
    ) -> BlobName? {
        let fields = Array(fields)
        switch (fields.count, fields[0]) {
        case (2, "records"):
            guard let generation = number(fields[1], after: "vault-") else { return nil }
            return .vault(account: account, vaultUID: vault, generation: generation)
        case (2, "uploads"):
            guard let (archive, rest) = archiveAndRest(fields[1]), let generation = number(rest) else { return nil }
            return .upload(account: account, vaultUID: vault, archiveUID: archive, generation: generation)
        case (3, "archives"):
            guard fields[1] == fields[2].prefix(2), let (archive, rest) = archiveAndRest(fields[2]) else { return nil }
            if let generation = number(rest, after: "manifest-") {
                return .manifest(account: account, vaultUID: vault, archiveUID: archive, generation: generation)
            }
            if let generation = number(rest, after: "deletion-") {
                return .deletion(account: account, vaultUID: vault, archiveUID: archive, generation: generation)
            }
            let part = rest.split(separator: "-", omittingEmptySubsequences: false)
            guard part.count == 3, part[0] == "part", let index = number(part[1], digits: 5),
                let write = number(part[2])
            else { return nil }
            return .part(
                account: account, vaultUID: vault, archiveUID: archive, index: UInt32(index), number: write)
        default: return nil
        }
    }
}

// MARK: prefixes of listings

extension BlobName {
    /// All account records.
    public static let accountsPrefix = "accounts/"
    /// Everything that belongs to vaults.
    public static let vaultsPrefix = "vaults/"
    /// All staged outputs, in the warm store.
    public static let stagedPrefix = "staged/"

    /// What concerns the service as a whole.
    public static let servicePrefix = "service/"
    /// All checkpoints.
    public static let checkpointPrefix = servicePrefix + "checkpoint-"
    /// All segments of the audit log.
    public static let auditPrefix = "audit/"

    /// All records of one account.
    public static func accountPrefix(account: String) -> String {
        precondition(isAccount(account), "an account is 12 digits")
        return "accounts/\(account)/"
    }

    /// Everything of one vault.
    public static func vaultPrefix(account: String, vaultUID: [UInt8]) -> String {
        precondition(isAccount(account) && vaultUID.count == 16, "an account is 12 digits, a vault uid 16 bytes")
        return "vaults/\(account)/\(Hex.encode(vaultUID))/"
    }

    /// The records of the upload that an archive came, or will come, from.
    public static func uploadPrefix(account: String, vaultUID: [UInt8], archiveUID: [UInt8]) -> String {
        precondition(archiveUID.count == 16, "an archive uid is 16 bytes")
        return vaultPrefix(account: account, vaultUID: vaultUID) + "uploads/\(Hex.encode(archiveUID))."
    }

    /// Everything of one archive but its upload records.
    public static func archivePrefix(account: String, vaultUID: [UInt8], archiveUID: [UInt8]) -> String {
        precondition(archiveUID.count == 16, "an archive uid is 16 bytes")
        let uid = Hex.encode(archiveUID)
        return vaultPrefix(account: account, vaultUID: vaultUID) + "archives/\(uid.prefix(2))/\(uid)."
    }
}

// MARK: fields

extension BlobName {
    static func isAccount(_ text: some StringProtocol) -> Bool {
        text.utf8.count == 12 && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// Decimal digits with leading zeros; 20 hold any 64-bit number.
    static func padded(_ value: UInt64, digits: Int = 20) -> String {
        let text = String(value)
        precondition(text.utf8.count <= digits, "a number of a blob name has at most \(digits) digits")
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }

    private static func number(_ text: Substring, after prefix: String = "", digits: Int = 20) -> UInt64? {
        guard text.hasPrefix(prefix) else { return nil }
        let rest = text.dropFirst(prefix.count)
        guard rest.utf8.count == digits, rest.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return UInt64(rest)
    }

    /// `<archive>.<rest>`: an archive's blobs lie beside each other in the directory of its shard, so that a small archive costs a file
    /// store no directory of its own.
    private static func archiveAndRest(_ text: Substring) -> (archive: [UInt8], rest: Substring)? {
        let pieces = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard pieces.count == 2, let archive = uid(pieces[0]) else { return nil }
        return (archive, pieces[1])
    }

    private static func uid(_ text: Substring) -> [UInt8]? {
        guard text.utf8.count == 32 else { return nil }
        return Hex.decode(text)
    }
}
