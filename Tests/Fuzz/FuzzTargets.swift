// SPDX-License-Identifier: Apache-2.0

// The entry points of libFuzzer: one per parser that reads what strangers send. Built and run by run.sh, not by SwiftPM.
//
// A target may answer whatever it likes; what fails is a crash, a wait, memory without bound, or a broken promise of the parser.

import AccessPolicy
import CanonicalJSON
import Cryptography
import RequestSignature
import Storage
import VaultModel

@testable import GlacierAPI
@testable import VaultEngine

/// What `FUZZ_TARGET` may name.
enum FuzzTarget: String, CaseIterable {
    case policy, decision, authorization, request, target, body, marker, json, timestamp, identifier, names, range

    func run(_ bytes: [UInt8]) {
        switch self {
        case .policy: Fuzz.policy(bytes)
        case .decision: Fuzz.decision(bytes)
        case .authorization: Fuzz.authorization(bytes)
        case .request: Fuzz.request(bytes)
        case .target: Fuzz.target(bytes)
        case .body: Fuzz.body(bytes)
        case .marker: Fuzz.marker(bytes)
        case .json: Fuzz.json(bytes)
        case .timestamp: Fuzz.timestamp(bytes)
        case .identifier: Fuzz.identifier(bytes)
        case .names: Fuzz.names(bytes)
        case .range: Fuzz.range(bytes)
        }
    }
}

enum Fuzz {
    private static let vault = "arn:aws:glacier:us-east-1:111122223333:vaults/photos"

    /// A policy that is read stays the same when it is printed and read again, and decides without ado.
    static func policy(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        for kind in [PolicyDocument.Kind.identity, .vaultLock(vaultARN: vault)] {
            guard let document = try? PolicyDocument(parsing: text, as: kind, maxBytes: 20 << 10),
                let value = try? JSONParser.parse(Array(text.utf8))
            else { continue }
            let again = try? PolicyDocument(parsing: value.canonicalString(), as: kind, maxBytes: 64 << 10)
            precondition(again == document, "printing changed the policy")
            guard let request = request(seed: bytes.last ?? 0) else { return }
            let set = kind == .identity ? PolicySet(identity: [("p", document)]) : PolicySet(vaultLock: document)
            _ = AccessEvaluation.decide(request, set).text
        }
    }

    /// Two statements, cut apart at a line feed: with the first denying, the second cannot allow.
    static func decision(_ bytes: [UInt8]) {
        let parts = bytes.split(separator: 0x0A, maxSplits: 1)
        guard parts.count == 2, let request = request(seed: bytes[0]) else { return }
        let documents = parts.compactMap {
            try? PolicyDocument(parsing: String(decoding: $0, as: UTF8.self), as: .identity, maxBytes: 20 << 10)
        }
        guard documents.count == 2 else { return }
        let alone = AccessEvaluation.decide(request, PolicySet(identity: [("a", documents[0])]))
        let both = AccessEvaluation.decide(request, PolicySet(identity: [("a", documents[0]), ("b", documents[1])]))
        precondition(alone.reason != .explicitDeny || both == alone, "a second policy undid a denial")
    }

    private static func request(seed: UInt8) -> PolicyRequest? {
        guard let account = AccountID("111122223333"), let user = UserName("alice") else { return nil }
        let actions = VaultAction.allCases
        return PolicyRequest(
            principal: Principal(account: account, user: seed & 1 == 0 ? user : nil), action: actions[Int(seed) % actions.count],
            resource: vault, resourceAccount: account,
            context: RequestContext(
                now: Timestamp(milliseconds: 1_781_524_800_000), sourceAddress: seed & 2 == 0 ? "203.0.113.7" : "2001:db8::1",
                isSecure: seed & 4 == 0, userAgent: String(repeating: "a", count: 300), archiveAgeInDays: UInt64(seed),
                resourceTags: ["LegalHold": "true", "owner": "alice"]))
    }

    static func authorization(_ bytes: [UInt8]) {
        _ = try? AuthorizationHeader(parsing: String(decoding: bytes, as: UTF8.self))
    }

    /// The first line is the target, the others are headers.
    static func request(_ bytes: [UInt8]) {
        let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        let headers = lines.dropFirst().map { line in
            let pair = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (name: String(pair[0]), value: pair.count > 1 ? String(pair[1]) : "")
        }
        _ = try? ParsedAuthentication(parsing: SignedRequest(method: "PUT", rawTarget: lines[0], headers: headers))
    }

