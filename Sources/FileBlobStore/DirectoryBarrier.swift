// SPDX-License-Identifier: Apache-2.0

import Storage
import Synchronization

/// Lets concurrent writers to one directory share its syncs.
///
/// A caller joins a sync that begins after its call, never one that is under way (that one may have passed its name
/// by). So at most two rounds matter per directory: the one running and the one that gathers callers. The first caller
/// of the gathering round runs it in its own task; its outcome is that of all in the round.
final class DirectoryBarrier: Sendable {
    private let rounds = Mutex([String: Rounds]())

    private struct Rounds {
        var running: [CheckedContinuation<Turn, Never>] = []
        var gathering: [CheckedContinuation<Turn, Never>] = []
    }

    private enum Turn: Sendable {
        case lead
        case done(Result<Void, StorageError>)
    }

    /// On return a sync of `directory` that began after the call has succeeded.
    func sync(_ directory: String, on disk: any Disk) async throws(StorageError) {
        switch await join(directory) {
        case .done(let result): try result.get()
        case .lead:
            let result: Result<Void, StorageError>
            do throws(StorageError) {
                result = .success(try await disk.syncDirectory(directory))
            } catch {
                result = .failure(error)
            }
            finishRound(of: directory, result)
            try result.get()
        }
    }

    private func join(_ directory: String) async -> Turn {
        await withCheckedContinuation { continuation in
            let leads = rounds.withLock { rounds in
                if rounds[directory] == nil {
                    rounds[directory] = Rounds()
                    return true
                }
                rounds[directory]?.gathering.append(continuation)
                return false
            }
            if leads { continuation.resume(returning: .lead) }
        }
    }

    private func finishRound(of directory: String, _ result: Result<Void, StorageError>) {
        let (members, leader) = rounds.withLock {
            rounds -> ([CheckedContinuation<Turn, Never>], CheckedContinuation<Turn, Never>?) in
            guard var current = rounds.removeValue(forKey: directory) else { return ([], nil) }
            let members = current.running
            guard !current.gathering.isEmpty else { return (members, nil) }
            let leader = current.gathering.removeFirst()
            rounds[directory] = Rounds(running: current.gathering)
            return (members, leader)
        }
        // The next round first: its sync is what others wait for.
        leader?.resume(returning: .lead)
        for member in members { member.resume(returning: .done(result)) }
    }
}
