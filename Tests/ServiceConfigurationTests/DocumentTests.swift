// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ServiceConfiguration

/// The documents say what the code does.
struct DocumentTests {
    @Test func theReferenceListsEveryKeyAsTheCodeKnowsIt() throws {
        let document = try Checkout.text("Docs/Operations/Configuration.md")
        let table = ConfigurationReference.markdownTable()
        for key in ConfigurationKey.allCases { #expect(table.contains("| `\(key.name)` | `\(key.flagName)` |")) }
        #expect(
            document.contains("<!-- keys: begin -->\n\(table)<!-- keys: end -->"),
            "Docs/Operations/Configuration.md must hold this table between its markers:\n\(table)")
    }

    @Test func theExampleFileIsAcceptedAndSetsOnlyWhatIsRequired() throws {
        let configuration = try ServiceConfiguration.load(
            flags: [:], environment: [:], filePath: Checkout.path("Deploy/coldvault.example.yaml"))
        let defaults = try ServiceConfiguration.load(
            flags: ["dataDir": configuration.dataDir, "rootKeyFile": configuration.rootKeyFile], environment: [:],
            filePath: nil)
        #expect(configuration == defaults)
    }

    @Test func theExampleFileShowsEveryKeyWithItsDefault() throws {
        let example = try Checkout.text("Deploy/coldvault.example.yaml")
        // Every commented-out setting, made active, except those that need files or allow the unsafe.
        var text = ""
        for line in example.split(separator: "\n") {
            let isSetting =
                line.hasPrefix("#") && !line.hasPrefix("# ") && !line.contains("tls") && !line.hasPrefix("#  ")
            text += (isSetting ? line.dropFirst() : line) + "\n"
        }
        for key in ConfigurationKey.allCases {
            let name = key.name.split(separator: ".").last ?? ""
            #expect(
                example.contains("\n#\(name): ") || example.contains("\n\(name): ")
                    || example.contains("\n#  \(name): "), "\(key.name)")
        }
        let files = try TemporaryFiles()
        let path = try files.write(text, to: "x.yaml")
        let configuration = try ServiceConfiguration.load(flags: [:], environment: [:], filePath: path)
        let defaults = try ServiceConfiguration.load(
            flags: ["dataDir": configuration.dataDir, "rootKeyFile": configuration.rootKeyFile], environment: [:],
            filePath: nil)
        var expected = defaults
        expected.adminSocket = configuration.adminSocket
        expected.mirrorDir = configuration.mirrorDir
        expected.backupDir = "/var/backups/coldvault"
        #expect(configuration == expected)
    }
}
