// SPDX-License-Identifier: Apache-2.0

import Logging
import SealedArchive
import Storage
import VaultModel

/// Verifies the key files on every copy: that they open through each slot there is a custody for. A copy that lacks one, or has a damaged or
/// older one, is given the newest that opens.
struct KeyFileCheck {
    let engine: VaultEngine

    func run(_ tally: inout ScrubTally) async throws {
        // Only while the mirror is there: an empty mount point must not be given keys.
        let stores = engine.cold.copies.count > 1 ? engine.keyCopies : Array(engine.keyCopies.prefix(1))
        guard !stores.isEmpty else { return }
        var names: Set<String> = []
        for store in stores { names.formUnion(try await store.list()) }
        for name in names.sorted() { try await check(name, on: stores, &tally) }
    }

    private func check(_ name: String, on stores: [any KeyFileStore], _ tally: inout ScrubTally) async throws {
        var copies: [(bytes: [UInt8], generation: UInt64)?] = []
        for store in stores {
            do throws(StorageError) {
                let bytes = try await store.read(name)
                copies.append(await engine.keyring.generation(ofKeyFile: bytes, named: name).map { (bytes, $0) })
            } catch {
                guard isDamage(error) else { throw error }
                copies.append(nil)
            }
        }
        tally.blobs += UInt64(copies.count { $0 != nil })
        guard let best = copies.compactMap({ $0 }).max(by: { $0.generation < $1.generation }) else {
            tally.failures += 1
            engine.scrubDesk.countFailure()
            tally.find("keys/\(name)", "no copy of it opens")
            engine.logger.error(
                "a key file does not open on any copy; restore keys/ from a keyring backup", metadata: ["file": "\(name)"])
            return
        }
        for (store, copy) in zip(stores, copies) where copy.map({ $0.bytes != best.bytes }) ?? true {
            // Two of one generation that differ and both open: which was meant is not for us to say.
            if let copy, copy.generation == best.generation { continue }
            try await store.replace(name, with: best.bytes)
            tally.repairs += 1
            engine.scrubDesk.countRepair()
            tally.find("keys/\(name)", copy == nil ? "a copy was missing or damaged, and was made again" : "a copy was older, and was replaced")
            engine.logger.notice("a copy of a key file was made again", metadata: ["file": "\(name)"])
        }
    }
}

extension Keyring {
    /// The generation of a key file that is whole and opens through every slot for which there is a custody, at least one; else nil.
    func generation(ofKeyFile bytes: [UInt8], named name: String) async -> UInt64? {
        guard let file = try? KeyFile(decoding: bytes), file.fileName == name else { return nil }
        var opened = false
        for custody in custodies {
            guard file.slots.contains(where: { $0.custody == custody.kind && KeyringFiles.hex($0.reference) == custody.reference }) else {
                continue
            }
            // Why it does not open matters to nobody: another copy decides, or the scrub reports it.
            guard (try? await KeyringFiles.unwrap(file, with: [custody])) != nil else { return nil }
            opened = true
        }
        return opened ? file.generation : nil
    }
}
