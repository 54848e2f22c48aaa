// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography

/// The payload of a keyring backup: the key files and what a data directory needs beside them. Docs/Formats/Backup-v1.md §6.
public struct KeyringBackup: Hashable, Sendable {
    static let format = "coldvault-keyring-backup"
    /// The longest document.
    public static let maxBytes = 16 << 20
    static let maxFiles = 10_000
    static let maxFileBytes = 64 << 10

    /// Contents by their path below the data directory.
    public let files: [String: [UInt8]]

    /// Refuses names that are none of the format, and files that are empty or too long.
    public init(files: [String: [UInt8]]) throws(FormatError) {
        guard (1...Self.maxFiles).contains(files.count) else { throw .malformed("keyring backup of \(files.count) files") }
        for (name, content) in files {
            guard Self.isName(name), (1...Self.maxFileBytes).contains(content.count) else {
                throw .malformed("\(name.debugDescription) of \(content.count) bytes in a keyring backup")
            }
        }
        self.files = files
    }

    /// The canonical bytes.
    public func encode() throws(FormatError) -> [UInt8] {
        var members = DocumentFields.envelope(Self.format, [:])
        members["files"] = .array(
            files.sorted { $0.key < $1.key }.map {
                ["name": .string($0.key), "content": .string(Base64.encode($0.value))]
            })
        let bytes = JSONValue.object(members).canonicalBytes()
        guard bytes.count <= Self.maxBytes else { throw .limitExceeded("keyring backup of \(bytes.count) bytes") }
        return bytes
    }

    public init(decoding bytes: [UInt8]) throws(FormatError) {
        var fields = try DocumentFields(decoding: bytes, format: Self.format, maxBytes: Self.maxBytes)
        var files: [String: [UInt8]] = [:]
        var last = ""
        for element in try fields.array("files", maxCount: Self.maxFiles) {
            var file = try DocumentFields(element, document: "file of a keyring backup")
            let name = try file.string("name", maxBytes: 128)
            // ASCII by `isName`, so that the order of strings is the order of bytes.
            guard name > last else { throw .malformed("files of a keyring backup out of order") }
            files[name] = try file.base64("content", maxBytes: Self.maxFileBytes)
            last = name
        }
        try self.init(files: files)
    }

    private static func isName(_ name: String) -> Bool {
        if name == "format.json" || name == "backup-recipients.json" { return true }
        guard name.hasPrefix("keys/"), name.hasSuffix(".json") else { return false }
        let stem = name.utf8.dropFirst(5).dropLast(5)
        return (1...64).contains(stem.count)
            && stem.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-")
            }
    }
}
