// SPDX-License-Identifier: Apache-2.0

import Execution
import NIOCore
import SealedArchive
import Storage

/// One sealer and the place its output goes to, fed one frame at a time.
///
/// `@unchecked Sendable`: its verbs are called one after the other by one part's intake, which awaits each before the next; the compute pool
/// works on the sealer only in between.
final class SealStep: @unchecked Sendable {
    private let sealer: PartSealer
    private let compute: BlockingPool
    private(set) var target: PartTarget
    private var output = ByteBuffer()
    private var wrotePrefix = false
    /// Set once the sealer has ended.
    private var summary: SealedPartSummary?

    init(sealer: PartSealer, compute: BlockingPool, target: PartTarget) {
        self.sealer = sealer
        self.compute = compute
        self.target = target
    }

    /// Seals and writes the frame; gives its memory back for reuse.
    /// - Parameter isLast: index and footer follow in the same step. A frame that turns out not to be the last is a programmer's error.
    func consume(_ frame: ByteBuffer, isLast: Bool = false) async throws -> ByteBuffer {
        try await run(room: PartSealer.maxOutputBytes(frameBytes: frame.readableBytes) + (isLast ? sealer.maxFinishBytes : 0)) { [self] in
            _ = try output.writeSealed(minimumWritableBytes: PartSealer.maxOutputBytes(frameBytes: frame.readableBytes)) { out in
                try sealer.append(frame: frame.readableBytesSpan, into: out)
            }
            if isLast { try sealEnd() }
        }
        return frame
    }

    /// Seals frames of another part as they are stored there, and writes them.
    /// - Parameter room: the most bytes that `transfer` writes.
    func take(room: Int, _ transfer: @escaping @Sendable (PartSealer, UnsafeMutableRawBufferPointer) throws -> Int) async throws {
        try await run(room: room) { [self] in
            _ = try output.writeSealed(minimumWritableBytes: room) { try transfer(sealer, $0) }
        }
    }

    /// Seals index and footer and writes them, unless they came with the last frame.
    func finish() async throws -> SealedPartSummary {
        if summary == nil { try await run(room: sealer.maxFinishBytes) { [self] in try sealEnd() } }
        guard let summary else { throw CancellationError() }
        if case .memory = target {
            target = .memory(output)
            output = ByteBuffer()
        }
        return summary
    }

    private func sealEnd() throws {
        _ = try output.writeSealed(minimumWritableBytes: sealer.maxFinishBytes) { out in
            let (count, summary) = try sealer.finish(into: out)
            self.summary = summary
            return count
        }
    }

    private func run(room: Int, _ work: @escaping @Sendable () throws -> Void) async throws {
        // A part in memory grows in the one buffer that becomes its blob.
        if case .store = target { output.clear() }
        output.reserveCapacity(minimumWritableBytes: room + (wrotePrefix ? 0 : sealer.prefix.count))
        if !wrotePrefix {
            output.writeBytes(sealer.prefix)
            wrotePrefix = true
        }
        try await compute.run(work)
        if case .store(let writer) = target { try await writer.write(output) }
    }
}

extension ByteBuffer {
    /// Lets `body` write sealed bytes into the buffer's own memory and say how many.
    mutating func writeSealed(
        minimumWritableBytes: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Int
    ) rethrows -> Int {
        try writeWithUnsafeMutableBytes(minimumWritableBytes: minimumWritableBytes) { try body($0) }
    }
}
