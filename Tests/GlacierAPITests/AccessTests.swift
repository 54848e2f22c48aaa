// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Logging
import NIOCore
import Synchronization
import Testing
import VaultModel

@testable import GlacierAPI
@testable import VaultEngine

/// Permission: asked once for each request, about the right thing, before anything else is looked at.
@Suite(.timeLimit(.minutes(5)))
struct AccessTests {
    static let other = AccountID("999999999999")!
    static let region = Region("us-east-1")!
    static let denial = VaultError(.accessDenied, "User: x is not authorized to perform: y on resource: z")

    static func location(_ account: AccountID, _ name: String = "v") -> VaultLocation {
        VaultLocation(account: account, region: region, name: VaultName(name)!)
    }

    /// What each operation must ask permission for.
    static func target(_ action: VaultAction, _ account: AccountID) -> AccessTarget {
        switch action {
        case .listVaults, .setDataRetrievalPolicy, .getDataRetrievalPolicy, .purchaseProvisionedCapacity,
            .listProvisionedCapacity:
            .account(account, region)
        case .deleteArchive: .archive(location(account), id: "id")
        case .initiateJob: .archive(location(account), id: FakeOperations.archiveID)
        default: .vault(location(account))
        }
    }

    static func giveOutput(_ server: TestServer) {
        server.operations.state.withLock { state in
            state.output = {
                JobOutput(
                    contentType: "text/csv", totalBytes: 1, range: ByteRange(first: 0, last: 0), isPartial: false,
                    treeHash: nil, archiveDescription: nil,
                    source: { write in try await write(ByteBuffer(bytes: [1])) })
            }
        }
    }

    @Test func everyOperationSucceedsWithItsStatusAndAsksExactlyOnceAboutItsTarget() async throws {
        try await TestServer.run { server in
            Self.giveOutput(server)
            for account in [FakeOperations.account, Self.other] {
                for action in VaultAction.allCases {
                    server.operations.state.withLock { $0.questions = [] }
                    let answer = try await server.answer(.wellFormed(action, account: account.digits))
                    #expect(answer.status == SignedText.successStatus(action), "\(action): \(answer.text)")
                    let questions = server.operations.state.withLock { $0.questions }
                    #expect(questions.map(\.action) == [action], "\(action)")
                    #expect(questions.map(\.target) == [Self.target(action, account)], "\(action)")
                    let caller = questions.first?.caller
                    #expect(caller?.principal == Principal(account: FakeOperations.account))
                    #expect(caller?.region == Self.region && caller?.accessKeyID == FakeOperations.accessKeyID)
                    #expect(caller?.sourceAddress == "127.0.0.1" && caller?.isSecure == false)
                    #expect(caller?.sessionPolicy == nil && caller?.userAgent == nil)
                }
            }
        }
    }

    @Test func whoIsDeniedGetsTheDenialAndNothingHappens() async throws {
        try await TestServer.run { server in
            server.operations.state.withLock { $0.denial = Self.denial }
            for action in VaultAction.allCases {
                let answer = try await server.answer(.wellFormed(action))
                #expect(answer.status == 403 && answer.code == "AccessDeniedException", "\(action): \(answer.text)")
                #expect(answer.message == Self.denial.message && answer.document?["type"] == "Client")
            }
            #expect(server.operations.state.withLock { $0.calls } == [])
        }
    }

    @Test func permissionIsJudgedBeforeTheParameters() async throws {
        try await TestServer.run { server in
            server.operations.state.withLock { $0.denial = Self.denial }
            var requests = ["archives", "multipart-uploads", "multipart-uploads/u", "jobs"].map {
                SignedText("POST", "/-/vaults/v/\($0)")
            }
            requests += [
                "GET /-/vaults?limit=0", "GET /-/vaults?marker=x", "GET /-/vaults/v/jobs?completed=x",
                "PUT /-/vaults/v/access-policy", "PUT /-/vaults/v/notification-configuration",
                "POST /-/vaults/v/lock-policy", "POST /-/vaults/v/tags?operation=add", "PUT /-/policies/data-retrieval",
            ].map { line in SignedText(String(line.prefix { $0 != " " }), String(line.drop { $0 != "/" })) }
            for body in ["", "x", "[]", #"{"Type":"select"}"#, #"{"Type":"archive-retrieval"}"#] {
                var job = SignedText("POST", "/-/vaults/v/jobs")
                job.body = Array(body.utf8)
                requests.append(job)
            }
            for request in requests {
                let answer = try await server.answer(request)
                #expect(answer.code == "AccessDeniedException", "\(request.method) \(request.target): \(answer.text)")
            }
        }
    }

    @Test func whoIsDeniedIsNotAskedForTheBody() async throws {
        try await TestServer.run { server in
            server.operations.state.withLock { $0.denial = Self.denial }
            // InitiateJob's body may decide.
            for action in VaultAction.allCases where action != .initiateJob {
                var request = SignedText.wellFormed(action)
                guard !request.body.isEmpty else { continue }
                if !action.streamsBody {
                    request.headers.append(("x-amz-content-sha256", SHA256Hasher.hash(request.body).hex))
                }
                let head = try TransportTests.expecting(request).head()
                try await server.connected { connection in
                    try await connection.send(head)
                    let answer = try await connection.answer()
                    #expect(answer.status == 403 && answer.code == "AccessDeniedException", "\(action): \(answer.text)")
                    #expect(await connection.isEnded())
                }
            }
            #expect(server.operations.state.withLock { $0.bodyBytes } == 0)
        }
    }

