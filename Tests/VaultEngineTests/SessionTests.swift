// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import Foundation
import Storage
import StorageLaws
import Synchronization
import Testing
import VaultModel

@testable import VaultEngine

/// Docs/Formats/Session-v1.md, with Tests/Vectors/sessions.json.
@Suite(.serialized) struct SessionTests {
    private static let policy = UserTests.allowList
    private var account: AccountID { TestVault.account }
    private var root: Principal { Principal(account: account) }
    private var anna: Principal { Principal(account: account, user: UserTests.anna) }

    private func withAnna(_ body: (TestVault) async throws -> Void) async throws {
        try await withVault { vault in
            _ = try await vault.engine.createAccount(account)
            try await vault.engine.createUser(account, UserTests.anna)
            try await body(vault)
        }
    }

    private func credential(_ vault: TestVault, _ session: NewSession) async throws -> Credential? {
        let found = try await vault.engine.credential(for: session.accessKeyID, sessionToken: session.sessionToken)
        return found.flatMap { $0.isActive ? $0 : nil }
    }

    /// A wall clock that is set back gives no session a longer life, and one that is right again makes usable ones.
    @Test func aClockSetBackBringsNoSessionBack() async throws {
        try await withAnna { vault in
            let session = try await vault.engine.createSession(anna, duration: .seconds(900), policy: nil)
            vault.clock.advance(by: .seconds(899))
            #expect(try await credential(vault, session) != nil)
            vault.clock.advance(by: .seconds(1))
            await expectRefusal(.expiredToken) { _ = try await credential(vault, session) }
            vault.clock.jump(by: .seconds(-86_400))
            await expectRefusal(.expiredToken) { _ = try await credential(vault, session) }
            let later = try await vault.engine.createSession(anna, duration: .seconds(900), policy: nil)
            #expect(try await credential(vault, later) != nil)
            vault.clock.advance(by: .seconds(900))
            await expectRefusal(.expiredToken) { _ = try await credential(vault, later) }
        }
    }

    // MARK: The format

    private struct FixedBytes: RandomByteSource {
        let bytes: [UInt8]
        func fill(_ buffer: UnsafeMutableRawBufferPointer) { buffer.copyBytes(from: bytes.prefix(buffer.count)) }
    }

    private func vectors() throws -> JSONValue {
        let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors/sessions.json")
        return try JSONParser.parse([UInt8](try Data(contentsOf: path)))
    }

