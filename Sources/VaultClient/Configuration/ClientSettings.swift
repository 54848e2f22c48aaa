// SPDX-License-Identifier: Apache-2.0

/// What the command line says about the connection; nil means "find it where the AWS tools find it".
public struct ClientFlags: Sendable {
    /// `--endpoint-url`.
    public var endpointURL: String?
    /// `--region`.
    public var region: String?
    /// `--profile`.
    public var profile: String?
    /// `--account-id`: twelve digits or `-`.
    public var accountID: String?
    /// `--ca-bundle`.
    public var caBundlePath: String?

    /// Flags; what is left out is looked for elsewhere.
    public init(
        endpointURL: String? = nil, region: String? = nil, profile: String? = nil, accountID: String? = nil,
        caBundlePath: String? = nil
    ) {
        self.endpointURL = endpointURL
        self.region = region
        self.profile = profile
        self.accountID = accountID
        self.caBundlePath = caBundlePath
    }
}

/// Everything a request needs besides itself: where to, as whom, in which region. Found in the order of the AWS tools:
/// flag, environment, profile, default.
public struct ClientSettings: Sendable {
    /// Where requests go.
    public let endpoint: Endpoint
    /// What requests are signed for.
    public let region: String
    /// Twelve digits, or `-` for the account of the credentials.
    public let accountID: String
    /// PEM file of the certificate authorities to trust instead of the system's.
    public let caBundlePath: String?
    /// What requests are signed with.
    public let credentials: AccessCredentials

    /// Settings that are known already, for programs that do not look for them.
    public init(
        endpoint: Endpoint, region: String, accountID: String = "-", caBundlePath: String? = nil,
        credentials: AccessCredentials
    ) {
        self.endpoint = endpoint
        self.region = region
        self.accountID = accountID
        self.caBundlePath = caBundlePath
        self.credentials = credentials
    }

    /// Resolves all settings.
    ///
    /// - Parameters:
    ///   - environment: the process environment.
    ///   - readFile: the text of a file, nil when there is none; throws when it cannot be read.
    /// - Throws: ``ClientError`` of kind `usage` (settings) or `access` (credentials).
    public static func resolve(
        flags: ClientFlags, environment: [String: String], readFile: (String) throws(ClientError) -> String?
    ) throws(ClientError) -> ClientSettings {
        let profile = try profile(flags: flags, environment: environment, readFile: readFile)
        func setting(_ names: String...) -> String? {
            for name in names {
                if let value = environment[name], !value.isEmpty { return value }
            }
            return nil
        }
        let region = flags.region ?? setting("AWS_REGION", "AWS_DEFAULT_REGION") ?? profile["region"]
        guard let region, isRegionName(region) else {
            throw ClientError(
                .usage, region.map { "'\($0)' is not a region name." } ?? "No region is set.",
                remedy:
                    "Use --region, AWS_REGION, or 'region' in ~/.aws/config; a self-hosted service says which "
                    + "it accepts."
            )
        }
        let configured = endpointURL(flags: flags, environment: environment, profile: profile)
        let endpoint =
            if let configured { try Endpoint(parsing: configured) } else { try Endpoint.amazon(region: region) }
        let accountID = flags.accountID ?? "-"
        guard accountID == "-" || accountID.utf8.count == 12 && accountID.utf8.allSatisfy({ (48...57).contains($0) })
        else {
            throw ClientError(
                .usage, "'\(accountID)' is not an account id.",
                remedy: "Use twelve digits, or - for the account of the credentials.")
        }
        let chain = CredentialChain(
            environment: environment, profile: profile, profileIsExplicit: flags.profile != nil)
        return ClientSettings(
            endpoint: endpoint, region: region, accountID: accountID,
            caBundlePath: flags.caBundlePath ?? setting("AWS_CA_BUNDLE") ?? profile["ca_bundle"],
            credentials: try chain.resolve())
    }

    private static func profile(
        flags: ClientFlags, environment: [String: String], readFile: (String) throws(ClientError) -> String?
    ) throws(ClientError) -> SharedProfile {
        func document(_ variable: String, _ standard: String) throws(ClientError) -> INIDocument? {
            let home = environment["HOME"] ?? ""
            var path = environment[variable].flatMap { $0.isEmpty ? nil : $0 } ?? "~/.aws/\(standard)"
            if path.hasPrefix("~/") {
                guard !home.isEmpty else { return nil }
                path = home + path.dropFirst()
            }
            guard let text = try readFile(path) else { return nil }
            return try INIDocument(parsing: text, origin: path)
        }
        let fromEnvironment = environment["AWS_PROFILE"] ?? environment["AWS_DEFAULT_PROFILE"] ?? ""
        let wanted = flags.profile ?? (fromEnvironment.isEmpty ? nil : fromEnvironment)
        let profile = SharedProfile(
            named: wanted ?? "default",
            config: try document("AWS_CONFIG_FILE", "config"),
            credentials: try document("AWS_SHARED_CREDENTIALS_FILE", "credentials"))
        if let wanted, !profile.exists {
            throw ClientError(
                .usage, "There is no profile '\(wanted)'.",
                remedy: "Profiles are sections of ~/.aws/credentials and ~/.aws/config.")
        }
        return profile
    }

    /// The documented order of the AWS tools: service-specific before general, environment before profile.
    private static func endpointURL(
        flags: ClientFlags, environment: [String: String], profile: SharedProfile
    ) -> String? {
        if let url = flags.endpointURL { return url }
        let ignore =
            environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] ?? profile["ignore_configured_endpoint_urls"] ?? ""
        if ignore.lowercased() == "true" { return nil }
        for url in [
            environment["AWS_ENDPOINT_URL_GLACIER"], environment["AWS_ENDPOINT_URL"],
            profile.glacierSetting("endpoint_url"), profile["endpoint_url"],
        ] {
            if let url, !url.isEmpty { return url }
        }
        return nil
    }

    private static func isRegionName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || (65...90).contains($0)
            }
    }
}
