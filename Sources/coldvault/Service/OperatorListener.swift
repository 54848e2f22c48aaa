// SPDX-License-Identifier: Apache-2.0

import AdminAPI
import Foundation
import Logging
import NIOCore
import Observability
import ServiceConfiguration
import ServiceLifecycle

/// The operator listener. Nobody chose the default port: when it is taken (a second service on the machine), another is used and logged,
/// rather than the service not started.
struct OperatorListener: Service {
    let address: ListenAddress
    let registry: PrometheusRegistry
    let status: ServiceStatus
    let eventLoopGroup: any EventLoopGroup
    let logger: Logger

    func run() async throws {
        do {
            try await server(port: address.port).run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE && address.description == ConfigurationKey.operatorListen.defaultText {
            logger.warning("the default address of the operator listener is taken; another port is used", metadata: ["address": "\(address)"])
            try await server(port: 0).run()
        }
    }

    private func server(port: Int) -> OperatorServer {
        OperatorServer(
            host: address.host, port: port, registry: registry, eventLoopGroup: eventLoopGroup, logger: logger,
            health: { await status.health() },
            onServerRunning: { bound in
                logger.notice("operator listener", metadata: ["health": "http://\(address.host):\(bound)/health"])
            })
    }
}

/// Keeps the gauges of what is stored less than a minute old.
struct GaugeService: Service {
    private static let interval: Duration = .seconds(30)
    let status: ServiceStatus

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await status.refreshGauges()
                // Cancellation ends the pause and, by the condition, the loop.
                try? await Task.sleep(for: Self.interval)
            }
        }
    }
}
