// SPDX-License-Identifier: Apache-2.0

import Storage
import StorageLaws

/// What goes wrong in one life of the service, as chances per call; the same generator makes the same weather again.
struct Weather: Sendable {
    /// Per disk call, in thousandths.
    var failures = 0
    var slowness = 0
    var lies = 0
    /// Per COMMIT, in thousandths.
    var lostCommits = 0
    var unknownCommits = 0

    static let good = Weather()

    static func random(_ choices: inout SeededGenerator) -> Weather {
        var weather = Weather()
        switch Int.random(in: 0..<6, using: &choices) {
        case 0: weather.failures = 8
        case 1: weather.slowness = 10
        case 2: weather.lies = 15
        case 3: (weather.lostCommits, weather.unknownCommits) = (20, 8)
        case 4: (weather.failures, weather.slowness, weather.lies, weather.lostCommits) = (3, 3, 4, 5)
        default: break
        }
        return weather
    }

    var isGood: Bool { failures + slowness + lies + lostCommits + unknownCommits == 0 }
}

/// Makes weather happen and counts what it does. Used on the simulator's thread alone.
final class WeatherMaker: @unchecked Sendable {
    private static let codes: [StorageError.Code] = [.transient, .integrity, .noSpace, .transient]
    private var choices: SeededGenerator
    private let disk: SimulatedDisk
    var weather = Weather.good
    /// Failures, lies and lost commits so far: what excuses an error.
    private(set) var faults = 0
    /// A commit of this life had an unknown outcome: no change is taken until the next.
    var isPoisoned = false
    private(set) var tally: [String: Int] = [:]

    init(seed: UInt64, disk: SimulatedDisk) {
        choices = SeededGenerator(seed: seed)
        self.disk = disk
    }

    private func happens(_ thousandths: Int) -> Bool {
        thousandths > 0 && Int.random(in: 0..<1000, using: &choices) < thousandths
    }

    private func count(_ what: String, isFault: Bool = true) {
        tally[what, default: 0] += 1
        if isFault { faults += 1 }
    }

    func mood(of call: DiskCall) -> DiskMood {
        if happens(weather.slowness) {
            count("slow calls", isFault: false)
            return .slow(.milliseconds(Int64.random(in: 10...90_000, using: &choices)))
        }
        if happens(weather.failures) {
            count(call == .sync || call == .syncDirectory ? "failed syncs" : "failed calls")
            return .fails(Self.codes[Int.random(in: 0..<Self.codes.count, using: &choices)])
        }
        guard call == .read, happens(weather.lies) else { return .good }
        count("lies of the medium")
        switch Int.random(in: 0..<3, using: &choices) {
        case 0: return .lies(.flipped(choices.next()))
        case 1: return .lies(.stale)
        default: return .lies(.misdirected(choices.next()))
        }
    }

    func fate() -> SimulatedCatalog.Fate {
        // A process that has lost its power commits nothing.
        if disk.isPowerOff { return .isLostUnknown }
        if happens(weather.lostCommits) {
            count("lost commits")
            return .isLost
        }
        guard happens(weather.unknownCommits) else { return .happens }
        count("commits of unknown outcome")
        isPoisoned = true
        return Bool.random(using: &choices) ? .happensUnknown : .isLostUnknown
    }
}