    /// Method, a space, target. A path that is routed has its account, and the page size keeps its bounds.
    static func target(_ bytes: [UInt8]) {
        let pieces = String(decoding: bytes, as: UTF8.self).split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        guard pieces.count == 2 else { return }
        let text = String(pieces[1])
        let path = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)[0]
        let target = RequestTarget(path: String(path), target: text)
        if let limit = try? target.pageLimit(maximum: 50) { precondition((1...50).contains(limit), "a page without bounds") }
        if let route = try? Route(method: String(pieces[0]), target: target) {
            precondition(!route.account.isEmpty && route.account == target.segments.first, "an account was made up")
        }
    }

    /// The JSON bodies of requests, each read as every kind. What is read keeps the bounds that the engine relies on, and is read as the same
    /// again from its canonical form.
    static func body(_ bytes: [UInt8]) {
        let canonical = (try? JSONParser.parse(bytes))?.canonicalBytes()
        if let job = try? JobParameters.parse(bytes) {
            precondition(PrintableText.isDescription(job.description ?? ""), "a description without bounds")
            if case .archive(_, let range?) = job.action { precondition(range.count > 0, "an empty range") }
            if case .inventory(let parameters) = job.action { precondition(parameters.limit != 0, "a limit of nothing") }
            precondition(canonical.flatMap { try? JobParameters.parse($0) } == job, "printing changed the job")
        }
        if let tags = try? TagParameters.tags(bytes) {
            precondition((1...Limits.maxTagsPerRequest).contains(tags.count), "a number of tags without bounds")
            precondition(!tags.keys.contains { $0.isEmpty || $0.lowercased().hasPrefix("aws:") }, "a key that is not the client's")
            precondition(canonical.flatMap { try? TagParameters.tags($0) } == tags, "printing changed the tags")
        }
        if let keys = try? TagParameters.keys(bytes) { precondition(!keys.isEmpty, "nothing to remove") }
        if let notifications = try? SettingParameters.notifications(bytes) {
            precondition((1...VaultEvent.allCases.count).contains(notifications.events.count), "events without bounds")
        }
        if let policy = try? SettingParameters.policy(bytes) {
            precondition(policy.utf8.count <= Limits.maxVaultPolicyBytes, "a policy without bounds")
        }
        if case .bytesPerHour(let rate)? = try? SettingParameters.retrievalPolicy(bytes) { precondition(rate > 0, "a rate of nothing") }
    }

    /// The markers that are read without a key: a place in an inventory has one text.
    static func marker(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        if let marker = InventoryMarker(text) { precondition(marker.text == text, "two texts for the same place") }
        if let number = ByteRange.decimal(text) {
            precondition(String(number) == String(text.drop { $0 == "0" }) || number == 0, "printing changed the number")
        }
    }

    /// What is read and printed is canonical, and reads as the same.
    static func json(_ bytes: [UInt8]) {
        guard let value = try? JSONParser.parse(bytes, limits: JSONLimits(maxBytes: 1 << 20, maxDepth: 32)) else { return }
        let printed = value.canonicalBytes()
        let again = try? JSONParser.parse(printed)
        precondition(again == value && again?.canonicalBytes() == printed, "printing changed the value")
        if let canonical = try? JSONParser.parseCanonical(bytes) {
            precondition(canonical.canonicalBytes() == bytes, "two forms for one value")
        }
    }

    /// A moment of four-digit years prints and reads as itself.
    static func timestamp(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        if let moment = Timestamp(iso8601: text), (0..<253_402_300_800_000).contains(moment.milliseconds) {
            precondition(Timestamp(iso8601: moment.iso8601Milliseconds) == moment, "printing changed the moment")
        }
        for stamp in [SignatureTimestamp(basic: text), SignatureTimestamp(httpDate: text)] {
            if let stamp { precondition(SignatureTimestamp(basic: stamp.description) == stamp, "printing changed the stamp") }
        }
    }

    /// Nobody guesses an identifier: what was not minted is not accepted.
    static func identifier(_ bytes: [UInt8]) {
        guard let account = AccountID("111122223333") else { return }
        let codec = IdentifierCodec(key: SecretKey(random: ConstantBytes(value: 7)))
        let text = String(decoding: bytes, as: UTF8.self)
        for kind in [Identifier.Kind.archive, .upload, .job] {
            precondition(codec.parse(text, kind: kind, account: account) == nil, "an identifier was guessed")
        }
        _ = VaultUID(hex: text)
        if let decoded = Base64URL.decode(text) { precondition(Base64URL.encode(decoded) == text, "two texts for the same bytes") }
    }

    static func names(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        if let topic = TopicARN(text) {
            precondition(topic.text == "arn:aws:sns:\(topic.region):\(topic.account):\(topic.name)", "a topic lost something")
        }
        if let name = VaultName(text) { precondition(name.description == text) }
        if let user = UserName(text) { precondition(user.text == text) }
        _ = AccountID(text)
        _ = Region(text)
    }

    static func range(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        if let part = PartRangeText.parse(text) { precondition(part.count > 0, "an empty part") }
        if case .closed(let first, let last)? = OutputRangeText.parse(text) { precondition(first <= last, "a range backwards") }
        guard let range = ByteRange(text) else { return }
        precondition(range.count > 0 && ByteRange(range.description) == range, "printing changed the range")
        _ = range.isMegabyteAligned(size: 5 << 20)
    }
}

/// The identifier key of the harness.
struct ConstantBytes: RandomByteSource {
    let value: UInt8

    func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        for index in buffer.indices { buffer[index] = value }
    }
}

private let target: FuzzTarget = {
    let arguments = CommandLine.arguments
    guard let name = arguments.lazy.compactMap({ $0.split(separator: "=", maxSplits: 1) })
        .first(where: { $0.count == 2 && $0[0] == "--target" })?[1], let target = FuzzTarget(rawValue: String(name))
    else { preconditionFailure("say --target=NAME, one of \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))") }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
