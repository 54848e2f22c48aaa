// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Testing

@Suite struct JSONParserTests {
    private func parse(_ text: String, limits: JSONLimits = JSONLimits()) throws(JSONParseError) -> JSONValue {
        try JSONParser.parse(Array(text.utf8), limits: limits)
    }

    @Test func valuesParse() throws {
        #expect(try parse(" null\n") == .null)
        #expect(try parse("true") == true)
        #expect(try parse("[1, -2 ,\t0]") == [1, -2, 0])
        #expect(try parse(#"{"a":{"b":[]},"c":false}"#) == ["a": ["b": []], "c": false])
        #expect(try parse("9223372036854775807") == .integer(.max))
        #expect(try parse("-9223372036854775808") == .integer(.min))
        #expect(try parse("9223372036854775808") == .decimal("9223372036854775808"))
        #expect(try parse("[1.5,1e3,-0.0E-7]") == [.decimal("1.5"), .decimal("1e3"), .decimal("-0.0E-7")])
        #expect(try parse(#""\u0041\ud83e\uddca\n\/\"\\\u0000""#) == .string("A🧊\n/\"\\\u{0}"))
        #expect(try parse("\"雪é\"") == "雪é")
        #expect(try parse("\"\u{7F}\u{FFFF}\"") == "\u{7F}\u{FFFF}")
    }

