// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ServiceConfiguration

struct ValueTextTests {
    @Test(arguments: [
        ("0", 0), ("1", 1), ("512B", 512), ("1KiB", 1024), ("48MiB", 48 << 20), ("64GiB", 64 << 30), ("1TiB", 1 << 40),
        ("9223372036854775807", Int.max), ("8388607TiB", 8_388_607 << 40),
    ])
    func sizesAreRead(text: String, bytes: Int) throws {
        #expect(try ByteSizeText.parse(text) == bytes)
    }

    @Test(arguments: [
        "", "B", "MiB", "-1", "+1", "1.5GiB", "1 MiB", "1MB", "1kib", "1K", "0x10", "٣MiB", "9223372036854775808",
        "8388608TiB",
    ])
    func otherTextsAreNoSizes(text: String) {
        #expect(throws: InvalidValue.self) { try ByteSizeText.parse(text) }
    }

    @Test(arguments: [
        ("0", Duration.zero), ("0s", .zero), ("1ms", .milliseconds(1)), ("250ms", .milliseconds(250)),
        ("30s", .seconds(30)),
        ("5m", .seconds(300)), ("24h", .seconds(86_400)), ("36500d", .seconds(36_500 * 86_400)),
    ])
    func spansAreRead(text: String, duration: Duration) throws {
        #expect(try DurationText.parse(text) == duration)
    }

    @Test(arguments: [
        "", "s", "30", "-1s", "1.5h", "1 s", "1h30m", "1S", "1w", "٣s", "36501d", "9223372036854775807d",
        "99999999999999999999s",
    ])
    func otherTextsAreNoSpans(text: String) {
        #expect(throws: InvalidValue.self) { try DurationText.parse(text) }
    }

    @Test func boundsAreInclusiveAndNamedInTheRemedy() throws {
        #expect(try ByteSizeText.parse("48MiB", in: (48 << 20)...(64 << 20)) == 48 << 20)
        #expect(try ByteSizeText.parse("64MiB", in: (48 << 20)...(64 << 20)) == 64 << 20)
        let size = #expect(throws: InvalidValue.self) {
            try ByteSizeText.parse("50331647", in: (48 << 20)...(64 << 20))
        }
        #expect(size?.remedy == "Write a size from 48MiB to 64MiB.")
        #expect(throws: InvalidValue.self) { try ByteSizeText.parse("67108865", in: (48 << 20)...(64 << 20)) }
        #expect(try DurationText.parse("1s", in: .seconds(1) ... .seconds(3600)) == .seconds(1))
        #expect(try DurationText.parse("60m", in: .seconds(1) ... .seconds(3600)) == .seconds(3600))
        let span = #expect(throws: InvalidValue.self) {
            try DurationText.parse("999ms", in: .seconds(1) ... .seconds(3600))
        }
        #expect(span?.remedy == "Write a span from 1s to 1h.")
        #expect(throws: InvalidValue.self) { try DurationText.parse("3601s", in: .seconds(1) ... .seconds(3600)) }
    }

    @Test(arguments: [
        ("127.0.0.1:8080", "127.0.0.1", 8080, true), ("127.255.0.9:1", "127.255.0.9", 1, true),
        ("0.0.0.0:0", "0.0.0.0", 0, false), ("128.0.0.1:65535", "128.0.0.1", 65_535, false),
        ("localhost:80", "localhost", 80, true), ("LocalHost:80", "LocalHost", 80, true),
        ("localhost.example:80", "localhost.example", 80, false),
        ("vault-1.example.org:443", "vault-1.example.org", 443, false),
        ("[::1]:9", "::1", 9, true), ("[0:0:0:0:0:0:0:1]:9", "0:0:0:0:0:0:0:1", 9, true),
        ("[::ffff:127.0.0.1]:9", "::ffff:127.0.0.1", 9, true), ("[::ffff:10.0.0.1]:9", "::ffff:10.0.0.1", 9, false),
        ("[::]:9", "::", 9, false), ("[fe80::1]:9", "fe80::1", 9, false), ("[1::]:9", "1::", 9, false),
    ])
    func addressesAreRead(text: String, host: String, port: Int, isLoopback: Bool) throws {
        let address = try ListenAddress(parsing: text)
        #expect(address.host == host)
        #expect(address.port == port)
        #expect(address.isLoopback == isLoopback)
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", ":", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
        "127.0.0.1:080800",
        "127.0.0:1", "127.0.0.01:1", "256.0.0.1:1", "::1:80", "[::1]", "[::1", "[]:1", "[:]:1", "[1:2:3:4:5:6:7]:1",
        "[1:2:3:4:5:6:7:8:9]:1", "[1::2::3]:1", "[12345::]:1", "[fe80::1%eth0]:1", "[1:2:3:4:5:6:7:8::]:1", "[::+1]:1",
        "[127.0.0.1]:1",
        "-a:1", "a_b:1", "a b:1", "a..b:1", "http://a:1", "é:1",
    ])
    func otherTextsAreNoAddresses(text: String) {
        #expect(throws: InvalidValue.self) { try ListenAddress(parsing: text) }
    }

    @Test func delaysAreReadPerTier() throws {
        #expect(
            try RetrievalDelay(parsing: "bulk=7d, expedited=1s")
                == RetrievalDelay(expedited: .seconds(1), bulk: .seconds(604_800)))
        for text in [
            "", "expedited", "fast=1s", "bulk=1s,bulk=2s", "bulk=8d", "bulk=1", "bulk=1s,", "bulk=1s;standard=2s",
        ] {
            #expect(throws: InvalidValue.self, "\(text)") { try RetrievalDelay(parsing: text) }
        }
    }

    @Test func regionsAreNamesWithoutRepetition() throws {
        #expect(try Regions.parse("us-east-1, my-cellar") == ["us-east-1", "my-cellar"])
        let most = (1...32).map { "r-\($0)" }.joined(separator: ",")
        #expect(try Regions.parse(most).count == 32)
        #expect(throws: InvalidValue.self) { try Regions.parse(most + ",r-33") }
        #expect(try Regions.parse(String(repeating: "a", count: 32)).count == 1)
        for text in [
            String(repeating: "a", count: 33), "", "a,,b", "US-east-1", "us--east", "-a", "a-", "1a", "a,a", "a/b",
            "a b",
        ] {
            #expect(throws: InvalidValue.self, "\(text)") { try Regions.parse(text) }
        }
    }

    @Test func theNearestKeyIsSuggestedOnlyWhenNear() {
        let names = ConfigurationKey.allCases.map(\.name)
        #expect(NearestKey.suggestion(for: "data-dir", among: names) == "dataDir")
        #expect(NearestKey.suggestion(for: "retrievaldelay", among: names) == "retrievalDelay")
        #expect(NearestKey.suggestion(for: "memoryBuget", among: names) == "memoryBudget")
        #expect(NearestKey.suggestion(for: "tls.certficate", among: names) == "tls.certificate")
        #expect(NearestKey.suggestion(for: "colour", among: names) == nil)
        #expect(NearestKey.suggestion(for: "", among: names) == nil)
    }
}
