// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// Makes a backup file as its payload arrives: write ``prefix``, then every output in order. Docs/Formats/Backup-v1.md.
///
/// Memory: what one call is given. `@unchecked Sendable` because every verb holds the ownership gate: an owner may move from thread to
/// thread, and two at once trap.
public final class BackupSealer: @unchecked Sendable {
    /// Header and seal header: the file's first bytes.
    public let prefix: [UInt8]
    private let gate = OwnershipGate()
    private let message: MessageSealer
    private var hasher = SHA256Hasher()
    private var length: UInt64

    /// - Parameters:
    ///   - header: with its file key, of ``BackupHeader/make(_:createdMilliseconds:generation:service:recipients:random:)``.
    public init(header: BackupHeader, fileKey: SecretKey, random: some RandomByteSource) throws(FormatError) {
        message = try sealing { () throws(SealError) in
            try MessageSealer(key: fileKey, context: header.context, random: random)
        }
        prefix = header.bytes + message.header.bytes
        length = UInt64(prefix.count)
        hasher.update(prefix)
    }

    /// Seals the payload's next bytes; the result is what belongs next into the file.
    public func seal(_ payload: RawSpan) throws(FormatError) -> [UInt8] {
        gate.enter()
        defer { gate.leave() }
        var sealed = [UInt8](repeating: 0, count: MessageSealer.maxOutputBytes(forPlaintextBytes: payload.byteCount))
        let result: Result<Int, SealError> = sealed.withUnsafeMutableBytes { buffer in
            do throws(SealError) {
                return .success(try message.seal(payload, into: buffer))
            } catch {
                return .failure(error)
            }
        }
        let count = try sealing { () throws(SealError) in try result.get() }
        sealed.removeLast(sealed.count - count)
        add(sealed)
        return sealed
    }

    /// Ends the message: the last tag and the trailer. No other verb may follow.
    /// - Parameter sign: gives the 64 bytes of an Ed25519 signature by the header's service.
    public func finish(sign: ([UInt8]) throws -> [UInt8]) throws -> [UInt8] {
        gate.enter()
        defer { gate.leave() }
        var tag = [UInt8](repeating: 0, count: MessageSealer.finishBytes)
        _ = try tag.withUnsafeMutableBytes { try message.finish(into: $0) }
        add(tag)
        return tag + (try BackupTrailer(length: length, digest: hasher.finalizeAndReset(), sign: sign).bytes)
    }

    private func add(_ bytes: [UInt8]) {
        hasher.update(bytes)
        length += UInt64(bytes.count)
    }
}

/// Opens the payload of a backup, chunk by chunk, for the holder of a private key. Docs/Formats/Backup-v1.md §7.
///
/// `@unchecked Sendable` as ``BackupSealer`` is.
public final class BackupOpener: @unchecked Sendable {
    /// How many bytes of the payload one ``open(_:)`` gives at most.
    public static let maxOpenBytes = 64 * Seal.chunkBytes

    private let gate = OwnershipGate()
    private let opener: MessageOpener
    private let messageStart: UInt64

    /// - Parameters:
    ///   - sealHeader: the 56 bytes after the header.
    ///   - messageBytes: of the sealed message: the file's bytes without header and trailer.
    public init(
        header: BackupHeader, privateKey: SecretKey, sealHeader: SealHeader, messageBytes: UInt64
    ) throws(FormatError) {
        let fileKey = try header.fileKey(privateKey: privateKey)
        opener = try sealing { () throws(SealError) in
            try MessageOpener(key: fileKey, context: header.context, header: sealHeader, sealedLength: messageBytes)
        }
        messageStart = UInt64(header.byteCount)
    }

    /// Bytes of the payload.
    public var payloadBytes: UInt64 { opener.plaintextLength }

    /// How many steps the payload takes, each to be opened once and in order.
    public var stepCount: UInt64 { (opener.chunkCount + 63) / 64 }

    /// Which bytes of the file a step needs.
    public func fileRange(ofStep step: UInt64) -> Range<UInt64> {
        let range = opener.sealedRange(ofChunks: chunks(step))
        return messageStart + range.lowerBound..<messageStart + range.upperBound
    }

    /// The payload's bytes of a step, from the bytes of the file that ``fileRange(ofStep:)`` names.
    public func open(_ bytes: RawSpan, step: UInt64) throws(FormatError) -> [UInt8] {
        gate.enter()
        defer { gate.leave() }
        let chunks = chunks(step)
        var payload = [UInt8](repeating: 0, count: opener.plaintextRange(ofChunks: chunks).count)
        let result: Result<Int, SealError> = payload.withUnsafeMutableBytes { buffer in
            do throws(SealError) {
                return .success(try opener.open(chunks: chunks, ciphertext: bytes, into: buffer))
            } catch {
                return .failure(error)
            }
        }
        _ = try sealing { () throws(SealError) in try result.get() }
        return payload
    }

    private func chunks(_ step: UInt64) -> Range<UInt64> {
        step * 64..<min(opener.chunkCount, (step + 1) * 64)
    }
}
