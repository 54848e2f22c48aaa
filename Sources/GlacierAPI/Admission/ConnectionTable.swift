// SPDX-License-Identifier: Apache-2.0

/// Who is connected, what for, and who makes room when there is none, pure.
///
///     arrives ──admitted──▶ waiting ◀──answer is out──┐
///        │                    │  └──authenticated──▶ working
///        │ refused            │ evicted
///        ▼                    ▼
///       503                 close
///
/// 1. A connection that works, that is: has an authenticated request open, is never closed for another's sake.
/// 2. Where there is no room, a waiting connection makes it: of the address with the most connections the one that has
///    waited longest; of the newcomer's own where that address has used up its share.
/// 3. Where none waits, the newcomer is refused.
///
/// So whoever holds many idle connections, or sends requests that never end, loses them first, and a client of another
/// address is served.
struct ConnectionTable {
    enum Decision: Equatable {
        case admitted
        /// Admitted in the place of this connection, which is to be closed.
        case admittedFor(UInt64)
        case refused
    }

    private struct Seat {
        let address: String
        var isWorking = false
        /// Rises with every change: the lowest has waited longest.
        var since: UInt64
    }

    private let maxConnections: Int
    /// 0: no share of its own.
    private let maxPerAddress: Int
    private var seats: [UInt64: Seat] = [:]
    private var addresses: [String: Set<UInt64>] = [:]
    private var moment: UInt64 = 0

    var count: Int { seats.count }

    init(maxConnections: Int, maxPerAddress: Int) {
        self.maxConnections = maxConnections
        self.maxPerAddress = maxPerAddress
    }

    /// `id` is never used again. Costs a look at each connection where there is no room, and nothing otherwise.
    mutating func arrives(_ id: UInt64, from address: String) -> Decision {
        let own = addresses[address]?.count ?? 0
        var victim: UInt64?
        if maxPerAddress > 0, own >= maxPerAddress {
            guard let longest = longestWaiting(of: address) else { return .refused }
            victim = longest
        } else if seats.count >= maxConnections {
            guard let longest = longestWaitingOfAll() else { return .refused }
            victim = longest
        }
        if let victim { leaves(victim) }
        seats[id] = Seat(address: address, since: tick())
        addresses[address, default: []].insert(id)
        return victim.map { .admittedFor($0) } ?? .admitted
    }

    /// From now on it is not closed for another's sake, until ``rests(_:)``.
    mutating func works(_ id: UInt64) { seats[id]?.isWorking = true }

    mutating func rests(_ id: UInt64) {
        let now = tick()
        seats[id]?.isWorking = false
        seats[id]?.since = now
    }

    /// Idempotent.
    mutating func leaves(_ id: UInt64) {
        guard let seat = seats.removeValue(forKey: id) else { return }
        addresses[seat.address]?.remove(id)
        if addresses[seat.address]?.isEmpty == true { addresses[seat.address] = nil }
    }

    private func longestWaitingOfAll() -> UInt64? {
        if let largest = addresses.max(by: { $0.value.count < $1.value.count })?.key,
            let longest = longestWaiting(of: largest)
        {
            return longest
        }
        return longestWaiting(among: seats.keys)
    }

    private func longestWaiting(of address: String) -> UInt64? { longestWaiting(among: addresses[address] ?? []) }

    private func longestWaiting(among ids: some Sequence<UInt64>) -> UInt64? {
        ids.compactMap { id in seats[id].flatMap { $0.isWorking ? nil : (id: id, since: $0.since) } }
            .min { $0.since < $1.since }?.id
    }

    private mutating func tick() -> UInt64 {
        moment += 1
        return moment
    }
}
