// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Storage
import Synchronization
public import VaultModel

/// What an operator asks of a re-wrap: to move everything off the older versions of keys.
public struct RewrapOrder: Sendable, Hashable {
    /// One vault's key; nil: every vault's, and the master key.
    public let vault: VaultUID?
    /// Archives per second at most; 0 sets no limit.
    public let perSecond: UInt32

    /// What goes unnoticed beside a busy service.
    public static let usualPerSecond: UInt32 = 500

    public init(vault: VaultUID?, perSecond: UInt32 = usualPerSecond) {
        self.vault = vault
        self.perSecond = perSecond
    }

    /// As the catalog remembers it, so that a restart goes on with it.
    var text: String {
        let document: JSONValue = ["perSecond": .integer(Int64(perSecond)), "vault": .optional(vault?.hex)]
        return document.canonicalString()
    }

    init?(text: String) {
        guard let document = try? JSONParser.parse(Array(text.utf8)),
            let perSecond = document["perSecond"]?.integerValue.flatMap(UInt32.init(exactly:))
        else { return nil }
        self.init(vault: document["vault"]?.stringValue.flatMap { VaultUID(hex: $0) }, perSecond: perSecond)
    }
}

/// How far a re-wrap has come.
public struct RewrapStatus: Sendable, Hashable {
    public enum Phase: String, Sendable {
        /// None was asked for since the service started.
        case idle
        case moving
        /// Everything is moved; replaced manifests and records wait for their removal.
        case waiting
        /// Nothing hangs on an older version; there is a certificate for each.
        case done
        /// What is left cannot be moved: see ``RewrapStatus/blockers``.
        case blocked
        /// It goes on by itself a little later: see ``RewrapStatus/failure``.
        case failed
    }

    public var phase = Phase.idle
    public var archives: UInt64 = 0
    public var uploads: UInt64 = 0
    /// Jobs and staged outputs.
    public var jobs: UInt64 = 0
    /// Deletion and upload records of what the catalog has forgotten.
    public var records: UInt64 = 0
    /// Preambles read to prove that nothing is left.
    public var blobsRead: UInt64 = 0
    public var certificates: UInt64 = 0
    /// Up to ten of the blobs that keep a version from being certified.
    public var blockers: [String] = []
    public var failure: String?

    public init() {}

    /// For the audit log.
    func counts(_ end: Phase) -> [String: JSONValue] {
        func number(_ value: UInt64) -> JSONValue { .integer(Int64(clamping: value)) }
        return [
            "phase": .string(end.rawValue), "archives": number(archives), "uploads": number(uploads), "jobs": number(jobs),
            "records": number(records), "certificates": number(certificates), "blobsRead": number(blobsRead),
        ]
    }
}

/// The order at work and how it stands; safe to share.
final class KeyDesk: Sendable {
    static let orderFact = "rewrap_order"
    private let state = Mutex(RewrapStatus())
    let wake = WakeUp()

    var status: RewrapStatus { state.withLock { $0 } }

    func update(_ change: (inout RewrapStatus) -> Void) { state.withLock { change(&$0) } }
}

/// Keeps a walk from crowding out requests: so many archives per second on average.
struct RewrapPace: Sendable {
    let perSecond: UInt32
    let clock: any TimeSource

    /// After `count` archives; also where the walk ends when it is cancelled.
    func rest(after count: Int) async throws {
        try Task.checkCancellation()
        await Task.yield()
        guard perSecond > 0, count > 0 else { return }
        try await clock.sleep(for: .nanoseconds(Int64(count) * 1_000_000_000 / Int64(perSecond)))
    }
}