    @Test(arguments: [
        ("", JSONParseError.Reason.unexpectedEnd), ("  ", .unexpectedEnd), ("[", .unexpectedEnd),
        ("[1", .unexpectedEnd),
        ("{", .unexpectedEnd), (#"{"a""#, .unexpectedEnd), (#"{"a":"#, .unexpectedEnd), ("\"abc", .unexpectedEnd),
        ("\"abc\\", .unexpectedEnd), ("\"\\u12", .unexpectedEnd), ("tru", .unexpectedEnd),
        ("[1,]", .unexpectedByte(0x5D)),
        ("[,1]", .unexpectedByte(0x2C)), ("{\"a\":1,}", .unexpectedByte(0x7D)), ("{1:2}", .unexpectedByte(0x31)),
        ("{'a':1}", .unexpectedByte(0x27)), ("nul1", .unexpectedByte(0x31)), ("+1", .unexpectedByte(0x2B)),
        (".5", .unexpectedByte(0x2E)), ("NaN", .unexpectedByte(0x4E)), ("01", .invalidNumber), ("-", .invalidNumber),
        ("-01", .invalidNumber), ("1.", .invalidNumber), ("1e", .invalidNumber), ("1e+", .invalidNumber),
        ("1 2", .trailingData), ("{}x", .trailingData), ("[]]", .trailingData), (#""\x""#, .invalidEscape),
        (#""\u12g4""#, .invalidEscape), (#""\ud800""#, .loneSurrogate), (#""\ud800x""#, .loneSurrogate),
        (#""\ud800\u0041""#, .loneSurrogate), (#""\udc00""#, .loneSurrogate), ("\"\n\"", .unescapedControl),
        ("\"\u{1F}\"", .unescapedControl), ("\"\\n\u{1}\"", .unescapedControl),
        (#"{"a":1,"a":1}"#, .duplicateMember), (#"{"a":1,"\u0061":2}"#, .duplicateMember),
        ("{\"\u{E9}\":1,\"e\u{301}\":2}", .duplicateMember),
    ])
    func whatIsNotStrictJSONIsRefused(_ text: String, _ reason: JSONParseError.Reason) {
        do {
            let value = try parse(text)
            Issue.record("parsed as \(value)")
        } catch {
            #expect(error.reason == reason, "\(text)")
        }
    }

    @Test(
        arguments: [[0x80], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82]] as [[UInt8]])
    func onlyUTF8IsAccepted(_ bytes: [UInt8]) {
        for text in [[0x22] + bytes + [0x22], [0x22, 0x5C, 0x6E] + bytes + [0x22]] {
            do {
                _ = try JSONParser.parse(text)
                Issue.record("accepted")
            } catch {
                #expect(error.reason == .invalidUTF8)
            }
        }
        #expect(throws: JSONParseError.self) { try JSONParser.parse([0xEF, 0xBB, 0xBF, 0x31]) }
    }

    @Test func limitsHoldAtTheLimitAndNotBeyond() throws {
        let limits = JSONLimits(maxBytes: 64, maxDepth: 3, maxValues: 4)
        #expect(try parse("[[[]]]", limits: limits) == [[[]]])
        #expect(throws: JSONParseError(.tooDeep(limit: 3), at: 3)) { try parse("[[[[]]]]", limits: limits) }
        #expect(throws: JSONParseError(.tooDeep(limit: 3), at: 15)) {
            try parse(#"{"a":{"a":{"a":{}}}}"#, limits: limits)
        }
        #expect(try parse("[1,2,3,4]", limits: limits) == [1, 2, 3, 4])
        #expect(throws: JSONParseError(.tooManyValues(limit: 4), at: 9)) { try parse("[1,2,3,4,5]", limits: limits) }
        #expect(try parse("\"" + String(repeating: "x", count: 62) + "\"", limits: limits).stringValue?.count == 62)
        #expect(throws: JSONParseError(.tooLong(limit: 64), at: 64)) {
            try parse("\"" + String(repeating: "x", count: 63) + "\"", limits: limits)
        }
        #expect(throws: JSONParseError.self) { try parse(String(repeating: "[", count: 100_000)) }
    }

    @Test func largeDocumentsParse() throws {
        let one = #"{"description":"some text","id":123456,"list":[1,2,3]}"#
        let text = "[" + Array(repeating: one, count: 20_000).joined(separator: ",") + "]"
        let value = try parse(text, limits: JSONLimits(maxBytes: 4 << 20))
        #expect(value.arrayValue?.count == 20_000)
        #expect(value.canonicalString() == text)
    }

    @Test func damagedDocumentsNeverCrash() {
        let good = Array(#"{"a":[1,-2.5e3,"x\u00e9\ud83e\uddca\n"],"b":{"c":null,"d":true}}"#.utf8)
        for index in good.indices {
            for byte in [0, 0x22, 0x5C, 0x5B, 0x7B, 0x30, 0xFF] as [UInt8] {
                var damaged = good
                damaged[index] = byte
                _ = try? JSONParser.parse(damaged)
                _ = try? JSONParser.parse(Array(damaged.prefix(index)))
            }
        }
    }
}

@Suite struct CanonicalJSONTests {
    @Test func membersAreSortedByTheirBytes() {
        let value: JSONValue = ["b": 1, "a": 2, "aa": 3, "\u{FF61}": 4, "\u{1F9CA}": 5, "Z": 6, "": 7, "\u{E9}": 8]
        #expect(
            value.canonicalString()
                == "{\"\":7,\"Z\":6,\"a\":2,\"aa\":3,\"b\":1,\"\u{E9}\":8,\"\u{FF61}\":4,\"\u{1F9CA}\":5}")
    }

    @Test func onlyWhatMustBeIsEscaped() {
        let text = JSONValue.string("\"\\/\u{8}\t\n\u{C}\r\u{0}\u{1F}\u{7F}é雪")
        #expect(text.canonicalString() == "\"\\\"\\\\/\\b\\t\\n\\f\\r\\u0000\\u001f\u{7F}é雪\"")
    }

    @Test func textsKeepTheirExactScalars() throws {
        // Swift holds these two equal; their bytes differ.
        #expect(JSONValue.string("e\u{301}").canonicalBytes() != JSONValue.string("\u{E9}").canonicalBytes())
        let bytes = Array("\"e\u{301}\"".utf8)
        #expect(try JSONParser.parseCanonical(bytes).canonicalBytes() == bytes)
    }

    @Test func canonicalBytesParseBack() throws {
        let value: JSONValue = [
            "null": nil, "bools": [true, false], "numbers": [0, -1, .integer(.max)], "text": "a\"b\\c\u{1}",
            "deep": [[["x": []]]],
        ]
        #expect(try JSONParser.parseCanonical(value.canonicalBytes()) == value)
    }

    @Test(arguments: [
        " 1", "1 ", "[1, 2]", #"{"b":1,"a":2}"#, #"{"a": 1}"#, #""\/""#, #""\u0041""#, #""\u000A""#, #""\u001F""#,
        "1.0", "1e3", "-0",
        "9223372036854775808",
    ])
    func otherSpellingsAreNotCanonical(_ text: String) {
        do {
            let value = try JSONParser.parseCanonical(Array(text.utf8))
            Issue.record("accepted as \(value)")
        } catch {
            #expect(error.reason == .notCanonical)
        }
    }

    @Test func subscriptsGiveNilForWhatIsNotThere() {
        let value: JSONValue = ["a": [1, "x"], "n": nil]
        #expect(value["a"]?[0]?.integerValue == 1)
        #expect(value["a"]?[1]?.stringValue == "x")
        #expect(value["a"]?[2] == nil)
        #expect(value["a"]?[-1] == nil)
        #expect(value["b"] == nil)
        #expect(value[0] == nil)
        #expect(value["n"]?.isNull == true)
        #expect(value["a"]?.boolValue == nil && value["a"]?.objectValue == nil)
    }
}
