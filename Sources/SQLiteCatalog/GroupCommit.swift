// SPDX-License-Identifier: Apache-2.0

import GRDB
import Storage
import Synchronization

/// The one place where the catalog is written: joins the changes of concurrent callers into one SQLite transaction and
/// one fsync.
///
///  1. A change is acknowledged only after the COMMIT that holds it has returned with `synchronous = FULL`.
///  2. Each change runs in a savepoint of its own: one that throws leaves no trace and does not disturb its neighbours.
///  3. When SQLite rolls the whole transaction back (disk full, I/O error), every change of the group is tried again,
///     each alone.
///  4. After a COMMIT of unknown outcome nothing is written any more until the catalog is reopened, which reads what
///     truly happened.
///  5. A change that has been handed in runs to its end; a cancelled caller changes nothing for the others or for
///     itself.
///
///      caller ── submit ──▶ waiting ── drain (writer's serial queue) ──▶ BEGIN, savepoints, COMMIT ──▶ callers resume
///
/// Changes that arrive during an fsync make the next group, so groups grow with the load and a lone caller never waits
/// for company.
final class GroupCommit: Sendable {
    /// The most changes in one transaction: bounds how long the first of them waits for the last.
    static let maxGroup = 256
    /// How many groups there are between two looks at the length of the WAL.
    private static let groupsPerLogCheck = 64
    /// The most changes that may wait: callers hold admission and memory, so more means that something above has no
    /// bound.
    static let maxWaiting = 16_384

    /// What ends a transaction; replaced only by tests that need a COMMIT to fail.
    typealias Commit = @Sendable (Database) throws -> Void

    /// Gives a group its turn on the writer connection, off the caller's executor; replaced only by simulations, which decide when that is.
    typealias Turn = @Sendable (DatabasePool, @escaping @Sendable (Database) -> Void) -> Void

    private struct Member: Sendable {
        /// Makes the change; what it returns gives the caller its result.
        let run: @Sendable (Database) throws -> @Sendable () -> Void
        let fail: @Sendable (StorageError) -> Void
    }

    private enum Outcome {
        case changed(deliver: @Sendable () -> Void)
        case failed(StorageError)
    }

    /// SQLite took back the transaction of the whole group.
    private struct GroupLost: Error {}

    private struct State {
        var waiting: [Member] = []
        var groups = 0
        /// Copies being made, each of which needs the WAL as it is.
        var copies = 0
        /// A drain is scheduled or running.
        var isDraining = false
        var refusal: StorageError?
        var drained: [CheckedContinuation<Void, Never>] = []
    }

    private let database: DatabasePool
    private let commit: Commit
    private let turn: Turn
    private let state = Mutex(State())

    /// - Parameter turn: by default the writer connection's own serial queue, a thread that is neither of the cooperative pool nor an event
    ///   loop.
    init(
        _ database: DatabasePool, commit: @escaping Commit = { try $0.change("COMMIT") },
        turn: @escaping Turn = { database, work in database.asyncWriteWithoutTransaction { work($0) } }
    ) {
        self.database = database
        self.commit = commit
        self.turn = turn
    }

    /// Changes handed in whose group has not begun.
    var waitingCount: Int { state.withLock { $0.waiting.count } }
    /// A group is being written, or about to be.
    var isBusy: Bool { state.withLock { $0.isDraining } }

    /// Makes `change` durable together with whatever else is waiting, and returns what it returned. `change` may run
    /// more than once and must touch nothing but the database.
    func submit<T: Sendable>(_ change: @Sendable @escaping (Database) throws -> T) async throws(StorageError) -> T {
        let result: Result<T, StorageError> = await withCheckedContinuation { continuation in
            let member = Member(
                run: { database in
                    let value = try change(database)
                    return { continuation.resume(returning: .success(value)) }
                },
                fail: { continuation.resume(returning: .failure($0)) })
            enqueue(member)
        }
        return try result.get()
    }

    /// Told before and after a copy of the whole catalog is made.
    func copying(_ begins: Bool) { state.withLock { $0.copies += begins ? 1 : -1 } }

