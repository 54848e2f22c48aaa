// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Messaging
import Testing
import VaultEngine
import VaultModel

@testable import AdminAPI

struct AdminRequestTests {
    static let account = AccountID("123456789012")!
    static let vault = VaultLocation(account: account, region: Region("us-east-1")!, name: VaultName("photos")!)
    static let user = UserName("anna@example.org")!
    static let topic = TopicARN("arn:aws:sns:us-east-1:123456789012:ready")!
    static let message = MessageUID(hex: "00112233445566778899aabbccddeeff")!
    static let question = AccessQuestion(
        principal: Principal(account: account, user: user), action: .deleteArchive, target: .archive(vault, id: "A-_1"),
        sessionPolicy: "{}", sourceAddress: "192.0.2.7", isSecure: false, userAgent: "boto3")

    static let all: [AdminRequest] = [
        .createAccount(nil), .createAccount(account), .listAccounts(after: nil), .listAccounts(after: account),
        .setAccount(account, active: true), .setAccount(account, active: false),
        .createAccessKey(account, user: nil), .createAccessKey(account, user: user), .listAccessKeys(account),
        .setAccessKey("AKIA", active: false), .deleteAccessKey("AKIA"),
        .createUser(account, user), .listUsers(account), .setUser(account, user, active: true),
        .setUser(account, user, active: false), .deleteUser(account, user),
        .putUserPolicy(account, user, name: "reader", document: "{\n  \"Version\": \"2012-10-17\"\n}\u{7f}ü"),
        .deleteUserPolicy(account, user, name: "reader"), .listUserPolicies(account, user),
        .createSession(SessionOrder(principal: Principal(account: account), seconds: 3600)),
        .createSession(SessionOrder(principal: Principal(account: account, user: user), seconds: 900, policy: "{}")),
        .simulate(question),
        .simulate(
            AccessQuestion(principal: Principal(account: account), action: .describeVault, target: .vault(vault))),
        .simulate(
            AccessQuestion(
                principal: Principal(account: account), action: .listVaults,
                target: .account(account, Region("us-east-1")!))),
        .createTopic(topic, .webhook(url: "https://example.net/hook")), .createTopic(topic, .directory(path: "/spool")),
        .createTopic(topic, .command(arguments: ["/bin/notify", "", "-x"])), .listTopics(account), .deleteTopic(topic),
        .testTopic(topic), .listMessages(account, .dead, after: nil), .listMessages(account, .waiting, after: message),
        .resendMessage(message), .dropMessage(message),
        .listKeys, .rotateMasterKey, .rotateVaultKey(vault), .key(.rewrap(nil, perSecond: 0)),
        .key(.rewrap(vault, perSecond: 500)), .key(.rewrapStatus), .key(.listDestructions),
        .key(.destroy(.master(version: 2), waitSeconds: nil)),
        .key(.destroy(.vault(vault, version: 7), waitSeconds: 0)), .key(.cancelDestruction(.master(version: 2))),
        .key(.cancelDestruction(.vault(vault, version: 7))), .key(.purgeArchive(vault, archiveID: "A-_1")),
        .key(.purgeReceipt(vault, archiveID: "A-_1")),
        .backup(.create(directory: "/backup", .all)), .backup(.create(directory: "/backup", .keyring)),
        .backup(.addKey(publicKey: "00ff")), .backup(.listKeys), .backup(.removeKey("ff00")),
        .setVaultCompression(vault, "lz4"), .setVaultCompression(vault, nil), .resetVaultAccessPolicy(vault), .clockStatus, .confirmClock,
        .audit(.read(AuditQuery())), .audit(.verify), .audit(.checkpoints), .audit(.confirm),
        .audit(
            .read(
                AuditQuery(
                    after: 7, since: Timestamp(milliseconds: 8), until: Timestamp(milliseconds: 9), account: account,
                    action: "key", limit: 3))),
        .scrub(.start), .scrub(.pause), .scrub(.status), .scrub(.report),
        .scrub(.damaged(vault, after: ArchiveUID(hex: message.hex))), .scrub(.damaged(nil, after: nil)),
        .scrub(.unnamed(after: "a/b")), .scrub(.unnamed(after: nil)),
    ]

    @Test func theListHoldsEveryVerb() {
        // A new case of the enumeration belongs into `all`; the compiler cannot say so, the count can.
        #expect(Set(Self.all.map(\.verb)).count == 51)
    }

    @Test(arguments: all)
    func whatOneEndWritesTheOtherReads(request: AdminRequest) throws {
        let bytes = request.body.canonicalBytes()
        #expect(try AdminRequest(verb: request.verb, body: JSONParser.parse(bytes)) == request)
    }

