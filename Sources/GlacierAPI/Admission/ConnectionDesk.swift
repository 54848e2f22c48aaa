// SPDX-License-Identifier: Apache-2.0

import Metrics
import NIOCore
import Synchronization

/// Admits connections and closes those that must make room: the shell of ``ConnectionTable``.
final class ConnectionDesk: Sendable {
    /// Refused connections that are told so at once; beyond, they are only closed.
    private static let maxFarewells = 64

    /// Refused and evicted connections take a moment to go; beyond so many nothing more is accepted until some have gone.
    static let spareConnections = 4 * maxFarewells

    enum Admission {
        case admitted(ConnectionSeat)
        /// Refused; `isTold`: with an answer.
        case refused(isTold: Bool)
    }

    private struct State {
        var table: ConnectionTable
        var closers: [UInt64: @Sendable () -> Void] = [:]
        var lastID: UInt64 = 0
        var farewells = 0
    }
    private let state: Mutex<State>
    private let evictions: Counter
    private let refusals: Counter

    init(limits: ConnectionLimits, metrics: any MetricsFactory) {
        state = Mutex(
            State(
                table: ConnectionTable(
                    maxConnections: limits.maxConnections, maxPerAddress: limits.maxConnectionsPerAddress)))
        evictions = Counter(label: "coldvault.connections.evicted", factory: metrics)
        refusals = Counter(label: "coldvault.connections.refused", factory: metrics)
    }

    var count: Int { state.withLock { $0.table.count } }

    /// - Parameters:
    ///   - address: as the socket tells it; nil: unknown, one share for all of those.
    ///   - close: closes the connection at once, from any thread.
    func arrives(from address: SocketAddress?, close: @escaping @Sendable () -> Void) -> Admission {
        let (admission, victim): (Admission, (@Sendable () -> Void)?) = state.withLock { state in
            state.lastID += 1
            let id = state.lastID
            let decision = state.table.arrives(id, from: AddressShare.key(of: address))
            guard decision != .refused else {
                let isTold = state.farewells < Self.maxFarewells
                if isTold { state.farewells += 1 }
                return (.refused(isTold: isTold), nil)
            }
            state.closers[id] = close
            var victim: (@Sendable () -> Void)?
            if case .admittedFor(let other) = decision { victim = state.closers.removeValue(forKey: other) }
            return (.admitted(ConnectionSeat(desk: self, id: id)), victim)
        }
        if let victim {
            evictions.increment()
            victim()
        }
        if case .refused = admission { refusals.increment() }
        return admission
    }

    /// A refused connection that was told so is gone.
    func farewellEnded() { state.withLock { $0.farewells -= 1 } }

    fileprivate func works(_ id: UInt64) { state.withLock { $0.table.works(id) } }
    fileprivate func rests(_ id: UInt64) { state.withLock { $0.table.rests(id) } }
    fileprivate func leaves(_ id: UInt64) {
        state.withLock {
            $0.table.leaves(id)
            $0.closers[id] = nil
        }
    }
}

/// One connection's place at the desk.
struct ConnectionSeat: Sendable {
    private let desk: ConnectionDesk
    private let id: UInt64

    fileprivate init(desk: ConnectionDesk, id: UInt64) {
        self.desk = desk
        self.id = id
    }

    /// A request was authenticated: the connection keeps its place until ``rests()``.
    func works() { desk.works(id) }
    /// The answer is out.
    func rests() { desk.rests(id) }
    /// Idempotent.
    func leaves() { desk.leaves(id) }
}

/// What counts as one source: an IPv4 address, or the 64 bits of an IPv6 address that one customer gets.
enum AddressShare {
    static func key(of address: SocketAddress?) -> String { key(of: address?.ipAddress) }

    static func key(of address: String?) -> String {
        guard let text = Peer(address: address, isSecure: false).address else { return "" }
        guard text.contains(":") else { return text }
        // At most one run of zeros is left out (RFC 5952).
        let sides = text.prefix { $0 != "%" }.split(separator: "::", omittingEmptySubsequences: false)
            .map { $0.split(separator: ":").map(String.init) }
        let missing = max(0, 8 - sides.reduce(0) { $0 + $1.count })
        let groups = (sides.first ?? []) + (sides.count > 1 ? Array(repeating: "0", count: missing) + sides[1] : [])
        return groups.prefix(4).joined(separator: ":") + "::/64"
    }
}
