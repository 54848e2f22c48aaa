// SPDX-License-Identifier: Apache-2.0

public import Execution
public import Messaging
public import Storage
public import VaultModel

/// Delivers messages to webhooks, directories and commands.
///
/// Owns HTTP connections: call ``shutdown()`` once, after the last delivery.
public final class TopicDelivery: MessageTransport {
    private let webhooks: Webhook
    private let directories: DirectoryTarget
    private let commands: CommandTarget

    /// - Parameters:
    ///   - pool: for what blocks shortly: starting a process.
    ///   - clock: for signatures and pauses.
    public init(disk: any Disk, pool: BlockingPool, clock: any TimeSource) {
        let limits = DeliveryLimits()
        webhooks = Webhook(clock: clock, limits: limits)
        directories = DirectoryTarget(disk: disk)
        commands = CommandTarget(pool: pool, clock: clock, limits: limits)
    }

    /// Closes all connections.
    public func shutdown() async { await webhooks.shutdown() }

    /// See ``MessageTransport``.
    public func deliver(_ message: TopicMessage, to target: TopicTarget, secret: [UInt8]) async throws(DeliveryFailure)
    {
        if let fault = target.fault { throw DeliveryFailure(fault, isTransient: false) }
        switch target {
        case .webhook(let url): try await webhooks.deliver(message, to: url, secret: secret)
        case .directory(let path): try await directories.deliver(message, to: path)
        case .command(let arguments): try await commands.deliver(message, to: arguments)
        }
    }

    /// See ``MessageTransport``.
    public func check(_ target: TopicTarget) async throws(DeliveryFailure) {
        if let fault = target.fault { throw DeliveryFailure(fault, isTransient: false) }
        switch target {
        case .webhook: break
        case .directory(let path): try await directories.check(path)
        case .command(let arguments): try await commands.check(arguments)
        }
    }
}

/// How long and how much a target may take.
struct DeliveryLimits: Sendable {
    /// From the first packet to a connection, TLS included.
    var connect: Duration = .seconds(10)
    /// For the whole delivery.
    var total: Duration = .seconds(30)
    /// An answer's body is read so far, and dropped.
    var answerBytes = 64 << 10
    /// After the status is known, an answer's body is waited for so long: only for the sake of keeping the connection.
    var drain: Duration = .seconds(2)
}