    @Test(arguments: [
        ("unknown", "{}"), ("set-account", "{}"), ("set-account", #"{"accountId":"12","active":true}"#),
        ("set-account", #"{"accountId":"123456789012","active":"yes"}"#), ("create-account", #"{"accountId":7}"#),
        ("create-access-key", "[]"), ("delete-access-key", #"{"accessKeyId":null}"#),
        ("create-backup", #"{"directory":"relative"}"#),
        ("create-backup", #"{"directory":"/a\u0000b"}"#), ("create-backup", #"{"directory":"/a","only":"blobs"}"#),
        ("add-backup-key", "{}"), ("remove-backup-key", "{}"),
        ("rotate-vault-key", #"{"accountId":"123456789012","region":"us-east-1"}"#),
        ("rotate-vault-key", #"{"accountId":"123456789012","region":"us-east-1","vault":"a b"}"#),
        (
            "set-vault-compression",
            #"{"accountId":"123456789012","region":"us-east-1","vault":"v","compression":"zip"}"#
        ),
        ("create-user", #"{"accountId":"123456789012"}"#),
        ("create-user", #"{"accountId":"123456789012","user":"a b"}"#),
        ("create-user", #"{"accountId":"123456789012","user":""}"#), ("list-users", "{}"),
        ("set-user", #"{"accountId":"123456789012","user":"a"}"#), ("delete-user", #"{"user":"a"}"#),
        ("create-access-key", #"{"accountId":"123456789012","user":"a/b"}"#),
        ("put-user-policy", #"{"accountId":"123456789012","user":"a","name":"p"}"#),
        ("put-user-policy", #"{"accountId":"123456789012","user":"a","name":"p","document":{}}"#),
        ("delete-user-policy", #"{"accountId":"123456789012","user":"a"}"#),
        ("create-session", #"{"accountId":"123456789012"}"#),
        ("create-session", #"{"accountId":"123456789012","seconds":0}"#),
        ("create-session", #"{"accountId":"123456789012","seconds":1.5}"#),
        ("simulate", "{}"),
        ("simulate", simulation(action: "Fly", target: #"{"accountId":"123456789012","region":"us-east-1"}"#)),
        ("simulate", simulation(action: "DeleteVault", target: #"{"accountId":"123456789012"}"#)),
        ("simulate", simulation(action: "DeleteVault", target: #""photos""#)),
        ("create-topic", #"{"topic":"arn:aws:sns:us-east-1:123456789012:ready"}"#),
        ("create-topic", #"{"topic":"ready","target":{"webhook":"http://x"}}"#),
        ("create-topic", #"{"topic":"arn:aws:sns:us-east-1:123456789012:ready","target":{}}"#),
        (
            "create-topic",
            #"{"topic":"arn:aws:sns:us-east-1:123456789012:ready","target":{"webhook":"http://x","directory":"/x"}}"#
        ),
        ("create-topic", #"{"topic":"arn:aws:sns:us-east-1:123456789012:ready","target":{"command":[]}}"#),
        ("create-topic", #"{"topic":"arn:aws:sns:us-east-1:123456789012:ready","target":{"command":["/x",1]}}"#),
        ("delete-topic", "{}"), ("list-messages", #"{"accountId":"123456789012"}"#),
        ("list-messages", #"{"accountId":"123456789012","state":"asleep"}"#),
        ("list-messages", #"{"accountId":"123456789012","state":"dead","after":"xyz"}"#),
        ("resend-message", "{}"), ("drop-message", #"{"messageId":"00112233"}"#),
    ])
    func anythingElseIsRefused(verb: String, body: String) {
        #expect(throws: VaultError.self) { try AdminRequest(verb: verb, body: JSONParser.parse(Array(body.utf8))) }
    }

    private static func simulation(action: String, target: String) -> String {
        #"{"action":"\#(action)","principal":{"accountId":"123456789012"},"secure":true,"target":\#(target)}"#
    }

    @Test func aPolicyOfTheGreatestLengthFitsIntoARequest() {
        // Every byte of it escaped as \u001f is longer than any policy can be spelled.
        let document = String(repeating: "\u{1f}", count: Limits.maxVaultPolicyBytes)
        let request = AdminRequest.putUserPolicy(Self.account, Self.user, name: "p", document: document)
        #expect(request.body.canonicalBytes().count <= AdminRequest.maxBodyBytes)
    }

    @Test func everyEngineErrorHasAStatus() {
        for code in VaultError.Code.allCases {
            let refusal = AdminRefusal(VaultError(code, "text"))
            #expect((400...503).contains(refusal.status) && refusal.message == "text")
        }
        #expect(AdminRefusal(VaultError(.notFound, "")).status == 404)
        #expect(AdminRefusal(VaultError(.integrity, "")).status == 500)
    }
}
