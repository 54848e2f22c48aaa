// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import VaultClient

/// `key=value` on the command line; the key ends at the first equals sign.
struct TagArgument: ExpressibleByArgument, Sendable {
    let key: String
    let value: String

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else { return nil }
        key = String(argument[..<equals])
        value = String(argument[argument.index(after: equals)...])
    }
}

extension VaultCommand {
    struct Tag: VaultVerb {
        static let configuration = CommandConfiguration(
            abstract: "Add tags to a vault, or change their values.",
            discussion: "For example: coldvault vault tag photos --tag project=archive --tag owner=me")

        @OptionGroup var vault: VaultArgument
        @Option(name: .customLong("tag"), help: "KEY=VALUE; give it once for each tag.")
        var pairs: [TagArgument]
        @OptionGroup var options: ClientOptions

        func validate() throws {
            guard !pairs.isEmpty else { throw ValidationError("Give at least one --tag KEY=VALUE.") }
            guard Swift.Set(pairs.map(\.key)).count == pairs.count else {
                throw ValidationError("Each key may be given once.")
            }
        }

        func perform(_ session: ClientSession, on name: String) async throws {
            let tags = Dictionary(uniqueKeysWithValues: pairs.map { ($0.key, $0.value) })
            try await session.client.addTags(tags, vault: name)
            try session.show(["Tags": .object(tags.mapValues { .string($0) }), "VaultName": .string(name)]) {
                "Vault '\(name)' has \(tags.count == 1 ? "the tag" : "the \(tags.count) tags")."
            }
        }
    }

    struct Untag: VaultVerb {
        static let configuration = CommandConfiguration(
            abstract: "Remove tags from a vault. Succeeds also when it does not have them.")

        @OptionGroup var vault: VaultArgument
        @Option(
            name: .customLong("key"), parsing: .unconditionalSingleValue, help: "Key of a tag; give it once for each.")
        var keys: [String]
        @OptionGroup var options: ClientOptions

        func validate() throws {
            guard !keys.isEmpty else { throw ValidationError("Give at least one --key KEY.") }
        }

        func perform(_ session: ClientSession, on name: String) async throws {
            try await session.client.removeTags(keys, vault: name)
            try session.show(["TagKeys": .array(keys.map { .string($0) }), "VaultName": .string(name)]) {
                "Vault '\(name)' no longer has \(keys.count == 1 ? "the tag" : "these \(keys.count) tags")."
            }
        }
    }

    struct Tags: VaultVerb {
        static let configuration = CommandConfiguration(abstract: "List the tags of a vault.")

        @OptionGroup var vault: VaultArgument
        @OptionGroup var options: ClientOptions

        func perform(_ session: ClientSession, on name: String) async throws {
            let tags = try await session.client.tags(vault: name)
            try session.show(["Tags": .object(tags.mapValues { .string($0) })]) {
                var table = TextTable([("KEY", .left), ("VALUE", .left)])
                for (key, value) in tags.sorted(by: { $0.key < $1.key }) { table.add([key, value]) }
                return table.text
            }
        }
    }
}
