// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Logging
import Metrics
import NIOCore
import NIOHTTP1
import RequestSignature
import SQLiteCatalog
import Storage
import Testing
import TreeHash
import VaultModel

@testable import GlacierAPI
@testable import VaultEngine

/// All 33 operations, from the signed request to the answer: a stranger learns nothing from an identifier or a name that he was not given,
/// neither from what is said nor from what was read to say it.
@Suite(.serialized) struct RequestCostTests {
    /// What a request cost and said, with the names that it named itself taken out.
    private struct Outcome: Hashable, CustomStringConvertible {
        let calls: [String]
        let status: UInt
        let body: String
        var description: String { "\(status) \(body) after \(calls.joined(separator: ", "))" }
    }

    /// Identifiers of one kind each.
    private struct Identifiers {
        var archive: String
        var upload: String
        var job: String
        var lock: String

        func of(_ action: VaultAction) -> String {
            switch action {
            case .deleteArchive, .initiateJob: archive
            case .uploadMultipartPart, .completeMultipartUpload, .abortMultipartUpload, .listParts: upload
            case .describeJob, .getJobOutput: job
            default: lock
            }
        }

        /// Each with its last characters changed.
        var forged: Identifiers {
            let bend = { (text: String) in String(text.dropLast(4)) + (text.hasSuffix("AAAA") ? "BBBB" : "AAAA") }
            return Identifiers(archive: bend(archive), upload: bend(upload), job: bend(job), lock: bend(lock))
        }

        static let guessed = Identifiers(
            archive: "guessed-archive", upload: "guessed-upload", job: "guessed-job", lock: "guessed-lock")
    }

    private static let withIdentifier: Set<VaultAction> = [
        .deleteArchive, .uploadMultipartPart, .completeMultipartUpload, .abortMultipartUpload, .listParts, .initiateJob,
        .describeJob, .getJobOutput, .completeVaultLock,
    ]

    private struct World {
        let catalog: AccessCountingCatalog
        let responder: GlacierResponder
        let key: Credentials
        let clock: ManualClock

        func outcome(
            _ action: VaultAction, account: String, vault: String, _ identifiers: Identifiers
        ) async throws -> Outcome {
            let identifier = identifiers.of(action)
            let wanted = RequestCostTests.request(action, account: account, vault: vault, identifier)
            var answer: Answer?
            let calls = try await catalog.calls { answer = await responder.respond(try incoming(wanted)) }
            answer?.whenSent(SentAnswer(bodyBytes: 0, failure: nil))
            guard let answer, case .bytes(let bytes) = answer.payload else {
                return Outcome(calls: calls, status: answer?.status.code ?? 0, body: "")
            }
            let body = String(decoding: bytes, as: UTF8.self).replacing(identifier, with: "ID")
                .replacing(account, with: "OWNER").replacing("vaults/\(vault)", with: "vaults/NAME")
            return Outcome(calls: calls, status: answer.status.code, body: body)
        }

        private func incoming(_ wanted: Wanted) throws -> IncomingRequest {
            let hash = SHA256Hasher.hash(wanted.body)
            let headers = [
                (name: "Host", value: "vault.example"), (name: "x-amz-glacier-version", value: "2012-06-01"),
                (name: "x-amz-content-sha256", value: hash.hex), (name: "Content-Length", value: "\(wanted.body.count)"),
            ] + wanted.headers
            let signed = try RequestSigner(credentials: key, region: TestVault.region.code).sign(
                SignedRequest(method: wanted.method, rawTarget: wanted.target, headers: headers), payloadHash: hash,
                at: SignatureTimestamp(secondsSinceEpoch: clock.now().milliseconds / 1000))
            var fields = HTTPHeaders()
            for header in headers + signed { fields.add(name: header.name, value: header.value) }
            let head = HTTPRequestHead(
                version: .http1_1, method: HTTPMethod(rawValue: wanted.method), uri: wanted.target, headers: fields)
            let (stream, source) = NIOAsyncChannelInboundStream<HTTPServerRequestPart>.makeTestingStream()
            source.yield(.body(ByteBuffer(bytes: wanted.body)))
            source.yield(.end(nil))
            source.finish()
            let body = RequestBody(head: head, parts: InboundParts(stream), sendContinue: {})
            return IncomingRequest(peer: Peer(address: "192.0.2.7", isSecure: true), head: head, body: body)
        }
    }

