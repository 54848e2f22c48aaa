// SPDX-License-Identifier: Apache-2.0

import Cryptography

/// One operation of the API before it is addressed and signed.
struct GlacierCall: Sendable {
    /// For error texts: `DescribeVault of 'photos'`.
    let operation: String
    let method: String
    /// Path segments below the account, not yet encoded.
    let path: [String]
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body: OutboundRequest.Body = .none
    /// SHA-256 of the body when it was computed beforehand; small bodies are hashed on the way.
    var payloadHash: SHA256Digest?
    /// Whether doing it twice leaves the service as doing it once would, or only with something that expires by itself.
    var mayRepeat = true

    /// Path and query as on the wire.
    func rawTarget(prefix: String, accountID: String) -> String {
        let path = ([accountID] + path).map { Self.percentEncoded($0) }.joined(separator: "/")
        let query = query.map { "\(Self.percentEncoded($0.name))=\(Self.percentEncoded($0.value))" }.joined(
            separator: "&")
        return "\(prefix)/\(path)" + (query.isEmpty ? "" : "?\(query)")
    }

    /// RFC 3986: everything but the unreserved characters is encoded, so nothing is left for a library to normalise.
    static func percentEncoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        out.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                out.append(byte)
            default:
                out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
