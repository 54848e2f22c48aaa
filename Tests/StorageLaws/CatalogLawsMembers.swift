// SPDX-License-Identifier: Apache-2.0

import Storage
import Testing
import VaultModel

extension CatalogLaw {
    static let members: [CatalogLaw] = [
        CatalogLaw("keys, users and topics are stored with their account and listed in order") { catalog in
            var fixtures = CatalogFixtures()
            let account = try fixtures.account()
            // Upper case comes first, as bytes have it.
            let users = [try fixtures.user("adam", of: account.id), try fixtures.user("Zoe", of: account.id)]
            let topics = [try fixtures.topic("b", of: account.id), try fixtures.topic("a", of: account.id)]
            let keys = [
                fixtures.accessKey("AKIAB", of: account.id, user: users[0].name),
                fixtures.accessKey("AKIAA", of: account.id),
            ]
            let members = AccountMembers(accessKeys: keys, users: users, topics: topics)
            try await catalog.putAccount(account, members: members, expectedGeneration: nil)
            let sorted = AccountMembers(
                accessKeys: keys.reversed(), users: users.reversed(), topics: topics.reversed())
            #expect(try await catalog.members(of: account.id) == sorted)
            for topic in topics { #expect(try await catalog.topic(topic.topic) == topic) }
            #expect(try await catalog.topic(CatalogFixtures.topic("c", of: account.id)) == nil)
            let nobody = try fixtures.accountID(99)
            #expect(try await catalog.members(of: nobody) == AccountMembers())
        },
        CatalogLaw("authentication reads the key, its account and the user whose key it is at once") { catalog in
            var fixtures = CatalogFixtures()
            var account = try fixtures.account()
            account.settings = fixtures.sealed(1)
            let users = [try fixtures.user("adam", of: account.id), try fixtures.user("eve", of: account.id)]
            let keys = [
                fixtures.accessKey("AKIAROOT", of: account.id),
                fixtures.accessKey("AKIAEVE", of: account.id, user: users[1].name),
            ]
            try await catalog.putAccount(
                account, members: AccountMembers(accessKeys: keys, users: users), expectedGeneration: nil)
            for (key, user) in [(keys[0], nil), (keys[1], users[1])] {
                let found = try #require(try await catalog.accessKey(key.id))
                #expect(found.key == key)
                #expect(found.account == account)
                #expect(found.user == user)
            }
        },
        CatalogLaw("a principal is an account and, if asked for and there, its user") { catalog in
            var fixtures = CatalogFixtures()
            let (first, second) = (try fixtures.account(1), try fixtures.account(2))
            let eve = try fixtures.user("eve", of: first.id)
            try await catalog.putAccount(first, members: AccountMembers(users: [eve]), expectedGeneration: nil)
            try await catalog.putAccount(second, members: AccountMembers(), expectedGeneration: nil)
            let root = try #require(try await catalog.principal(Principal(account: first.id)))
            #expect(root.account == first)
            #expect(root.user == nil)
            let user = try #require(try await catalog.principal(Principal(account: first.id, user: eve.name)))
            #expect(user.account == first)
            #expect(user.user == eve)
            // A user of that name in another account is nobody here.
            let stranger = try #require(try await catalog.principal(Principal(account: second.id, user: eve.name)))
            #expect(stranger.account == second)
            #expect(stranger.user == nil)
            let nobody = Principal(account: try fixtures.accountID(99), user: eve.name)
            #expect(try await catalog.principal(nobody) == nil)
        },
        CatalogLaw("replacing an account replaces settings and every member, and touches no other account's") {
            catalog in
            var fixtures = CatalogFixtures()
            var account = try fixtures.account(1)
            account.settings = fixtures.sealed(1)
            let other = try fixtures.account(2)
            let name = "same-name"
            func members(of account: AccountRow, key: String) throws -> AccountMembers {
                let user = try fixtures.user(name, of: account.id)
                return AccountMembers(
                    accessKeys: [fixtures.accessKey(key, of: account.id, user: user.name)], users: [user],
                    topics: [try fixtures.topic(name, of: account.id)])
            }
            let (old, kept) = (try members(of: account, key: "AKIAOLD"), try members(of: other, key: "AKIAKEPT"))
            try await catalog.putAccount(account, members: old, expectedGeneration: nil)
            try await catalog.putAccount(other, members: kept, expectedGeneration: nil)
            #expect(try await catalog.account(account.id) == account)

            account.generation = 2
            account.settings = fixtures.sealed(9)
            let changed = try members(of: account, key: "AKIANEW")
            let replacement = account
            await expectCode(.conflict) {
                try await catalog.putAccount(replacement, members: changed, expectedGeneration: 7)
            }
            #expect(try await catalog.members(of: replacement.id) == old)
            try await catalog.putAccount(replacement, members: changed, expectedGeneration: 1)
            #expect(try await catalog.account(replacement.id) == replacement)
            #expect(try await catalog.members(of: replacement.id) == changed)
            #expect(try await catalog.accessKey("AKIAOLD") == nil)

            account.generation = 3
            account.settings = nil
            let bare = account
            try await catalog.putAccount(bare, members: AccountMembers(), expectedGeneration: 2)
            #expect(try await catalog.account(bare.id) == bare)
            #expect(try await catalog.members(of: bare.id) == AccountMembers())
            #expect(try await catalog.topic(changed.topics[0].topic) == nil)
            #expect(try await catalog.members(of: other.id) == kept)
            #expect(try await catalog.accounts(after: nil, limit: 9) == [bare, other])
        },
        CatalogLaw("of two members of the same name none is stored") { catalog in
            var fixtures = CatalogFixtures()
            let account = try fixtures.account()
            let user = try fixtures.user("eve", of: account.id)
            let topic = try fixtures.topic("t", of: account.id)
            for members in [AccountMembers(users: [user, user]), AccountMembers(topics: [topic, topic])] {
                await expectCode(.alreadyExists) {
                    try await catalog.putAccount(account, members: members, expectedGeneration: nil)
                }
            }
            #expect(try await catalog.account(account.id) == nil)
        },
        CatalogLaw("master key references count every row and column that a version seals") { catalog in
            var furnished = try await FurnishedCatalog(catalog)
            var account = try furnished.fixtures.account(1, master: 2)
            let user = try furnished.fixtures.user("eve", of: account.id)
            let topic = try furnished.fixtures.topic("t", of: account.id)
            // The vault's key is under 1, the account's record under 2, a key under 3, users 4, topics 5, messages 6.
            let members = AccountMembers(
                accessKeys: [furnished.fixtures.accessKey("AKIA", of: account.id)], users: [user], topics: [topic])
            account.settings = furnished.fixtures.sealed(2)
            try await catalog.putAccount(account, members: members, expectedGeneration: nil)
            let message = try await furnished.announce([(topic.topic, 0, 100), (topic.topic, 1, 100)])
            let full: [UInt32: UInt64] = [1: 1, 2: 2, 3: 1, 4: 1, 5: 1, 6: 2]
            #expect(try await catalog.keyReferences().master == full)
            var dead = message[0]
            dead.state = .dead
            try await catalog.updateMessage(dead)
            #expect(try await catalog.keyReferences().master == full)
            for message in message { try await catalog.removeMessage(message.id) }
            account.settings = nil
            try await catalog.putAccount(account, members: AccountMembers(), expectedGeneration: 1)
            #expect(try await catalog.keyReferences().master == [1: 1, 2: 1])
        },
    ]
}