    /// A vault of account A, who asks, and one of account B, with archive, upload, job and lock each.
    private func withWorld(
        _ body: (World, (mine: Identifiers, theirs: Identifiers)) async throws -> Void
    ) async throws {
        try await withVault { vault in
            let other = try #require(AccountID("999988887777"))
            let key = try await vault.engine.createAccount(other)
            _ = try await vault.engine.createAccount(TestVault.account)
            let mine = VaultLocation(account: other, region: TestVault.region, name: vault.location.name)
            try await vault.engine.createVault(mine)
            let catalog = AccessCountingCatalog(vault.catalog)
            let engine = vault.engine(over: catalog)
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let allowance = BodyAllowance()
            let responder = GlacierResponder(
                authenticator: Authenticator(
                    operations: engine, verifier: SignatureVerifier(regions: [TestVault.region.code]), clock: vault.clock,
                    allowance: allowance),
                endpoints: GlacierEndpoints(operations: engine), allowance: allowance, random: vault.random,
                accounts: AccountDesk(
                    limits: AccountLimits(), clock: vault.clock, metrics: NOOPMetricsHandler.instance),
                journal: RequestJournal(logger: logger, factory: NOOPMetricsHandler.instance))
            let world = World(
                catalog: catalog, responder: responder,
                key: Credentials(
                    accessKeyID: key.accessKeyID, secret: SecretBytes(bytes: Array(key.secretAccessKey.utf8)),
                    sessionToken: nil),
                clock: vault.clock)
            _ = try await engine.clockStatus()
            try await body(world, (try await furnish(vault, mine), try await furnish(vault, vault.location)))
        }
    }

    private func furnish(_ vault: TestVault, _ location: VaultLocation) async throws -> Identifiers {
        let archive = try await vault.upload([1], to: location).archiveID
        return Identifiers(
            archive: archive,
            upload: try await vault.engine.initiateUpload(location, partBytes: 1 << 20, description: ""),
            job: try await vault.engine.initiateJob(
                location,
                JobRequest(
                    action: .archive(archiveID: archive, range: nil), tier: nil, description: nil, snsTopic: nil)),
            lock: try await vault.engine.initiateVaultLock(
                location, policy: PolicyText.retention(days: 1, on: location)))
    }

    @Test func inAnotherAccountEverythingLooksAlike() async throws {
        try await withWorld { world, known in
            for action in VaultAction.allCases {
                var outcomes: [Outcome] = []
                let places = [(TestVault.account.digits, "v"), (TestVault.account.digits, "unknown"), ("555544443333", "v")]
                for (account, vault) in places {
                    for identifiers in [known.theirs, known.theirs.forged, known.mine, .guessed] {
                        outcomes.append(try await world.outcome(action, account: account, vault: vault, identifiers))
                    }
                }
                #expect(Set(outcomes).count == 1, "\(action): \(Set(outcomes))")
                #expect(outcomes[0].status == 403 && outcomes[0].body.contains("AccessDeniedException"), "\(action)")
                #expect(!outcomes[0].calls.isEmpty)
            }
        }
    }

    @Test func anIdentifierOfAnotherAccountIsAnyIdentifier() async throws {
        try await withWorld { world, known in
            for action in VaultAction.allCases where Self.withIdentifier.contains(action) {
                var outcomes: [Outcome] = []
                for identifiers in [known.theirs, known.theirs.forged, known.mine.forged, .guessed] {
                    outcomes.append(
                        try await world.outcome(action, account: "999988887777", vault: "v", identifiers))
                }
                #expect(Set(outcomes).count == 1, "\(action): \(Set(outcomes))")
                #expect([400, 404].contains(outcomes[0].status), "\(action): \(outcomes[0])")
            }
        }
    }

    /// The two tests above would not notice if every request cost the same and failed alike.
    @Test func ownIdentifiersAreFoundAndCostMore() async throws {
        try await withWorld { world, known in
            for action in VaultAction.allCases where Self.withIdentifier.contains(action) {
                let own = try await world.outcome(action, account: "999988887777", vault: "v", known.mine)
                let guessed = try await world.outcome(action, account: "999988887777", vault: "v", .guessed)
                #expect(own != guessed, "\(action)")
            }
        }
    }

    private struct Wanted {
        let method: String
        let target: String
        var headers: [(name: String, value: String)] = []
        var body: [UInt8] = []
    }

