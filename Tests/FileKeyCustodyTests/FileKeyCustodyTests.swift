// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import FileKeyCustody
import Foundation
import PosixDisk
import Storage
import StorageLaws
import Testing

@Suite struct FileKeyCustodyTests {
    private static func key(_ seed: Int) throws -> SecretKey { try SecretKey(bytes: pattern(32, seed)) }

    @Test(arguments: KeyCustodyLaw.allCases) func fileCustodyKeepsTheLaw(_ law: KeyCustodyLaw) async throws {
        try await law.check(
            FileKeyCustody(rootKey: try Self.key(1), random: SystemRandomBytes()),
            other: FileKeyCustody(rootKey: try Self.key(2), random: SystemRandomBytes()))
    }

    @Test(arguments: KeyCustodyLaw.allCases) func recoveryCustodyKeepsTheLaw(_ law: KeyCustodyLaw) async throws {
        try await law.check(
            RecoveryKeyCustody(recoveryKey: try Self.key(1), random: SystemRandomBytes()),
            other: RecoveryKeyCustody(recoveryKey: try Self.key(2), random: SystemRandomBytes()))
    }

    @Test func kindsAndLengthsAreThoseOfTheFormat() async throws {
        let root = try Self.key(3)
        let file = FileKeyCustody(rootKey: root, random: SystemRandomBytes())
        #expect(file.kind == "file")
        #expect(RecoveryKeyCustody(recoveryKey: root, random: SystemRandomBytes()).kind == "recovery")
        #expect(try await file.wrap(root, context: []).count == 104)
    }

    @Test func referenceIsHKDFExpandOfItsLabel() throws {
        // One block of HKDF-Expand is HMAC-SHA-512(root key, label ‖ 0x01); computed with Python's hmac for the key 00
        // 01 … 1f.
        let custody = FileKeyCustody(rootKey: try SecretKey(bytes: Array(0..<32)), random: SystemRandomBytes())
        #expect(custody.reference == "85005232bf9fd7493aa0bdae09388300")
    }
}

@Suite struct RootKeyFileTests {
    private func withFile(_ body: (RootKeyFile, PosixDisk) async throws -> Void) async throws {
        let pool = BlockingPool(name: "disk", threads: 1)
        try await withTemporaryDirectory { directory in
            let disk = PosixDisk(pool: pool)
            let file = RootKeyFile(path: "\(directory)/root.key", disk: disk) { (path) throws(StorageError) in
                try await disk.permissions(of: path)
            }
            try await body(file, disk)
        }
        await pool.shutdown()
    }

    @Test func createdKeyIsLoadedAgainAndNeverOverwritten() async throws {
        try await withFile { file, _ in
            await expectCode(.notFound) { try await file.load() }
            let key = try await file.create(random: SystemRandomBytes())
            let loaded = try await file.load()
            #expect(loaded.key.isEqual(to: key))
            #expect(loaded.warning == nil)
            await expectCode(.alreadyExists) { try await file.create(random: SystemRandomBytes()) }
            #expect(try await file.load().key.isEqual(to: key))
            let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        }
    }

    @Test func whatIsNotThirtyTwoRandomBytesIsRefused() async throws {
        let wrong: [[UInt8]] = [
            [], pattern(31, 1), pattern(33, 1), [UInt8](repeating: 0, count: 32), [UInt8](repeating: 0xFF, count: 32),
            Array("0123456789abcdef0123456789abcdef".utf8), Array("correct horse battery staple no\n".utf8),
        ]
        for bytes in wrong {
            try await withFile { file, disk in
                try await disk.replace(file.path, with: bytes)
                await expectCode(.unusable, "\(bytes)") { try await file.load() }
            }
        }
    }

