// SPDX-License-Identifier: Apache-2.0

import Cryptography
import SealedArchive
import Storage
import VaultModel

/// Reading and writing key files (Docs/Formats/Keyring-v1.md) through custodies.
enum KeyringFiles {
    static func write(
        _ key: SecretKey, purpose: KeyFile.Purpose, version: UInt32, created: Timestamp, custodies: [any KeyCustody],
        to files: any KeyFileStore
    ) async throws {
        var file = KeyFile(
            purpose: purpose, keyVersion: version, createdMilliseconds: created.milliseconds, generation: 1, slots: [])
        for custody in custodies {
            guard let reference = ArchiveUID(hex: custody.reference)?.bytes else {
                throw VaultError(.internalFailure, "The custody \(custody.kind) has no proper reference.")
            }
            let wrapped = try await custody.wrap(key, context: file.wrapContext.bytes)
            file.slots.append(KeySlot(custody: custody.kind, reference: reference, wrapped: wrapped))
        }
        try await files.replace(file.fileName, with: file.encode())
    }

    /// A key file and its key; an error names the file.
    static func read(
        _ name: String, from files: any KeyFileStore, with custodies: [any KeyCustody]
    ) async throws -> (file: KeyFile, key: SecretKey) {
        do {
            return try await open(try await files.read(name), named: name, with: custodies)
        } catch let error as VaultError {
            throw error
        } catch {
            let explained = explain(error)
            throw VaultError(explained.code, "keys/\(name): \(explained.message)")
        }
    }

    /// The same, of a file that was read.
    static func open(
        _ bytes: [UInt8], named name: String, with custodies: [any KeyCustody]
    ) async throws -> (file: KeyFile, key: SecretKey) {
        do {
            let file = try KeyFile(decoding: bytes)
            return (file, try await unwrap(file, with: custodies))
        } catch {
            let explained = explain(error)
            throw VaultError(explained.code, "keys/\(name): \(explained.message)")
        }
    }

    /// Opens the file through the first slot that one of `custodies` has the root key for.
    static func unwrap(_ file: KeyFile, with custodies: [any KeyCustody]) async throws -> SecretKey {
        for custody in custodies {
            for slot in file.slots where slot.custody == custody.kind && hex(slot.reference) == custody.reference {
                return try await custody.unwrap(slot.wrapped, context: file.wrapContext.bytes)
            }
        }
        let wanted = file.slots.map { "\($0.custody) \(hex($0.reference))" }.joined(separator: " or ")
        let offered = custodies.map { "\($0.kind) \($0.reference)" }.joined(separator: ", ")
        throw VaultError(
            .accessDenied,
            "This is not the root key of this data directory: its keys are wrapped for \(wanted), the key given is \(offered). "
                + "Give the right root key file; nothing was changed.")
    }

    /// Sixteen bytes as 32 hexadecimal digits.
    static func hex(_ reference: [UInt8]) -> String { ArchiveUID(bytes: reference)?.hex ?? "?" }

    /// What opening or writing key files failed with, for the operator.
    static func explain(_ error: any Error) -> VaultError {
        switch error {
        case let error as VaultError: error
        case let error as StorageError where error.code == .integrity:
            VaultError(.integrity, "A key file did not verify: it is damaged or was made for another directory. Restore keys/ from a keyring backup.", cause: error)
        case let error as FormatError:
            VaultError(.integrity, "A key file cannot be read (\(error)). Restore keys/ from a keyring backup.", cause: error)
        default: .wrapping(error, "opening the keyring")
        }
    }
}
