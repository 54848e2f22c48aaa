// SPDX-License-Identifier: Apache-2.0

public import Cryptography
import Execution
public import Storage
import Synchronization
public import VaultModel

/// Keeps the mirror what it should be: watches whether it is there, gives it what it is owed, and copies what is older than the pair.
///
/// Whole listings are walked once per pair, and again after the mirror was away; the cursor is durable. Copies are paced. Nothing is ever
/// deleted from the mirror but what a deletion was owed for; blobs whose sizes differ are left to the scrub, which can tell who is right.
public final class MirrorSynchronizer: Sendable {
    private static let page = 500
    private static let maxCounted = 100
    static let interval: Duration = .seconds(10)

    private let pair: MirrorPair
    private let store: MirroredBlobStore
    private let clock: any TimeSource
    private let random: any RandomByteSource
    private let bucket: Mutex<TokenBucket>
    private let progress = Mutex<MirrorPair.Progress?>(nil)

    /// - Parameter bytesPerSecond: for copies of older blobs; nil: no limit.
    public init(
        pair: MirrorPair, store: MirroredBlobStore, clock: any TimeSource, random: any RandomByteSource, bytesPerSecond: UInt64?
    ) {
        self.pair = pair
        self.store = store
        self.clock = clock
        self.random = random
        bucket = Mutex(TokenBucket(perSecond: bytesPerSecond))
    }

    /// Before the first write: finds out whether the mirror is there. Under the policy `refuse` a mirror that is away is no reason not to
    /// start: reads go on.
    /// - Throws: `.unusable` when the directory is another vault's mirror.
    public func prepare() async throws(StorageError) {
        let opened = try await pair.open(random: random)
        progress.withLock { $0 = opened }
        try await watch()
        try await countOwed()
    }

    /// Until cancelled.
    public func run() async {
        while !Task.isCancelled {
            do throws(StorageError) {
                try await round()
            } catch {
                // What failed is in the state that health and status show; it is tried again.
                store.link.note(error)
            }
            // Cancelled while asleep: the loop's condition sees it.
            try? await clock.sleep(for: Self.interval)
        }
    }

    /// One look at everything.
    func round() async throws(StorageError) {
        try await watch()
        guard store.link.isThere else { return }
        try await settleWrites()
        try await settleDeletions()
        try await walk()
    }

    // MARK: is it there

    private func watch() async throws(StorageError) {
        guard var known = progress.withLock({ $0 }) else { return }
        let absence = await pair.absence(of: known)
        let wasThere = store.link.isThere
        store.link.state.withLock {
            $0.awayBecause = absence
            $0.isSynchronized = known.isSynchronized
        }
        guard absence != nil, wasThere, known.isSynchronized else { return }
        // What was written since the last look may have gone to the empty mount point.
        known.isSynchronized = false
        known.cursor = nil
        try await save(known)
    }

    private func save(_ changed: MirrorPair.Progress) async throws(StorageError) {
        try await pair.save(changed)
        progress.withLock { $0 = changed }
        store.link.state.withLock { $0.isSynchronized = changed.isSynchronized }
    }

    // MARK: what it is owed

    private func countOwed() async throws(StorageError) {
        var count: UInt64 = 0
        var after: BlobID?
        for _ in 0..<Self.maxCounted {
            let names = try await store.link.ledger.list(prefix: "", after: after, limit: 1000)
            count += UInt64(names.count)
            guard names.count == 1000 else { break }
            after = names.last?.id
        }
        store.link.state.withLock { $0.owed = count }
    }

    private func settleWrites() async throws(StorageError) {
        try await settle(MirrorLink.owedWrites) { (id) throws(StorageError) in
            guard try await store.primary.size(of: id) != nil else { return }
            if try await store.mirror.size(of: id) != nil {
                if try await isSame(id) { return }
                try await copy(id, settingAside: true)
            } else {
                try await copy(id, settingAside: false)
            }
        }
    }

    private func settleDeletions() async throws(StorageError) {
        try await settle(MirrorLink.owedDeletions) { (id) throws(StorageError) in
            // Put again since, under the same name (a checkpoint that moved to another key): then its write is owed, or was done.
            guard try await store.primary.size(of: id) == nil else { return }
            try await store.mirror.delete(id)
        }
    }

    /// What fails does not keep the others, and comes again.
    private func settle(_ prefix: String, _ work: (BlobID) async throws(StorageError) -> Void) async throws(StorageError) {
        var after: BlobID?
        var failure: StorageError?
        while !Task.isCancelled {
            let entries = try await store.link.ledger.list(prefix: prefix, after: after, limit: Self.page)
            for entry in entries {
                guard let id = BlobID(String(entry.id.name.dropFirst(prefix.utf8.count))) else { continue }
                do throws(StorageError) {
                    try await work(id)
                    try await store.link.ledger.delete(entry.id)
                    store.link.state.withLock { $0.owed -= min(1, $0.owed) }
                } catch {
                    failure = failure ?? error
                }
            }
            guard entries.count == Self.page else { break }
            after = entries.last?.id
        }
        if let failure { throw failure }
        store.link.state.withLock { if $0.owed == 0 { $0.lastFailure = nil } }
    }

    private func isSame(_ id: BlobID) async throws(StorageError) -> Bool {
        guard let bytes = try await store.primary.size(of: id), try await store.mirror.size(of: id) == bytes else { return false }
        var position: UInt64 = 0
        while position < bytes {
            let end = min(bytes, position + 1 << 20)
            guard try await store.primary.read(id, range: position..<end) == store.mirror.read(id, range: position..<end) else { return false }
            position = end
        }
        return true
    }

    /// What is deleted from the first copy while it is copied is deleted from the mirror again.
    private func copy(_ id: BlobID, settingAside: Bool) async throws(StorageError) {
        try await MirroredBlobStore.copy(id, from: store.primary, to: store.mirror, settingAside: settingAside) {
            (bytes) throws(StorageError) in
            let pause = bucket.withLock { $0.take(bytes, at: clock.monotonic()) }
            guard pause > .zero else { return }
            do {
                try await clock.sleep(for: pause)
            } catch {
                throw StorageError(.transient, "copying to the mirror was interrupted; it is continued", cause: error)
            }
        }
        store.link.state.withLock { $0.copied += 1 }
        if try await store.primary.size(of: id) == nil { try await store.mirror.delete(id) }
    }

    // MARK: what is older than the pair

    private func walk() async throws(StorageError) {
        guard var known = progress.withLock({ $0 }), !known.isSynchronized else { return }
        var after = known.cursor.flatMap { BlobID($0) }
        while !Task.isCancelled {
            let names = try await store.primary.list(prefix: "", after: after, limit: Self.page)
            for name in names where try await store.mirror.size(of: name.id) == nil {
                try await copyUnlessTaken(name.id)
            }
            guard let last = names.last, names.count == Self.page else { break }
            after = last.id
            known.cursor = last.id.name
            try await save(known)
            try await watch()
            guard store.link.isThere else { return }
        }
        guard !Task.isCancelled else { return }
        known.isSynchronized = true
        known.cursor = nil
        try await save(known)
    }

    private func copyUnlessTaken(_ id: BlobID) async throws(StorageError) {
        do throws(StorageError) {
            try await copy(id, settingAside: false)
        } catch {
            // Its writer was faster, or it was deleted meanwhile.
            if error.code != .alreadyExists && error.code != .notFound { throw error }
        }
    }
}