    @Test func aJobAsksAboutItsArchiveOrItsVault() async throws {
        try await TestServer.run { server in
            var request = SignedText("POST", "/-/vaults/v/jobs")
            for body in [#"{"Type":"inventory-retrieval"}"#, "broken"] {
                request.body = Array(body.utf8)
                _ = try await server.answer(request)
            }
            let targets = server.operations.state.withLock { $0.questions.map(\.target) }
            #expect(targets == [AccessTarget](repeating: .vault(Self.location(FakeOperations.account)), count: 2))
            #expect(server.operations.state.withLock { $0.calls } == ["initiateJob"])
        }
    }

    @Test func aForeignVaultIsNamedByItsOwner() async throws {
        try await TestServer.run { server in
            let base = "/\(Self.other)/vaults/v"
            let locations: [(VaultAction, String)] = [
                (.createVault, base), (.uploadArchive, "\(base)/archives/\(FakeOperations.archiveID)"),
                (.initiateMultipartUpload, "\(base)/multipart-uploads/\(FakeOperations.uploadID)"),
                (.initiateJob, "\(base)/jobs/\(FakeOperations.jobID)"),
            ]
            for (action, location) in locations {
                let answer = try await server.answer(.wellFormed(action, account: Self.other.digits))
                #expect(answer.header("Location") == location, "\(action)")
            }
            let vault = try await server.answer(.wellFormed(.describeVault, account: Self.other.digits))
            #expect(vault.document?["VaultARN"] == "arn:aws:glacier:us-east-1:999999999999:vaults/v")
            let list = try await server.answer(.wellFormed(.listVaults, account: Self.other.digits))
            #expect(list.document?["Marker"] == "arn:aws:glacier:us-east-1:999999999999:vaults/c")
        }
    }

    @Test func aNameThatCannotExistTellsAStrangerNothing() async throws {
        try await TestServer.run { server in
            for action in VaultAction.allCases where !action.isAccountLevel {
                let answer = try await server.answer(.wellFormed(action, account: Self.other.digits, vault: "a%20b"))
                #expect(answer.status == 403 && answer.message == "Access denied for account ID: \(Self.other)")
            }
            for account in ["12345678901", "1234567890123", "12345678901x", "%2d1", "root"] {
                let answer = try await server.answer(.wellFormed(.describeVault, account: account))
                #expect(answer.status == 403 && answer.code == "AccessDeniedException", "\(account): \(answer.text)")
            }
            #expect(server.operations.state.withLock { $0.questions } == [])
        }
    }

    @Test func theCallerIsToldAsTheWireShowsItAndHeadersCannotPretend() async throws {
        try await TestServer.run { server in
            server.operations.state.withLock { $0.user = FakeOperations.user }
            var request = SignedText.wellFormed(.describeVault)
            request.accessKeyID = FakeOperations.sessionKeyID
            request.sessionToken = FakeOperations.sessionToken
            request.region = "us-west-2"
            request.unsigned = [
                ("User-Agent", "aws-cli/1"), ("X-Forwarded-For", "192.0.2.9"), ("X-Forwarded-Proto", "https"),
                ("Forwarded", "for=192.0.2.9;proto=https"),
            ]
            let answer = try await server.answer(request)
            #expect(answer.status == 200, "\(answer.text)")
            let caller = server.operations.state.withLock { $0.questions.first?.caller }
            #expect(
                caller
                    == Caller(
                        principal: Principal(account: FakeOperations.account, user: FakeOperations.user),
                        region: Region("us-west-2")!, accessKeyID: FakeOperations.sessionKeyID,
                        sessionPolicy: FakeOperations.sessionPolicy, sourceAddress: "127.0.0.1", isSecure: false,
                        userAgent: "aws-cli/1"))
        }
    }

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::1"),
        ("::FFFF:192.0.2.7", "192.0.2.7"), ("::ffff:0:1", "::ffff:0:1"),
    ])
    func aMappedAddressIsTheIPv4AddressItIs(socket: String, shown: String) {
        #expect(Peer(address: socket, isSecure: true).address == shown)
        #expect(Peer(address: nil, isSecure: true).address == nil)
    }

    @Test func theLogTellsWhoWasDeniedWhatAndWhy() async throws {
        let log = CapturedLog()
        let logger = Logger(label: "test") { _ in log.handler }
        try await TestServer.run(logger: logger) { server in
            struct Decision: Error, CustomStringConvertible { let description = "denied by the lock policy" }
            server.operations.state.withLock { state in
                state.user = FakeOperations.user
                state.denial = VaultError(.accessDenied, "No.", cause: Decision())
            }
            _ = try await server.answer(.wellFormed(.deleteArchive))
            server.operations.state.withLock { $0.denial = Self.denial }
            _ = try await server.answer(.wellFormed(.listVaults))
        }
        let lines = log.lines.withLock { $0 }.filter { $0["code"] == "AccessDeniedException" }
        #expect(lines.map { $0["operation"] } == ["DeleteArchive", "ListVaults"])
        #expect(lines.map { $0["reason"] } == ["denied by the lock policy", Self.denial.message])
        #expect(lines.allSatisfy { $0["principal"] == "arn:aws:iam::123456789012:user/anna" })
        #expect(lines.allSatisfy { $0["accessKeyId"] == FakeOperations.accessKeyID && $0["account"] == "123456789012" })
    }
}

/// Keeps the metadata of log lines.
final class CapturedLog: Sendable {
    let lines = Mutex<[[String: String]]>([])
    var handler: Handler { Handler(log: self) }

    struct Handler: LogHandler {
        let log: CapturedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            let line = (event.metadata ?? [:]).mapValues { "\($0)" }
            log.lines.withLock { $0.append(line) }
        }
    }
}
