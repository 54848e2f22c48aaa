// SPDX-License-Identifier: Apache-2.0

import Foundation
import SQLiteCatalog
import Storage
import StorageLaws
import Testing

@testable import VaultEngine

/// What the audit log costs an upload, by hand and in release mode:
/// `AUDIT_MEASURE=1 swift test -c release -Xswiftc -enable-testing --filter AuditCostMeasurement`.
///
/// Two services, alike but for the log, take small archives in turns of the same run, so that whatever else the machine does falls on both.
/// Blobs are in memory: what is measured is CPU time, which a disk only dilutes.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["AUDIT_MEASURE"] != nil))
struct AuditCostMeasurement {
    private static let rounds = 40
    private static let uploads = 250

    private static func processorMicroseconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }

    private static func spent(_ vault: TestVault, _ round: Int) async throws -> Double {
        let before = processorMicroseconds()
        for number in 0..<uploads { try await vault.upload(content(1000, seed: UInt64(round * uploads + number))) }
        return (processorMicroseconds() - before) / Double(uploads)
    }

    private static func catalogBytes(_ vault: TestVault) async throws -> Int {
        try await vault.catalog.truncateLog()
        return try FileManager.default.attributesOfItem(atPath: vault.directory + "/catalog.sqlite")[.size] as? Int ?? 0
    }

    @Test func anUploadWithAndWithoutItsEntry() async throws {
        try await withVault { with in
            try await withVault({ $0.configuration.keepsAuditLog = false }) { without in
                var differences: [Double] = []
                var plain: [Double] = []
                for round in 0..<Self.rounds {
                    let first = round.isMultiple(of: 2)
                    let one = try await Self.spent(first ? with : without, round)
                    let other = try await Self.spent(first ? without : with, round)
                    differences.append(first ? one - other : other - one)
                    plain.append(first ? other : one)
                }
                let bytes = try await Self.catalogBytes(with) - Self.catalogBytes(without)
                let count = Self.rounds * Self.uploads
                #expect(try await with.catalog.auditHead().sequence > UInt64(count))
                #expect(try await without.catalog.auditHead().sequence == 0)
                let (cost, base) = (differences.sorted()[Self.rounds / 2], plain.sorted()[Self.rounds / 2])
                print(
                    "upload of 1000 bytes without entry: \(Int(base)) µs CPU; entry: \(String(format: "%.1f", cost)) µs "
                        + "(\(String(format: "%.1f", cost / base * 100)) %), \(bytes / count) bytes in the catalog; medians of \(Self.rounds) rounds")
            }
        }
    }
}
