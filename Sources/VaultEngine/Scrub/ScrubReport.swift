// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import SealedArchive
import Storage
import VaultModel

/// The signed evidence of a pass (Docs/Operations/Scrub.md): what was read, when, under which limits, and what was wrong.
enum ScrubReport {
    static func make(_ pass: ScrubDesk.Progress, limits: ScrubConfiguration, engine: VaultEngine) throws -> String {
        var body = pass.tally.json
        body["pass"] = .integer(Int64(clamping: pass.pass))
        body["started"] = .integer(pass.started?.milliseconds ?? 0)
        body["ended"] = .integer(pass.ended?.milliseconds ?? 0)
        body["copies"] = .integer(Int64(engine.cold.copies.count))
        body["limits"] = [
            "bytesPerSecond": limits.bytesPerSecond.map { .integer(Int64(clamping: $0)) } ?? .null,
            "cpuPercent": .integer(Int64(limits.cpuPercent)), "periodSeconds": .integer(limits.period.components.seconds),
        ]
        let statement = try engine.keyring.statement(.scrubReport, created: pass.ended ?? engine.clock.now(), body: body)
        return String(decoding: statement.encode(), as: UTF8.self)
    }
}
