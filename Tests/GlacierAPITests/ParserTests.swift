// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import NIOHTTP1
import Testing
import VaultModel

@testable import GlacierAPI
@testable import VaultEngine

/// Everything that reads a client's text: values or typed refusals, for any input.
struct ParserTests {
    @Test(arguments: [
        ("bytes 0-0/*", "0-0"), ("bytes 1048576-2097151/*", "1048576-2097151"), ("bytes 0-9/10", "0-9"),
    ])
    func partRangesAreRead(text: String, range: String) { #expect(PartRangeText.parse(text)?.description == range) }

    @Test(arguments: [
        "", "bytes", "bytes ", "0-9/*", "bytes=0-9/*", "bytes 9-0/*", "bytes -9/*", "bytes 0-/*", "bytes 0-9",
        "bytes 0-9/", "bytes */10",
        "bytes 0-9/*x", "bytes 0-9/*/*", "bytes +0-9/*", "bytes 0-99999999999999999999/*", "octets 0-9/*",
        "bytes  0-9/*",
    ])
    func otherPartRangesAreRefused(text: String) { #expect(PartRangeText.parse(text) == nil) }

    @Test func outputRangesHaveThreeForms() {
        #expect(OutputRangeText.parse("bytes=0-0") == .closed(0, 0))
        #expect(OutputRangeText.parse("Bytes=5-9") == .closed(5, 9))
        #expect(OutputRangeText.parse("bytes=5-") == .from(5))
        #expect(OutputRangeText.parse("bytes=-5") == .suffix(5))
    }

    @Test(arguments: [
        "", "bytes=", "bytes=-", "bytes=--", "bytes=a-b", "bytes 0-5", "0-5", "octets=0-5", "bytes=0-1,3-4",
        "bytes=9-5", "bytes=-0",
        "bytes=0-99999999999999999999",
    ])
    func otherOutputRangesAreRefused(text: String) { #expect(OutputRangeText.parse(text) == nil) }

    @Test func targetsAreDecodedOnceSegmentBySegment() throws {
        let target = RequestTarget(
            path: "/-/vaults/a%2Fb%2520/", target: "/-/vaults/a%2Fb%2520/?limit=5&marker=a%2Bb+c&limit=9&flag&=x")
        #expect(target.segments == ["-", "vaults", "a/b%20"])
        #expect(try target.pageLimit(maximum: 50) == 5)
        #expect(target.parameter("marker") == "a+b+c")
        #expect(target.parameter("flag") == nil && target.parameter("absent") == nil)
    }

    @Test func limitsAreClamped() throws {
        func limit(_ text: String) throws -> Int {
            try RequestTarget(path: "/", target: "/?limit=\(text)").pageLimit(maximum: 50)
        }
        for (text, expected) in [
            ("1", 1), ("50", 50), ("51", 50), ("1000", 50), (String(repeating: "9", count: 40), 50), ("", 50),
        ] {
            #expect(try limit(text) == expected)
        }
        for text in ["0", "-1", "ten", "1.5", "%20", "1e1", "000", "%D9%A3"] {
            #expect(throws: WireError.self) { try limit(text) }
        }
    }

    @Test func partSizesArePowersOfTwoMebibytes() throws {
        func size(_ text: String) throws -> UInt64 { try RequestHeaders(["x-amz-part-size": text]).partSize() }
        for exponent in 20...32 { #expect(try size(String(1 << exponent)) == 1 << exponent) }
        for text in [
            "0", "1", "1048575", "1048577", "3145728", "8589934592", "one", "-1048576", "", "99999999999999999999999",
        ] {
            let error = #expect(throws: WireError.self) { try size(text) }
            #expect(
                error?.message.hasPrefix(
                    "Invalid part size: \(text). Part size must not be null, must be a power of two") == true)
        }
    }

    @Test func aParameterSentTwiceIsRefused() {
        let headers = RequestHeaders(HTTPHeaders([("x-amz-part-size", "1048576"), ("X-Amz-Part-Size", "2097152")]))
        #expect(throws: WireError.self) { try headers.partSize() }
    }

    @Test func descriptionsLoseLeadingSpacesAndNothingElse() throws {
        func read(_ text: String) throws -> String {
            try RequestHeaders(["x-amz-archive-description": text]).archiveDescription()
        }
        #expect(try read("   a  b ") == "a  b ")
        #expect(try read(String(repeating: "d", count: 1024)).count == 1024)
        #expect(try RequestHeaders([:]).archiveDescription() == "")
        for text in [String(repeating: "d", count: 1025), "tab\t", "\u{7F}", "é", "\u{0}"] {
            #expect(throws: WireError.self) { try read(text) }
        }
    }

    // MARK: jobs

    private func job(_ text: String) throws -> JobRequest { try JobParameters.parse(Array(text.utf8)) }

    @Test func archiveJobsAreReadBareOrWrapped() throws {
        let bare =
            #"{"Type":"archive-retrieval","ArchiveId":"id","RetrievalByteRange":"0-1048575","Tier":"Bulk","Description":"d","#
            + #""SNSTopic":"arn:aws:sns:us-east-1:123456789012:topic","Unknown":[1.5,{}]}"#
        let request = try job(bare)
        #expect(request.action == .archive(archiveID: "id", range: ByteRange(first: 0, last: 1_048_575)))
        #expect(request.tier == .bulk && request.description == "d")
        #expect(request.snsTopic == "arn:aws:sns:us-east-1:123456789012:topic")
        #expect(try job(#"{"jobParameters":\#(bare)}"#) == request)
    }

    @Test func nullsMeanAbsent() throws {
        let request = try job(
            #"{"Type":"archive-retrieval","ArchiveId":"id","Description":null,"Tier":null,"SNSTopic":null,"RetrievalByteRange":null,"#
                + #""Format":null,"InventoryRetrievalParameters":null,"SelectParameters":null}"#)
        #expect(
            request
                == JobRequest(action: .archive(archiveID: "id", range: nil), tier: nil, description: nil, snsTopic: nil)
        )
    }

    @Test func inventoryJobsTakeLimitsAsNumbersOrStringsAndKeepDatesAsGiven() throws {
        for limit in ["3", #""3""#] {
            let request = try job(
                #"{"Type":"inventory-retrieval","Format":"CSV","InventoryRetrievalParameters":{"Limit":\#(limit),"#
                    + #""StartDate":"2013-03-20T17:03:43Z","EndDate":"2013-03-20T17:03:43.500Z","Marker":"m"}}"#)
            guard case .inventory(let parameters) = request.action else {
                Issue.record("not an inventory")
                return
            }
            #expect(parameters.format == .csv && parameters.limit == 3 && parameters.marker == "m")
            #expect(
                parameters.startDate?.milliseconds == 1_363_799_023_000
                    && parameters.startDateText == "2013-03-20T17:03:43Z")
            #expect(parameters.endDate?.milliseconds == 1_363_799_023_500)
            #expect(parameters.endDateText == "2013-03-20T17:03:43.500Z")
        }
    }

    @Test(arguments: [
        (#"{}"#, "MissingParameterValueException", "Required parameter missing: type"),
        (#"{"Type":null}"#, "MissingParameterValueException", "Required parameter missing: type"),
        (#""#, "MissingParameterValueException", "Required parameter missing: Job Parameters"),
        (#"{"Type":"archive-retrieval"}"#, "MissingParameterValueException", "Required parameter missing: archiveId"),
        (#"{"Type":"select"}"#, "InvalidParameterValueException", "Invalid Type: select"),
        (#"{"Type":7}"#, "InvalidParameterValueException", "Type must be a string"),
        (#"{"Type":"inventory-retrieval","ArchiveId":"x"}"#, "InvalidParameterValueException", "ArchiveId must not"),
        (
            #"{"Type":"inventory-retrieval","RetrievalByteRange":"0-0"}"#, "InvalidParameterValueException",
            "RetrievalByteRange must not"
        ),
        (#"{"Type":"inventory-retrieval","Format":"XML"}"#, "InvalidParameterValueException", "Invalid Format: XML"),
        (#"{"Type":"inventory-retrieval","Tier":"Soon"}"#, "InvalidParameterValueException", "Invalid Tier: Soon"),
        (
            #"{"Type":"inventory-retrieval","SNSTopic":"topic"}"#, "InvalidParameterValueException",
            "Invalid SNSTopic: topic"
        ),
        (
            #"{"Type":"inventory-retrieval","Description":"é"}"#, "InvalidParameterValueException",
            "Invalid Description: ?"
        ),
        (
            #"{"Type":"inventory-retrieval","InventoryRetrievalParameters":[]}"#, "InvalidParameterValueException",
            "InventoryRetrievalParameters must be an object"
        ),
        (
            #"{"Type":"inventory-retrieval","InventoryRetrievalParameters":{"Limit":0}}"#,
            "InvalidParameterValueException",
            "Invalid Limit: 0"
        ),
        (
            #"{"Type":"inventory-retrieval","InventoryRetrievalParameters":{"Limit":1.5}}"#,
            "InvalidParameterValueException",
            "Invalid Limit: 1.5"
        ),
        (
            #"{"Type":"inventory-retrieval","InventoryRetrievalParameters":{"EndDate":"2013-13-45T00:00:00Z"}}"#,
            "InvalidParameterValueException", "Invalid EndDate"
        ),
        (
            #"{"Type":"archive-retrieval","ArchiveId":"x","RetrievalByteRange":""}"#, "InvalidParameterValueException",
            "Invalid RetrievalByteRange: "
        ),
        (
            #"{"Type":"archive-retrieval","ArchiveId":"x","RetrievalByteRange":"bytes=0-1"}"#,
            "InvalidParameterValueException",
            "Invalid RetrievalByteRange: "
        ),
        ("not json", "SerializationException", "The request body is not valid JSON"),
        ("[]", "SerializationException", "The request body must be a JSON object"),
        (#"{"Type":"a","Type":"b"}"#, "SerializationException", "The request body is not valid JSON"),
        (String(repeating: "[", count: 100_000), "SerializationException", "The request body is not valid JSON"),
        (
            #"{"a":"# + String(repeating: "[", count: 50) + String(repeating: "]", count: 50) + "}",
            "SerializationException",
            "The request body is not valid JSON"
        ),
    ])
    func badJobBodiesHaveTheirDocumentedRefusal(body: String, code: String, message: String) {
        let error = #expect(throws: WireError.self) { try job(body) }
        #expect(error?.code == code && error?.status == 400)
        #expect(error?.message.hasPrefix(message) == true, "\(error?.message ?? "")")
    }
}
