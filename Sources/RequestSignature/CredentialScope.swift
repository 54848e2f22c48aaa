// SPDX-License-Identifier: Apache-2.0

/// Where and when a signature is good: one day, one region, one service.
public struct CredentialScope: Hashable, Sendable, CustomStringConvertible {
    /// The last element of every scope.
    public static let terminator = "aws4_request"

    /// `YYYYMMDD`.
    public let date: String
    /// Such as `us-east-1`.
    public let region: String
    /// Such as `glacier`.
    public let service: String

    /// Groups the three; the parser and the signer check them.
    public init(date: String, region: String, service: String) {
        self.date = date
        self.region = region
        self.service = service
    }

    /// `date/region/service/aws4_request`, the third line of a string to sign.
    public var description: String { "\(date)/\(region)/\(service)/\(Self.terminator)" }

    /// Parses `<access key id>/<date>/<region>/<service>/aws4_request`.
    static func parse(credential: String) throws(SignatureError) -> (accessKeyID: String, scope: CredentialScope) {
        let elements = credential.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard elements.count == 5, let accessKeyID = elements.first, !accessKeyID.isEmpty else {
            throw .incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
                    + "got '\(Text.excerpt(credential))'.")
        }
        guard elements[4] == terminator else {
            throw .incomplete(
                "Credential should be scoped with a valid terminator: '\(terminator)', not "
                    + "'\(Text.excerpt(elements[4]))'.")
        }
        guard Text.isPrintable(credential), accessKeyID.utf8.count <= SignatureLimits.accessKeyIDBytes,
            elements[1].utf8.count == 8, elements[1].utf8.allSatisfy(Text.isDigit),
            (1...SignatureLimits.scopeNameBytes).contains(elements[2].utf8.count),
            (1...SignatureLimits.scopeNameBytes).contains(elements[3].utf8.count)
        else {
            throw .incomplete(
                "Credential is malformed: expected <access key id>/YYYYMMDD/<region>/<service>/\(terminator), "
                    + "got '\(Text.excerpt(credential))'.")
        }
        return (accessKeyID, CredentialScope(date: elements[1], region: elements[2], service: elements[3]))
    }
}
