// SPDX-License-Identifier: Apache-2.0

/// One named profile out of the two shared files of the AWS tools, `~/.aws/config` and `~/.aws/credentials`.
struct SharedProfile: Sendable {
    let name: String
    /// Whether either file has such a section.
    let exists: Bool
    private let config: [String: INIDocument.Entry]
    private let credentials: [String: INIDocument.Entry]
    private let services: [String: INIDocument.Entry]

    /// - Parameters:
    ///   - config: `~/.aws/config`, where profiles other than `default` are `[profile NAME]`.
    ///   - credentials: `~/.aws/credentials`, where every profile is `[NAME]`.
    init(named name: String, config: INIDocument?, credentials: INIDocument?) {
        self.name = name
        let inConfig =
            config?.sections["profile \(name)"] ?? (name == "default" ? config?.sections["default"] : nil)
        let inCredentials = credentials?.sections[name]
        self.exists = inConfig != nil || inCredentials != nil
        self.config = inConfig ?? [:]
        self.credentials = inCredentials ?? [:]
        let servicesName = inConfig?["services"]?.value ?? ""
        self.services = servicesName.isEmpty ? [:] : config?.sections["services \(servicesName)"] ?? [:]
    }

    /// A setting of the profile; the credentials file wins, as in the AWS tools.
    subscript(key: String) -> String? {
        let value = credentials[key]?.value ?? config[key]?.value
        return value?.isEmpty == false ? value : nil
    }

    /// A setting of the Glacier client alone, from the profile's `services` section.
    func glacierSetting(_ key: String) -> String? {
        let value = services["glacier"]?.nested[key]
        return value?.isEmpty == false ? value : nil
    }

    /// The static key pair of the credentials file, or else of the config file; a half pair is an error, not a gap.
    ///
    /// - Throws: ``ClientError`` of kind `access`.
    func staticCredentials() throws(ClientError) -> AccessCredentials? {
        for (values, file) in [(credentials, "credentials file"), (config, "config file")] {
            let keyID = values["aws_access_key_id"]?.value ?? ""
            let secret = values["aws_secret_access_key"]?.value ?? ""
            if keyID.isEmpty, secret.isEmpty { continue }
            guard !keyID.isEmpty, !secret.isEmpty else {
                throw ClientError(
                    .access, "Profile '\(name)' of the \(file) has only half of a key pair.",
                    remedy: "It needs both aws_access_key_id and aws_secret_access_key.")
            }
            let token = values["aws_session_token"]?.value ?? ""
            return AccessCredentials(
                accessKeyID: keyID, secret: secret, sessionToken: token.isEmpty ? nil : token,
                origin: "profile '\(name)' of the \(file)")
        }
        return nil
    }

    /// Ways of obtaining credentials that the AWS tools know and this client does not, found in the profile.
    var unsupportedMechanism: String? {
        ["credential_process", "role_arn", "sso_session", "sso_start_url", "credential_source", "login_session"]
            .first { self[$0] != nil }
    }
}