    /// Refuses further changes and waits for those handed in.
    func close() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let idle = state.withLock { state in
                state.refusal = state.refusal ?? StorageError(.unusable, "the catalog is closed")
                guard state.isDraining else { return true }
                state.drained.append(continuation)
                return false
            }
            if idle { continuation.resume() }
        }
    }

    /// Moves the WAL into the file and empties it, between groups. `.transient` when readers do not end in time.
    func truncateLog() async throws(StorageError) {
        let result: Result<Void, StorageError> = await withCheckedContinuation { continuation in
            turn(database) { connection in
                do {
                    // A busy checkpoint is an error of its own; GRDB throws it.
                    _ = try connection.checkpoint(.truncate)
                    continuation.resume(returning: .success(()))
                } catch {
                    continuation.resume(returning: .failure(CatalogFailure.beforeCommit(error)))
                }
            }
        }
        try result.get()
    }

    private func enqueue(_ member: Member) {
        enum Turn { case lead, follow, refused(StorageError) }
        let turn: Turn = state.withLock { state in
            if let refusal = state.refusal { return .refused(refusal) }
            guard state.waiting.count < Self.maxWaiting else {
                return .refused(StorageError(.transient, "too many catalog changes wait already; try again later"))
            }
            state.waiting.append(member)
            if state.isDraining { return .follow }
            state.isDraining = true
            return .lead
        }
        switch turn {
        case .lead: schedule()
        case .follow: break
        case .refused(let error): member.fail(error)
        }
    }

    private func schedule() {
        turn(database) { self.drain($0) }
    }

    private func drain(_ database: Database) {
        let (group, isLogCheckDue) = state.withLock { state in
            let group = Array(state.waiting.prefix(Self.maxGroup))
            state.waiting.removeFirst(group.count)
            state.groups += 1
            // Waiting for a copy's reader would hold up every change.
            return (group, state.copies == 0 && state.groups.isMultiple(of: Self.groupsPerLogCheck))
        }
        for (member, outcome) in zip(group, settle(group, database)) {
            switch outcome {
            case .changed(let deliver): deliver()
            case .failed(let error): member.fail(error)
            }
        }
        if isLogCheckDue { CatalogFile.boundLog(database, of: self.database.path) }
        let (more, drained) = state.withLock { state -> (Bool, [CheckedContinuation<Void, Never>]) in
            guard state.waiting.isEmpty else { return (true, []) }
            state.isDraining = false
            defer { state.drained = [] }
            return (false, state.drained)
        }
        // One group a turn: backups and checkpoints queued meanwhile come between groups.
        if more { schedule() }
        for continuation in drained { continuation.resume() }
    }

    private func settle(_ group: [Member], _ database: Database) -> [Outcome] {
        do {
            return try attempt(group, database)
        } catch {
            return group.map { member in
                do {
                    return try attempt([member], database)[0]
                } catch {
                    return .failed(CatalogFailure.beforeCommit(error))
                }
            }
        }
    }

    /// One transaction for all of `group`. Throws `GroupLost` only, and only when `group` has more than one member.
    private func attempt(_ group: [Member], _ database: Database) throws(GroupLost) -> [Outcome] {
        // Members accepted before a commit went wrong must not be written either. A closed catalog still writes what it
        // accepted.
        if let refusal = poison() { return group.map { _ in .failed(refusal) } }
        do {
            try database.change("BEGIN IMMEDIATE")
        } catch {
            let failure = CatalogFailure.beforeCommit(error)
            return group.map { _ in .failed(failure) }
        }
        var outcomes: [Outcome] = []
        for member in group {
            do {
                if group.count > 1 { try database.change("SAVEPOINT member") }
                let deliver = try member.run(database)
                if group.count > 1 { try database.change("RELEASE member") }
                outcomes.append(.changed(deliver: deliver))
            } catch {
                let failure = CatalogFailure.beforeCommit(error)
                guard group.count > 1 else {
                    rollBack(database)
                    return [.failed(failure)]
                }
                guard undoMember(database) else { throw GroupLost() }
                outcomes.append(.failed(failure))
            }
        }
        do {
            try commit(database)
        } catch {
            rollBack(database)
            let failure = CatalogFailure.ofCommit(error)
            if failure.code == .outcomeUnknown { state.withLock { $0.refusal = failure } }
            return outcomes.map { outcome in
                // One that had failed by itself changed nothing in either case.
                if case .failed = outcome { outcome } else { .failed(failure) }
            }
        }
        return outcomes
    }

    private func poison() -> StorageError? {
        state.withLock { state in state.refusal?.code == .outcomeUnknown ? state.refusal : nil }
    }

    /// Back to before the member; false when the transaction of the group is lost.
    private func undoMember(_ database: Database) -> Bool {
        guard database.isInsideTransaction else { return false }
        do {
            try database.change("ROLLBACK TO member")
            try database.change("RELEASE member")
            return true
        } catch {
            rollBack(database)
            return false
        }
    }

    private func rollBack(_ database: Database) {
        guard database.isInsideTransaction else { return }
        do {
            try database.change("ROLLBACK")
        } catch {
            // A transaction that can be neither ended nor undone: nothing may be written on top of it.
            state.withLock {
                $0.refusal = StorageError(.outcomeUnknown, "a rollback failed; reopen the catalog", cause: error)
            }
        }
    }
}
