// SPDX-License-Identifier: Apache-2.0

import Testing
import VaultModel

@testable import GlacierAPI

/// The bodies that set something: values or typed refusals, for any input.
struct SettingParserTests {
    static let invalid = "InvalidParameterValueException"
    static let missing = "MissingParameterValueException"
    static let serialization = "SerializationException"

    private func refusal<Value>(
        of body: String, _ parse: ([UInt8]) throws(WireError) -> Value, _ code: String, _ message: String
    ) {
        do throws(WireError) {
            let value = try parse(Array(body.utf8))
            Issue.record("\(body.prefix(200)) was read as \(value)")
        } catch {
            #expect(error.code == code && error.status == 400, "\(body.prefix(200)): \(error)")
            #expect(error.message.hasPrefix(message), "\(body.prefix(200)): \(error.message)")
        }
    }

    /// What every body shares.
    @Test func whatIsNoJSONObjectIsRefusedEverywhere() {
        let deep = #"{"a":"# + String(repeating: "[", count: 50) + String(repeating: "]", count: 50) + "}"
        let wide = #"{"a":[\#(String(repeating: "1,", count: 10_000))1]}"#
        for body in ["x", "[]", "null", "7", #"{"a":1,"a":2}"#, "{", deep, wide, #""text""#, "{\"a\":\"\u{0}\"}"] {
            refusal(of: body, TagParameters.tags, Self.serialization, "The request body")
            refusal(of: body, TagParameters.keys, Self.serialization, "The request body")
            refusal(of: body, SettingParameters.notifications, Self.serialization, "The request body")
            refusal(of: body, SettingParameters.policy, Self.serialization, "The request body")
            refusal(of: body, SettingParameters.retrievalPolicy, Self.serialization, "The request body")
        }
        for body in ["", "{}", #"{"Tags":null,"TagKeys":null,"SNSTopic":null,"Policy":null}"#, #"{"policy":"x"}"#] {
            refusal(of: body, TagParameters.tags, Self.missing, "Required parameter missing: Tags")
            refusal(of: body, TagParameters.keys, Self.missing, "Required parameter missing: TagKeys")
            refusal(of: body, SettingParameters.notifications, Self.missing, "Required parameter missing: ")
            refusal(of: body, SettingParameters.policy, Self.missing, "Required parameter missing: policy")
            refusal(of: body, SettingParameters.retrievalPolicy, Self.missing, "Required parameter missing: Policy")
        }
    }

    // MARK: tags

