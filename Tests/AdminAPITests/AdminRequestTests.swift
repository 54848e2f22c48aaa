// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Testing
import VaultModel

@testable import AdminAPI

struct AdminRequestTests {
    static let account = AccountID("123456789012")!
    static let vault = VaultLocation(account: account, region: Region("us-east-1")!, name: VaultName("photos")!)
    static let all: [AdminRequest] = [
        .createAccount(nil), .createAccount(account), .listAccounts(after: nil), .listAccounts(after: account),
        .setAccount(account, active: true), .setAccount(account, active: false), .createAccessKey(account),
        .listAccessKeys(account),
        .setAccessKey("AKIA", active: false), .deleteAccessKey("AKIA"), .listKeys, .rotateMasterKey,
        .rotateVaultKey(vault),
        .createBackup(directory: "/backup"), .setVaultCompression(vault, "lz4"), .setVaultCompression(vault, nil),
    ]

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
        ("create-backup", #"{"directory":"/a\u0000b"}"#),
        ("rotate-vault-key", #"{"accountId":"123456789012","region":"us-east-1"}"#),
        ("rotate-vault-key", #"{"accountId":"123456789012","region":"us-east-1","vault":"a b"}"#),
        (
            "set-vault-compression",
            #"{"accountId":"123456789012","region":"us-east-1","vault":"v","compression":"zip"}"#
        ),
    ])
    func anythingElseIsRefused(verb: String, body: String) {
        #expect(throws: VaultError.self) { try AdminRequest(verb: verb, body: JSONParser.parse(Array(body.utf8))) }
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
