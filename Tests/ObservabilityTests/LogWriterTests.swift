// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import Metrics
import Testing

@testable import Observability

@Suite(.timeLimit(.minutes(5)))
struct LogWriterTests {
    let output = CapturedOutput()

    @Test func linesFromManyTasksArriveWholeAndInEachTasksOrder() async throws {
        let writer = LogWriter(now: { 0 }, output: output.write)
        let tasks = 8
        let each = 500
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<tasks {
                group.addTask {
                    let logger = Logger(label: "l") { JSONLogHandler(label: $0, level: .info, writer: writer) }
                    for number in 0..<each {
                        logger.info("m", metadata: ["task": "\(task)", "number": .stringConvertible(number)])
                    }
                }
            }
        }
        #expect(writer.shutdown(within: .seconds(30)))
        var seen: [String: [Int]] = [:]
        for line in try output.lines() {
            seen[try #require(line["task"] as? String), default: []].append(try #require(line["number"] as? Int))
        }
        #expect(seen.count == tasks)
        for numbers in seen.values { #expect(numbers == Array(0..<each)) }
        #expect(writer.droppedLineCount == 0)
    }

    @Test func aBlockedOutputNeverBlocksTheCallerAndTheLossIsReported() throws {
        let registry = PrometheusRegistry(process: nil)
        let counter = Counter(label: "coldvault.log.lines.dropped", dimensions: [], factory: registry)
        let writer = LogWriter(maxQueuedLines: 3, dropCounter: counter, now: { 0 }, output: output.write)
        output.block()
        writer.submit(Array("{\"n\":0}\n".utf8))
        output.awaitBlockedWriter()
        // Line 0 is in the blocked write; 1, 2 and 3 fit into the queue; 4...9 do not.
        for number in 1...9 { writer.submit(Array("{\"n\":\(number)}\n".utf8)) }
        #expect(writer.droppedLineCount == 6)
        output.unblock()
        #expect(writer.shutdown(within: .seconds(30)))
        let lines = try output.lines()
        #expect(lines.compactMap { $0["n"] as? Int } == [0, 1, 2, 3])
        #expect(lines.compactMap { $0["dropped"] as? Int } == [6])
        #expect(registry.exposition().contains("coldvault_log_lines_dropped_total 6\n"))
    }

    @Test func theQueueIsBoundedInBytesToo() {
        let writer = LogWriter(maxQueuedBytes: 10, now: { 0 }, output: output.write)
        output.block()
        writer.submit(Array("{}\n".utf8))
        output.awaitBlockedWriter()
        writer.submit(Array("{\"a\":12}\n\n".utf8))
        #expect(writer.droppedLineCount == 0)
        writer.submit(Array("\n".utf8))
        #expect(writer.droppedLineCount == 1)
        output.unblock()
        #expect(writer.shutdown(within: .seconds(30)))
    }

    @Test func aFailingOutputLosesLinesCountedAndTheWriterRecovers() throws {
        let writer = LogWriter(now: { 0 }, output: output.write)
        output.fail(true)
        writer.submit(Array("{\"n\":1}\n".utf8))
        #expect(writer.flush(within: .seconds(30)))
        #expect(writer.droppedLineCount == 1)
        output.fail(false)
        writer.submit(Array("{\"n\":2}\n".utf8))
        #expect(writer.shutdown(within: .seconds(30)))
        let lines = try output.lines()
        #expect(lines.compactMap { $0["n"] as? Int } == [2])
        #expect(lines.compactMap { $0["dropped"] as? Int } == [1])
    }

    @Test func flushAndShutdownGiveUpAtTheirLimit() {
        let writer = LogWriter(now: { 0 }, output: output.write)
        output.block()
        writer.submit(Array("{}\n".utf8))
        #expect(!writer.flush(within: .milliseconds(10)))
        #expect(!writer.shutdown(within: .milliseconds(10)))
        output.unblock()
        #expect(writer.shutdown(within: .seconds(30)))
        #expect(output.text == "{}\n")
    }

    @Test func linesAfterShutdownAreDroppedAndCounted() {
        let writer = LogWriter(now: { 0 }, output: output.write)
        #expect(writer.shutdown(within: .seconds(30)))
        writer.submit(Array("{}\n".utf8))
        #expect(writer.droppedLineCount == 1)
        #expect(output.text.isEmpty)
    }
}