    /// One well-formed request of each operation.
    private static func request(
        _ action: VaultAction, account: String, vault: String, _ identifier: String
    ) -> Wanted {
        let (owner, base) = ("/\(account)", "/\(account)/vaults/\(vault)")
        func json(_ method: String, _ target: String, _ body: String) -> Wanted {
            Wanted(method: method, target: target, body: Array(body.utf8))
        }
        let bytes = Array("part".utf8)
        let treeHash = (name: "x-amz-sha256-tree-hash", value: TreeHash.hash(of: bytes).hex)
        let upload = "\(base)/multipart-uploads/\(identifier)"
        switch action {
        case .createVault: return Wanted(method: "PUT", target: base)
        case .describeVault: return Wanted(method: "GET", target: base)
        case .deleteVault: return Wanted(method: "DELETE", target: base)
        case .listVaults: return Wanted(method: "GET", target: "\(owner)/vaults")
        case .uploadArchive: return Wanted(method: "POST", target: "\(base)/archives", headers: [treeHash], body: bytes)
        case .deleteArchive: return Wanted(method: "DELETE", target: "\(base)/archives/\(identifier)")
        case .initiateMultipartUpload:
            return Wanted(method: "POST", target: "\(base)/multipart-uploads", headers: [("x-amz-part-size", "1048576")])
        case .uploadMultipartPart:
            return Wanted(
                method: "PUT", target: upload, headers: [treeHash, ("Content-Range", "bytes 0-3/*")], body: bytes)
        case .completeMultipartUpload:
            return Wanted(method: "POST", target: upload, headers: [treeHash, ("x-amz-archive-size", "4")])
        case .abortMultipartUpload: return Wanted(method: "DELETE", target: upload)
        case .listParts: return Wanted(method: "GET", target: upload)
        case .listMultipartUploads: return Wanted(method: "GET", target: "\(base)/multipart-uploads")
        case .initiateJob:
            return json("POST", "\(base)/jobs", #"{"Type":"archive-retrieval","ArchiveId":"\#(identifier)"}"#)
        case .describeJob: return Wanted(method: "GET", target: "\(base)/jobs/\(identifier)")
        case .listJobs: return Wanted(method: "GET", target: "\(base)/jobs")
        case .getJobOutput: return Wanted(method: "GET", target: "\(base)/jobs/\(identifier)/output")
        case .setVaultNotifications:
            return json(
                "PUT", "\(base)/notification-configuration",
                #"{"SNSTopic":"arn:aws:sns:us-east-1:123456789012:t","Events":["ArchiveRetrievalCompleted"]}"#)
        case .getVaultNotifications: return Wanted(method: "GET", target: "\(base)/notification-configuration")
        case .deleteVaultNotifications: return Wanted(method: "DELETE", target: "\(base)/notification-configuration")
        case .setVaultAccessPolicy: return json("PUT", "\(base)/access-policy", #"{"Policy":"{}"}"#)
        case .getVaultAccessPolicy: return Wanted(method: "GET", target: "\(base)/access-policy")
        case .deleteVaultAccessPolicy: return Wanted(method: "DELETE", target: "\(base)/access-policy")
        case .initiateVaultLock: return json("POST", "\(base)/lock-policy", #"{"Policy":"{}"}"#)
        case .completeVaultLock: return Wanted(method: "POST", target: "\(base)/lock-policy/\(identifier)")
        case .abortVaultLock: return Wanted(method: "DELETE", target: "\(base)/lock-policy")
        case .getVaultLock: return Wanted(method: "GET", target: "\(base)/lock-policy")
        case .addTagsToVault: return json("POST", "\(base)/tags?operation=add", #"{"Tags":{"k":"v"}}"#)
        case .removeTagsFromVault: return json("POST", "\(base)/tags?operation=remove", #"{"TagKeys":["k"]}"#)
        case .listTagsForVault: return Wanted(method: "GET", target: "\(base)/tags")
        case .setDataRetrievalPolicy:
            return json("PUT", "\(owner)/policies/data-retrieval", #"{"Policy":{"Rules":[{"Strategy":"FreeTier"}]}}"#)
        case .getDataRetrievalPolicy: return Wanted(method: "GET", target: "\(owner)/policies/data-retrieval")
        case .purchaseProvisionedCapacity: return Wanted(method: "POST", target: "\(owner)/provisioned-capacity")
        case .listProvisionedCapacity: return Wanted(method: "GET", target: "\(owner)/provisioned-capacity")
        }
    }
}
