// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Execution
import Foundation

/// What the service has acknowledged, kept outside of what is tested: the truth that a kill or a power cut must not
/// change.
///
/// A text file, one JSON object a line, each line durable before ``note(_:)`` returns. What is about to be deleted or
/// completed is noted before it is asked for: until the answer is noted too, both outcomes are right.
actor TortureLedger {
    /// One line (Docs/Operations/Torture.md).
    enum Event: Sendable, Hashable {
        case begun(seed: UInt64)
        case stored(archive: String, TortureBody)
        case deleting(archive: String)
        case deleted(archive: String)
        case uploading(upload: String, TortureBody)
        case part(upload: String, first: Int)
        case completing(upload: String)
        case completed(upload: String, archive: String)
        case ordered(job: String, archive: String)
    }

    private(set) var facts = TortureFacts()
    /// Events since the start of this process.
    private(set) var events = 0
    private let handle: FileHandle
    private let isSynced: Bool
    private let pool: BlockingPool

    /// Continues `handle`, whose lines are `facts` already.
    init(_ handle: FileHandle, isSynced: Bool, facts: TortureFacts = TortureFacts(), pool: BlockingPool) {
        self.handle = handle
        self.isSynced = isSynced
        self.facts = facts
        self.pool = pool
    }

    func note(_ event: Event) async throws {
        facts.apply(event)
        events += 1
        let line = Data(event.json.canonicalBytes() + [0x0A])
        try await pool.run { [handle, isSynced] in
            try handle.write(contentsOf: line)
            if isSynced { try handle.synchronize() }
        }
    }

    /// After a restart was looked at: what was in doubt is decided for good.
    func settle(present: Set<String>) async throws {
        for archive in facts.deletionInDoubt {
            if present.contains(archive) {
                facts.deletionInDoubt.remove(archive)
                facts.certain.append(archive)
            } else {
                try await note(.deleted(archive: archive))
            }
        }
    }

    func forget(job: String) { facts.jobs[job] = nil }
    func forget(upload: String) { facts.uploads[upload] = nil }

    /// An archive that certainly is there, chosen by `number`.
    func pick(_ number: UInt64) -> String? {
        guard !facts.certain.isEmpty else { return nil }
        return facts.certain[Int(number % UInt64(facts.certain.count))]
    }

    /// The facts of a ledger's lines. The last line may be cut off: whoever wrote it died with it.
    static func read(_ text: String) throws -> TortureFacts {
        var facts = TortureFacts()
        let isWhole = text.hasSuffix("\n")
        let lines = text.split(separator: "\n")
        for (index, line) in lines.enumerated() {
            if let event = (try? JSONParser.parse(Array(line.utf8))).flatMap(Event.init) {
                facts.apply(event)
            } else if index < lines.count - 1 || isWhole {
                throw OperatorError("Line \(index + 1) of the ledger is not an event of `coldvault torture`.")
            }
        }
        return facts
    }
}

/// What the events of a ledger add up to.
struct TortureFacts: Sendable {
    struct Upload: Sendable {
        let body: TortureBody
        var parts: Set<Int> = []
        var isCompleting = false
    }

    var seed: UInt64 = 0
    var archives: [String: TortureBody] = [:]
    var deleted: Set<String> = []
    var deletionInDoubt: Set<String> = []
    /// In the order of their arrival, so that choices can be repeated.
    var certain: [String] = []
    var uploads: [String: Upload] = [:]
    var jobs: [String: String] = [:]

    mutating func apply(_ event: TortureLedger.Event) {
        switch event {
        case .begun(let seed): self.seed = seed
        case .stored(let archive, let body): store(archive, body)
        case .deleting(let archive):
            deletionInDoubt.insert(archive)
            certain.removeAll { $0 == archive }
        case .deleted(let archive):
            deletionInDoubt.remove(archive)
            deleted.insert(archive)
            certain.removeAll { $0 == archive }
        case .uploading(let upload, let body): uploads[upload] = Upload(body: body)
        case .part(let upload, let first): uploads[upload]?.parts.insert(first)
        case .completing(let upload): uploads[upload]?.isCompleting = true
        case .completed(let upload, let archive):
            if let body = uploads.removeValue(forKey: upload)?.body { store(archive, body) }
        case .ordered(let job, let archive): jobs[job] = archive
        }
    }

    private mutating func store(_ archive: String, _ body: TortureBody) {
        guard archives.updateValue(body, forKey: archive) == nil else { return }
        certain.append(archive)
    }
}

extension TortureLedger.Event {
    var json: JSONValue {
        switch self {
        case .begun(let seed): ["event": "begun", "seed": .string(String(seed))]
        case .stored(let archive, let body): ["archive": .string(archive), "body": body.json, "event": "stored"]
        case .deleting(let archive): ["archive": .string(archive), "event": "deleting"]
        case .deleted(let archive): ["archive": .string(archive), "event": "deleted"]
        case .uploading(let upload, let body): ["body": body.json, "event": "uploading", "upload": .string(upload)]
        case .part(let upload, let first):
            ["event": "part", "first": .integer(Int64(first)), "upload": .string(upload)]
        case .completing(let upload): ["event": "completing", "upload": .string(upload)]
        case .completed(let upload, let archive):
            ["archive": .string(archive), "event": "completed", "upload": .string(upload)]
        case .ordered(let job, let archive):
            ["archive": .string(archive), "event": "ordered", "job": .string(job)]
        }
    }

    init?(_ json: JSONValue) {
        let archive = json["archive"]?.stringValue
        let upload = json["upload"]?.stringValue
        let body = TortureBody(json["body"])
        switch (json["event"]?.stringValue, archive, upload) {
        case ("begun", _, _):
            guard let seed = json["seed"]?.stringValue.flatMap({ UInt64($0) }) else { return nil }
            self = .begun(seed: seed)
        case ("stored", let archive?, _):
            guard let body else { return nil }
            self = .stored(archive: archive, body)
        case ("deleting", let archive?, _): self = .deleting(archive: archive)
        case ("deleted", let archive?, _): self = .deleted(archive: archive)
        case ("uploading", _, let upload?):
            guard let body else { return nil }
            self = .uploading(upload: upload, body)
        case ("part", _, let upload?):
            guard let first = json["first"]?.integerValue, first >= 0 else { return nil }
            self = .part(upload: upload, first: Int(first))
        case ("completing", _, let upload?): self = .completing(upload: upload)
        case ("completed", let archive?, let upload?): self = .completed(upload: upload, archive: archive)
        case ("ordered", let archive?, _):
            guard let job = json["job"]?.stringValue else { return nil }
            self = .ordered(job: job, archive: archive)
        default: return nil
        }
    }
}
