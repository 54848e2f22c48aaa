// SPDX-License-Identifier: Apache-2.0

import Cryptography

/// The text a signature is calculated over, without its last line (the payload hash), which may be known only later.
struct CanonicalRequest: Hashable, Sendable {
    /// Everything up to and including the line feed before the payload hash.
    let head: String

    /// Lays the first five parts out. `excludingSignature` leaves `X-Amz-Signature` out of the query, as query
    /// authentication asks; `signedHeaders` are lower-case names in ascending order, and one that the table lacks counts
    /// as an empty value.
    init(
        method: String, target: WireTarget, excludingSignature: Bool, headers: HeaderTable, signedHeaders: [String]
    ) {
        var text = Text.uppercased(method) + "\n"
        text += PercentEncoding.encode(target.normalizedPath.utf8, keepingSlash: true) + "\n"
        text += target.canonicalQuery(excludingSignature: excludingSignature) + "\n"
        for name in signedHeaders {
            text += name + ":" + (headers.joined(name) ?? "") + "\n"
        }
        text += "\n" + signedHeaders.joined(separator: ";") + "\n"
        head = text
    }

    /// The whole canonical request for a payload line: a hash in hex, taken literally.
    func text(payload: String) -> String { head + payload }

    /// Algorithm, timestamp, scope and the hash of the canonical request, joined by line feeds.
    func stringToSign(payload: String, timestamp: SignatureTimestamp, scope: CredentialScope) -> String {
        let hash = SHA256Hasher.hash(Array(text(payload: payload).utf8))
        return "\(AuthorizationHeader.algorithm)\n\(timestamp.text)\n\(scope)\n\(hash.hex)"
    }
}

/// Header lines by lower-case name, each value folded as a signature wants it.
struct HeaderTable: Sendable {
    private var values: [String: [String]] = [:]

    init(_ lines: [(name: String, value: String)]) {
        for line in lines { values[Text.lowercased(line.name), default: []].append(Self.folded(line.value)) }
    }

    var names: some Collection<String> { values.keys }

    /// The lines of this name in received order, each folded.
    func lines(_ name: String) -> [String] { values[name] ?? [] }

    /// The values of all lines of this name joined by commas; nil when there is none.
    func joined(_ name: String) -> String? { values[name]?.joined(separator: ",") }

    /// Without blanks at either end and with each inner run of blanks as one space.
    private static func folded(_ value: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(value.utf8.count)
        var pending = false
        for byte in value.utf8 {
            if Text.isSpace(byte) {
                pending = !bytes.isEmpty
            } else {
                if pending { bytes.append(0x20) }
                pending = false
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
