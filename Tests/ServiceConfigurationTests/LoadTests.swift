// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import ServiceConfiguration

struct LoadTests {
    let required = ["dataDir": "/srv/vault", "rootKeyFile": "/etc/coldvault/root.key"]
    let files: TemporaryFiles

    init() throws {
        files = try TemporaryFiles()
    }

    private func problems(
        flags: [String: String] = [:], environment: [String: String] = [:], file: String? = nil
    ) -> [ConfigurationProblem] {
        do throws(ConfigurationErrors) {
            let all = required.merging(flags) { _, new in new }
            _ = try ServiceConfiguration.load(flags: all, environment: environment, filePath: file)
            return []
        } catch {
            return error.problems
        }
    }

    @Test func theDefaultsAreTheDocumentedOnes() throws {
        let configuration = try ServiceConfiguration.load(flags: required, environment: [:], filePath: nil)
        let expected = ServiceConfiguration(
            dataDir: "/srv/vault", rootKeyFile: "/etc/coldvault/root.key",
            listen: try ListenAddress(parsing: "127.0.0.1:8080"),
            operatorListen: try ListenAddress(parsing: "127.0.0.1:9090"), adminSocket: "/srv/vault/admin.sock",
            tls: nil,
            allowPlainHTTP: false, regions: ["us-east-1"], retrievalDelay: RetrievalDelay(),
            retrievalQuotaMode: .refuse, freeTierMonthlyBytes: 10 << 30,
            outputRetention: .seconds(86_400),
            deletionGrace: .seconds(86_400), masterKeyRotation: .seconds(90 * 86_400), keyDestructionWait: .seconds(604_800),
            uploadExpiry: .seconds(604_800), compression: .lz4, outputMode: .inPlace,
            memoryBudgetBytes: 134_217_728, maxConnections: 1024, maxConnectionsPerAddress: 256,
            maxRequestsPerAccount: 256, requestRatePerAccount: 0, jobs: 4, minimumBodyRate: 1024,
            bodyRateGrace: .seconds(20),
            bodyStallTimeout: .seconds(30), shutdownGrace: .seconds(15), spaceReserveBytes: 268_435_456,
            scrubBytesPerSecond: 33_554_432, scrubCpuPercent: 10, scrubPeriodDays: 30, mirrorDir: nil, mirrorFailure: .proceed,
            logLevel: .info,
            notices: [])
        #expect(configuration == expected)
    }

    @Test func flagsWinOverTheEnvironmentWhichWinsOverTheFile() throws {
        let file = try files.write("jobs: 1\nmaxConnections: 1\nlogLevel: debug\n", to: "c.yaml")
        let configuration = try ServiceConfiguration.load(
            flags: required.merging(["jobs": "3"]) { _, new in new },
            environment: [
                "COLDVAULT_JOBS": "2", "COLDVAULT_MAX_CONNECTIONS": "2", "COLDVAULT_LOG_LEVEL": "", "JOBS": "9",
            ],
            filePath: file)
        #expect(configuration.jobs == 3)
        #expect(configuration.maxConnections == 2)
        #expect(configuration.logLevel == .debug)
    }

    @Test func whatTheDataDirectorySaysIsBelowTheFileAndAboveTheDefault() throws {
        let directory = ["regions": "eu-central-1", "jobs": "2"]
        let file = try files.write("jobs: 1\n", to: "c.yaml")
        let configuration = try ServiceConfiguration.load(
            flags: required, environment: [:], filePath: file, directoryDefaults: directory)
        #expect(configuration.regions == ["eu-central-1"])
        #expect(configuration.jobs == 1)
    }