    @Test func tokensAreTheVectorsByteForByte() throws {
        let file = try vectors()
        let key = try SecretKey(bytes: try #require(file["masterKey"]?.stringValue.flatMap { Hex.decode($0) }))
        let version = UInt32(try #require(file["masterVersion"]?.integerValue))
        let tokens = try #require(file["tokens"]?.arrayValue)
        #expect(tokens.count == 2)
        for vector in tokens {
            let content = try #require(vector["content"])
            let text = try #require(vector["token"]?.stringValue)
            let token = SessionToken(
                principal: Principal(
                    account: try #require(AccountID(content["account"]?.stringValue ?? "")),
                    user: content["user"]?.stringValue.flatMap { UserName($0) }),
                principalCreated: Timestamp(milliseconds: try #require(content["principalCreated"]?.integerValue)),
                accessKeyID: content["accessKeyId"]?.stringValue ?? "", secret: content["secret"]?.stringValue ?? "",
                expires: Timestamp(milliseconds: try #require(content["expires"]?.integerValue)),
                policy: content["policy"]?.stringValue)
            let salt = try #require(vector["salt"]?.stringValue.flatMap { Hex.decode($0) })
            #expect(try token.sealed(version: version, key: key, random: FixedBytes(bytes: salt)) == text)
            #expect(SessionToken.opened(text) { $0 == version ? key : nil } == token)
        }
    }

    @Test func noOtherTextIsAToken() throws {
        let file = try vectors()
        let key = try SecretKey(bytes: try #require(file["masterKey"]?.stringValue.flatMap { Hex.decode($0) }))
        let fails = try #require(file["mustFail"]?.arrayValue)
        #expect(fails.count > 20)
        for vector in fails {
            let text = try #require(vector["token"]?.stringValue)
            #expect(SessionToken.opened(text) { $0 == 3 ? key : nil } == nil, "\(vector["name"]?.stringValue ?? "")")
        }
        let long = String(repeating: "A", count: SessionToken.maxCharacters + 4)
        #expect(SessionToken.opened(long) { _ in key } == nil)
    }

    @Test func changedTokensNeverOpen() async throws {
        let seed: UInt64 = 0x5E55
        try await withAnna { vault in
            let session = try await vault.engine.createSession(anna, policy: nil)
            var choices = SeededGenerator(seed: seed)
            let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=".utf8)
            for _ in 0..<300 {
                var text = Array(session.sessionToken.utf8)
                let place = Int.random(in: text.indices, using: &choices)
                switch Int.random(in: 0..<3, using: &choices) {
                case 0: text[place] = letters.randomElement(using: &choices) ?? 0
                case 1: text.remove(at: place)
                default: text.insert(letters.randomElement(using: &choices) ?? 0, at: place)
                }
                guard text != Array(session.sessionToken.utf8) else { continue }
                let changed = String(decoding: text, as: UTF8.self)
                let found = try await vault.engine.credential(for: session.accessKeyID, sessionToken: changed)
                #expect(found == nil, "seed \(seed): \(changed)")
            }
        }
    }

    // MARK: Its life

    @Test func aSessionActsAsItsPrincipalUntilItExpires() async throws {
        try await withAnna { vault in
            for principal in [root, anna] {
                let session = try await vault.engine.createSession(
                    principal, duration: .seconds(15 * 60), policy: principal.isRoot ? nil : Self.policy)
                #expect(session.accessKeyID.hasPrefix("CVTK") && session.accessKeyID.utf8.count == 20)
                #expect(session.secretAccessKey.utf8.count == 40 && session.sessionToken.utf8.count <= 4096)
                #expect(session.expires == vault.clock.now().advanced(by: .seconds(15 * 60)))
                let found = try #require(try await credential(vault, session))
                #expect(found.principal == principal && found.account == account)
                #expect(found.sessionPolicy == (principal.isRoot ? nil : Self.policy))
                #expect(found.secret.isEqual(to: SecretBytes(bytes: Array(session.secretAccessKey.utf8))))
                // Another process knows it, too: nothing is stored.
                let other = try await vault.anotherEngine().credential(
                    for: session.accessKeyID, sessionToken: session.sessionToken)
                #expect(other?.principal == principal)

                vault.clock.advance(by: .seconds(15 * 60) - .milliseconds(1))
                #expect(try await credential(vault, session) != nil)
                vault.clock.advance(by: .milliseconds(1))
                await expectRefusal(.expiredToken, "The security token included in the request is expired") {
                    _ = try await credential(vault, session)
                }
            }
        }
    }

    @Test func aTokenAndItsKeyAreNothingApart() async throws {
        try await withAnna { vault in
            let session = try await vault.engine.createSession(anna, policy: nil)
            let other = try await vault.engine.createSession(anna, policy: nil)
            let permanent = try await vault.engine.createAccessKey(account, user: UserTests.anna)
            func find(_ id: String, _ token: String?) async throws -> Credential? {
                try await vault.engine.credential(for: id, sessionToken: token)
            }
            #expect(try await find(session.accessKeyID, nil) == nil, "without its token")
            #expect(try await find(session.accessKeyID, "") == nil)
            #expect(try await find(session.accessKeyID, other.sessionToken) == nil, "with another's token")
            #expect(try await find(permanent.accessKeyID, session.sessionToken) == nil, "a permanent key with a token")
            #expect(try await find(String(repeating: "A", count: 20), session.sessionToken) == nil)
            #expect(try await find(session.accessKeyID, session.sessionToken) != nil)
            // An expired token with the wrong key says no more than any unknown key.
            vault.clock.advance(by: .seconds(2 * 3600))
            #expect(try await find(other.accessKeyID, session.sessionToken) == nil)
        }
    }

    @Test func sessionsEndWithTheirPrincipal() async throws {
        try await withAnna { vault in
            let ofRoot = try await vault.engine.createSession(root, policy: nil)
            let ofAnna = try await vault.engine.createSession(anna, policy: nil)
            func live() async throws -> [Bool] {
                [try await credential(vault, ofRoot) != nil, try await credential(vault, ofAnna) != nil]
            }
            #expect(try await live() == [true, true])
            try await vault.engine.setUser(account, UserTests.anna, active: false)
            #expect(try await live() == [true, false])
            await expectRefusal(.invalidParameter, "disabled") {
                _ = try await vault.engine.createSession(anna, policy: nil)
            }
            try await vault.engine.setUser(account, UserTests.anna, active: true)
            try await vault.engine.setAccount(account, active: false)
            #expect(try await live() == [false, false])
            await expectRefusal(.invalidParameter, "disabled") {
                _ = try await vault.engine.createSession(root, policy: nil)
            }
            try await vault.engine.setAccount(account, active: true)
            #expect(try await live() == [true, true])
            try await vault.engine.deleteUser(account, UserTests.anna)
            #expect(try await live() == [true, false])
            // A user of the same name is another one.
            vault.clock.advance(by: .milliseconds(1))
            try await vault.engine.createUser(account, UserTests.anna)
            #expect(try await live() == [true, false])
        }
    }

    @Test func sessionsOutliveARotationOfTheMasterKey() async throws {
        try await withAnna { vault in
            let before = try await vault.engine.createSession(anna, policy: Self.policy)
            _ = try await vault.engine.rotateMasterKey()
            let after = try await vault.engine.createSession(anna, policy: nil)
            for session in [before, after] { #expect(try await credential(vault, session) != nil) }
        }
    }

    @Test func whatCannotBeASessionIsRefused() async throws {
        try await withAnna { vault in
            let minute: Duration = .seconds(60)
            for duration in [
                .zero, minute * 15 - .milliseconds(1), minute * (36 * 60) + .milliseconds(1), .seconds(Int64.max),
            ] {
                await expectRefusal(.invalidParameter, "15 minutes to 36 hours") {
                    _ = try await vault.engine.createSession(root, duration: duration, policy: nil)
                }
            }
            for duration in [minute * 15, minute * (36 * 60)] {
                _ = try await vault.engine.createSession(root, duration: duration, policy: nil)
            }
            func padded(_ bytes: Int) -> String {
                Self.policy + String(repeating: " ", count: bytes - Self.policy.utf8.count)
            }
            let longest = try await vault.engine.createSession(anna, policy: padded(VaultEngine.maxSessionPolicyBytes))
            #expect(
                try await credential(vault, longest)?.sessionPolicy?.utf8.count == VaultEngine.maxSessionPolicyBytes)
            for policy in [
                padded(VaultEngine.maxSessionPolicyBytes + 1), "", "{}", Self.policy.replacing("Allow", with: "Maybe"),
            ] {
                await expectRefusal(.invalidParameter, "session policy is not valid") {
                    _ = try await vault.engine.createSession(anna, policy: policy)
                }
            }
            await expectRefusal(.notFound, "no user bert") {
                _ = try await vault.engine.createSession(Principal(account: account, user: UserTests.bert), policy: nil)
            }
            await expectRefusal(.notFound, "no account") {
                let nobody = try #require(AccountID("999999999999"))
                _ = try await vault.engine.createSession(Principal(account: nobody), policy: nil)
            }
        }
    }
}
