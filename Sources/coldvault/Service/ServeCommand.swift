// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import PosixDisk
import ServiceConfiguration

/// `coldvault serve`
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the Glacier API from a data directory.",
        discussion: """
            Every flag is also a key of the configuration file and an environment variable (COLDVAULT_LISTEN for --listen); flags win over \
            the environment, which wins over the file. Logs JSON lines to standard error and prints one line, listening on …, to standard \
            output when ready. SIGTERM and SIGINT stop it gracefully.
            """)

    @Option(help: "YAML or JSON configuration file. Else COLDVAULT_CONFIG.", completion: .file())
    var config: String?

    @OptionGroup var flags: ServeFlags

    func run() async throws {
        try await OperatorExit.run {
            try ProcessHardening.disableCoreDumps()
            ProcessHardening.ignoreBrokenPipes()
            ProcessMemory.keepFreedFrames()
            var environment = ProcessInfo.processInfo.environment
            let file = config ?? environment.removeValue(forKey: "COLDVAULT_CONFIG")
            environment["COLDVAULT_CONFIG"] = nil
            try await VaultService(flags: flags.values, environment: environment, file: file).run()
        }
    }
}
