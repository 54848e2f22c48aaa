// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import FileBlobStore
import FileKeyCustody
import Foundation
import Logging
import SQLiteCatalog
import Storage
import StorageLaws
import VaultModel

@testable import VaultEngine

/// The real engine over real adapters on a simulated machine, what clients do to it, and the oracle that judges the answers.
///
/// A world lives several lives of the service. Each ends with an orderly stop, the death of the process or a power cut, at a moment that the
/// seed chooses, also in the middle of starting. Everything here runs on the simulator's thread.
final class World: @unchecked Sendable {
    static let account = AccountID("123456789012")!
    static let region = Region("us-east-1")!
    static let vaults = ["main", "other", "ledger"]

    let seed: UInt64
    /// Nothing ever fails, and every life ends with an orderly stop: then a rebuilt catalog is the catalog.
    let isPeaceful: Bool
    let simulator: Simulator
    let clock: SimulatedClock
    let disk: SimulatedDisk
    /// In place of ``disk``, with the path of the data there: for scenes on real files.
    var otherDisk: (any Disk)?
    var dataPath = "/data"
    /// On real files: where backups go.
    var backupPath: String?
    /// In place of the weather's: what becomes of each COMMIT.
    var commitFate: (@Sendable () -> SimulatedCatalog.Fate)?
    /// The disk fills up.
    let hasLittleRoom: Bool
    let weather: WeatherMaker
    let transport: SimulatedTransport
    let oracle = Oracle()
    var configuration: EngineConfiguration
    /// The catalog's file lies here.
    let directory: String
    let random: SimulatedRandom
    let root: SecretKey
    var choices: SeededGenerator
    /// What is wrong; empty is what a test wants.
    private(set) var violations: [String] = []
    private(set) var trace = TraceHash()
    private(set) var recent: [String] = []
    private(set) var tally: [String: Int] = [:]
    /// Salts seen, by blob.
    var salts: [[UInt8]: String] = [:]
    var contentNumber: UInt64
    /// Catalogs made out of the blobs so far.
    var rebuilds = 0
    /// Rings when a life is over.
    let bell = Bell()

    init(seed: UInt64, directory: String) {
        self.seed = seed
        isPeaceful = seed.isMultiple(of: 6)
        self.directory = directory
        var choices = SeededGenerator(seed: seed)
        simulator = Simulator(seed: choices.next())
        clock = SimulatedClock(simulator: simulator)
        hasLittleRoom = Int.random(in: 0..<8, using: &choices) == 0 && !seed.isMultiple(of: 6)
        disk = SimulatedDisk(capacityBytes: hasLittleRoom ? 24 << 20 : .max)
        weather = WeatherMaker(seed: choices.next(), disk: disk)
        random = SimulatedRandom(seed: choices.next())
        root = SecretKey(random: random)
        transport = SimulatedTransport(seed: choices.next())
        contentNumber = seed &* 1_000_003
        var configuration = EngineConfiguration()
        configuration.outputMode = Bool.random(using: &choices) ? .staged : .inPlace
        configuration.deletionGrace = .seconds(120)
        configuration.outputRetention = .seconds(900)
        configuration.uploadExpiry = .seconds(7200)
        configuration.closedUploadMemory = .seconds(3600)
        configuration.concurrentJobs = 3
        if Bool.random(using: &choices) {
            configuration.scrub = .unlimited
            configuration.scrub?.period = .seconds(1800)
            configuration.scrub?.unnamedAge = .seconds(300)
        }
        self.configuration = configuration
        self.choices = choices
        let (disk, weather, simulator) = (disk, weather, simulator)
        disk.set(
            weather: DiskWeather(
                mood: { weather.mood(of: $0) },
                // A pause ends early when its task is cancelled; the call is made all the same.
                pause: { try? await simulator.sleep(for: $0) }))
    }

    static func location(_ name: String) -> VaultLocation {
        VaultLocation(account: account, region: region, name: VaultName(name)!)
    }

    // MARK: notes

    func note(_ text: String) {
        trace.fold(text)
        // After the first violation only what led to it is of interest.
        guard violations.isEmpty else { return }
        recent.append("\(simulator.now) \(text)")
        if recent.count > 120 { recent.removeFirst(40) }
    }

    func count(_ what: String, _ number: Int = 1) { tally[what, default: 0] += number }

    func violation(_ text: String) {
        note("VIOLATION \(text)")
        violations.append("seed \(seed), step \(simulator.steps), \(simulator.now): \(text)")
    }

    func check(_ isSo: Bool, _ text: @autoclosure () -> String) {
        if !isSo { violation(text()) }
    }

    var isDead: Bool { disk.isPowerOff }

    func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &choices) }

    func content(_ sizes: [Int]) -> Recipe {
        contentNumber += 1
        return Recipe(numbers: [contentNumber &* 4096], count: sizes[pick(sizes.count)])
    }
}

/// A running fingerprint of everything that happened (FNV-1a).
struct TraceHash: Equatable {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func fold(_ text: String) {
        for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
}
