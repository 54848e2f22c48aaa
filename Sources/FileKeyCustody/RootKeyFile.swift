// SPDX-License-Identifier: Apache-2.0

public import Cryptography
import NIOCore
public import Storage

/// The file that holds a root key: exactly 32 random bytes, readable by its owner only, never overwritten.
public struct RootKeyFile: Sendable {
    public let path: String
    private let disk: any Disk
    private let permissions: @Sendable (String) async throws(StorageError) -> UInt32

    /// - Parameter permissions: the permission bits (`0o600`, …) of the file at a path, not following a symbolic link.
    public init(
        path: String, disk: any Disk, permissions: @escaping @Sendable (String) async throws(StorageError) -> UInt32
    ) {
        self.path = path
        self.disk = disk
        self.permissions = permissions
    }

    /// A root key and what an operator should hear about its file.
    public struct Loaded: Sendable {
        public let key: SecretKey
        public let warning: String?
    }

    /// Reads the key. Throws `.notFound` when there is no file and `.unusable` when it is not a key or open to others.
    public func load() async throws(StorageError) -> Loaded {
        let bits = try await permissions(path)
        guard bits & 0o037 == 0 else {
            throw StorageError(
                .unusable,
                "the root key file \(path) is open to other users (mode \(String(bits & 0o777, radix: 8))); make a new installation if they are "
                    + "not trusted, else run: chmod 600 \(path)")
        }
        var bytes = try await read()
        defer { for index in bytes.indices { bytes[index] = 0 } }
        guard bytes.count == SecretKey.byteCount else { throw notAKey("it has \(bytes.count) bytes") }
        // Typed text and filler would pass for a key; that 32 random bytes look so is less likely than 1 in 10^12.
        guard !bytes.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x0A }) else { throw notAKey("it holds text") }
        guard Set(bytes).count >= 12 else { throw notAKey("its bytes are not random") }
        do throws(CryptographyError) {
            return Loaded(
                key: try SecretKey(bytes: bytes),
                // Credential directories of service managers grant the service its rights through the group bits.
                warning: bits & 0o040 == 0
                    ? nil
                    : "the root key file \(path) is readable by its group; make sure that only the service is in it")
        } catch {
            throw notAKey("\(error)")
        }
    }

    /// Makes a new key and its file; durable on return. Throws `.alreadyExists` rather than ever replace a file.
    public func create(random: any RandomByteSource) async throws(StorageError) -> SecretKey {
        let key = SecretKey(random: random)
        try await create(holding: key)
        return key
    }

    /// Writes the file for a key that is there already, such as one restored from a recovery key.
    public func create(holding key: SecretKey) async throws(StorageError) {
        let directory = Self.parent(of: path)
        let file = try await disk.createTemporary(in: directory)
        let result: Result<Void, StorageError>
        do throws(StorageError) {
            try await file.write(key.withUnsafeBytes { ByteBuffer(bytes: $0) })
            try await file.sync()
            try await disk.publish(file, at: path)
            result = .success(try await disk.syncDirectory(directory))
        } catch {
            result = .failure(error)
        }
        await file.close()
        do throws(StorageError) {
            try result.get()
        } catch {
            guard error.code == .alreadyExists else { throw error }
            throw StorageError(
                .alreadyExists,
                "there is a root key file at \(path) and it is never overwritten; choose another path, or use it",
                cause: error)
        }
    }

    private func read() async throws(StorageError) -> [UInt8] {
        do throws(StorageError) {
            return try await disk.readAll(path, limit: SecretKey.byteCount)
        } catch {
            guard error.code == .integrity else { throw error }
            throw notAKey("it is larger than \(SecretKey.byteCount) bytes or cannot be read", cause: error)
        }
    }

    private func notAKey(_ reason: String, cause: (any Error)? = nil) -> StorageError {
        StorageError(
            .unusable,
            "\(path) is no root key: it must hold exactly 32 random bytes, but \(reason); put the right file in place",
            cause: cause)
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
