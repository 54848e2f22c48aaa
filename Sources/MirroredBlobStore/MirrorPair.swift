// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
public import Storage

/// How a data directory and its mirror know each other: a file `mirror.json` in both with the same number, so that an empty mount point, or
/// another vault's mirror, is never taken for ours (Docs/Formats/DataDirectory-v1.md).
public struct MirrorPair: Sendable {
    static let format = "coldvault-mirror"
    static let version: Int64 = 1
    private static let maxFileBytes = 4096

    let disk: any Disk
    let dataDirectory: String
    let mirrorDirectory: String

    public init(disk: any Disk, dataDirectory: String, mirrorDirectory: String) {
        self.disk = disk
        self.dataDirectory = dataDirectory
        self.mirrorDirectory = mirrorDirectory
    }

    /// Where the mirror keeps its blobs, its key files, and the first copy what the mirror is owed.
    public var blobsPath: String { "\(mirrorDirectory)/blobs" }
    public var keysPath: String { "\(mirrorDirectory)/keys" }
    public var ledgerPath: String { "\(dataDirectory)/mirror-owed" }

    private var ownPath: String { "\(dataDirectory)/mirror.json" }
    private var mirrorPath: String { "\(mirrorDirectory)/mirror.json" }

    /// How far the mirror is.
    struct Progress: Hashable, Sendable {
        var id: String
        /// Everything that was there when the pair was made, or when the mirror came back, is on both.
        var isSynchronized: Bool
        /// The last blob that was compared.
        var cursor: String?
    }

    /// Why the mirror cannot be used, or nil when it is the one that belongs here.
    func absence(of progress: Progress) async -> String? {
        do {
            guard let id = try await mirrorID() else {
                return "\(mirrorDirectory) is empty: mount the mirror there. If it is a new disk, stop the service, remove \(ownPath) and start "
                    + "again: everything is then copied to it"
            }
            return id == progress.id ? nil : "\(mirrorDirectory) is the mirror of another data directory"
        } catch {
            return "\(mirrorDirectory) cannot be read: \(error)"
        }
    }

    /// For work on both copies while no service runs.
    /// - Throws: `.unusable` when the data directory has no mirror, or the mirror is not the one that belongs to it.
    public func requireBoth() async throws(StorageError) {
        guard let own = try await progress() else {
            throw StorageError(.unusable, "\(dataDirectory) has no mirror. Leave out --mirror-dir; nothing was changed.")
        }
        if let reason = await absence(of: own) { throw StorageError(.unusable, "\(reason). Nothing was changed.") }
    }

    /// What the data directory knows of its mirror; a new pair is made when neither knows of one.
    /// - Throws: `.unusable` when the mirror is another's.
    func open(random: any RandomByteSource) async throws(StorageError) -> Progress {
        let own = try await progress()
        let other: String?
        do throws(StorageError) {
            other = try await mirrorID()
        } catch {
            guard let own else { throw error }
            return own
        }
        switch (own, other) {
        case (let own?, nil): return own
        case (let own?, let other?):
            guard own.id == other else {
                throw StorageError(
                    .unusable, "\(mirrorDirectory) is the mirror of another data directory; give the right one, or an empty one after removing \(ownPath)")
            }
            return own
        case (nil, .some):
            throw StorageError(
                .unusable,
                "\(mirrorDirectory) is the mirror of another data directory, or of this one before \(ownPath) was lost; give an empty directory")
        case (nil, nil):
            let id = random.bytes(16).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
            try await disk.createDirectory(dataDirectory)
            try await disk.createDirectory(mirrorDirectory)
            try await disk.replace(mirrorPath, with: Self.document(id, [:]))
            let progress = Progress(id: id, isSynchronized: false, cursor: nil)
            try await save(progress)
            return progress
        }
    }

    func save(_ progress: Progress) async throws(StorageError) {
        let members: [String: JSONValue] = [
            "synchronized": .bool(progress.isSynchronized), "cursor": progress.cursor.map { .string($0) } ?? .null,
        ]
        try await disk.replace(ownPath, with: Self.document(progress.id, members))
    }

    private func progress() async throws(StorageError) -> Progress? {
        guard let document = try await read(ownPath), let id = document["id"]?.stringValue else { return nil }
        return Progress(
            id: id, isSynchronized: document["synchronized"]?.boolValue ?? false, cursor: document["cursor"]?.stringValue)
    }

    private func mirrorID() async throws(StorageError) -> String? { try await read(mirrorPath)?["id"]?.stringValue }

    private func read(_ path: String) async throws(StorageError) -> JSONValue? {
        guard try await disk.size(of: path) != nil else { return nil }
        let bytes = try await disk.readAll(path, limit: Self.maxFileBytes)
        guard let document = try? JSONParser.parse(bytes), document["format"]?.stringValue == Self.format,
            let version = document["version"]?.integerValue
        else { throw StorageError(.integrity, "\(path) cannot be read as a mirror's file; restore it from the other side, or remove both") }
        guard version <= Self.version else {
            throw StorageError(.unusable, "\(path) has version \(version), made by a newer Coldvault; upgrade")
        }
        return document
    }

    private static func document(_ id: String, _ more: [String: JSONValue]) -> [UInt8] {
        var members = more
        members["format"] = .string(format)
        members["version"] = .integer(version)
        members["id"] = .string(id)
        return JSONValue.object(members).canonicalBytes()
    }
}
