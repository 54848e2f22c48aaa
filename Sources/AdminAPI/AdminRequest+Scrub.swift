// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Storage
import VaultEngine
public import VaultModel

/// What an operator asks of the scrub.
public enum ScrubRequest: Sendable, Hashable {
    /// A pass now, or after the one under way; ends a pause.
    case start
    case pause
    case status
    /// Answer: the signed report of the last pass.
    case report
    /// Up to ``perPage`` archives that did not verify, after `after`.
    case damaged(VaultLocation?, after: ArchiveUID?)
    /// Up to ``perPage`` blobs that nobody names, after `after`.
    case unnamed(after: String?)

    public static let perPage = 1000

    var verb: String {
        switch self {
        case .start: "start-scrub"
        case .pause: "pause-scrub"
        case .status: "scrub-status"
        case .report: "scrub-report"
        case .damaged: "list-damaged-archives"
        case .unnamed: "list-unnamed-blobs"
        }
    }

    var body: JSONValue {
        switch self {
        case .start, .pause, .status, .report: [:]
        case .damaged(let location, let after):
            [
                "vault": location.map {
                    [
                        "accountId": .string($0.account.digits), "region": .string($0.region.code),
                        "vault": .string($0.name.text),
                    ]
                } ?? .null, "after": .text(after?.hex),
            ]
        case .unnamed(let after): ["after": .text(after)]
        }
    }

    init?(verb: String, _ members: AdminMembers) throws(VaultError) {
        switch verb {
        case "start-scrub": self = .start
        case "pause-scrub": self = .pause
        case "scrub-status": self = .status
        case "scrub-report": self = .report
        case "list-damaged-archives":
            self = .damaged(try members.optionalVault("vault"), after: try members.optionalArchive("after"))
        case "list-unnamed-blobs": self = .unnamed(after: try members.optionalText("after"))
        default: return nil
        }
    }
}

/// What the operator's socket needs of the scrub.
protocol ScrubOperations: Sendable {
    func startScrub() async throws(VaultError) -> ScrubStatus
    func pauseScrub() async throws(VaultError) -> ScrubStatus
    func scrubStatus() async throws(VaultError) -> ScrubStatus
    func scrubReport() async throws(VaultError) -> String?
    func damagedArchives(
        in location: VaultLocation?, after: ArchiveUID?, limit: Int
    ) async throws(VaultError) -> (archives: [DamagedArchive], next: ArchiveUID?)
    func unnamedBlobs(after: String?, limit: Int) async throws(VaultError) -> (blobs: [QuarantinedBlob], next: String?)
}

extension AdminResponder {
    func answer(_ request: ScrubRequest) async throws(VaultError) -> JSONValue {
        switch request {
        case .start: return .answer(try await operations.startScrub())
        case .pause: return .answer(try await operations.pauseScrub())
        case .status: return .answer(try await operations.scrubStatus())
        case .report:
            guard let text = try await operations.scrubReport(), let report = try? JSONParser.parse(Array(text.utf8)) else {
                throw VaultError(.notFound, "No pass has ended yet; see coldvault scrub status.")
            }
            return report
        case .damaged(let location, let after):
            let page = try await operations.damagedArchives(in: location, after: after, limit: ScrubRequest.perPage)
            let archives: [JSONValue] = page.archives.map {
                [
                    "archiveId": .string($0.archiveID), "found": .string($0.found.iso8601Milliseconds),
                    "reason": .string($0.reason), "size": .count($0.size), "vaultArn": .string($0.vault.arn),
                ]
            }
            return ["archives": .array(archives), "next": .text(page.next?.hex)]
        case .unnamed(let after):
            let page = try await operations.unnamedBlobs(after: after, limit: ScrubRequest.perPage)
            let blobs: [JSONValue] = page.blobs.map {
                [
                    "blob": .string($0.blob), "found": .string($0.found.iso8601Milliseconds), "reason": .string($0.reason),
                ]
            }
            return ["blobs": .array(blobs), "next": .text(page.next)]
        }
    }
}

extension AdminMembers {
    func optionalArchive(_ name: String) throws(VaultError) -> ArchiveUID? {
        guard let text = try optionalText(name) else { return nil }
        guard let uid = ArchiveUID(hex: text) else { throw VaultError(.invalidParameter, "\(name) must be 32 hexadecimal digits.") }
        return uid
    }
}

extension JSONValue {
    fileprivate static func answer(_ status: ScrubStatus) -> JSONValue {
        let tally = status.tally
        let limits: JSONValue = [
            "bytesPerSecond": status.limits.bytesPerSecond.map { .count($0) } ?? .null,
            "cpuPercent": .integer(Int64(status.limits.cpuPercent)),
            "periodDays": .integer(status.limits.period.components.seconds / 86_400),
        ]
        return [
            "activity": .string(status.activity.rawValue), "pass": .count(status.pass),
            "started": .text(status.started?.iso8601Milliseconds), "ended": .text(status.ended?.iso8601Milliseconds),
            "archives": .count(tally.archives), "bytes": .count(tally.bytes), "blobs": .count(tally.blobs),
            "failures": .count(tally.failures), "repairs": .count(tally.repairs), "unnamed": .count(tally.unnamed),
            "adopted": .count(tally.adopted),
            "findings": .array(tally.findings.map { ["subject": .string($0.subject), "reason": .string($0.reason)] }),
            "limits": limits, "oldestUnverified": .text(status.oldestUnverified?.iso8601Milliseconds),
            "copies": .array(
                status.copies.map {
                    [
                        "name": .string($0.name), "usable": .bool($0.isUsable), "complete": .bool($0.isComplete),
                        "owed": .count($0.owed), "detail": .string($0.detail),
                    ]
                }),
        ]
    }
}
