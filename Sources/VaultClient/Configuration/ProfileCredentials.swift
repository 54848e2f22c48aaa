// SPDX-License-Identifier: Apache-2.0

/// The static keys of the selected profile, credentials file before config file.
struct ProfileCredentials: CredentialSource {
    let profile: SharedProfile

    func credentials() throws(ClientError) -> AccessCredentials? {
        if let found = try profile.staticCredentials() { return found }
        guard let mechanism = profile.unsupportedMechanism else { return nil }
        throw ClientError(
            .access,
            "Profile '\(profile.name)' obtains its credentials by '\(mechanism)', which this client does not do "
                + "itself.",
            remedy: "Let the AWS CLI do it: eval \"$(aws configure export-credentials --format env)\", then try again.")
    }
}
