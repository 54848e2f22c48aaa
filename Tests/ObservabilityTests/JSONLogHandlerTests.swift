// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import Testing

@testable import Observability

@Suite(.timeLimit(.minutes(5)))
struct JSONLogHandlerTests {
    let output = CapturedOutput()
    let writer: LogWriter

    init() {
        writer = LogWriter(now: { 1_706_745_599_123 }, output: output.write)
    }

    private func logger(level: Logger.Level = .trace, provider: Logger.MetadataProvider? = nil) -> Logger {
        Logger(label: "test.label") { label in
            JSONLogHandler(label: label, level: level, writer: writer, metadataProvider: provider)
        }
    }

    private func written() throws -> [[String: Any]] {
        #expect(writer.flush(within: .seconds(10)))
        return try output.lines()
    }

    @Test func anEventIsOneLineWithTimeLevelMessageAndLabel() throws {
        logger().notice("The service has started.")
        let line = try #require(try written().first)
        #expect(line["timestamp"] as? String == "2024-01-31T23:59:59.123Z")
        #expect(line["level"] as? String == "notice")
        #expect(line["message"] as? String == "The service has started.")
        #expect(line["logger"] as? String == "test.label")
        #expect(line["source"] as? String == "ObservabilityTests")
    }

    @Test func metadataIsFlattenedAndKeepsIntegersAndBooleans() throws {
        logger().info(
            "m",
            metadata: [
                "job": ["id": "j-1", "progress": ["bytes": .stringConvertible(UInt64.max)]],
                "ok": .stringConvertible(true),
                "list": ["a", "b"],
            ])
        let line = try #require(try written().first)
        #expect(line["job.id"] as? String == "j-1")
        #expect(line["job.progress.bytes"] as? UInt64 == UInt64.max)
        #expect(line["ok"] as? Bool == true)
        #expect(line["list"] as? [String] == ["a", "b"])
        #expect(output.text.contains("\"job.progress.bytes\":18446744073709551615,"))
    }

    @Test func metadataCannotForgeTheFixedMembers() throws {
        logger().info("true message", metadata: ["message": "forged", "level": "trace"])
        let line = try #require(try written().first)
        #expect(line["message"] as? String == "true message")
        #expect(line["level"] as? String == "info")
        #expect(line["metadata.message"] as? String == "forged")
        #expect(line["metadata.level"] as? String == "trace")
    }

    @Test func controlCharactersNeverReachTheOutput() throws {
        let hostile = "a\nb\r\u{1B}[31m\u{7F}\u{9B}\u{2028}\"\\\u{0}end"
        logger().info("\(hostile)", metadata: ["k\n": "\(hostile)"])
        let line = try #require(try written().first)
        #expect(line["message"] as? String == hostile)
        #expect(line["k\n"] as? String == hostile)
        let raw = output.text.dropLast().unicodeScalars
        #expect(!raw.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) || $0.value == 0x2028 })
    }

    @Test func oversizeValuesAndTooManyMembersAreCutAndTheLineSaysSo() throws {
        logger().info("\(String(repeating: "é", count: JSONLine.maxValueBytes))")
        logger().info("\(String(repeating: "x", count: JSONLine.maxValueBytes))")
        let many = Dictionary(uniqueKeysWithValues: (0..<100).map { ("k\($0)", Logger.MetadataValue.string("v")) })
        logger().info("many", metadata: many)
        let lines = try written()
        #expect((lines[0]["message"] as? String)?.utf8.count == JSONLine.maxValueBytes)
        #expect(lines[0]["truncated"] as? Bool == true)
        #expect((lines[1]["message"] as? String)?.utf8.count == JSONLine.maxValueBytes)
        #expect(lines[1]["truncated"] == nil)
        #expect(lines[2].count == JSONLine.maxMembers + 1)
        #expect(lines[2]["truncated"] as? Bool == true)
    }

    @Test func theEventsMetadataWinsOverTheProvidersWhichWinsOverTheLoggers() throws {
        var logger = logger(provider: Logger.MetadataProvider { ["a": "provider", "b": "provider"] })
        logger[metadataKey: "a"] = "logger"
        logger[metadataKey: "b"] = "logger"
        logger[metadataKey: "c"] = "logger"
        logger.info("m", metadata: ["a": "event"])
        let line = try #require(try written().first)
        #expect(line["a"] as? String == "event")
        #expect(line["b"] as? String == "provider")
        #expect(line["c"] as? String == "logger")
    }

    @Test func levelAndMetadataAreValues() {
        var first = logger()
        first.logLevel = .debug
        first[metadataKey: "only-on"] = "first"
        var second = first
        second.logLevel = .error
        second[metadataKey: "only-on"] = "second"
        #expect(first.logLevel == .debug)
        #expect(second.logLevel == .error)
        #expect(first[metadataKey: "only-on"] == "first")
        #expect(second[metadataKey: "only-on"] == "second")
    }

    @Test func eventsBelowTheLevelAreNotWritten() throws {
        logger(level: .warning).info("quiet")
        logger(level: .warning).error("loud")
        #expect(try written().map { $0["message"] as? String } == ["loud"])
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"), (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ])
    func timestampsFollowTheCalendar(milliseconds: Int64, text: String) {
        #expect(TimestampText.rfc3339(milliseconds: milliseconds) == text)
    }
}
