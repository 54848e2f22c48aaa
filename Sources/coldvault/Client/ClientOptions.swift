// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import VaultClient

/// How results are printed.
enum OutputForm: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table
    case json
}

/// The options that every client command has.
struct ClientOptions: ParsableArguments {
    @Option(
        name: .customLong("endpoint-url"),
        help: "Address of the service. Else AWS_ENDPOINT_URL_GLACIER, AWS_ENDPOINT_URL, the profile.")
    var endpointURL: String?

    @Option(help: "Region that requests are signed for. Else AWS_REGION, AWS_DEFAULT_REGION, the profile.")
    var region: String?

    @Option(help: "Profile of ~/.aws/credentials and ~/.aws/config. Else AWS_PROFILE.")
    var profile: String?

    @Option(
        name: .customLong("account-id"), parsing: .unconditional,
        help: "Account: twelve digits, or - for the account of the credentials.")
    var accountID: String?

    @Option(
        name: .customLong("ca-bundle"), help: "PEM file of the certificate authorities to trust. Else AWS_CA_BUNDLE.")
    var caBundle: String?

    @Option(help: "How results are printed: table or json.")
    var output: OutputForm = .table

    @Option(help: "Attempts per request, the first included (1-20).")
    var maxAttempts: Int = 5

    func validate() throws {
        guard (1...20).contains(maxAttempts) else { throw ValidationError("--max-attempts must be 1 to 20.") }
    }

    var flags: ClientFlags {
        ClientFlags(
            endpointURL: endpointURL, region: region, profile: profile, accountID: accountID, caBundlePath: caBundle)
    }
}

/// The vault a command works on.
struct VaultOption: ParsableArguments {
    @Option(
        name: [.customLong("vault"), .customLong("vault-name")], parsing: .unconditional, help: "Name of the vault.")
    var vault: String
}

/// The vault that `coldvault vault …` works on: `vault create photos` reads better than
/// `vault create --vault photos`, and both work.
struct VaultArgument: ParsableArguments {
    @Argument(help: "Name of the vault.")
    var name: String?

    @Option(
        name: [.customLong("vault"), .customLong("vault-name")], parsing: .unconditional,
        help: "Name of the vault, as an option.")
    var vault: String?

    func validate() throws {
        guard (name == nil) != (vault == nil) else {
            throw ValidationError("Name one vault: as an argument, or with --vault.")
        }
    }

    var resolved: String { name ?? vault ?? "" }
}

/// How a command waits for a job.
struct PollOptions: ParsableArguments {
    @Option(help: "First pause between two looks at the job, such as 200ms; it grows.")
    var pollInterval: DurationArgument = .init(.milliseconds(200))

    @Option(help: "Longest pause between two looks at the job, such as 10s or 5m.")
    var pollMaximum: DurationArgument = .init(.seconds(10))

    var schedule: PollSchedule { PollSchedule(first: pollInterval.duration, longest: pollMaximum.duration) }
}

/// `200ms`, `10s`, `5m`, `1h`.
struct DurationArgument: ExpressibleByArgument, Sendable, CustomStringConvertible {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), number <= 1_000_000 else { return nil }
        switch argument.dropFirst(digits.count) {
        case "ms": duration = .milliseconds(number)
        case "s", "": duration = .seconds(number)
        case "m": duration = .seconds(number * 60)
        case "h": duration = .seconds(number * 3600)
        default: return nil
        }
    }

    var description: String {
        duration < .seconds(1)
            ? "\(duration / .milliseconds(1))ms".replacing(".0ms", with: "ms") : "\(duration.components.seconds)s"
    }
    var defaultValueDescription: String { description }
}

/// `16MiB`, `16M` or `16777216`.
struct ByteArgument: ExpressibleByArgument, Sendable {
    let bytes: UInt64

    init?(argument: String) {
        guard let bytes = ByteText.parse(argument) else { return nil }
        self.bytes = bytes
    }
}
