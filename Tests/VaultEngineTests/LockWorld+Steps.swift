// SPDX-License-Identifier: Apache-2.0

import Cryptography
import NIOCore
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

@testable import VaultEngine

extension LockWorld {
    /// One act of somebody, or of time.
    func step() async throws {
        tally.steps += 1
        let place = pick(places)
        switch number(200) {
        case 0..<35: try await upload(to: place)
        case 35..<80: try await deleteArchive(in: place)
        case 80..<86: try await createVault(place)
        case 86..<88: try await deleteVault(place)
        case 88..<97: try await setAccessPolicy(place)
        case 97..<110: try await initiateLock(place)
        case 110..<126: try await completeLock(place)
        case 126..<128: try await abortLock(place)
        case 128..<134: try await changeTags(place)
        case 134..<154: try await anyAction(on: place)
        case 154..<161: try await changeUserPolicy()
        case 161..<178: try await passTime()
        case 178..<182: try await rotateKeys(place)
        case 182..<186: try await restart()
        case 186..<194: try await moveClock()
        default: try await saveOrRestore()
        }
    }

    // MARK: What clients do

    private func upload(to place: VaultLocation) async throws {
        let who = somebody(at: place)
        guard try await isLetIn(who, .uploadArchive, place), let known = state.vaults[place], known.archives.count < 4
        else { return }
        let bytes = [UInt8(number(256))]
        let stored = try await engine.uploadArchive(
            UploadArchiveRequest(
                location: place, contentLength: 1, treeHash: naiveTreeHash(bytes), linearHash: SHA256Hasher.hash(bytes),
                description: ""),
            body: Body(bytes))
        state.vaults[place]?.archives[stored.archiveID] = truth
    }

    private func deleteArchive(in place: VaultLocation) async throws {
        let who = somebody(at: place)
        // Mostly one that is there; sometimes another vault's, one long gone, or nonsense.
        let own = (state.vaults[place]?.archives.keys.sorted() ?? [])
        let all = state.vaults.values.flatMap { $0.archives.keys }.sorted() + gone + ["nonsense"]
        let id = own.isEmpty || number(5) == 0 ? pick(all) : pick(own)
        let question = question(who, .deleteArchive, place, archive: id)
        var code: VaultError.Code?
        do throws(VaultError) {
            try await engine.deleteArchive(who.caller, place, archiveID: id)
        } catch {
            code = error.code
        }
        compare(code != .accessDenied, question, "deleteArchive")
        let wasThere = own.contains(id)
        switch code {
        case nil:
            if wasThere {
                if !AccessOracle.allows(question) { fail("an archive was deleted that is protected: \(question)") }
                tally.deletions += 1
                gone.append(id)
                state.vaults[place]?.archives[id] = nil
            }
        case .accessDenied?:
            var free = question
            free.lock = nil
            if wasThere, AccessOracle.allows(free) { tally.protectedDeletions += 1 }
        case .unavailable?:
            tally.clockRefusals += 1
            if isHonest { fail("the clock is right, and yet it is doubted") }
        case .notFound?, .invalidParameter?:
            if wasThere { fail("an archive that is there was not found: \(code.map { "\($0)" } ?? "")") }
        default: fail("deleteArchive: \(code.map { "\($0)" } ?? "")")
        }
    }

    private func createVault(_ place: VaultLocation) async throws {
        guard try await isLetIn(somebody(at: place), .createVault, place) else { return }
        try await engine.createVault(place)
        let row = try #require(try await catalog.vault(at: place))
        if state.vaults[place]?.uid != row.uid {
            if state.vaults[place] != nil { fail("a vault was replaced") }
            state.vaults[place] = Vault(uid: row.uid)
        }
    }

    private func deleteVault(_ place: VaultLocation) async throws {
        guard try await isLetIn(somebody(at: place), .deleteVault, place) else { return }
        let isGone = try await succeeds([.invalidParameter]) { try await engine.deleteVault(place) }
        guard let known = state.vaults[place] else { return }
        // A locked vault stays as long as archives are there that a restored catalog does not know.
        let mayStay = tally.restores > 0 && (isHonest ? lockInForce(known) : known.lock) != nil
        if isGone != known.archives.isEmpty, isGone || !mayStay {
            fail("a vault with \(known.archives.count) archives: deleted \(isGone)")
        }
        guard isGone else { return }
        if let lock = known.lock, lock.isLocked { goneLocks[known.uid] = lock }
        state.vaults[place] = nil
    }

    private func setAccessPolicy(_ place: VaultLocation) async throws {
        let who = somebody(at: place)
        if number(4) == 0 {
            guard try await isLetIn(who, .deleteVaultAccessPolicy, place), state.vaults[place] != nil else { return }
            try await engine.deleteVaultAccessPolicy(place)
            state.vaults[place]?.access = nil
        } else {
            guard try await isLetIn(who, .setVaultAccessPolicy, place), state.vaults[place] != nil else { return }
            let statements = maker.access(&choices, at: truth)
            try await engine.setVaultAccessPolicy(place, AccessOracle.text(statements, for: place))
            state.vaults[place]?.access = statements
        }
        try await checkLock(place)
    }