    @Test(arguments: ["c.yaml", "c.yml", "c.conf"])
    func everyKeyCanComeFromYAML(name: String) throws {
        let certificate = try files.write("x", to: "cert.pem")
        let file = try files.write(
            """
            # comment
            dataDir: /data
            rootKeyFile: /key
            listen: "[::]:443"
            operatorListen: off
            allowRemoteOperator: false
            adminSocket: /run/coldvault.sock
            tls:
              certificate: \(certificate)
              privateKey: \(certificate)
            allowPlainHTTP: true
            regions: [eu-west-1, us-east-1]
            retrievalDelay: expedited=1s,standard=2s,bulk=3s
            outputRetention: 1s
            deletionGrace: 0
            uploadExpiry: 1d
            compression: none
            outputMode: staged
            memoryBudget: 48MiB
            maxConnections: 7
            maxConnectionsPerAddress: 0
            maxRequestsPerAccount: 3
            requestRatePerAccount: 100
            jobs: 64
            minimumBodyRate: 0
            bodyRateGrace: 5s
            bodyStallTimeout: 6s
            shutdownGrace: 1m
            spaceReserve: 1024
            retrievalQuotaMode: queue
            freeTierMonthlyBytes: 5GiB
            scrubBytesPerSecond: 0
            scrubCpuPercent: 100
            scrubPeriodDays: 7
            mirrorDir: /mirror
            mirrorFailure: refuse
            logLevel: trace
            """, to: name)
        let configuration = try ServiceConfiguration.load(flags: [:], environment: [:], filePath: file)
        let expected = ServiceConfiguration(
            dataDir: "/data", rootKeyFile: "/key", listen: try ListenAddress(parsing: "[::]:443"), operatorListen: nil,
            adminSocket: "/run/coldvault.sock", tls: .init(certificate: certificate, privateKey: certificate),
            allowPlainHTTP: true, regions: ["eu-west-1", "us-east-1"],
            retrievalDelay: RetrievalDelay(expedited: .seconds(1), standard: .seconds(2), bulk: .seconds(3)),
            retrievalQuotaMode: .queue, freeTierMonthlyBytes: 5 << 30, outputRetention: .seconds(1), deletionGrace: .zero,
            masterKeyRotation: .seconds(90 * 86_400), keyDestructionWait: .seconds(604_800), uploadExpiry: .seconds(86_400),
            compression: .none, outputMode: .staged, memoryBudgetBytes: 50_331_648, maxConnections: 7,
            maxConnectionsPerAddress: 0, maxRequestsPerAccount: 3, requestRatePerAccount: 100, jobs: 64, minimumBodyRate: 0,
            bodyRateGrace: .seconds(5), bodyStallTimeout: .seconds(6), shutdownGrace: .seconds(60),
            spaceReserveBytes: 1024, scrubBytesPerSecond: 0, scrubCpuPercent: 100, scrubPeriodDays: 7, mirrorDir: "/mirror",
            mirrorFailure: .refuse,
            logLevel: .trace, notices: [])
        #expect(configuration == expected)
    }

