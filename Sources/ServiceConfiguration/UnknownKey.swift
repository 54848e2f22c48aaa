// SPDX-License-Identifier: Apache-2.0

/// What to say about names that no key has. Values of unknown keys are never repeated: they might be secrets.
enum UnknownKey {
    private static let reference = "Docs/Operations/Configuration.md lists all keys."

    /// An unknown key of a file or among the flags.
    static func problem(_ name: String, origin: String?) -> ConfigurationProblem {
        let members = ConfigurationKey.allCases.map(\.name).filter { $0.hasPrefix(name + ".") }
        guard members.isEmpty else {
            return ConfigurationProblem(
                key: name, origin: origin, reason: "is a section, not a value",
                remedy: "Write its members below it: \(members.joined(separator: ", ")).")
        }
        let nearest = NearestKey.suggestion(for: name, among: ConfigurationKey.allCases.map(\.name))
        return ConfigurationProblem(
            key: String(name.prefix(80)), origin: origin, reason: "is not a key",
            remedy: nearest.map { "Did you mean \($0)? " + reference } ?? "Remove it. " + reference)
    }

    /// Environment variables with our prefix that no key has. Not errors, since scripts around the service may use the
    /// prefix for themselves.
    static func notices(environment: [String: String]) -> [String] {
        let known = ConfigurationKey.allCases.map(\.environmentName)
        let unknown = environment.keys.filter {
            $0.hasPrefix(ConfigurationKey.environmentPrefix) && !known.contains($0)
        }
        return unknown.sorted().map { name in
            let nearest = NearestKey.suggestion(for: name, among: known)
            return "The environment variable \(name.prefix(80)) is not a setting of the service and has no effect."
                + (nearest.map { " Did you mean \($0)?" } ?? "")
        }
    }
}
