// SPDX-License-Identifier: Apache-2.0

import NIOCore
public import Storage
import Synchronization

/// Laws 1, 2 and 5 of ``BlobStore`` through power cuts: random work on a store over a ``SimulatedDisk`` whose power
/// goes in the middle of a random call; afterwards everything acknowledged must be there, whole, and nothing that was
/// never committed.
public struct BlobStoreCrashLaw: Sendable {
    private let makeStore: @Sendable (any Disk) -> any BlobStore
    /// What stands between the store and the simulated disk: a test passes a lying disk to see the law fail.
    private let wrap: @Sendable (SimulatedDisk) -> any Disk

    public init(
        wrap: @escaping @Sendable (SimulatedDisk) -> any Disk = { $0 },
        makeStore: @escaping @Sendable (any Disk) -> any BlobStore
    ) {
        self.wrap = wrap
        self.makeStore = makeStore
    }

    /// Three rounds of work and power cut out of `seed`; what is wrong afterwards, empty when the law holds.
    public func violations(seed: UInt64) async -> [String] {
        var random = SeededGenerator(seed: seed)
        let disk = SimulatedDisk()
        let ledger = Ledger()
        for round in 0..<3 {
            let store = makeStore(wrap(disk))
            disk.cutPower(atOperation: disk.operationCount + Int.random(in: 1...160, using: &random))
            await withTaskGroup(of: Void.self) { group in
                for worker in 0..<4 {
                    let generator = SeededGenerator(seed: random.next())
                    group.addTask { await Self.work(store, ledger, "r\(round)w\(worker)", generator) }
                }
            }
            let open = disk.openFileCount
            if open > 0 { return ["seed \(seed), round \(round): \(open) files are still open"] }
            disk.restorePower(seed: random.next())
            let wrong = await ledger.audit(makeStore(disk))
            if !wrong.isEmpty { return wrong.map { "seed \(seed), round \(round): \($0)" } }
        }
        return []
    }

    private static func work(_ store: any BlobStore, _ ledger: Ledger, _ name: String, _ generator: SeededGenerator)
        async
    {
        var random = generator
        for step in 0..<30 {
            let seed = Int(random.next() % 1000)
            let shard = Int.random(in: 0...2, using: &random)
            guard let first = BlobID("v/\(shard)/\(name)-\(step)"), let second = BlobID("v/\(shard)/\(name)-\(step).m")
            else { continue }
            do {
                switch Int.random(in: 0...9, using: &random) {
                case 0...3:
                    let contents = [(first, pattern(seed, seed)), (second, pattern(seed / 3, seed + 1))]
                    ledger.begin(contents)
                    try await store.putAll(contents.map { ($0, ByteBuffer(bytes: $1)) })
                    ledger.acknowledge([first, second])
                case 4...6:
                    let content = pattern(seed * 4, seed)
                    let writer = try await store.beginWrite(first, expectedBytes: UInt64(content.count))
                    try await writer.write(ByteBuffer(bytes: content.prefix(seed)))
                    try await writer.write(ByteBuffer(bytes: content.dropFirst(seed)))
                    ledger.begin([(first, content)])
                    try await writer.commit()
                    ledger.acknowledge([first])
                case 7:
                    let writer = try await store.beginWrite(first, expectedBytes: 10)
                    try await writer.write(ByteBuffer(bytes: pattern(10, seed)))
                    await writer.abandon()
                default:
                    guard let victim = ledger.anyAcknowledged() else { continue }
                    ledger.beginDelete(victim)
                    try await store.delete(victim)
                    ledger.acknowledgeDelete(victim)
                }
            } catch {
                // The power is off; what was not acknowledged may or may not be there.
            }
        }
    }

    /// What was tried and what was acknowledged.
    private final class Ledger: Sendable {
        private enum Fate { case tried, stored, deleting, deleted }
        private let entries = Mutex([BlobID: (content: [UInt8], fate: Fate)]())

        func begin(_ contents: [(BlobID, [UInt8])]) {
            entries.withLock { entries in for (id, content) in contents { entries[id] = (content, .tried) } }
        }
        func acknowledge(_ ids: [BlobID]) {
            entries.withLock { entries in for id in ids { entries[id]?.fate = .stored } }
        }
        func beginDelete(_ id: BlobID) { entries.withLock { $0[id]?.fate = .deleting } }
        func acknowledgeDelete(_ id: BlobID) { entries.withLock { $0[id]?.fate = .deleted } }
        func anyAcknowledged() -> BlobID? {
            entries.withLock { entries in entries.filter { $0.value.fate == .stored }.keys.min() }
        }

        /// What is wrong, and forgets blobs whose fate the power cut has decided.
        func audit(_ store: any BlobStore) async -> [String] {
            var wrong: [String] = []
            do {
                let listed = try await store.list(prefix: "", after: nil, limit: 10_000)
                let listedIDs = Set(listed.map(\.id))
                let known = entries.withLock { $0 }
                for entry in listed where known[entry.id] == nil {
                    wrong.append("\(entry.id) was never committed but is there")
                }
                for (id, (content, fate)) in known.sorted(by: { $0.key < $1.key }) {
                    let size = try await store.size(of: id)
                    if (size != nil) != listedIDs.contains(id) { wrong.append("\(id): listing and size disagree") }
                    switch (fate, size) {
                    case (.stored, nil): wrong.append("\(id) was acknowledged and is lost")
                    case (.deleted, .some): wrong.append("\(id) was deleted and is back")
                    case (_, .some):
                        if try await readBack(store, id) != content {
                            wrong.append("\(id) has other bytes than were committed")
                        }
                        entries.withLock { $0[id]?.fate = .stored }
                    case (_, nil): entries.withLock { $0[id] = nil }
                    }
                }
            } catch {
                wrong.append("the audit failed: \(error)")
            }
            return wrong
        }
    }
}
