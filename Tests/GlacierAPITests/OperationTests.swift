// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import NIOCore
import Synchronization
import Testing
import TreeHash
import VaultModel

@testable import GlacierAPI
@testable import VaultEngine

/// Each operation over a real connection with a real signature, the engine doubled.
@Suite(.timeLimit(.minutes(5)))
struct OperationTests {
    static let base = "/-/vaults/v"
    static let account = FakeOperations.account.digits

    @Test func listVaultsAnswersExactlyTheDocumentedBytes() async throws {
        try await TestServer.run { server in
            let answer = try await server.answer(SignedText("GET", "/-/vaults?limit=1000"))
            #expect(answer.status == 200)
            #expect(answer.header("Content-Type") == "application/json")
            #expect(answer.header("Date") == "Wed, 20 Mar 2013 17:03:43 GMT")
            let arn = "arn:aws:glacier:us-east-1:\(Self.account):vaults/"
            func vault(_ name: String) -> String {
                #"{"CreationDate":"2013-03-20T17:03:43.221Z","LastInventoryDate":null,"NumberOfArchives":0,"SizeInBytes":0,"#
                    + #""VaultARN":"\#(arn)\#(name)","VaultName":"\#(name)"}"#
            }
            #expect(answer.text == #"{"Marker":"\#(arn)c","VaultList":[\#(vault("a")),\#(vault("b"))]}"#)
            let page = try await server.answer(
                SignedText("GET", "/-/vaults?marker=arn%3Aaws%3Aglacier%3Aus-east-1%3A\(Self.account)%3Avaults%2Fc"))
            #expect(page.status == 200)
            #expect(
                server.operations.state.withLock { $0.calls } == [
                    "listVaults \(Self.account) us-east-1 - 10", "listVaults \(Self.account) us-east-1 c 10",
                ])
        }
    }

    @Test func createdAndAcceptedThingsAnswerWithHeadersAndAnEmptyObject() async throws {
        try await TestServer.run { server in
            var initiate = SignedText("POST", "\(Self.base)/multipart-uploads")
            initiate.headers += [("x-amz-part-size", "1048576"), ("x-amz-archive-description", "  kept  inside")]
            var complete = SignedText("POST", "\(Self.base)/multipart-uploads/\(FakeOperations.uploadID)")
            complete.headers += [("x-amz-archive-size", "5"), ("x-amz-sha256-tree-hash", FakeOperations.digest.hex)]
            var job = SignedText("POST", "\(Self.base)/jobs")
            job.body = Array(#"{"Type":"inventory-retrieval"}"#.utf8)
            job.unsigned = [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")]
            let prefix = "/\(Self.account)/vaults/v"
            let archives = "\(prefix)/archives/\(FakeOperations.archiveID)"
            let table: [(SignedText, Int, String, [String: String])] = [
                (SignedText("PUT", Self.base), 201, prefix, [:]),
                (SignedText("PUT", "/\(Self.account)/vaults/v"), 201, prefix, [:]),
                (.archive(Array("body".utf8)), 201, archives, ["x-amz-archive-id": FakeOperations.archiveID]),
                (
                    initiate, 201, "\(prefix)/multipart-uploads/\(FakeOperations.uploadID)",
                    ["x-amz-multipart-upload-id": FakeOperations.uploadID]
                ),
                (
                    complete, 201, archives,
                    ["x-amz-archive-id": FakeOperations.archiveID, "x-amz-sha256-tree-hash": FakeOperations.digest.hex]
                ),
                (job, 202, "\(prefix)/jobs/\(FakeOperations.jobID)", ["x-amz-job-id": FakeOperations.jobID]),
            ]
            for (request, status, location, headers) in table {
                let answer = try await server.answer(request)
                #expect(answer.status == status, "\(request.method) \(request.target): \(answer.text)")
                #expect(answer.text == "{}" && answer.header("Content-Length") == "2")
                #expect(answer.header("Content-Type") == "application/json")
                #expect(answer.header("Location") == location)
                for (name, value) in headers { #expect(answer.header(name) == value) }
                #expect(answer.header("x-amzn-RequestId")?.count == 47)
            }
            #expect(server.operations.state.withLock { $0.calls.contains("initiateUpload 1048576 'kept  inside'") })
        }
    }

    @Test func answersWithoutContentHaveNeitherLengthNorType() async throws {
        try await TestServer.run { server in
            var part = SignedText("PUT", "\(Self.base)/multipart-uploads/\(FakeOperations.uploadID)")
            part.body = Array("part".utf8)
            part.headers += SignedText.hashes(of: part.body) + [("Content-Range", "bytes 1048576-1048579/*")]
            let requests = [
                SignedText("DELETE", Self.base), SignedText("DELETE", "\(Self.base)/archives/x"),
                SignedText("DELETE", "\(Self.base)/multipart-uploads/x"), part,
            ]
            for request in requests {
                let answer = try await server.answer(request)
                #expect(answer.status == 204, "\(answer.text)")
                #expect(answer.header("Content-Length") == nil && answer.header("Content-Type") == nil)
                #expect(answer.header("Transfer-Encoding") == nil)
            }
            let tree = TreeHash.hash(of: part.body)
            #expect(try await server.answer(part).header("x-amz-sha256-tree-hash") == tree.hex)
            #expect(server.operations.state.withLock { $0.lastPart?.range.description } == "1048576-1048579")
        }
    }

    @Test func jobDocumentsHaveAllTwentyOneMembers() async throws {
        try await TestServer.run { server in
            let job = try await server.answer(SignedText("GET", "\(Self.base)/jobs/\(FakeOperations.jobID)"))
            let digest = FakeOperations.digest.hex
            #expect(
                job.text == #"{"Action":"ArchiveRetrieval","ArchiveId":"\#(FakeOperations.archiveID)","#
                    + #""ArchiveSHA256TreeHash":"\#(digest)","ArchiveSizeInBytes":2097152,"Completed":false,"CompletionDate":null,"#
                    + #""CreationDate":"2013-03-20T17:03:43.221Z","InventoryRetrievalParameters":null,"InventorySizeInBytes":null,"#
                    + #""JobDescription":null,"JobId":"\#(FakeOperations.jobID)","JobOutputPath":null,"OutputLocation":null,"#
                    + #""RetrievalByteRange":"0-2097151","SHA256TreeHash":"\#(digest)","SNSTopic":null,"SelectParameters":null,"#
                    + #""StatusCode":"InProgress","StatusMessage":null,"Tier":"Bulk","#
                    + #""VaultARN":"arn:aws:glacier:us-east-1:\#(Self.account):vaults/v"}"#)
            let list = try await server.answer(
                SignedText("GET", "\(Self.base)/jobs?statuscode=Succeeded&completed=true&marker=m&limit=7"))
            let entry = list.document?["JobList"]?[0]
            #expect(entry?.objectValue?.count == 21)
            #expect(entry?["Action"] == "InventoryRetrieval" && entry?["InventorySizeInBytes"] == 99)
            #expect(
                entry?["InventoryRetrievalParameters"]?.canonicalString()
                    == #"{"EndDate":null,"Format":"CSV","Limit":"3","Marker":null,"StartDate":null}"#)
            #expect(server.operations.state.withLock { $0.calls.last } == "listJobs Succeeded true m 7")
        }
    }

    @Test func uploadListsSayNullWhereThereIsNoDescription() async throws {
        try await TestServer.run { server in
            let upload = #""ArchiveDescription":null,"CreationDate":"2013-03-20T17:03:43.221Z","#
            let identity = #""MultipartUploadId":"\#(FakeOperations.uploadID)","PartSizeInBytes":1048576,"#
            let arn = #""VaultARN":"arn:aws:glacier:us-east-1:\#(Self.account):vaults/v""#
            let parts = try await server.answer(SignedText("GET", "\(Self.base)/multipart-uploads/u?limit=51"))
            #expect(
                parts.text == #"{\#(upload)"Marker":null,\#(identity)"Parts":[{"RangeInBytes":"0-1048575","#
                    + #""SHA256TreeHash":"\#(FakeOperations.digest.hex)"}],\#(arn)}"#)
            let uploads = try await server.answer(SignedText("GET", "\(Self.base)/multipart-uploads"))
            #expect(uploads.text == #"{"Marker":"next","UploadsList":[{\#(upload)\#(identity)\#(arn)}]}"#)
            #expect(server.operations.state.withLock { $0.calls } == ["listParts - 50", "listUploads - 50"])
        }
    }

    @Test func outputsAreWholeOrPartialWithTheirHeaders() async throws {
        try await TestServer.run { server in
            let bytes = Array("0123456789".utf8)
            let target = "\(Self.base)/jobs/\(FakeOperations.jobID)/output"
            server.operations.state.withLock { state in
                state.output = {
                    JobOutput(
                        contentType: "text/csv", totalBytes: 10, range: ByteRange(first: 0, last: 9), isPartial: false,
                        treeHash: nil,
                        archiveDescription: nil, source: { write in try await write(ByteBuffer(bytes: bytes)) })
                }
            }
            let whole = try await server.answer(SignedText("GET", target))
            #expect(whole.status == 200 && whole.body == bytes)
            #expect(whole.header("Accept-Ranges") == "bytes" && whole.header("Content-Type") == "text/csv")
            #expect(whole.header("Content-Range") == nil && whole.header("x-amz-sha256-tree-hash") == nil)
            server.operations.state.withLock { state in
                state.output = {
                    JobOutput(
                        contentType: "application/octet-stream", totalBytes: 10, range: ByteRange(first: 2, last: 4),
                        isPartial: true,
                        treeHash: FakeOperations.digest, archiveDescription: "about",
                        source: { write in try await write(ByteBuffer(bytes: bytes[2...4])) })
                }
            }
            var ranged = SignedText("GET", target)
            ranged.unsigned = [("Range", "bytes=2-4")]
            let part = try await server.answer(ranged)
            #expect(part.status == 206 && part.text == "234")
            #expect(part.header("Content-Range") == "bytes 2-4/10")
            #expect(part.header("x-amz-sha256-tree-hash") == FakeOperations.digest.hex)
            #expect(part.header("x-amz-archive-description") == "about")
            #expect(server.operations.state.withLock { $0.lastRange } == .closed(2, 4))
            ranged.unsigned = [("Range", "bytes=0-1,3-4")]
            #expect(try await server.answer(ranged).status == 400)
        }
    }

    @Test func badSyntaxIsRefusedBeforeTheEngineIsAsked() async throws {
        try await TestServer.run { server in
            let body = Array("body".utf8)
            func upload(_ change: (inout SignedText) -> Void) -> SignedText {
                var request = SignedText.archive(body)
                change(&request)
                return request
            }
            func part(_ range: String?, _ length: Int? = nil) -> SignedText {
                var request = SignedText("PUT", "\(Self.base)/multipart-uploads/u")
                request.body = body
                request.length = length
                request.headers += SignedText.hashes(of: body) + (range.map { [("Content-Range", $0)] } ?? [])
                return request
            }
            func listing(_ query: String) -> SignedText { SignedText("GET", "\(Self.base)/jobs?\(query)") }
            let invalid = "InvalidParameterValueException"
            let missing = "MissingParameterValueException"
            let table: [(SignedText, String, String)] = [
                (
                    upload { $0.headers.removeAll { $0.name == "x-amz-sha256-tree-hash" } }, missing,
                    "Required parameter missing: x-amz-sha256-tree-hash"
                ),
                (
                    upload { $0.headers.removeAll { $0.name == "x-amz-content-sha256" } }, missing,
                    "Required parameter missing: x-amz-content-sha256"
                ),
                (
                    upload {
                        $0.length = -1
                        $0.body = []
                    }, missing, "Required parameter missing: Content-Length"
                ),
                (
                    upload {
                        $0.length = 0
                        $0.body = []
                    }, invalid, "Invalid Content-Length: 0"
                ),
                (
                    upload { $0.headers.append(("x-amz-archive-description", "tab\there")) }, invalid,
                    "Invalid x-amz-archive-description"
                ),
                (
                    upload { $0.headers.append(("x-amz-archive-description", String(repeating: "d", count: 1025))) },
                    invalid,
                    "Invalid x-amz-archive-description"
                ),
                (part(nil), missing, "Required parameter missing: Content-Range"),
                (part("bytes 5-4/*"), invalid, "Invalid Content-Range: bytes 5-4/*"),
                (part("bytes 0-9/*"), invalid, "Content-Range: bytes 0-9/* is incompatible with Content-Length: 4"),
                (
                    SignedText("POST", "\(Self.base)/multipart-uploads"), missing,
                    "Required parameter missing: x-amz-part-size"
                ),
                (
                    SignedText("POST", "\(Self.base)/multipart-uploads/u"), missing,
                    "Required parameter missing: x-amz-archive-size"
                ),
                (listing("limit=0"), invalid, "Invalid limit: 0"),
                (listing("limit=ten"), invalid, "Invalid limit: ten"),
                (listing("completed=perhaps"), invalid, "Invalid completed: perhaps"),
                (listing("statuscode=finished"), invalid, "The job status code is not valid: finished"),
                (SignedText("GET", "/-/vaults?marker=bogus"), invalid, "Invalid marker: bogus"),
                (SignedText("PUT", "/-/vaults/a%20b"), invalid, "Invalid vault name: a b"),
                (SignedText("POST", "\(Self.base)/jobs"), missing, "Required parameter missing: Job Parameters"),
            ]
            for (request, code, message) in table {
                let answer = try await server.answer(request)
                #expect(answer.status == 400 && answer.code == code, "\(request.target): \(answer.text)")
                #expect(answer.message?.hasPrefix(message) == true, "\(answer.text)")
                #expect(answer.document?["type"] == "Client" && answer.document?.objectValue?.count == 3)
            }
            #expect(server.operations.state.withLock { $0.calls } == [])
        }
    }

    @Test func aNameThatCannotBeAVaultIsNotFoundAsGiven() async throws {
        try await TestServer.run { server in
            let answer = try await server.answer(SignedText("GET", "/-/vaults/a%20b"))
            #expect(answer.status == 404 && answer.message == "Vault not found for ARN: a b")
        }
    }

    @Test func pathsAndMethodsOutsideTheTableAreBadRequestsWithAGoodSignature() async throws {
        try await TestServer.run { server in
            let table = [
                ("GET", "/"), ("POST", "/vaults/x/archives"), ("PATCH", Self.base), ("GET", "\(Self.base)/archives"),
                ("GET", "\(Self.base)/jobs/j/output/z"), ("PUT", "\(Self.base)/tags"),
                ("POST", "\(Self.base)/tags/t?operation=add"), ("PUT", "\(Self.base)/lock-policy"),
                ("GET", "\(Self.base)/notification-policy"), ("GET", "/-/policies"), ("GET", "/-/policies/retrieval"),
                ("DELETE", "/-/policies/data-retrieval"), ("GET", "/-/priority-capacity"),
                ("GET", "/-/provisioned-capacity/x"), ("PUT", "/-/provisioned-capacity"),
            ]
            for (method, target) in table {
                let answer = try await server.answer(SignedText(method, target))
                #expect(answer.status == 400 && answer.code == "BadRequest", "\(method) \(target): \(answer.text)")
            }
        }
    }
}