    @Test(arguments: ["c.json", "c.conf"])
    func jsonHasNumbersBooleansListsAndSections(name: String) throws {
        let file = try files.write(
            #"""
            {"dataDir": "/data", "rootKeyFile": "/key", "listen": "0.0.0.0:80", "allowPlainHTTP": true, "jobs": 8,
             "spaceReserve": 5000000000, "regions": ["a-1", "b-2"], "deletionGrace": 0, "compression": "none"}
            """#, to: name)
        let configuration = try ServiceConfiguration.load(flags: [:], environment: [:], filePath: file)
        #expect(configuration.allowPlainHTTP)
        #expect(configuration.jobs == 8)
        #expect(configuration.spaceReserveBytes == 5_000_000_000)
        #expect(configuration.regions == ["a-1", "b-2"])
        #expect(configuration.deletionGrace == .zero)
        #expect(configuration.compression == .none)
    }

    @Test func everyKeyHasAnEnvironmentVariable() throws {
        let certificate = try files.write("x", to: "cert.pem")
        var environment: [String: String] = [:]
        for key in ConfigurationKey.allCases {
            environment[key.environmentName] = key.defaultText
        }
        environment["COLDVAULT_DATA_DIR"] = "/d"
        environment["COLDVAULT_ROOT_KEY_FILE"] = "/k"
        environment["COLDVAULT_ADMIN_SOCKET"] = "/s"
        environment["COLDVAULT_TLS_CERTIFICATE"] = certificate
        environment["COLDVAULT_TLS_PRIVATE_KEY"] = certificate
        environment["COLDVAULT_ALLOW_PLAIN_HTTP"] = "yes"
        environment["COLDVAULT_REGIONS"] = "a-1,b-2"
        let configuration = try ServiceConfiguration.load(flags: [:], environment: environment, filePath: nil)
        #expect(configuration.dataDir == "/d")
        #expect(configuration.tls?.privateKey == certificate)
        #expect(configuration.allowPlainHTTP)
        #expect(configuration.regions == ["a-1", "b-2"])
        #expect(configuration.notices == [])
        // Each variable is really read: a wrong value in any of them is a problem that names it.
        for key in ConfigurationKey.allCases where key.defaultText != nil {
            let found = problems(environment: [key.environmentName: "?"])
            #expect(found.map(\.key) == [key.name])
            #expect(found.first?.origin == "environment variable \(key.environmentName)")
        }
    }

    @Test func allProblemsAreReportedAtOnceWithKeyValueOriginAndRemedy() throws {
        let file = try files.write("memoryBudget: 47MiB\nregoins: [x]\n", to: "c.yaml")
        do throws(ConfigurationErrors) {
            _ = try ServiceConfiguration.load(
                flags: ["listen": "nowhere", "dataDir": "/d"], environment: ["COLDVAULT_JOBS": "65"], filePath: file)
            Issue.record("the configuration was accepted")
        } catch {
            #expect(error.problems.map(\.key) == ["rootKeyFile", "listen", "memoryBudget", "jobs", "regoins"])
            let text = error.description
            #expect(
                text.hasPrefix("The configuration has 5 problems:\n  - rootKeyFile: is not set. Give --root-key-file, ")
            )
            #expect(text.contains("\n  - listen: \"nowhere\" (flag --listen) has no port. Write HOST:PORT, "))
            #expect(
                text.contains(
                    "\n  - memoryBudget: \"47MiB\" (\(file)) is out of bounds. Write a size from 48MiB to 64GiB."))
            #expect(
                text.contains("\n  - jobs: \"65\" (environment variable COLDVAULT_JOBS) is not a whole number within"))
            #expect(text.contains("\n  - regoins: (\(file)) is not a key. Did you mean regions?"))
        }
    }

    @Test func unknownKeysInTheFileAreErrorsAndTheirValuesAreNotShown() throws {
        let file = try files.write(
            #"{"secretAccessKey": "hunter2", "tls": {"certifcate": "hunter2"}, "jobs": {"count": 4}}"#, to: "c.json")
        let found = problems(file: file)
        #expect(found.map(\.key) == ["jobs.count", "secretAccessKey", "tls.certifcate"])
        #expect(found[2].remedy.hasPrefix("Did you mean tls.certificate?"))
        #expect(!found.map(\.description).joined().contains("hunter2"))
    }

    @Test func aSectionWithoutMembersSaysSo() throws {
        let file = try files.write("tls:\n", to: "c.yaml")
        #expect(problems(file: file).first?.reason == "is a section, not a value")
    }

    @Test func aRootKeyIsNeverRepeated() {
        let found = problems(flags: ["rootKeyFile": "hunter2\u{0}"])
        #expect(found.map(\.key) == ["rootKeyFile"])
        #expect(!found.map(\.description).joined().contains("hunter2"))
    }

    @Test(arguments: ["", "# nothing\n\n---\n  # more\n"])
    func aFileWithoutValuesIsFine(text: String) throws {
        #expect(problems(file: try files.write(text, to: "c.yaml")).isEmpty)
    }

    @Test(arguments: [
        ("c.yaml", "a: [1\n"), ("c.yaml", "- a\n"), ("c.yaml", "jobs: 1\njobs: 2\n"), ("c.json", "{"), ("c.json", "[]"),
        ("c.yaml", "regions: [[a]]\n"),
    ])
    func aBrokenFileIsOneProblemThatNamesIt(name: String, text: String) throws {
        let file = try files.write(text, to: name)
        let found = problems(file: file)
        #expect(found.map(\.key) == ["configuration file"])
        #expect(found.first?.value == String(file.prefix(80)) || found.first?.value == String(file.prefix(80)) + "…")
    }

    @Test func nullInJSONIsAsIfTheKeyWereNotThere() throws {
        #expect(problems(file: try files.write("{\"jobs\": null}", to: "c.json")).isEmpty)
    }

    @Test func aFileThatIsMissingOrTooLargeIsAProblem() throws {
        #expect(problems(file: "/nonexistent/c.yaml").map(\.key) == ["configuration file"])
        let limit = ConfigurationFile.maxBytes
        let atLimit = try files.write(String(repeating: "#", count: limit), to: "a.yaml")
        #expect(problems(file: atLimit).isEmpty)
        let above = try files.write(String(repeating: "#", count: limit + 1), to: "b.yaml")
        #expect(problems(file: above).first?.reason == "is larger than 1MiB")
    }

    @Test func aListWhereAValueBelongsIsAProblemOfThatKey() throws {
        let found = problems(file: try files.write("jobs: [1, 2]\n", to: "c.yaml"))
        #expect(found.map(\.key) == ["jobs"])
        #expect(found.first?.reason == "is not a single value")
    }

    @Test func plainHTTPOnAReachableAddressIsRefusedUnlessAllowed() throws {
        #expect(problems(flags: ["listen": "0.0.0.0:8080"]).map(\.key) == ["listen"])
        #expect(problems(flags: ["listen": "vault.example.org:8080"]).map(\.key) == ["listen"])
        #expect(problems(flags: ["listen": "[::1]:8080"]).isEmpty)
        #expect(problems(flags: ["listen": "0.0.0.0:8080", "allowPlainHTTP": "true"]).isEmpty)
        let pem = try files.write("x", to: "c.pem")
        #expect(problems(flags: ["listen": "0.0.0.0:8080", "tls.certificate": pem, "tls.privateKey": pem]).isEmpty)
    }

    @Test func certificateAndKeyComeTogetherAndMustBeReadableFiles() throws {
        let pem = try files.write("x", to: "c.pem")
        #expect(problems(flags: ["tls.certificate": pem]).map(\.key) == ["tls.privateKey"])
        #expect(problems(flags: ["tls.privateKey": pem]).map(\.key) == ["tls.certificate"])
        let missing = problems(flags: ["listen": "0.0.0.0:1", "tls.certificate": pem, "tls.privateKey": "/nonexistent"])
        #expect(missing.map(\.key) == ["tls.privateKey"])
        #expect(missing.first?.reason == "does not exist")
        let directory = problems(flags: ["tls.certificate": files.directory.path, "tls.privateKey": pem])
        #expect(directory.map(\.key) == ["tls.certificate"])
    }

    @Test func theOperatorListenerIsLocalUnlessAllowedAndNotTheAPIsAddress() {
        #expect(problems(flags: ["operatorListen": "0.0.0.0:9090"]).map(\.key) == ["operatorListen"])
        #expect(problems(flags: ["operatorListen": "0.0.0.0:9090", "allowRemoteOperator": "true"]).isEmpty)
        #expect(problems(flags: ["operatorListen": "127.0.0.1:8080"]).map(\.key) == ["operatorListen"])
        #expect(problems(flags: ["operatorListen": "127.0.0.1:0", "listen": "127.0.0.1:0"]).isEmpty)
        #expect(problems(flags: ["operatorListen": "off"]).isEmpty)
    }

    @Test func theAdminSocketsPathFitsIntoASocketAddress() throws {
        let fits = "/" + String(repeating: "d", count: 106 - "/admin.sock".count)
        #expect(problems(flags: ["dataDir": fits]).isEmpty)
        #expect(problems(flags: ["dataDir": fits + "d"]).map(\.key) == ["adminSocket"])
        #expect(problems(flags: ["dataDir": fits + "d", "adminSocket": "/run/a.sock"]).isEmpty)
    }

    @Test func unknownVariablesOfOursAreNoticesNotErrors() throws {
        let configuration = try ServiceConfiguration.load(
            flags: required, environment: ["COLDVAULT_LISTNE": "x", "COLDVAULT_QUICKSTART_DIR": "y", "PATH": "z"],
            filePath: nil)
        #expect(configuration.notices.count == 2)
        #expect(
            configuration.notices[0].contains("COLDVAULT_LISTNE")
                && configuration.notices[0].contains("COLDVAULT_LISTEN?"))
    }

    @Test func unknownFlagsAreErrors() {
        #expect(problems(flags: ["lisetn": "x"]).map(\.key) == ["lisetn"])
    }
}
