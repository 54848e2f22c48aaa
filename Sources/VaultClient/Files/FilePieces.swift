// SPDX-License-Identifier: Apache-2.0

public import Execution
public import NIOCore

/// A stretch of a file as a sequence of buffers of at most 1 MiB, read as they are asked for: a request body in
/// constant memory.
///
/// May be iterated again from the start, for a retry.
public struct FilePieces: AsyncSequence, Sendable {
    static let pieceBytes = 1 << 20

    /// The file that is read.
    public let file: LocalFile
    /// The stretch of it, in bytes.
    public let range: Range<UInt64>
    private let pool: BlockingPool
    /// Hears of every piece handed out, and of every new beginning.
    private let meter: PieceMeter

    /// A stretch of `file`, read on `pool`; `progress` hears of every piece.
    public init(file: LocalFile, range: Range<UInt64>, pool: BlockingPool, progress: any TransferProgress) {
        self.file = file
        self.range = range
        self.pool = pool
        meter = PieceMeter(progress)
    }

    /// Begins at the start of the stretch, and takes back the progress of an earlier iteration.
    public func makeAsyncIterator() -> AsyncIterator {
        meter.restart()
        return AsyncIterator(pieces: self)
    }

    /// Reads one piece per call.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private let pieces: FilePieces
        private var position: UInt64

        fileprivate init(pieces: FilePieces) {
            self.pieces = pieces
            position = pieces.range.lowerBound
        }

        /// The next piece; nil after the last. Throws ``ClientError`` when the file cannot be read or became shorter.
        public mutating func next() async throws -> ByteBuffer? {
            guard position < pieces.range.upperBound else { return nil }
            let count = Int(Swift.min(UInt64(FilePieces.pieceBytes), pieces.range.upperBound - position))
            let (file, offset) = (pieces.file, position)
            let piece = try await pieces.pool.run { () throws(ClientError) in try file.read(at: offset, upTo: count) }
            guard piece.readableBytes == count else { throw ClientError.shrunk(file.path) }
            position += UInt64(count)
            pieces.meter.add(Int64(count))
            return piece
        }
    }
}

extension ClientError {
    static func shrunk(_ path: String) -> ClientError {
        ClientError(
            .local, "'\(path)' became shorter while it was read.", remedy: "Upload it again when nothing writes to it.")
    }
}
