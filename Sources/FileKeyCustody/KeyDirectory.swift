// SPDX-License-Identifier: Apache-2.0

public import Storage

/// The directory `keys/` of a data directory: a few small files, replaced as a whole (Docs/Formats/Keyring-v1.md).
///
/// A name is 1 to 64 bytes out of `a-z 0-9 -`, then `.json`. Other files in the directory are left alone and not
/// listed.
public struct KeyDirectory: KeyFileStore {
    public static let maxFileBytes = 64 << 10
    /// More key files than this mean that something is wrong.
    public static let maxFiles = 10_000

    private let disk: any Disk
    private let path: String

    public init(disk: any Disk, path: String) {
        self.disk = disk
        self.path = path
    }

    public func list() async throws(StorageError) -> [String] {
        let names = try await disk.entries(of: path).filter { !$0.isDirectory && Self.isName($0.name) }.map(\.name)
        guard names.count <= Self.maxFiles else {
            throw StorageError(.unusable, "\(path) holds more than \(Self.maxFiles) key files; see what fills it")
        }
        return names
    }

    public func read(_ name: String) async throws(StorageError) -> [UInt8] {
        try await disk.readAll(try location(of: name), limit: Self.maxFileBytes)
    }

    public func replace(_ name: String, with bytes: [UInt8]) async throws(StorageError) {
        guard bytes.count <= Self.maxFileBytes else {
            throw StorageError(
                .unusable, "a key file has at most \(Self.maxFileBytes) bytes; remove slots that are not needed")
        }
        let location = try location(of: name)
        try await disk.createDirectory(path)
        try await disk.replace(location, with: bytes)
    }

    public func remove(_ name: String) async throws(StorageError) {
        try await disk.remove(try location(of: name))
        try await disk.syncDirectory(path)
    }

    /// `.alreadyExists` when there is anything at `path`. A copy that fails half-way leaves what it has written.
    public func copyAll(to path: String) async throws(StorageError) -> Int {
        let trimmed = String(path.prefix(upTo: path.lastIndex { $0 != "/" }.map(path.index(after:)) ?? path.startIndex))
        let slash = trimmed.lastIndex(of: "/")
        let parent = slash.map { $0 == trimmed.startIndex ? "/" : String(trimmed[..<$0]) } ?? "."
        let name = slash.map { String(trimmed[trimmed.index(after: $0)...]) } ?? trimmed
        guard try await !disk.entries(of: parent).contains(where: { $0.name == name }) else {
            throw StorageError(.alreadyExists, "\(path) exists; copy the keyring to a new directory")
        }
        try await disk.createDirectory(trimmed)
        let names = try await list()
        for name in names { try await disk.replace("\(trimmed)/\(name)", with: try await read(name)) }
        return names.count
    }

    private func location(of name: String) throws(StorageError) -> String {
        guard Self.isName(name) else {
            throw StorageError(.unusable, "\(name.debugDescription) is no name of a key file")
        }
        return "\(path)/\(name)"
    }

    private static func isName(_ name: String) -> Bool {
        guard name.hasSuffix(".json"), (1...64).contains(name.utf8.count - 5) else { return false }
        return name.utf8.dropLast(5).allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-")
        }
    }
}
