// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import VaultClient

@Suite struct INIDocumentTests {
    @Test func sectionsKeysCommentsAndNestedKeysAreRead() throws {
        let document = try INIDocument(
            parsing: """
                # comment
                [default]
                region = us-east-1   ; why
                Endpoint_URL=http://a#b
                [profile "two  words"]
                s3 =
                  addressing_style = path
                  region = nested
                region = eu-west-1

                [services  dev]
                glacier =
                    endpoint_url = http://here:1
                [default]
                output = json
                """, origin: "test")
        #expect(document.sections["default"]?["region"]?.value == "us-east-1")
        #expect(document.sections["default"]?["endpoint_url"]?.value == "http://a#b")
        #expect(document.sections["default"]?["output"]?.value == "json")
        #expect(
            document.sections["profile two  words"]?["s3"]?.nested == ["addressing_style": "path", "region": "nested"])
        #expect(document.sections["profile two  words"]?["region"]?.value == "eu-west-1")
        #expect(document.sections["services dev"]?["glacier"]?.nested["endpoint_url"] == "http://here:1")
    }

    @Test(arguments: ["[open", "key = value", "[a]\nno equals"])
    func brokenFilesAreRefusedWithTheLine(text: String) {
        let error = #expect(throws: ClientError.self) { try INIDocument(parsing: text, origin: "the file") }
        #expect(error?.message.contains("the file, line") == true)
    }

    @Test func theSizeIsLimited() throws {
        let line = "[a]\n" + String(repeating: "#", count: INIDocument.maxBytes - 4)
        _ = try INIDocument(parsing: line, origin: "test")
        #expect(throws: ClientError.self) { try INIDocument(parsing: line + "#", origin: "test") }
    }
}

@Suite struct ClientSettingsTests {
    private static let keys = ["AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "secret-of-env"]

    private func resolve(
        _ flags: ClientFlags = .init(), environment: [String: String] = [:], config: String? = nil,
        credentials: String? = nil
    ) throws(ClientError) -> ClientSettings {
        let files = ["/home/me/.aws/config": config, "/home/me/.aws/credentials": credentials]
        return try ClientSettings.resolve(
            flags: flags, environment: environment.merging(["HOME": "/home/me"]) { given, _ in given },
            readFile: { path throws(ClientError) in files[path] ?? nil })
    }

    @Test func flagsComeBeforeTheEnvironmentBeforeTheProfile() throws {
        let config = "[default]\nregion = from-profile\nendpoint_url = http://profile"
        var environment = Self.keys
        #expect(try resolve(environment: environment, config: config).region == "from-profile")
        environment["AWS_DEFAULT_REGION"] = "from-default"
        #expect(try resolve(environment: environment, config: config).region == "from-default")
        environment["AWS_REGION"] = "from-env"
        #expect(try resolve(environment: environment, config: config).region == "from-env")
        #expect(try resolve(.init(region: "from-flag"), environment: environment, config: config).region == "from-flag")
    }

    @Test func theEndpointOfTheServiceComesBeforeTheGeneralOne() throws {
        let config =
            "[default]\nregion = r\nendpoint_url = http://profile\nservices = s\n[services s]\nglacier =\n  "
            + "endpoint_url = http://service"
        var environment = Self.keys
        #expect(try resolve(environment: environment, config: config).endpoint.host == "service")
        environment["AWS_ENDPOINT_URL"] = "http://general"
        #expect(try resolve(environment: environment, config: config).endpoint.host == "general")
        environment["AWS_ENDPOINT_URL_GLACIER"] = "http://glacier"
        #expect(try resolve(environment: environment, config: config).endpoint.host == "glacier")
        environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
        #expect(try resolve(environment: environment, config: config).endpoint.host == "glacier.r.amazonaws.com")
        #expect(
            try resolve(.init(endpointURL: "https://flag"), environment: environment, config: config).endpoint.host
                == "flag")
    }

    @Test func keysOfTheEnvironmentWinUnlessAProfileIsNamedOnTheCommandLine() throws {
        let credentials =
            "[default]\naws_access_key_id = AKDEF\naws_secret_access_key = x\n[two]\naws_access_key_id = "
            + "AKTWO\naws_secret_access_key = y"
        let environment = Self.keys.merging(["AWS_REGION": "r", "AWS_PROFILE": "two"]) { old, _ in old }
        #expect(try resolve(environment: environment, credentials: credentials).credentials.accessKeyID == "AKENV")
        #expect(
            try resolve(.init(profile: "two"), environment: environment, credentials: credentials).credentials
                .accessKeyID == "AKTWO")
        #expect(
            try resolve(environment: ["AWS_REGION": "r", "AWS_PROFILE": "two"], credentials: credentials).credentials
                .accessKeyID
                == "AKTWO")
    }

    @Test func halfAKeyPairIsAnErrorAndNotAGap() {
        let error = #expect(throws: ClientError.self) {
            try resolve(
                environment: ["AWS_REGION": "r", "AWS_ACCESS_KEY_ID": "AK"],
                credentials: "[default]\naws_access_key_id = AKDEF\naws_secret_access_key = x")
        }
        #expect(error?.kind == .access)
    }

    @Test func mechanismsThatAreNotSupportedAreNamedWithAWayOut() {
        let error = #expect(throws: ClientError.self) {
            try resolve(environment: ["AWS_REGION": "r"], config: "[default]\nsso_session = work")
        }
        #expect(error?.message.contains("sso_session") == true)
        #expect(error?.remedy?.contains("export-credentials") == true)
    }

    @Test func aMissingProfileOrRegionAndABadAccountAreUsageErrors() {
        for flags in [
            ClientFlags(region: "r", profile: "absent"), ClientFlags(), ClientFlags(region: "r", accountID: "12"),
        ] {
            let error = #expect(throws: ClientError.self) { try resolve(flags, environment: Self.keys) }
            #expect(error?.kind == .usage)
        }
    }

    @Test func noSecretShowsInADescription() throws {
        let settings = try resolve(.init(region: "r"), environment: Self.keys)
        #expect(!String(describing: settings).contains("secret-of-env"))
        #expect(!String(reflecting: settings.credentials).contains("secret-of-env"))
    }

    @Test func endpointsAreTakenApart() throws {
        let endpoint = try Endpoint(parsing: "HTTPS://Vault.Example:8443/base/")
        #expect(endpoint.description == "https://vault.example:8443/base")
        #expect(try Endpoint(parsing: "http://h:80").authority == "h")
        #expect(try Endpoint(parsing: "http://[::1]:8080").authority == "[::1]:8080")
        for text in [
            "", "localhost", "ftp://h", "http://", "http://h:0", "http://h:x", "http://u@h", "http://h?q", "http://h h",
        ] {
            #expect(throws: ClientError.self) { try Endpoint(parsing: text) }
        }
    }
}
