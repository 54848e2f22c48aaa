// SPDX-License-Identifier: Apache-2.0

/// Who gets which of a fixed number of bytes, pure: numbers in, tickets out. ``MemoryBudget`` is its shell.
///
/// An owner that holds nothing may take whatever is free. One that holds some may take more only while all it then
/// holds is at most ``share`` times what is then still free. So a single owner gets seven eighths of the whole, two
/// about 47 % each, and an owner that comes anew finds some room however greedy and slow the others are.
struct FairBytes {
    /// The most that an owner may hold, as a multiple of what it leaves free.
    static let share = 7

    typealias Owner = MemoryBudget.Owner

    private struct Waiter {
        let ticket: UInt64
        let bytes: Int
    }

    private struct Account {
        var heldBytes = 0
        var waiters: [Waiter] = []
    }

    private(set) var freeBytes: Int
    private(set) var waiterCount = 0
    /// Those that hold or wait for something; nil is who asks in nobody's name.
    private var accounts: [Owner?: Account] = [:]
    private var tickets: UInt64 = 0

    init(capacityBytes: Int) { freeBytes = capacityBytes }

    /// Tickets rise; the lower one came first.
    mutating func nextTicket() -> UInt64 {
        tickets += 1
        return tickets
    }

    /// Takes `bytes` unless that would overtake somebody.
    mutating func takeNow(_ bytes: Int, for owner: Owner?) -> Bool {
        let account = accounts[owner] ?? Account()
        guard account.waiters.isEmpty, mayTake(bytes, owner, account) else { return false }
        // Who waits and holds nothing is not overtaken. Of the others none could go on now: they were looked at last.
        guard !accounts.values.contains(where: { $0.heldBytes == 0 && !$0.waiters.isEmpty }) else { return false }
        take(bytes, for: owner)
        return true
    }

    mutating func wait(_ ticket: UInt64, for bytes: Int, of owner: Owner?) {
        accounts[owner, default: Account()].waiters.append(Waiter(ticket: ticket, bytes: bytes))
        waiterCount += 1
    }

    /// False when the ticket waits no longer.
    mutating func leave(_ ticket: UInt64, of owner: Owner?) -> Bool {
        guard let index = accounts[owner]?.waiters.firstIndex(where: { $0.ticket == ticket }) else { return false }
        accounts[owner]?.waiters.remove(at: index)
        waiterCount -= 1
        forget(owner)
        return true
    }

    mutating func give(back bytes: Int, of owner: Owner?) {
        freeBytes += bytes
        accounts[owner]?.heldBytes -= bytes
        forget(owner)
    }

    /// Pays all whose turn it is, in that order. Ends because each round serves one waiter.
    mutating func serve() -> [UInt64] {
        var served: [UInt64] = []
        while let owner = nextOwner(), let waiter = accounts[owner]?.waiters.removeFirst() {
            waiterCount -= 1
            take(waiter.bytes, for: owner)
            served.append(waiter.ticket)
        }
        return served
    }

    /// The owner whose first waiter comes next, if anybody may.
    private func nextOwner() -> Owner?? {
        let waiting = accounts.compactMap { owner, account in
            account.waiters.first.map { (owner: owner, account: account, first: $0) }
        }.sorted { ($0.account.heldBytes, $0.first.ticket) < ($1.account.heldBytes, $1.first.ticket) }
        for candidate in waiting {
            if mayTake(candidate.first.bytes, candidate.owner, candidate.account) { return .some(candidate.owner) }
            // Who holds nothing waits for bytes only, and is not overtaken; who holds some waits for itself, too.
            if candidate.account.heldBytes == 0 { return nil }
        }
        return nil
    }

    private func mayTake(_ bytes: Int, _ owner: Owner?, _ account: Account) -> Bool {
        guard bytes <= freeBytes else { return false }
        guard owner != nil, account.heldBytes > 0 else { return true }
        return account.heldBytes + bytes <= Self.share * (freeBytes - bytes)
    }

    private mutating func take(_ bytes: Int, for owner: Owner?) {
        freeBytes -= bytes
        accounts[owner, default: Account()].heldBytes += bytes
    }

    private mutating func forget(_ owner: Owner?) {
        guard let account = accounts[owner], account.heldBytes == 0, account.waiters.isEmpty else { return }
        accounts[owner] = nil
    }
}
