// SPDX-License-Identifier: Apache-2.0

import Logging
import SealedArchive
import Storage
import VaultModel

/// When backups are made without being asked for.
public struct BackupSchedule: Sendable, Hashable {
    /// An existing directory, by its absolute path.
    public var directory: String
    /// From one backup to the next.
    public var interval: Duration
    /// How many of each kind stay; at least 1.
    public var keep: Int

    public init(directory: String, interval: Duration, keep: Int) {
        precondition(keep >= 1, "the newest backup is never removed")
        self.directory = directory
        self.interval = interval
        self.keep = keep
    }
}

/// Makes the scheduled backups and removes the oldest. One that fails is tried again after a pause; nothing is removed before a newer one
/// has been made and read back.
struct BackupScheduler: Sendable {
    /// How long to wait after a failure, and at most between two looks at the clock.
    private static let pause: Duration = .seconds(60)
    /// More files than this are somebody else's directory.
    private static let maxFiles = 100_000

    let engine: VaultEngine
    let schedule: BackupSchedule

    /// Nil without a schedule.
    init?(engine: VaultEngine) {
        guard let schedule = engine.configuration.backupSchedule else { return nil }
        self.engine = engine
        self.schedule = schedule
    }

    func run() async {
        while !Task.isCancelled {
            do {
                if try await isDue() {
                    let report = try await engine.createBackup(in: schedule.directory, by: .service)
                    let removed = try await removeOldest()
                    engine.backupDesk.failure = nil
                    engine.logger.notice(
                        "backup made",
                        metadata: [
                            "catalog": "\(report.catalogPath ?? "-")", "keyring": "\(report.keyringPath ?? "-")",
                            "bytes": "\(report.catalogBytes)", "removed": "\(removed)",
                        ])
                }
            } catch {
                guard !Task.isCancelled else { return }
                engine.backupDesk.failure = "\(error)"
                engine.logger.error(
                    "the scheduled backup failed and will be tried again",
                    metadata: ["directory": "\(schedule.directory)", "error": "\(error)"])
            }
            // Cancelled while asleep: the loop's condition sees it.
            try? await engine.clock.sleep(for: min(Self.pause, schedule.interval))
        }
    }

    private func isDue() async throws -> Bool {
        if engine.backupDesk.failure != nil { return true }
        guard let newest = try await engine.backupStatus().newest else { return true }
        let age = engine.clock.now().since(newest)
        // A clock that was set back must not end the backups.
        return age >= schedule.interval || age < .zero
    }

    /// Only files of this service, by their headers; what cannot be read stays.
    private func removeOldest() async throws -> Int {
        let place = try engine.requireBackupPlace()
        let names = try await place.disk.entries(of: schedule.directory).filter { !$0.isDirectory }.map(\.name)
        guard names.count <= Self.maxFiles else {
            throw VaultError(.unavailable, "\(schedule.directory) holds more than \(Self.maxFiles) files; backups need a directory of their own.")
        }
        var removed = 0
        for kind in BackupKind.allCases {
            // The time comes first in a name: the order of names is the order of time.
            var own: [String] = []
            for name in names.sorted() where name.hasPrefix("\(kind.name)-") && name.hasSuffix(".cvbackup") {
                let path = "\(schedule.directory)/\(name)"
                guard let file = try? await BackupFile.open(path, disk: place.disk), file.header.kind == kind,
                    engine.keyring.signingPublicKeys.contains(file.header.service)
                else { continue }
                own.append(path)
            }
            for path in own.dropLast(schedule.keep) {
                try await place.disk.remove(path)
                removed += 1
            }
        }
        if removed > 0 { try await place.disk.syncDirectory(schedule.directory) }
        return removed
    }
}
