// SPDX-License-Identifier: Apache-2.0

import VaultModel

@testable import VaultEngine

extension Client {
    // MARK: vaults

    /// Sets a tag of this client's own, or looks at it: the last acknowledged value, or a later one of unknown fate.
    func tag(_ vault: String) async {
        let key = "\(vault)/\(number)"
        if world.pick(3) == 0 {
            guard case .done(let tags) = await ask("tags", { try await engine.tags(World.location(vault)) }) else { return }
            let value = tags["k\(number)"]
            world.check(
                (oracle.tags[key] ?? [nil]).contains(value),
                "tag \(key) is \(value ?? "absent"), not one of \(oracle.tags[key] ?? [])")
            return
        }
        let value: String? = world.pick(4) == 0 ? nil : "v\(world.pick(1_000_000))"
        oracle.tags[key, default: [nil]].append(value)
        let answer = await ask("set-tag \(key)") {
            if let value {
                try await engine.addTags(World.location(vault), ["k\(number)": value])
            } else {
                try await engine.removeTags(World.location(vault), ["k\(number)"])
            }
        }
        if case .done = answer { oracle.tags[key] = [value] }
    }

    /// A vault of this client's own is made, filled, emptied and deleted; a vault with an archive is not.
    func scratchVault() async {
        let name = "scratch-\(number)"
        let location = World.location(name)
        guard case .done = await ask("create-vault", { try await engine.createVault(location) }) else { return }
        // Told that it is there: then it is.
        _ = await ask("describe-vault") { try await engine.describeVault(location) }
        let left = oracle.archives(in: name, .stored)
        if left.isEmpty, world.pick(2) == 0 {
            let content = world.content([10, 5000])
            let attempt = oracle.begin(content, in: name)
            let bytes = content.bytes
            let answer = await ask("upload n\(attempt)") {
                try await engine.uploadArchive(
                    UploadArchiveRequest(
                        location: location, contentLength: UInt64(bytes.count), treeHash: bytes.treeHash,
                        linearHash: bytes.linearHash, description: "n\(attempt)"), body: Pieces(bytes: bytes, pieceBytes: 1000))
            }
            if case .done(let stored) = answer { acknowledge(attempt, stored, content) }
        }
        let full = oracle.archives(in: name, .stored)
        let answer = await ask("delete-vault", refusals: [.invalidParameter]) { try await engine.deleteVault(location) }
        if case .done = answer { world.check(full.isEmpty, "a vault was deleted that held n\(full[0].attempt)") }
        for archive in full where world.pick(2) == 0 {
            oracle.update(archive.id) { $0.fate = .doubtful }
            let answer = await ask("delete n\(archive.attempt)") {
                try await engine.deleteArchive(location, archiveID: archive.id)
            }
            guard case .done = answer else { continue }
            oracle.update(archive.id) {
                $0.fate = .deleted
                $0.deleted = world.clock.now()
            }
        }
    }

    // MARK: keys and locks

    func rotate(_ vault: String) async {
        // A second process would not know the new master key.
        if engines.count == 1, world.pick(2) == 0 {
            _ = await ask("rotate-master-key") { try await engine.rotateMasterKey() }
        } else {
            _ = await ask("rotate-vault-key") { try await engine.rotateVaultKey(World.location(vault)) }
        }
    }

    /// Locks `ledger` against every deletion. From the acknowledgement on nothing leaves it.
    func lockLedger() async {
        guard !oracle.isLocked, number == 0, oracle.archives(in: "ledger", .stored).count > 1 else { return }
        let location = World.location("ledger")
        let policy = """
            {"Version":"2012-10-17","Statement":[{"Sid":"keep","Effect":"Deny","Principal":"*","Action":"glacier:DeleteArchive",\
            "Resource":"\(location.arn)"}]}
            """
        let begun = await ask("initiate-lock", refusals: [.accessDenied]) {
            try await engine.initiateVaultLock(location, policy: policy)
        }
        switch begun {
        case .unknown: return
        case .refused:
            // An earlier one whose answer was lost: in progress, or complete.
            _ = await ask("abort-lock", refusals: [.accessDenied]) { try await engine.abortVaultLock(location) }
        case .done(let id):
            let answer = await ask("complete-lock") { try await engine.completeVaultLock(location, lockID: id) }
            if case .done = answer { oracle.isLocked = true }
        }
    }
}
