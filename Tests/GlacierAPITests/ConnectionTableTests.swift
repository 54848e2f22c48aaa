// SPDX-License-Identifier: Apache-2.0

import Metrics
import NIOCore
import Testing
import VaultModel

@testable import GlacierAPI

@Suite struct ConnectionTableTests {
    @Test func theLongestWaitingOfTheLargestAddressMakesRoom() {
        var table = ConnectionTable(maxConnections: 4, maxPerAddress: 0)
        #expect(table.arrives(1, from: "healthy") == .admitted)
        #expect(table.arrives(2, from: "flood") == .admitted)
        #expect(table.arrives(3, from: "flood") == .admitted)
        #expect(table.arrives(4, from: "flood") == .admitted)
        #expect(table.arrives(5, from: "other") == .admittedFor(2), "not the healthy one, which has waited longer")
        #expect(table.arrives(6, from: "flood") == .admittedFor(3))
        #expect(table.count == 4)
    }

    @Test func whoWorksKeepsItsPlaceAndWithoutAnyoneWaitingTheNewestIsRefused() {
        var table = ConnectionTable(maxConnections: 2, maxPerAddress: 0)
        _ = table.arrives(1, from: "a")
        _ = table.arrives(2, from: "a")
        table.works(1)
        table.works(2)
        #expect(table.arrives(3, from: "b") == .refused)
        #expect(table.count == 2, "a refused connection holds no place")
        table.rests(1)
        #expect(table.arrives(4, from: "b") == .admittedFor(1))
    }

    @Test func restingBeginsTheWaitAnew() {
        var table = ConnectionTable(maxConnections: 2, maxPerAddress: 0)
        _ = table.arrives(1, from: "a")
        _ = table.arrives(2, from: "a")
        table.works(1)
        table.rests(1)
        #expect(table.arrives(3, from: "a") == .admittedFor(2))
    }

    @Test func anAddressThatHasUsedUpItsShareMakesItsOwnRoom() {
        var table = ConnectionTable(maxConnections: 100, maxPerAddress: 2)
        _ = table.arrives(1, from: "b")
        _ = table.arrives(2, from: "a")
        _ = table.arrives(3, from: "a")
        #expect(table.arrives(4, from: "a") == .admittedFor(2))
        table.works(3)
        table.works(4)
        #expect(table.arrives(5, from: "a") == .refused, "though there is room for others")
        #expect(table.arrives(6, from: "c") == .admitted)
    }

    @Test func leavingTwiceIsLeavingOnce() {
        var table = ConnectionTable(maxConnections: 2, maxPerAddress: 1)
        _ = table.arrives(1, from: "a")
        table.leaves(1)
        table.leaves(1)
        #expect(table.count == 0)
        #expect(table.arrives(2, from: "a") == .admitted)
    }

    /// Whatever happens: never more than the limits, and a client that just came is not the one to go while others of
    /// the same address wait longer.
    @Test(arguments: 1...20 as ClosedRange<UInt64>) func limitsHoldInAnyCrowd(seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        var table = ConnectionTable(maxConnections: 20, maxPerAddress: 8)
        var open: [UInt64: (address: Int, isWorking: Bool)] = [:]
        for id in 1...3000 as ClosedRange<UInt64> {
            let known = open.keys.sorted()
            switch random(4) {
            case 0 where !known.isEmpty:
                let other = known[random(known.count)]
                open[other]?.isWorking.toggle()
                if open[other]?.isWorking == true { table.works(other) } else { table.rests(other) }
            case 1 where !known.isEmpty:
                let other = known[random(known.count)]
                open[other] = nil
                table.leaves(other)
            default:
                let address = random(5)
                switch table.arrives(id, from: "\(address)") {
                case .admitted: open[id] = (address, false)
                case .admittedFor(let victim):
                    #expect(open.removeValue(forKey: victim)?.isWorking == false, "seed \(seed)")
                    open[id] = (address, false)
                case .refused:
                    let own = open.values.filter { $0.address == address }
                    let isFull = own.count == 8 ? own.allSatisfy(\.isWorking) : open.values.allSatisfy(\.isWorking)
                    #expect(isFull && (own.count == 8 || open.count == 20), "seed \(seed)")
                }
            }
            #expect(table.count == open.count && open.count <= 20, "seed \(seed)")
        }
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8::1", "2001:db8:0:0::/64"), ("::1", "0:0:0:0::/64"), ("fe80::1%eth0", "fe80:0:0:0::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
    ])
    func aSourceIsAnIPv4AddressOr64BitsOfIPv6(address: String, key: String) {
        #expect(AddressShare.key(of: address) == key)
    }
}

@Suite struct AccountUseTests {
    @Test func concurrentRequestsEndWhereTheLimitSays() {
        var limits = AccountLimits()
        limits.concurrentRequests = 2
        var use = AccountUse(limits: limits, now: .zero)
        #expect(use.begins(limits: limits, now: .zero) == .taken)
        #expect(use.begins(limits: limits, now: .zero) == .taken)
        #expect(use.begins(limits: limits, now: .seconds(100)) == .tooMany)
        use.ends()
        #expect(use.begins(limits: limits, now: .zero) == .taken)
    }

    @Test func theRateHoldsInTheLongRunAndABurstIsBorne() {
        var limits = AccountLimits()
        limits.requestsPerSecond = 10
        limits.concurrentRequests = .max
        var use = AccountUse(limits: limits, now: .zero)
        var taken = 0
        for step in 0..<10_000 where use.begins(limits: limits, now: .milliseconds(step)) == .taken { taken += 1 }
        #expect((119...120).contains(taken), "twenty at once, then ten a second for ten seconds: \(taken)")
        // A clock that goes back adds nothing and breaks nothing.
        #expect(use.begins(limits: limits, now: .zero) == .tooFast)
        #expect(use.begins(limits: limits, now: .seconds(11)) == .taken)
    }

    @Test func withoutARateNothingIsCounted() {
        let limits = AccountLimits()
        var use = AccountUse(limits: limits, now: .zero)
        for _ in 0..<10_000 {
            #expect(use.begins(limits: limits, now: .zero) == .taken)
            use.ends()
        }
        #expect(use.isAtRest(limits: limits, now: .zero) == true)
    }
}
