// SPDX-License-Identifier: Apache-2.0

import Cryptography
import Execution
import SealedArchive
import Storage
import StorageLaws
import Testing
import TreeHash
import VaultModel

@testable import VaultEngine

@Suite struct UploadLifeCycleTests {
    private let mebi: UInt64 = 1 << 20

    @Test func partSizesArePowersOfTwoFromOneMebibyteToFourGibibytes() {
        for exponent in 0..<63 {
            #expect(UploadLifeCycle.isValidPartSize(1 << UInt64(exponent)) == (20...32).contains(exponent))
        }
        for bytes: UInt64 in [0, mebi - 1, mebi + 1, 3 * mebi, (1 << 32) + 1, .max] {
            #expect(!UploadLifeCycle.isValidPartSize(bytes))
        }
    }

    @Test func theIndexOfAPartIsItsPlaceOnTheGrid() throws {
        let rules = UploadLifeCycle(partBytes: 2 * mebi)
        func index(_ first: UInt64, _ last: UInt64) throws -> UInt32 {
            try rules.index(of: try #require(ByteRange(first: first, last: last)))
        }
        #expect(try index(0, 2 * mebi - 1) == 0)
        #expect(try index(4 * mebi, 4 * mebi) == 2)
        #expect(try index(9999 * 2 * mebi, 10_000 * 2 * mebi - 1) == 9999)
        #expect(throws: VaultError.self) { try index(10_000 * 2 * mebi, 10_000 * 2 * mebi) }
        #expect(throws: VaultError.self) { try index(mebi, 2 * mebi - 1) }
        #expect(throws: VaultError.self) { try index(0, 2 * mebi) }
        #expect(throws: VaultError.self) { try index(1, 1) }
    }

    @Test func writeNumbersGoUpWhateverTheClockDoes() {
        let random = SeededRandom(seed: 1)
        var stored: UInt64?
        for milliseconds in [
            1_700_000_000_000, 1_700_000_000_000, 1_600_000_000_000, 0, -5, 1_700_000_000_001, 4_000_000_000_000,
        ] as [Int64] {
            let number = VaultEngine.writeNumber(after: stored, at: Timestamp(milliseconds: milliseconds), random)
            #expect(number > stored ?? 0 && number < 1 << 53)
            stored = number
        }
        // Writers that start from the same state at the same moment rarely take the same number.
        let numbers = (0..<100).map { _ in
            VaultEngine.writeNumber(after: stored, at: Timestamp(milliseconds: 0), random)
        }
        #expect(Set(numbers).count > 80)
    }

    @Test func onlyWholePartsInOrderMakeAnArchive() throws {
        let rules = UploadLifeCycle(partBytes: mebi)
        let hashes = (0..<3).map { SHA256Hasher.hash([UInt8($0)]) }
        func parts(_ lengths: [(UInt32, UInt64)]) -> [(index: UInt32, length: UInt64, treeHash: SHA256Digest)] {
            lengths.enumerated().map { (index: $1.0, length: $1.1, treeHash: hashes[$0]) }
        }
        func refusal(_ lengths: [(UInt32, UInt64)], _ size: UInt64, _ hash: SHA256Digest? = nil) -> String? {
            do throws(VaultError) {
                try rules.verify(
                    parts(lengths), size: size, treeHash: hash ?? TreeHash.combine(Array(hashes.prefix(lengths.count))))
                return nil
            } catch {
                return error.code == .invalidParameter ? error.message : "\(error)"
            }
        }
        #expect(refusal([(0, mebi), (1, mebi), (2, 7)], 2 * mebi + 7) == nil)
        #expect(refusal([(0, 7)], 7) == nil)
        #expect(refusal([], 0)?.contains("No part") == true)
        #expect(refusal([(1, mebi)], mebi)?.contains("Missing part: bytes 0-1048575") == true)
        #expect(refusal([(0, mebi), (2, mebi)], 2 * mebi)?.contains("Missing part: bytes 1048576-2097151") == true)
        #expect(
            refusal([(0, mebi), (1, mebi - 1), (2, mebi)], 3 * mebi - 1)?.contains(
                "shorter than the upload's part size") == true)
        #expect(refusal([(0, mebi)], mebi + 1)?.contains("x-amz-archive-size") == true)
        #expect(refusal([(0, mebi)], mebi, hashes[2])?.contains("x-amz-sha256-tree-hash") == true)
    }
}

@Suite struct JobLifeCycleTests {
    @Test func whatAnErrorMeansForAJob() {
        func after(_ error: any Error, attempts: UInt32 = 1) -> JobLifeCycle.Action {
            JobLifeCycle.afterError(error, attempts: attempts, maxAttempts: 3)
        }
        func isFailure(_ action: JobLifeCycle.Action, _ text: String) -> Bool {
            guard case .fail(let reason) = action else { return false }
            return reason.contains(text)
        }
        #expect(after(CancellationError()) == .leave)
        #expect(after(JobFailure(reason: "because")) == .fail("because"))
        for code in [StorageError.Code.transient, .conflict, .outcomeUnknown, .unusable, .alreadyExists] {
            #expect(after(StorageError(code, "")) == .retry, "\(code)")
            #expect(after(StorageError(code, ""), attempts: 2) == .retry, "\(code)")
            #expect(isFailure(after(StorageError(code, ""), attempts: 3), "failed 3 times"), "\(code)")
        }
        // A job waits for room, however often it has asked.
        #expect(after(StorageError(.noSpace, ""), attempts: 1000) == .retry)
        #expect(after(ExecutionError.tooManyWaiters) == .retry)
        for code in [StorageError.Code.integrity, .notFound] {
            #expect(isFailure(after(StorageError(code, "")), "integrity check"))
        }
        #expect(isFailure(after(FormatError.malformed("x")), "integrity check"))
        #expect(isFailure(after(SealError.wrongKeyOrContext), "integrity check"))
        #expect(after(VaultError(.notFound, "")) == .fail(JobLifeCycle.archiveDeleted))
        #expect(isFailure(after(VaultError(.invalidParameter, "")), "look up"))
    }
}