    @Test(arguments: [
        (0o600, true, true), (0o400, true, true), (0o440, true, false), (0o644, false, false), (0o604, false, false),
        (0o660, false, false), (0o601, false, false),
    ])
    func fileOpenToOthersIsRefused(_ mode: Int, _ loads: Bool, _ quietly: Bool) async throws {
        try await withFile { file, _ in
            _ = try await file.create(random: SystemRandomBytes())
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
            if loads {
                #expect((try await file.load().warning == nil) == quietly)
            } else {
                await expectCode(.unusable) { try await file.load() }
            }
        }
    }

    @Test func symbolicLinkIsRefused() async throws {
        try await withFile { file, disk in
            try await disk.replace("\(file.path).real", with: pattern(32, 1))
            try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: "\(file.path).real")
            await expectCode(.unusable) { try await file.load() }
            await expectCode(.alreadyExists) { try await file.create(random: SystemRandomBytes()) }
        }
    }
}

@Suite struct KeyDirectoryTests {
    @Test func filesAreReplacedWholeListedAndRead() async throws {
        let disk = SimulatedDisk()
        let keys = KeyDirectory(disk: disk, path: "/data/keys")
        #expect(try await keys.list() == [])
        await expectCode(.notFound) { try await keys.read("master-000001.json") }
        try await keys.replace("master-000002.json", with: [2])
        try await keys.replace("master-000001.json", with: [1])
        try await keys.replace("master-000001.json", with: [1, 1])
        #expect(try await keys.list() == ["master-000001.json", "master-000002.json"])
        #expect(try await keys.read("master-000001.json") == [1, 1])
        disk.restorePower(seed: 1)
        #expect(try await keys.read("master-000001.json") == [1, 1])
    }

    @Test func replaceIsOldOrNewAfterAPowerCutAtAnyCall() async throws {
        for operation in 0..<4 {
            for seed in Seeds.first(20) {
                let disk = SimulatedDisk()
                let keys = KeyDirectory(disk: disk, path: "/keys")
                try await keys.replace("master-000001.json", with: [1])
                disk.cutPower(atOperation: disk.operationCount + operation)
                let acknowledged = (try? await keys.replace("master-000001.json", with: [2, 2])) != nil
                disk.restorePower(seed: seed)
                let content = try await keys.read("master-000001.json")
                #expect(content == [2, 2] || (content == [1] && !acknowledged), "seed \(seed), call \(operation)")
            }
        }
    }

    @Test func otherNamesAndTooMuchContentAreRefused() async throws {
        let disk = SimulatedDisk()
        let keys = KeyDirectory(disk: disk, path: "/keys")
        for name in [
            "", ".json", "../x.json", "a/b.json", ".x.json", "UP.json", "x.txt",
            String(repeating: "x", count: 65) + ".json",
        ] {
            await expectCode(.unusable, name) { try await keys.replace(name, with: [1]) }
            await expectCode(.unusable, name) { try await keys.read(name) }
        }
        try await keys.replace("x.json", with: [UInt8](repeating: 1, count: KeyDirectory.maxFileBytes))
        await expectCode(.unusable) {
            try await keys.replace("x.json", with: [UInt8](repeating: 1, count: KeyDirectory.maxFileBytes + 1))
        }
        try await disk.replace("/keys/notes.txt", with: [1])
        #expect(try await keys.list() == ["x.json"])
    }

    @Test func copyGoesToANewDirectoryOnly() async throws {
        let disk = SimulatedDisk()
        let keys = KeyDirectory(disk: disk, path: "/data/keys")
        try await keys.replace("master-000001.json", with: [1])
        try await keys.replace("identifier-000001.json", with: [2])
        #expect(try await keys.copyAll(to: "/backup/keys-1/") == 2)
        disk.restorePower(seed: 3)
        #expect(try await KeyDirectory(disk: disk, path: "/backup/keys-1").list() == keys.list())
        #expect(try await disk.readAll("/backup/keys-1/master-000001.json", limit: 9) == [1])
        await expectCode(.alreadyExists) { try await keys.copyAll(to: "/backup/keys-1") }
    }
}
