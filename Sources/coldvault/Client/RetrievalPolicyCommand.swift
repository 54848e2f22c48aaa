// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import VaultClient

/// The choices of `--strategy`, as the API has them.
enum RetrievalStrategyArgument: String, ExpressibleByArgument, CaseIterable, Sendable {
    case none = "None"
    case freeTier = "FreeTier"
    case bytesPerHour = "BytesPerHour"
}

/// `coldvault retrieval-policy …`
struct RetrievalPolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retrieval-policy", abstract: "Show and set how much an account lets itself retrieve.",
        subcommands: [Get.self, Set.self])

    private static func text(_ allowance: RetrievalAllowance) -> String {
        switch allowance {
        case .none: "No limit."
        case .freeTier: "The daily share of the free allowance."
        case .bytesPerHour(let bytes): "\(bytes) bytes per hour."
        }
    }
}

extension RetrievalPolicyCommand {
    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the policy of the account in the region.")

        @OptionGroup var options: ClientOptions

        func run() async throws {
            try await ClientSession.run(options) { session in
                let (allowance, document) = try await session.client.dataRetrievalPolicy()
                try session.show(document.value) { RetrievalPolicyCommand.text(allowance) }
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set the policy; Standard retrievals beyond it are refused, or wait if the service queues them.")

        @Option(help: "None, FreeTier or BytesPerHour.")
        var strategy: RetrievalStrategyArgument
        @Option(help: "With BytesPerHour: how many, such as 10GiB.")
        var bytesPerHour: ByteArgument?
        @OptionGroup var options: ClientOptions

        func validate() throws {
            guard (strategy == .bytesPerHour) == (bytesPerHour != nil) else {
                throw ValidationError("--bytes-per-hour belongs to --strategy BytesPerHour, which needs it.")
            }
            if let bytes = bytesPerHour?.bytes, !(1...UInt64(Int64.max)).contains(bytes) {
                throw ValidationError("--bytes-per-hour must be 1 to 2^63-1.")
            }
        }

        func run() async throws {
            let allowance: RetrievalAllowance =
                switch strategy {
                case .none: .none
                case .freeTier: .freeTier
                case .bytesPerHour: .bytesPerHour(bytesPerHour?.bytes ?? 0)
                }
            try await ClientSession.run(options) { session in
                try await session.client.setDataRetrievalPolicy(allowance)
                try session.show(["Policy": ["Rules": [allowance.rule]]]) {
                    RetrievalPolicyCommand.text(allowance)
                }
            }
        }
    }
}
