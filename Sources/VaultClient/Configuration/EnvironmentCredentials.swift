// SPDX-License-Identifier: Apache-2.0

/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
struct EnvironmentCredentials: CredentialSource {
    let environment: [String: String]

    func credentials() throws(ClientError) -> AccessCredentials? {
        let keyID = environment["AWS_ACCESS_KEY_ID"] ?? ""
        let secret = environment["AWS_SECRET_ACCESS_KEY"] ?? ""
        if keyID.isEmpty, secret.isEmpty { return nil }
        guard !keyID.isEmpty, !secret.isEmpty else {
            let missing = keyID.isEmpty ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY"
            throw ClientError(
                .access, "The environment has only half of a key pair: \(missing) is not set.",
                remedy: "Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither.")
        }
        let token = environment["AWS_SESSION_TOKEN"] ?? ""
        return AccessCredentials(
            accessKeyID: keyID, secret: secret, sessionToken: token.isEmpty ? nil : token, origin: "the environment")
    }
}
