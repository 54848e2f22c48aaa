// SPDX-License-Identifier: Apache-2.0

import Messaging
import NIOCore
import Storage

/// Messages as files: each is complete and durable before its name appears, and appears once however often it is
/// delivered, as long as nobody has taken it away.
struct DirectoryTarget: Sendable {
    let disk: any Disk

    func deliver(_ message: TopicMessage, to directory: String) async throws(DeliveryFailure) {
        let path = "\(directory)/\(Envelope.fileName(of: message))"
        do throws(StorageError) {
            if try await disk.size(of: path) == nil {
                try await write(Envelope.bytes(of: message), in: directory, at: path)
            }
            // Also for a file that was there: its name may be from an attempt that ended before this step.
            try await disk.syncDirectory(directory)
        } catch {
            throw DeliveryFailure("the file could not be written: \(error)", isTransient: true)
        }
    }

    private func write(_ bytes: [UInt8], in directory: String, at path: String) async throws(StorageError) {
        let file = try await disk.writeSynced(ByteBuffer(bytes: bytes), in: directory)
        do throws(StorageError) {
            try await disk.publish(file, at: path)
        } catch {
            await file.close()
            // A name that is taken is the same message, complete.
            guard error.code == .alreadyExists else { throw error }
            return
        }
        await file.close()
    }

    func check(_ directory: String) async throws(DeliveryFailure) {
        do throws(StorageError) {
            try await disk.syncDirectory(directory)
        } catch {
            throw DeliveryFailure(
                "\(directory) is not a directory that the service can use: \(error)", isTransient: false)
        }
    }
}