    private func initiateLock(_ place: VaultLocation) async throws {
        guard try await isLetIn(somebody(at: place), .initiateVaultLock, place), let known = state.vaults[place] else {
            return
        }
        let statements = maker.lock(&choices)
        let text = AccessOracle.text(statements, for: place)
        var id = ""
        let isDone = try await succeeds([.accessDenied]) {
            id = try await engine.initiateVaultLock(place, policy: text)
        }
        if isDone, lockInForce(known) != nil { fail("a lock was replaced") }
        if !isDone, isHonest, lockInForce(known) == nil { fail("there was no lock, and yet none could be initiated") }
        if isDone {
            state.vaults[place]?.lock = Lock(
                statements: statements, text: text, id: id, isLocked: false, created: truth)
        }
    }

    private func completeLock(_ place: VaultLocation) async throws {
        guard try await isLetIn(somebody(at: place), .completeVaultLock, place), let known = state.vaults[place] else {
            return
        }
        let isRight = number(4) > 0
        let id = isRight ? known.lock?.id ?? "none" : "wrong"
        let isDone = try await succeeds([.accessDenied, .invalidParameter, .notFound]) {
            try await engine.completeVaultLock(place, lockID: id)
        }
        if isDone, !isRight || known.lock == nil { fail("a lock was completed with a wrong id") }
        if !isDone, isRight, isHonest, lockInForce(known) != nil { fail("the right id did not complete the lock") }
        if isDone, known.lock?.isLocked == false {
            state.vaults[place]?.lock?.isLocked = true
            tally.lockedVaults += 1
        }
    }

    private func abortLock(_ place: VaultLocation) async throws {
        guard try await isLetIn(somebody(at: place), .abortVaultLock, place), let known = state.vaults[place] else {
            return
        }
        let isDone = try await succeeds([.accessDenied]) { try await engine.abortVaultLock(place) }
        if isDone == (known.lock?.isLocked ?? false) {
            fail("abort of \(known.lock.map { "\($0)" } ?? "no lock"): \(isDone)")
        }
        if isDone { state.vaults[place]?.lock = nil }
    }

    private func changeTags(_ place: VaultLocation) async throws {
        let who = somebody(at: place)
        if Bool.random(using: &choices) {
            guard try await isLetIn(who, .addTagsToVault, place), state.vaults[place] != nil else { return }
            let value = pick(["true", "false"])
            try await engine.addTags(place, ["hold": value])
            state.vaults[place]?.tags["hold"] = value
        } else {
            guard try await isLetIn(who, .removeTagsFromVault, place), state.vaults[place] != nil else { return }
            try await engine.removeTags(place, ["hold"])
            state.vaults[place]?.tags["hold"] = nil
        }
        try await checkLock(place)
    }

    /// Any of the 33 at any target: only whether it would be let in.
    private func anyAction(on place: VaultLocation) async throws {
        let who = somebody(at: place)
        let action = pick(VaultAction.allCases)
        guard !action.isAccountLevel else {
            let account = pick(accounts)
            let isAllowed = try await succeeds([.accessDenied]) {
                _ = try await engine.authorize(who.caller, action, on: .account(account, TestVault.region))
            }
            var question = question(who, action, place)
            (question.vault, question.account, question.access, question.lock) = (nil, account, nil, nil)
            return compare(isAllowed, question, "\(action)")
        }
        let archives = state.vaults[place]?.archives.keys.sorted() ?? []
        let archive = action == .initiateJob && !archives.isEmpty ? pick(archives) : nil
        guard try await isLetIn(who, action, place, archive: archive), state.vaults[place] != nil else { return }
        switch action {
        case .describeVault:
            let count = try await engine.describeVault(place).archiveCount
            if count != UInt64(state.vaults[place]?.archives.count ?? 0) { fail("\(count) archives are described") }
        case .listTagsForVault:
            if try await engine.tags(place) != state.vaults[place]?.tags { fail("other tags are listed") }
        case .getVaultLock: try await checkLock(place)
        default: break
        }
    }

    /// The lock is what it was set to, to the letter.
    private func checkLock(_ place: VaultLocation) async throws {
        guard let known = state.vaults[place] else { return }
        var shown: VaultLock?
        _ = try await succeeds([.notFound]) { shown = try await engine.vaultLock(place) }
        let due = lockInForce(known)
        if let due, shown?.id != due.id || shown?.policy != due.text || (shown?.state == .locked) != due.isLocked {
            fail("the lock of \(place) is \(shown.map { "\($0)" } ?? "none") instead of \(due)")
        }
        if due == nil, shown != nil, isHonest { fail("a lock that has fallen away is shown") }
    }

    // MARK: What operators and time do

