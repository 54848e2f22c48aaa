// SPDX-License-Identifier: Apache-2.0

/// Asks the sources in order; the first that has credentials wins, a broken one stops the search with its reason.
struct CredentialChain: Sendable {
    let sources: [any CredentialSource]

    /// The order of the AWS tools: the environment, then the profile; a profile named on the command line stands alone.
    init(environment: [String: String], profile: SharedProfile, profileIsExplicit: Bool) {
        var sources: [any CredentialSource] = [ProfileCredentials(profile: profile)]
        if !profileIsExplicit { sources.insert(EnvironmentCredentials(environment: environment), at: 0) }
        self.sources = sources
    }

    /// - Throws: ``ClientError`` of kind `access`.
    func resolve() throws(ClientError) -> AccessCredentials {
        for source in sources {
            if let found = try source.credentials() { return found }
        }
        throw ClientError(
            .access, "No credentials were found.",
            remedy:
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or put them into ~/.aws/credentials and "
                + "choose it with --profile."
        )
    }
}
