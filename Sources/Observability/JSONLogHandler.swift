// SPDX-License-Identifier: Apache-2.0

public import Logging

/// Turns log events into JSON lines: what an operator's log collector reads.
///
/// One event is one line with `timestamp` (RFC 3339, UTC, milliseconds), `level`, `message`, `logger`, `source` and the
/// metadata,
/// sorted by name. Nested metadata is flattened with dots (`job.id`), arrays become arrays of text, integers and
/// booleans stay
/// what they are. Metadata that would hide one of the fixed members appears as `metadata.<name>`. Values longer than 4
/// KiB and members
/// beyond 64 are cut, and the line then carries `"truncated":true`.
///
/// Calls never block and never do I/O on the caller's thread: the line is handed to a ``LogWriter``.
public struct JSONLogHandler: LogHandler {
    public var metadata: Logger.Metadata = [:]
    public var logLevel: Logger.Level
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let writer: LogWriter

    private static let fixedMembers: Set<String> = ["timestamp", "level", "message", "logger", "source", "truncated"]
    /// Nested dictionaries deeper than this are written as one text.
    private static let maxDepth = 4

    /// - Parameters:
    ///   - label: the logger's label, written as `logger`.
    ///   - level: events below it are not written.
    ///   - writer: where lines go; shared by all handlers of the process.
    ///   - metadataProvider: task-local metadata to add, if any.
    public init(label: String, level: Logger.Level, writer: LogWriter, metadataProvider: Logger.MetadataProvider? = nil)
    {
        self.label = label
        self.logLevel = level
        self.writer = writer
        self.metadataProvider = metadataProvider
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var line = JSONLine()
        line.append("timestamp", .text(TimestampText.rfc3339(milliseconds: writer.now())))
        line.append("level", .text(event.level.rawValue))
        line.append("message", .text(event.message.description))
        line.append("logger", .text(label))
        line.append("source", .text(event.source))
        let members = flattened(event)
        for name in members.keys.sorted() {
            if let value = members[name] { line.append(name, value) }
        }
        writer.submit(line.finish())
    }

    /// The event's own metadata wins over the provider's, which wins over the logger's.
    private func flattened(_ event: LogEvent) -> [String: JSONLine.Value] {
        var merged = metadata
        if let provided = metadataProvider?.get() { merged.merge(provided) { _, new in new } }
        if let explicit = event.metadata { merged.merge(explicit) { _, new in new } }
        var members: [String: JSONLine.Value] = [:]
        Self.flatten(merged, prefix: "", depth: 0, into: &members)
        if let error = event.error {
            members["error.message"] = .text("\(error)")
            members["error.type"] = .text(String(reflecting: type(of: error)))
        }
        return members
    }

    private static func flatten(
        _ metadata: Logger.Metadata, prefix: String, depth: Int, into members: inout [String: JSONLine.Value]
    ) {
        for (key, value) in metadata {
            let name = prefix.isEmpty && fixedMembers.contains(key) ? "metadata." + key : prefix + key
            switch value {
            case .dictionary(let nested) where depth < maxDepth:
                flatten(nested, prefix: name + ".", depth: depth + 1, into: &members)
            case .array(let elements):
                members[name] = .list(elements.map(\.description))
            case .stringConvertible(let integer as any BinaryInteger):
                members[name] = .integer(integer.description)
            case .stringConvertible(let flag as Bool):
                members[name] = .boolean(flag)
            case .string, .stringConvertible, .dictionary:
                members[name] = .text(value.description)
            }
        }
    }
}
