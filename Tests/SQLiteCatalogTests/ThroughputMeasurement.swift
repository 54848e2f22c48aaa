// SPDX-License-Identifier: Apache-2.0

import Foundation
import SQLiteCatalog
import Storage
import StorageLaws
import Testing
import VaultModel

/// By hand, in release mode, on the disk that matters:
/// `CATALOG_MEASURE=/path/on/that/disk swift test -c release -Xswiftc -enable-testing --filter ThroughputMeasurement`.
@Suite(.serialized) struct ThroughputMeasurement {
    static let directory = ProcessInfo.processInfo.environment["CATALOG_MEASURE"]

    @Test(.enabled(if: directory != nil), arguments: [1, 16, 64, 256])
    func smallChangesPerSecond(_ callers: Int) async throws {
        try await withTemporaryDirectory(in: Self.directory) { directory in
            let catalog = try await SQLiteCatalog.open(path: "\(directory)/catalog.sqlite")
            let each = 20_000 / callers / (callers == 1 ? 10 : 1)
            let clock = ContinuousClock()
            let spent = try await clock.measure {
                try await withThrowingTaskGroup { group in
                    for caller in 0..<callers {
                        group.addTask {
                            for round in 0..<each {
                                try await catalog.doom([
                                    DoomedBlob(
                                        id: "vaults/000000000001/0123456789abcdef/archives/ab/\(caller)-\(round)",
                                        store: .cold,
                                        notBefore: Timestamp(milliseconds: Int64(round)))
                                ])
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            let seconds = Double(spent.components.seconds) + Double(spent.components.attoseconds) / 1e18
            print("\(callers) callers: \(Int(Double(callers * each) / seconds)) durable changes per second")
            await catalog.close()
        }
    }
}