@Suite struct FairShareTests {
    private func job(_ account: Int, number: Int, deadline: Int64) -> JobRow {
        let digits = String(1_000_000_000_000 + account).suffix(12)
        return JobRow(
            uid: JobUID(words: UIDWords(high: UInt64(account), low: UInt64(number))), id: "", vault: .none,
            account: AccountID(String(digits))!,
            action: .archiveRetrieval, tier: nil, state: .queued, created: Timestamp(milliseconds: 0),
            notBefore: Timestamp(milliseconds: 0), deadline: Timestamp(milliseconds: deadline), archive: nil,
            archiveID: nil,
            archiveSize: nil, range: nil, sealed: SealedColumnValue(keyVersion: 1, bytes: []))
    }

    @Test func tenThousandJobsOfOneAccountDelayNobodyElsesFirst() {
        var share = FairShare()
        let greedy = (0..<10_000).map { job(1, number: $0, deadline: Int64($0)) }
        // Four of them run already when the other account comes with a far later deadline.
        for job in greedy.prefix(4) { share.started(job.account) }
        let modest = job(2, number: 0, deadline: .max)
        #expect(share.next(of: [greedy[4], modest])?.account == modest.account)
        share.started(modest.account)
        share.finished(modest.account)
        // As long as the other's four run, its own few go first; then they take turns.
        #expect(share.next(of: [greedy[4], modest])?.account == modest.account)
        for job in greedy.prefix(4) { share.finished(job.account) }
        var served: [AccountID: Int] = [:]
        for number in 4..<104 {
            let next = share.next(of: [greedy[number], modest])?.account ?? modest.account
            served[next, default: 0] += 1
            share.started(next)
            share.finished(next)
        }
        #expect(served == [modest.account: 50, greedy[0].account: 50])
    }

    @Test func equalsTakeTurnsAndDeadlinesDecideAmongTheUnserved() {
        var share = FairShare()
        let candidates = (1...5).map { job($0, number: 0, deadline: Int64(100 - $0)) }
        var order: [AccountID] = []
        for _ in 0..<10 {
            guard let next = share.next(of: candidates) else { break }
            order.append(next.account)
            share.started(next.account)
            share.finished(next.account)
        }
        #expect(order == Array(candidates.reversed().map(\.account)) + candidates.reversed().map(\.account))
        #expect(share.next(of: []) == nil)
    }

    @Test func runningJobsCountAndUnknownEndingsDoNot() {
        var share = FairShare()
        let (one, two) = (job(1, number: 0, deadline: 1), job(2, number: 0, deadline: 2))
        share.started(one.account)
        share.started(two.account)
        share.started(two.account)
        #expect(share.next(of: [one, two])?.account == one.account)
        share.finished(two.account)
        share.finished(two.account)
        share.finished(two.account)
        #expect(share.next(of: [one, two])?.account == two.account)
    }
}

@Suite struct SchedulerTests {
    @Test func reservedRoomIsNotPromisedTwice() {
        let scheduler = JobScheduler(sharedLanes: 1)
        #expect(scheduler.reserve(60, available: 100))
        #expect(!scheduler.reserve(41, available: 100))
        #expect(scheduler.reserve(40, available: 100))
        #expect(!scheduler.reserve(1, available: 50))
        scheduler.unreserve(60)
        #expect(scheduler.reserve(60, available: 100))
        scheduler.unreserve(1000)
        #expect(scheduler.reserve(.max, available: .max))
    }

    @Test func aSignalWakesAndIsRememberedOnce() async {
        let wake = WakeUp()
        let clock = ManualClock()
        wake.signal()
        wake.signal()
        // Returns although the clock stands still.
        await wake.wait(upTo: .seconds(1000), clock: clock)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await wake.wait(upTo: .seconds(1000), clock: clock) }
            group.addTask { wake.signal() }
        }
        // A cancelled wait ends, too.
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await wake.wait(upTo: .seconds(1000), clock: clock) }
            group.cancelAll()
        }
    }

    @Test func noRangeOfAnOutputReachesOutsideIt() throws {
        func resolve(_ range: OutputRange, _ total: UInt64) throws -> String {
            let (resolved, isPartial) = try VaultEngine.resolve(range, total: total)
            return "\(resolved?.description ?? "nothing")\(isPartial ? " partial" : "")"
        }
        #expect(try resolve(.whole, 10) == "0-9")
        #expect(try resolve(.whole, 0) == "nothing")
        #expect(try resolve(.from(0), 10) == "0-9 partial")
        #expect(try resolve(.from(9), 10) == "9-9 partial")
        #expect(try resolve(.closed(2, 3), 10) == "2-3 partial")
        #expect(try resolve(.closed(2, .max), 10) == "2-9 partial")
        #expect(try resolve(.suffix(3), 10) == "7-9 partial")
        #expect(try resolve(.suffix(.max), 10) == "0-9 partial")
        for range in [OutputRange.from(10), .from(.max), .closed(10, 11), .closed(3, 2), .suffix(0)] {
            #expect(throws: VaultError.self, "\(range)") { try resolve(range, 10) }
        }
        for range in [OutputRange.from(0), .closed(0, 0), .suffix(1)] {
            #expect(throws: VaultError.self, "\(range)") { try resolve(range, 0) }
        }
    }
}
