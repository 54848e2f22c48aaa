// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// What clients may believe: everything acknowledged, and what may have happened besides. Used on the simulator's thread alone.
final class Oracle: @unchecked Sendable {
    struct Archive {
        enum Fate { case stored, doubtful, deleted }
        let id: String
        let vault: String
        let attempt: Int
        let content: Recipe
        var fate = Fate.stored
        /// When its deletion was acknowledged.
        var deleted: Timestamp?
    }

    struct Job {
        let id: String
        let vault: String
        /// Nil for an inventory.
        let archive: String?
        let range: ByteRange?
        let created: Timestamp
        /// The count of faults when it was asked for.
        let faults: Int
        /// As first seen; it must never change.
        var completed: Timestamp?
        var hasSucceeded: Bool?
    }

    /// An upload that was begun: it may become an archive once, whoever is told.
    struct Attempt {
        let vault: String
        var contents: [Recipe]
        var acknowledged: String?
        /// Its abort was acknowledged: it never becomes an archive.
        var isAborted = false
    }

    private(set) var attempts: [Attempt] = []
    private(set) var archives: [String: Archive] = [:]
    /// In order of acknowledgement, so that choices can be repeated.
    private(set) var archiveIDs: [String] = []
    var jobs: [String: Job] = [:]
    private(set) var jobIDs: [String] = []
    /// Vault and key: what a tag may be, nil for none.
    var tags: [String: [String?]] = [:]
    /// Archives that somebody tried to purge: their staged outputs may be gone, and the jobs with them.
    var purgeTried: Set<String> = []
    /// Their bytes are gone: acknowledged.
    var purged: Set<String> = []
    /// Acknowledged: the vault `ledger` is locked against deletion.
    var isLocked = false

    func begin(_ content: Recipe, in vault: String) -> Int {
        attempts.append(Attempt(vault: vault, contents: [content]))
        return attempts.count - 1
    }

    func widen(_ attempt: Int, with content: Recipe) {
        if !attempts[attempt].contents.contains(content) { attempts[attempt].contents.append(content) }
    }

    /// False when it was acknowledged as another archive before.
    func acknowledge(_ attempt: Int, as id: String, _ content: Recipe) -> Bool {
        guard !attempts[attempt].isAborted else { return false }
        guard attempts[attempt].acknowledged.map({ $0 == id }) ?? (archives[id] == nil) else { return false }
        guard archives[id] == nil else { return true }
        attempts[attempt].acknowledged = id
        attempts[attempt].contents = [content]
        archives[id] = Archive(id: id, vault: attempts[attempt].vault, attempt: attempt, content: content)
        archiveIDs.append(id)
        return true
    }

    func settleAborted(_ attempt: Int) { attempts[attempt].isAborted = true }

    func update(_ id: String, _ change: (inout Archive) -> Void) {
        guard var archive = archives[id] else { return }
        change(&archive)
        archives[id] = archive
    }

    func archives(in vault: String? = nil, _ fate: Archive.Fate) -> [Archive] {
        archiveIDs.compactMap { archives[$0] }.filter { $0.fate == fate && (vault == nil || $0.vault == vault) }
    }

    func add(_ job: Job) {
        jobs[job.id] = job
        jobIDs.append(job.id)
    }
}