    private func tags(_ members: String) throws -> [String: String] {
        try TagParameters.tags(Array(#"{"Tags":{\#(members)},"Unknown":1}"#.utf8))
    }

    @Test func tagsMayHoldLettersDigitsSpacesAndEightMarks() throws {
        let read = try tags(#""Ключ ９ é ":"値","_./=+-@":"_./=+-@","k":"","aws":"aws","a":"Ⅷ²""#)
        #expect(read == ["Ключ ９ é ": "値", "_./=+-@": "_./=+-@", "k": "", "aws": "aws", "a": "Ⅷ²"])
    }

    @Test func tagsHaveBoundsInCharacters() throws {
        let key = String(repeating: "é", count: 128)
        let value = String(repeating: "値", count: 255)
        #expect(try tags(#""\#(key)":"\#(value)""#) == [key: value])
        refusal(of: #"{"Tags":{"\#(key)x":""}}"#, TagParameters.tags, Self.invalid, "Invalid tag key: ")
        refusal(of: #"{"Tags":{"k":"\#(value)x"}}"#, TagParameters.tags, Self.invalid, "Invalid tag value: ")
        let ten = (0..<10).map { #""k\#($0)":"v""# }.joined(separator: ",")
        #expect(try tags(ten).count == 10)
        refusal(
            of: #"{"Tags":{\#(ten),"k":"v"}}"#, TagParameters.tags, Self.invalid, "Tags must hold 1 to 10 tags, not 11")
        refusal(of: #"{"Tags":{}}"#, TagParameters.tags, Self.invalid, "Tags must hold 1 to 10 tags, not 0")
    }

    @Test func otherTagsAreRefused() {
        for key in [
            "", "aws:", "aws:cloud", "AWS:x", "a:b", "a,b", "a\\tb", "a\\nb", "a\\u0000b", "a!b", "a\\\\b", "\\u200b",
            "🧊",
            "\\u2028", "e\\u0301",
        ] {
            refusal(of: #"{"Tags":{"\#(key)":"v"}}"#, TagParameters.tags, Self.invalid, "Invalid tag key: ")
            if !key.isEmpty {
                refusal(of: #"{"Tags":{"k":"\#(key)"}}"#, TagParameters.tags, Self.invalid, "Invalid tag value: ")
            }
        }
        for key in ["aws:cloud", "AWS:cloud"] {
            let message = "Invalid tag key: \(key). Keys that begin with aws: are reserved."
            refusal(of: #"{"Tags":{"\#(key)":"v"}}"#, TagParameters.tags, Self.invalid, message)
        }
        for value in ["null", "1", "true", "[]", "{}"] {
            refusal(
                of: #"{"Tags":{"k":\#(value)}}"#, TagParameters.tags, Self.invalid, "The value of the tag 'k' must be")
        }
        for tags in ["[]", #""k=v""#, "1"] {
            refusal(of: #"{"Tags":\#(tags)}"#, TagParameters.tags, Self.invalid, "Tags must be an object")
        }
    }

    @Test func tagKeysAreStringsUnderTheirNameOrTheOldOne() throws {
        func keys(_ body: String) throws -> [String] { try TagParameters.keys(Array(body.utf8)) }
        #expect(try keys(#"{"TagKeys":["a","a","","🧊"]}"#) == ["a", "a", "", "🧊"])
        #expect(try keys(#"{"TagsKeys":["a"]}"#) == ["a"])
        #expect(try keys(#"{"TagKeys":["a"],"TagsKeys":["b"]}"#) == ["a"])
        refusal(of: #"{"TagKeys":[]}"#, TagParameters.keys, Self.invalid, "TagKeys must hold at least one key")
        refusal(of: #"{"TagKeys":"a"}"#, TagParameters.keys, Self.invalid, "TagKeys must be an array")
        refusal(of: #"{"TagKeys":["a",null]}"#, TagParameters.keys, Self.invalid, "TagKeys must hold strings")
    }

    // MARK: notifications

    @Test(arguments: [
        (#""Events":["ArchiveRetrievalCompleted"]"#, missing, "Required parameter missing: SNSTopic"),
        (#""SNSTopic":"arn:aws:sns:us-east-1:123456789012:t""#, missing, "Required parameter missing: Events"),
        (#""SNSTopic":"arn:aws:sns:us-east-1:123456789012:t","Events":[]"#, invalid, "Events must hold at least one"),
        (
            #""SNSTopic":"arn:aws:sns:us-east-1:123456789012:t","Events":["Archived"]"#, invalid,
            "Invalid Events: Archived"
        ),
        (#""SNSTopic":"arn:aws:sns:us-east-1:123456789012:t","Events":[null]"#, invalid, "Events must hold strings"),
        (#""SNSTopic":"arn:aws:sns:us-east-1:123456789012:t","Events":"x""#, invalid, "Events must be an array"),
        (#""SNSTopic":"topic","Events":["ArchiveRetrievalCompleted"]"#, invalid, "Invalid SNSTopic: topic"),
        (
            #""SNSTopic":"arn:aws:sqs:us-east-1:123456789012:t","Events":["x"]"#, invalid,
            "Invalid SNSTopic: arn:aws:sqs"
        ),
        (#""SNSTopic":"arn:aws:sns:us-east-1:12345678901:t","Events":["x"]"#, invalid, "Invalid SNSTopic: "),
        (#""SNSTopic":["x"],"Events":["x"]"#, invalid, "SNSTopic must be a string"),
    ])
    func otherNotificationsAreRefused(members: String, code: String, message: String) {
        refusal(of: "{\(members)}", SettingParameters.notifications, code, message)
    }

    // MARK: policies

    @Test func policiesAreStringsOfAtMostTwentyKilobytes() throws {
        func body(_ bytes: Int) -> String { #"{"Policy":"\#(String(repeating: "p", count: bytes))"}"# }
        #expect(try SettingParameters.policy(Array(body(20 << 10).utf8)).utf8.count == 20_480)
        refusal(of: body((20 << 10) + 1), SettingParameters.policy, Self.invalid, "Policy has 20481 bytes")
        refusal(
            of: #"{"Policy":{"Version":"2012-10-17"}}"#, SettingParameters.policy, Self.invalid,
            "Policy must be a string")
    }

    @Test func retrievalPoliciesAreOneRule() throws {
        func read(_ rule: String) throws -> DataRetrievalPolicy {
            try SettingParameters.retrievalPolicy(Array(#"{"Policy":{"Rules":[{\#(rule)}]}}"#.utf8))
        }
        #expect(try read(#""Strategy":"None","BytesPerHour":null"#) == .none)
        #expect(try read(#""Strategy":"FreeTier""#) == .freeTier)
        #expect(try read(#""Strategy":"BytesPerHour","BytesPerHour":1"#) == .bytesPerHour(1))
        #expect(try read(#""Strategy":"BytesPerHour","BytesPerHour":"12""#) == .bytesPerHour(12))
        #expect(
            try read(#""Strategy":"BytesPerHour","BytesPerHour":9223372036854775807"#)
                == .bytesPerHour(9_223_372_036_854_775_807))
    }

    @Test(arguments: [
        (#"{}"#, missing, "Required parameter missing: Rules"), (#"{"Rules":[]}"#, invalid, "Rules must be"),
        (#"{"Rules":{}}"#, invalid, "Rules must be"), (#"{"Rules":[1]}"#, invalid, "Rules must be"),
        (#"{"Rules":[{"Strategy":"None"},{"Strategy":"None"}]}"#, invalid, "Rules must be"),
        (#"{"Rules":[{}]}"#, missing, "Required parameter missing: Strategy"),
        (#"{"Rules":[{"Strategy":"none"}]}"#, invalid, "Invalid Strategy: none"),
        (#"{"Rules":[{"Strategy":"Gone","BytesPerHour":1}]}"#, invalid, "Invalid Strategy: Gone"),
        (#"{"Rules":[{"Strategy":"BytesPerHour"}]}"#, invalid, "The strategy BytesPerHour needs"),
        (#"{"Rules":[{"Strategy":"None","BytesPerHour":1}]}"#, invalid, "BytesPerHour belongs to"),
        (#"{"Rules":[{"Strategy":"FreeTier","BytesPerHour":1}]}"#, invalid, "BytesPerHour belongs to"),
        (#"{"Rules":[{"Strategy":"BytesPerHour","BytesPerHour":0}]}"#, invalid, "Invalid BytesPerHour: 0"),
        (#"{"Rules":[{"Strategy":"BytesPerHour","BytesPerHour":-1}]}"#, invalid, "Invalid BytesPerHour: -1"),
        (#"{"Rules":[{"Strategy":"BytesPerHour","BytesPerHour":1.5}]}"#, invalid, "Invalid BytesPerHour: 1.5"),
        (
            #"{"Rules":[{"Strategy":"BytesPerHour","BytesPerHour":9223372036854775808}]}"#, invalid,
            "Invalid BytesPerHour: "
        ),
        (#"{"Rules":[{"Strategy":"BytesPerHour","BytesPerHour":true}]}"#, invalid, "Invalid BytesPerHour: true"),
    ])
    func otherRetrievalPoliciesAreRefused(policy: String, code: String, message: String) {
        refusal(of: #"{"Policy":\#(policy)}"#, SettingParameters.retrievalPolicy, code, message)
    }
}
