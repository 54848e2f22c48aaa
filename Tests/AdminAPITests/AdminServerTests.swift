// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import CanonicalJSON
import FoundationEssentials
import Logging
import Metrics
import NIOCore
import NIOHTTP1
import NIOPosix
import Observability
import ServiceLifecycle
import Synchronization
import Testing
import VaultModel

@testable import AdminAPI
@testable import VaultEngine

/// Both ends of the socket, and the operator's listener, for real.
@Suite(.timeLimit(.minutes(5)))
struct AdminServerTests {
    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Runs `service` around `body`; `ready` is what the service says when it listens.
    private static func running<Ready: Sendable>(
        _ service: any Service, _ ready: AsyncStream<Ready>, _ body: @escaping @Sendable (Ready) async throws -> Void
    ) async throws {
        let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: [service], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ready.makeAsyncIterator()
            let value = try #require(await iterator.next())
            do {
                try await body(value)
            } catch {
                tasks.cancelAll()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    static func admin(
        _ operations: FakeAdminOperations, leftOver: Bool = false,
        _ body: @escaping @Sendable (AdminClient, String) async throws -> Void
    ) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "cv-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = "\(directory)/admin.sock"
        if leftOver {
            // A service that was killed leaves its socket file behind.
            let stale = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(
                unixDomainSocketPath: "\(path)x"
            ).get()
            try FileManager.default.moveItem(atPath: "\(path)x", toPath: path)
            try await stale.close()
            try #require(FileManager.default.fileExists(atPath: path))
        }
        let (ready, isReady) = AsyncStream.makeStream(of: Void.self)
        let server = try AdminServer(
            operations: operations, socketPath: path, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: logger
        ) { isReady.yield() }
        try await running(server, ready) { _ in try await body(AdminClient(socketPath: path), path) }
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test(arguments: [false, true])
    func requestsAreDoneAndAnsweredOverAPrivateSocket(leftOver: Bool) async throws {
        let operations = FakeAdminOperations()
        try await Self.admin(operations, leftOver: leftOver) { client, path in
            let permissions = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(permissions == 0o600)
            let created = try await client.send(.createAccount(AdminRequestTests.account))
            #expect(
                created.canonicalString()
                    == #"{"accessKeyId":"AKIAIOSFODNN7EXAMPLE","accountId":"123456789012","secretAccessKey":"secret","user":null}"#
            )
            let keys = try await client.send(.listAccessKeys(AdminRequestTests.account))
            #expect(
                keys.canonicalString()
                    == #"[{"accessKeyId":"AKIAIOSFODNN7EXAMPLE","accountId":"123456789012","created":"2013-03-20T17:03:43.221Z","state":"disabled","user":null},"#
                    + #"{"accessKeyId":"AKIAI44QH8DHBEXAMPLE","accountId":"123456789012","created":"2013-03-20T17:03:43.221Z","state":"active","user":"anna@example.org"}]"#
            )
            let listing = try await client.send(.listKeys)
            #expect(listing["masterKeys"]?[0]?["version"] == 2 && listing["vaultKeys"]?[0]?["vault"] == "photos")
            let rotation = try await client.send(.rotateVaultKey(AdminRequestTests.vault))
            #expect(rotation.canonicalString() == #"{"newVersion":3,"resealedAccounts":0,"rewrappedVaultKeys":1}"#)
            _ = try await client.send(.backup(.create(directory: "/backup", .catalog)))
            _ = try await client.send(.setVaultCompression(AdminRequestTests.vault, "none"))
            _ = try await client.send(.deleteAccessKey("AKIA"))
        }
        #expect(
            operations.calls.withLock { $0 } == [
                "createAccount 123456789012", "rotateVaultKey arn:aws:glacier:us-east-1:123456789012:vaults/photos",
                "createBackup /backup catalog", "setVaultCompression photos none", "deleteAccessKey AKIA",
            ])
    }

    @Test func refusalsCarryTheEnginesWords() async throws {
        try await Self.admin(FakeAdminOperations()) { client, _ in
            func kind(_ request: AdminRequest) async -> AdminClientError? {
                do throws(AdminClientError) {
                    _ = try await client.send(request)
                    return nil
                } catch { return error }
            }
            let absent = await kind(.setAccount(AdminRequestTests.account, active: false))
            #expect(absent?.kind == .notFound && absent?.message == "There is no account 123456789012.")
            #expect(await kind(.createAccessKey(AdminRequestTests.account, user: nil))?.kind == .refused)
            #expect(await kind(.rotateMasterKey)?.kind == .failed)
        }
    }

    @Test func allAccountsAreListedPageByPage() async throws {
        let operations = FakeAdminOperations(accountCount: 2500)
        try await Self.admin(operations) { client, _ in
            let accounts = try await client.accounts()
            #expect(accounts.count == 2500)
            #expect(accounts[0]["state"] == "active" && accounts[1]["state"] == "disabled")
            #expect(Set(accounts.compactMap { $0["accountId"]?.stringValue }).count == 2500)
        }
        #expect(operations.calls.withLock { $0.count } == 3)
    }

    @Test func nobodyAtTheSocketIsSaidSo() async throws {
        do throws(AdminClientError) {
            _ = try await AdminClient(socketPath: "/nonexistent/admin.sock").send(.listKeys)
            Issue.record("somebody answered")
        } catch {
            #expect(error.kind == .unreachable && error.message.contains("coldvault serve"))
        }
    }

    @Test func aPathThatNoSocketCanHaveIsRefused() {
        let path = "/" + String(repeating: "x", count: AdminServer.maxSocketPathBytes)
        #expect(throws: VaultError.self) {
            try AdminServer(
                operations: FakeAdminOperations(), socketPath: path,
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
                logger: Self.logger
            ) {}
        }
    }

    @Test func theOperatorListenerTellsHealthAndMetricsAndNothingElse() async throws {
        let registry = PrometheusRegistry(process: nil)
        Counter(label: "coldvault_tests_total", dimensions: [], factory: registry).increment()
        let isHealthy = Mutex(true)
        let (ports, bound) = AsyncStream.makeStream(of: Int.self)
        let server = OperatorServer(
            host: "127.0.0.1", port: 0, registry: registry, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Self.logger,
            health: {
                HealthReport(
                    version: "1", checks: [.init(name: "catalog", isHealthy: isHealthy.withLock { $0 }, detail: "open")]
                )
            }, onServerRunning: { bound.yield($0) })
        try await Self.running(server, ports) { port in
            func get(_ path: String) async throws -> (status: UInt, type: String?, text: String) {
                let response = try await HTTPClient.shared.execute(
                    HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)"), timeout: .seconds(20))
                let body = try await response.body.collect(upTo: 1 << 20)
                return (response.status.code, response.headers.first(name: "content-type"), String(buffer: body))
            }
            let healthy = try await get("/health")
            #expect(healthy.status == 200)
            #expect(
                healthy.text
                    == #"{"checks":[{"detail":"open","healthy":true,"name":"catalog"}],"status":"ok","version":"1"}"#
                    + "\n")
            isHealthy.withLock { $0 = false }
            #expect(try await get("/health").status == 503)
            let metrics = try await get("/metrics")
            #expect(metrics.status == 200 && metrics.type == "text/plain; version=0.0.4; charset=utf-8")
            #expect(metrics.text.contains("coldvault_tests_total 1"))
            #expect(try await get("/anything").status == 404)
        }
    }
}
