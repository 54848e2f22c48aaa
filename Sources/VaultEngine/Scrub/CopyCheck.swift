// SPDX-License-Identifier: Apache-2.0

import Logging
import SealedArchive
import Storage
import Cryptography
import VaultModel

/// Whether an error says that stored bytes are wrong, unreadable or gone: what another copy may do better.
func isDamage(_ error: any Error) -> Bool {
    switch error {
    case let error as StorageError: error.code == .integrity || error.code == .notFound
    case is FormatError, is SealError: true
    default: false
    }
}

extension BlobStore {
    /// Runs `body` on the store as it is; when what it read is damaged, on each copy alone. The first failure is the one that is thrown.
    func readingCopies<R>(_ body: (any BlobStore) async throws -> R) async throws -> R {
        do {
            return try await body(self)
        } catch {
            guard isDamage(error) else { throw error }
            let all = copies
            guard all.count > 1 else { throw error }
            let failure = error
            for copy in all {
                do {
                    return try await body(copy)
                } catch is CancellationError {
                    throw CancellationError()
                } catch {
                    continue
                }
            }
            throw failure
        }
    }
}

/// Verifies one blob on every copy, and makes the bad ones good from a good one.
struct CopyCheck {
    let engine: VaultEngine

    enum Verdict {
        /// At least one copy is good, and by now all are that could be repaired.
        case good
        /// None is; why the first one is not.
        case damaged(String)
    }

    /// - Parameter verify: reads all of the blob from the given copy, and throws when anything is wrong with it.
    func check(
        _ id: BlobID, tally: inout ScrubTally, _ verify: (any BlobStore) async throws -> Void
    ) async throws -> Verdict {
        let copies = engine.cold.copies
        var good: Int?
        var bad: [(copy: Int, reason: String)] = []
        for (index, copy) in copies.enumerated() {
            do {
                try await verify(copy)
                good = good ?? index
                tally.blobs += 1
            } catch {
                // A passing trouble says nothing about the bytes: the whole check is repeated later.
                guard isDamage(error) else { throw error }
                bad.append((index, Self.reason(error)))
            }
        }
        guard let good else { return .damaged(bad.first?.reason ?? "no copy") }
        for (copy, reason) in bad {
            do {
                try await engine.cold.repair(id, copy: copy, from: good)
                try await verify(copies[copy])
                tally.repairs += 1
                engine.scrubDesk.countRepair()
                tally.find(id.name, "copy \(copy) was repaired from copy \(good): \(reason)")
                engine.logger.error(
                    "a damaged copy of a blob was repaired; look at the disk that held it",
                    metadata: ["blob": "\(id)", "copy": "\(copy)", "reason": "\(reason)"])
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                tally.failures += 1
                engine.scrubDesk.countFailure()
                tally.find(id.name, "copy \(copy) is damaged and could not be repaired: \(reason)")
                engine.logger.error(
                    "a damaged copy of a blob could not be repaired; another copy is good",
                    metadata: ["blob": "\(id)", "copy": "\(copy)", "reason": "\(reason)", "error": "\(error)"])
            }
        }
        return .good
    }

    /// A few words, without content.
    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as StorageError where error.code == .notFound: "missing"
        case let error as StorageError: String("\(error.code): \(error.message)".prefix(200))
        default: String("\(error)".prefix(200))
        }
    }
}
