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

    init(sealer: PartSealer, compute: BlockingPool, target: PartTarget) {
        self.sealer = sealer
        self.compute = compute
        self.target = target
    }

    /// Seals and writes the frame; gives its memory back for reuse.
    func consume(_ frame: ByteBuffer) async throws -> ByteBuffer {
        try await run { [self] in
            _ = try output.writeSealed(minimumWritableBytes: PartSealer.maxOutputBytesPerFrame) { out in
                try sealer.append(frame: frame.readableBytesSpan, into: out)
            }
        }
        return frame
    }

    /// Seals index and footer and writes them.
    func finish() async throws -> SealedPartSummary {
        let box = SummaryBox()
        try await run { [self] in
            _ = try output.writeSealed(minimumWritableBytes: sealer.maxFinishBytes) { out in
                let (count, summary) = try sealer.finish(into: out)
                box.summary = summary
                return count
            }
        }
        guard let summary = box.summary else { throw CancellationError() }
        if case .memory = target {
            target = .memory(output)
            output = ByteBuffer()
        }
        return summary
    }

    private func run(_ work: @escaping @Sendable () throws -> Void) async throws {
        // A part in memory grows in the one buffer that becomes its blob.
        if case .store = target { output.clear() }
        if !wrotePrefix {
            output.writeBytes(sealer.prefix)
            wrotePrefix = true
        }
        try await compute.run(work)
        if case .store(let writer) = target { try await writer.write(output) }
    }

    /// Carries the summary out of the pool; written before the awaiting task goes on.
    private final class SummaryBox: @unchecked Sendable { var summary: SealedPartSummary? }
}

extension ByteBuffer {
    /// Lets `body` write sealed bytes into the buffer's own memory and say how many.
    mutating func writeSealed(
        minimumWritableBytes: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Int
    ) rethrows -> Int {
        try writeWithUnsafeMutableBytes(minimumWritableBytes: minimumWritableBytes) { try body($0) }
    }
}
