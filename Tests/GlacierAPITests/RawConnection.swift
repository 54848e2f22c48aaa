// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import NIOCore

/// One answer as it came over the wire.
struct RawAnswer: Sendable {
    let status: Int
    let headers: [(name: String, value: String)]
    var body: [UInt8] = []
    /// False when the connection ended before Content-Length bytes had come.
    var isWhole = true

    func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
    var text: String { String(decoding: body, as: UTF8.self) }
    var document: JSONValue? { try? JSONParser.parse(body) }
    var code: String? { document?["code"]?.stringValue }
    var message: String? { document?["message"]?.stringValue }
}

/// A client of plain bytes with a small, strict reader of answers.
struct RawConnection {
    struct Ended: Error {}

    /// `@unchecked Sendable`: each test reads a connection from its one task.
    private final class Reader: @unchecked Sendable {
        var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
        init(_ stream: NIOAsyncChannelInboundStream<ByteBuffer>) { iterator = stream.makeAsyncIterator() }
        func next() async throws -> ByteBuffer? { try await iterator.next() }
    }

    private let inbound: Reader
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var pending: [UInt8] = []

    init(inbound: NIOAsyncChannelInboundStream<ByteBuffer>, outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>) {
        self.inbound = Reader(inbound)
        self.outbound = outbound
    }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }
    func send(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }

    /// More bytes into `pending`; false at the end.
    private mutating func fill() async throws -> Bool {
        guard let buffer = try await inbound.next() else { return false }
        pending += Array(buffer.readableBytesView)
        return true
    }

    /// A status line and headers; informational ones too.
    mutating func head() async throws -> RawAnswer {
        let separator = Array("\r\n\r\n".utf8)
        while true {
            if let end = pending.firstRange(of: separator) {
                let lines = String(decoding: pending[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
                pending.removeSubrange(..<end.upperBound)
                let status = Int(lines[0].split(separator: " ")[1])!
                return RawAnswer(
                    status: status,
                    headers: lines.dropFirst().map { line in
                        let sides = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                        return (String(sides[0]), sides[1].trimmingPrefix(" ").description)
                    })
            }
            guard try await fill() else { throw Ended() }
        }
    }

    /// Up to `count` bytes of body; fewer at the end of the connection.
    mutating func bytes(_ count: Int) async throws -> [UInt8] {
        while pending.count < count {
            guard try await fill() else { break }
        }
        let taken = Array(pending.prefix(count))
        pending.removeFirst(taken.count)
        return taken
    }

    mutating func answer() async throws -> RawAnswer {
        var answer = try await head()
        let count = Int(answer.header("Content-Length") ?? "0")!
        answer.body = (try? await bytes(count)) ?? []
        answer.isWhole = answer.body.count == count
        return answer
    }

    /// Whether the service closes its side without sending anything more.
    mutating func isEnded() async -> Bool {
        guard pending.isEmpty else { return false }
        do { return try await inbound.next() == nil } catch { return true }
    }
}
