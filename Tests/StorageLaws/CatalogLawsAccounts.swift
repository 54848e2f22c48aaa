// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

extension CatalogLaw {
    static let accounts: [CatalogLaw] = [
        CatalogLaw("an account is stored with its keys, and inserted only once") { catalog in
            var fixtures = CatalogFixtures()
            let account = try fixtures.account()
            let keys = [fixtures.accessKey("AKIAB", of: account.id), fixtures.accessKey("AKIAA", of: account.id)]
            try await catalog.putAccount(account, accessKeys: keys, expectedGeneration: nil)
            #expect(try await catalog.account(account.id) == account)
            #expect(Set(try await catalog.accessKeys(of: account.id)) == Set(keys))
            await expectCode(.alreadyExists) {
                try await catalog.putAccount(account, accessKeys: [], expectedGeneration: nil)
            }
            #expect(try await catalog.accessKeys(of: account.id).count == 2)
            #expect(try await catalog.account(fixtures.accountID(99)) == nil)
        },
        CatalogLaw("an account is replaced, keys and all, only at the expected generation") { catalog in
            var fixtures = CatalogFixtures()
            var account = try fixtures.account()
            let old = fixtures.accessKey("AKIAOLD", of: account.id)
            try await catalog.putAccount(account, accessKeys: [old], expectedGeneration: nil)
            account.state = .disabled
            account.generation = 2
            account.masterVersion = 9
            let new = fixtures.accessKey("AKIANEW", of: account.id)
            let replacement = account
            await expectCode(.conflict) {
                try await catalog.putAccount(replacement, accessKeys: [new], expectedGeneration: 5)
            }
            #expect(try await catalog.accessKey("AKIANEW") == nil)
            try await catalog.putAccount(replacement, accessKeys: [new], expectedGeneration: 1)
            #expect(try await catalog.account(account.id) == replacement)
            #expect(try await catalog.accessKeys(of: account.id) == [new])
            let unknown = try fixtures.account(2)
            await expectCode(.notFound) {
                try await catalog.putAccount(unknown, accessKeys: [], expectedGeneration: 1)
            }
        },
        CatalogLaw("an access key id belongs to one account, and a taken one changes nothing") { catalog in
            var fixtures = CatalogFixtures()
            let (first, second) = (try fixtures.account(1), try fixtures.account(2))
            let key = fixtures.accessKey("AKIA", of: first.id)
            try await catalog.putAccount(first, accessKeys: [key], expectedGeneration: nil)
            let thief = fixtures.accessKey("AKIA", of: second.id)
            await expectCode(.alreadyExists) {
                try await catalog.putAccount(second, accessKeys: [thief], expectedGeneration: nil)
            }
            #expect(try await catalog.account(second.id) == nil)
            let found = try #require(try await catalog.accessKey("AKIA"))
            #expect(found.key == key)
            #expect(found.account == first)
            #expect(try await catalog.accessKey("AKIB") == nil)
        },
        CatalogLaw("accounts page in order of their numbers") { catalog in
            var fixtures = CatalogFixtures()
            for number in [5, 3, 1, 4, 2] {
                try await catalog.putAccount(try fixtures.account(number), accessKeys: [], expectedGeneration: nil)
            }
            let first = try await catalog.accounts(after: nil, limit: 2)
            let second = try await catalog.accounts(after: first.last?.id, limit: 10)
            #expect((first + second).map(\.id) == (try (1...5).map { try fixtures.accountID($0) }))
            #expect(first.count == 2)
        },
    ]
}
