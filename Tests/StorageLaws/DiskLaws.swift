// SPDX-License-Identifier: Apache-2.0

import NIOCore
public import Storage
import Testing

/// The laws of ``Disk`` that hold without a power cut. Run each with a disk and an empty directory on it that exists.
public enum DiskLaw: String, CaseIterable, Sendable {
    case publishedFileIsReadBack, nothingHasANameBeforePublish, publishNeverReplaces, readPastTheEndIsAnIntegrityError
    case storedFileIsReadBack, storeNeverReplaces
    case absentThingsAreNotFoundOrEmpty, replaceReplacesWhole, readAllKeepsItsLimit, removeIsIdempotent, entriesAreSortedByBytes
    case directoriesAreMadeWithParentsAndAgain, closedFileIsRefused, directoryIsNotAFile, freeRoomIsTold

    public func check(_ disk: any Disk, _ directory: String) async throws {
        switch self {
        case .publishedFileIsReadBack:
            let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            let file = try await disk.createTemporary(in: directory)
            try await file.write(ByteBuffer(bytes: content[..<100_001]))
            try await file.write(ByteBuffer())
            try await file.write(ByteBuffer(bytes: content[100_001...]))
            #expect(try await file.size() == 300_000)
            try await file.sync()
            try await disk.publish(file, at: "\(directory)/file")
            await file.close()
            await file.close()
            try await disk.syncDirectory(directory)
            #expect(try await disk.size(of: "\(directory)/file") == 300_000)
            let opened = try await disk.openFile("\(directory)/file")
            #expect(try await opened.size() == 300_000)
            for range: Range<UInt64> in [0..<300_000, 0..<1, 99_999..<100_003, 299_999..<300_000, 300_000..<300_000] {
                #expect(
                    try await opened.read(range)
                        == ByteBuffer(bytes: content[Int(range.lowerBound)..<Int(range.upperBound)]))
            }
            await opened.close()
        case .nothingHasANameBeforePublish:
            let file = try await disk.createTemporary(in: directory)
            try await file.write(ByteBuffer(string: "x"))
            let visible = try await disk.entries(of: directory).filter { !$0.name.hasPrefix(".") }
            #expect(visible == [])
            await file.close()
            #expect(try await disk.entries(of: directory) == [])
        case .storedFileIsReadBack:
            try await disk.store(ByteBuffer(string: "stored"), in: directory, at: "\(directory)/stored")
            #expect(try await disk.readAll("\(directory)/stored", limit: 9) == Array("stored".utf8))
            #expect(try await disk.entries(of: directory).map(\.name) == ["stored"])
        case .storeNeverReplaces:
            try await disk.store(ByteBuffer(string: "first"), in: directory, at: "\(directory)/stored")
            await expectCode(.alreadyExists) {
                try await disk.store(ByteBuffer(string: "second"), in: directory, at: "\(directory)/stored")
            }
            await expectCode(.notFound) {
                try await disk.store(ByteBuffer(string: "lost"), in: directory, at: "\(directory)/none/stored")
            }
            #expect(try await disk.readAll("\(directory)/stored", limit: 9) == Array("first".utf8))
            #expect(try await disk.entries(of: directory).map(\.name) == ["stored"])
        case .publishNeverReplaces:
            try await write("first", to: "\(directory)/name", disk)
            let second = try await disk.createTemporary(in: directory)
            try await second.write(ByteBuffer(string: "second"))
            try await second.sync()
            await expectCode(.alreadyExists) { try await disk.publish(second, at: "\(directory)/name") }
            await second.close()
            #expect(try await disk.readAll("\(directory)/name", limit: 10) == Array("first".utf8))
            #expect(try await disk.entries(of: directory).count == 1)
        case .readPastTheEndIsAnIntegrityError:
            try await write("12345", to: "\(directory)/five", disk)
            let file = try await disk.openFile("\(directory)/five")
            for range: Range<UInt64> in [0..<6, 5..<6, 100..<101, UInt64.max - 1..<UInt64.max] {
                await expectCode(.integrity) { try await file.read(range) }
            }
            await file.close()
        case .absentThingsAreNotFoundOrEmpty:
            await expectCode(.notFound) { try await disk.openFile("\(directory)/none") }
            await expectCode(.notFound) { try await disk.readAll("\(directory)/none", limit: 1) }
            await expectCode(.notFound) { try await disk.createTemporary(in: "\(directory)/none") }
            await expectCode(.notFound) { try await disk.syncDirectory("\(directory)/none") }
            #expect(try await disk.size(of: "\(directory)/none") == nil)
            #expect(try await disk.size(of: "\(directory)/none/inside") == nil)
            #expect(try await disk.entries(of: "\(directory)/none") == [])
        case .replaceReplacesWhole:
            try await disk.replace("\(directory)/record", with: Array("a longer first text".utf8))
            try await disk.replace("\(directory)/record", with: Array("second".utf8))
            #expect(try await disk.readAll("\(directory)/record", limit: 100) == Array("second".utf8))
            #expect(try await disk.entries(of: directory).count == 1)
            await expectCode(.notFound) { try await disk.replace("\(directory)/none/record", with: [1]) }
        case .readAllKeepsItsLimit:
            try await write("1234", to: "\(directory)/four", disk)
            #expect(try await disk.readAll("\(directory)/four", limit: 4).count == 4)
            await expectCode(.integrity) { try await disk.readAll("\(directory)/four", limit: 3) }
        case .removeIsIdempotent:
            try await write("x", to: "\(directory)/gone", disk)
            for _ in 0..<2 { try await disk.remove("\(directory)/gone") }
            try await disk.remove("\(directory)/none/inside")
            #expect(try await disk.size(of: "\(directory)/gone") == nil)
        case .entriesAreSortedByBytes:
            for name in ["b", "a-b", "a.b", "a0", "a_b", "10", "9"] {
                try await write(name, to: "\(directory)/\(name)", disk)
            }
            try await disk.createDirectory("\(directory)/a")
            let entries = try await disk.entries(of: directory)
            #expect(entries.map(\.name) == ["10", "9", "a", "a-b", "a.b", "a0", "a_b", "b"])
            #expect(entries.map(\.bytes) == [2, 1, 0, 3, 3, 2, 3, 1])
            #expect(entries.filter(\.isDirectory).map(\.name) == ["a"])
        case .directoriesAreMadeWithParentsAndAgain:
            for _ in 0..<2 { try await disk.createDirectory("\(directory)/x/y/z") }
            try await write("deep", to: "\(directory)/x/y/z/file", disk)
            #expect(try await disk.entries(of: "\(directory)/x/y").map(\.name) == ["z"])
            await #expect(throws: StorageError.self) { try await disk.createDirectory("\(directory)/x/y/z/file/below") }
        case .closedFileIsRefused:
            let file = try await disk.createTemporary(in: directory)
            await file.close()
            await #expect(throws: StorageError.self) { try await file.write(ByteBuffer(string: "x")) }
            await #expect(throws: StorageError.self) { try await disk.publish(file, at: "\(directory)/x") }
        case .directoryIsNotAFile:
            try await disk.createDirectory("\(directory)/sub")
            #expect(try await disk.size(of: "\(directory)/sub") == nil)
            await expectCode(.notFound) { try await disk.openFile("\(directory)/sub") }
        case .freeRoomIsTold:
            #expect(try await disk.availableBytes(at: directory) > 0)
        }
    }

    private func write(_ text: String, to path: String, _ disk: any Disk) async throws {
        let file = try await disk.createTemporary(in: SimulatedPath.parent(of: path))
        try await file.write(ByteBuffer(string: text))
        try await file.sync()
        try await disk.publish(file, at: path)
        await file.close()
    }
}

enum SimulatedPath {
    static func parent(of path: String) -> String { path.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } }
}
