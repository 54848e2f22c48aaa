// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Execution

@Suite(.timeLimit(.minutes(5))) struct FairBytesTests {
    /// Everything that one owner asks for is taken or waits.
    private func ask(_ fair: inout FairBytes, _ bytes: Int, for owner: MemoryBudget.Owner?) -> UInt64? {
        if fair.takeNow(bytes, for: owner) { return nil }
        let ticket = fair.nextTicket()
        fair.wait(ticket, for: bytes, of: owner)
        return ticket
    }

    @Test func oneOwnerLeavesRoomForANewcomerHoweverMuchItAsksFor() {
        var fair = FairBytes(capacityBytes: 128)
        var held = 0
        for _ in 0..<1000 where ask(&fair, 8, for: 1) == nil { held += 8 }
        #expect(held == 112, "seven eighths")
        #expect(fair.takeNow(8, for: 2) == true, "the newcomer does not wait behind the 986")
    }

    @Test func whoHoldsLeastComesFirstAndWithinAnOwnerTheFirst() {
        var fair = FairBytes(capacityBytes: 16)
        #expect(fair.takeNow(8, for: 1) == true)
        #expect(fair.takeNow(8, for: nil) == true)
        let greedy = [ask(&fair, 4, for: 1), ask(&fair, 4, for: 1)]
        let modest = [ask(&fair, 4, for: 2), ask(&fair, 4, for: 2)]
        #expect(greedy.allSatisfy { $0 != nil } && modest.allSatisfy { $0 != nil })
        fair.give(back: 8, of: nil)
        // Owner 2 holds nothing, so its first comes before both of owner 1, who came earlier.
        #expect(fair.serve() == [modest[0]])
        fair.give(back: 8, of: 1)
        #expect(fair.serve().first == greedy[0], "who holds nothing now comes before who holds four")
    }

    @Test func aLargeRequestOfWhoHoldsNothingIsNeverOvertaken() {
        var fair = FairBytes(capacityBytes: 100)
        #expect(fair.takeNow(60, for: 1) == true)
        let large = ask(&fair, 90, for: 2)
        #expect(large != nil)
        for owner in 3..<50 as Range<MemoryBudget.Owner> { #expect(ask(&fair, 1, for: owner) != nil) }
        #expect(fair.takeNow(1, for: 1) == false, "not even by who holds some already")
        fair.give(back: 60, of: 1)
        #expect(fair.serve().first == large)
    }

    @Test func whoeverLeavesTheQueueMakesRoomForThoseBehind() {
        var fair = FairBytes(capacityBytes: 10)
        #expect(fair.takeNow(5, for: 1) == true)
        let large = ask(&fair, 10, for: 2)
        let small = ask(&fair, 5, for: 3)
        #expect(fair.serve().isEmpty)
        #expect(large.map { fair.leave($0, of: 2) } == true)
        #expect(large.map { fair.leave($0, of: 2) } == false)
        #expect(fair.serve() == [small].compactMap(\.self))
    }

    /// Whatever comes and goes: never more than the whole, everybody is served in the end, nothing is left behind.
    @Test(arguments: 1...40 as ClosedRange<UInt64>) func randomCrowdsAreAllServed(seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        var fair = FairBytes(capacityBytes: 64)
        var holding: [(owner: MemoryBudget.Owner?, bytes: Int)] = []
        var waiting: [UInt64: (owner: MemoryBudget.Owner?, bytes: Int)] = [:]
        func settle() {
            for ticket in fair.serve() {
                guard let served = waiting.removeValue(forKey: ticket) else {
                    Issue.record("seed \(seed): a ticket was served that nobody waits with")
                    continue
                }
                holding.append(served)
            }
            #expect(fair.freeBytes == 64 - holding.reduce(0) { $0 + $1.bytes }, "seed \(seed)")
            #expect(fair.freeBytes >= 0, "seed \(seed)")
        }
        for _ in 0..<2000 {
            if random(2) == 0, !holding.isEmpty {
                let gone = holding.remove(at: random(holding.count))
                fair.give(back: gone.bytes, of: gone.owner)
            } else {
                let owner = [nil, 1, 2, 3, 4][random(5)] as MemoryBudget.Owner?
                let bytes = random(10) == 0 ? 64 : random(20)
                if let ticket = ask(&fair, bytes, for: owner) {
                    waiting[ticket] = (owner, bytes)
                } else {
                    holding.append((owner, bytes))
                }
            }
            settle()
        }
        // Nothing new comes: as what is held goes, all who wait are served.
        while let gone = holding.popLast() {
            fair.give(back: gone.bytes, of: gone.owner)
            settle()
        }
        #expect(waiting.isEmpty, "seed \(seed)")
        #expect(fair.freeBytes == 64 && fair.waiterCount == 0, "seed \(seed)")
    }
}