    private func changeUserPolicy() async throws {
        let principal = pick(principals.filter { !$0.isRoot })
        guard let user = principal.user else { return }
        if number(4) == 0 {
            try await engine.deleteUserPolicy(principal.account, user, name: "p")
            state.policies[principal] = nil
        } else {
            let statements = maker.own(&choices, at: truth)
            try await engine.putUserPolicy(principal.account, user, name: "p", document: AccessOracle.text(statements))
            state.policies[principal] = statements
        }
    }

    private func rotateKeys(_ place: VaultLocation) async throws {
        rotations += 1
        if rotations % 4 == 0 {
            _ = try await engine.rotateMasterKey()
        } else if state.vaults[place] != nil {
            _ = try await engine.rotateVaultKey(place)
        }
        try await checkLock(place)
    }

    private func passTime() async throws {
        let seconds = pick([30, 3600, 3600, 6 * 3600, 86_400, 5 * 86_400])
        let duration: Duration = .seconds(Int64(seconds) + Int64(number(60)))
        vault.clock.advance(by: duration)
        truth = truth.advanced(by: duration)
        // Which the running service does every minute.
        await engine.clockKeeper.keep(always: false)
    }

    private func restart() async throws {
        tally.restarts += 1
        // Orderly, or not.
        if Bool.random(using: &choices) { await engine.clockKeeper.keep(always: true) }
        if number(3) == 0 { machineWasOff() }
        try await start(over: catalog)
        if isHonest, try await !engine.clockStatus().isTrusted { _ = try await engine.confirmClock() }
    }

    /// Nobody counts while the machine is off, nor is the last minute durable.
    private func machineWasOff() {
        tally.outages += 1
        let duration: Duration = .seconds(Int64(pick([20, 600, 3000, 9000])))
        vault.clock.jump(by: duration)
        truth = truth.advanced(by: duration)
        uncounted += duration + ClockGuard.storeInterval
        vault.clock.beginRun("\(tally.outages)")
    }

    private func start(over catalog: SQLiteCatalog) async throws {
        self.catalog = catalog
        let keyring = try await TestVault.openKeyring(vault.keyFiles, vault.root, vault.random)
        engine = VaultEngine(
            configuration: vault.setup, catalog: catalog, cold: vault.cold, warm: vault.warm, keyring: keyring,
            compute: TestVault.compute, clock: vault.clock, random: vault.random, logger: vault.engine.logger)
        _ = try await engine.clockStatus()
        try await engine.adoptNewerRecords()
        try await engine.adoptNewerAccounts()
        _ = try await engine.rewrapEverything()
    }

    private func moveClock() async throws {
        guard !isHonest else { return try await passTime() }
        switch number(5) {
        case 0..<2:
            let days = Int64(number(60)) - 15
            vault.clock.jump(by: .seconds(days * 86_400 + Int64(number(7200))))
        case 2, 3: vault.clock.jump(by: .seconds(Int64(number(3500))))
        default: try await putClockRight()
        }
        await engine.clockKeeper.keep(always: false)
    }

    /// An honest operator sets the clock right before confirming it.
    private func putClockRight() async throws {
        vault.clock.jump(by: truth.since(vault.clock.now()))
        _ = try await engine.confirmClock()
    }

    /// Makes a copy of the catalog, or puts an older one in the place of the newer.
    private func saveOrRestore() async throws {
        guard let saved = backup else {
            let path = vault.directory + "/saved-\(tally.steps).sqlite"
            try await catalog.backup(to: path)
            backup = (path, state)
            return
        }
        guard number(3) == 0 else { return }
        backup = nil
        tally.restores += 1
        tally.restarts += 1
        let older = try await SQLiteCatalog.open(path: saved.path)
        others.append(older)
        var restored = saved.state
        // Of accounts, too, the newest records count.
        restored.policies = state.policies
        for (place, vault) in restored.vaults {
            // What archives there were is the catalog's; what was set on a vault that still exists is the records'.
            guard let now = state.vaults[place], now.uid == vault.uid else {
                // Deleted since, and back again: a completed lock outlives that.
                if let lock = goneLocks[vault.uid] { restored.vaults[place]?.lock = lock }
                continue
            }
            restored.vaults[place]?.access = now.access
            restored.vaults[place]?.lock = now.lock
            restored.vaults[place]?.tags = now.tags
        }
        state = restored
        try await start(over: older)
        try await putClockRight()
        for place in places { try await checkLock(place) }
    }

    // MARK: At the end

    /// Everything that is believed to be there is there.
    func audit() async throws {
        for (place, known) in state.vaults {
            try await checkLock(place)
            let row = try #require(try await catalog.vault(at: place))
            if row.uid != known.uid || row.archiveCount != UInt64(known.archives.count) {
                fail("\(place) has other archives than it should")
            }
            for id in known.archives.keys {
                guard let parsed = vault.keyring.identifiers.parse(id, kind: .archive, account: place.account),
                    try await catalog.archive(ArchiveUID(words: parsed.uid))?.state == .stored
                else {
                    fail("an archive of \(place) is gone")
                    continue
                }
            }
        }
    }
}
