// SPDX-License-Identifier: Apache-2.0

import Configuration

/// Flags over environment over file over the data directory's own defaults: finds the text of a key and remembers where it came from.
struct ConfigurationLayers {
    /// A value as text, and the words that tell a person where it was written.
    struct Found {
        let text: String
        let origin: String
    }

    private let flags: any ConfigSnapshot
    private let environment: any ConfigSnapshot
    private let file: (any ConfigSnapshot)?
    private let filePath: String?
    private let directoryDefaults: any ConfigSnapshot

    /// - Parameters:
    ///   - flags: by key name.
    ///   - environment: the process's variables; an empty one counts as not set.
    init(
        flags: [String: String], environment: [String: String], file: ConfigurationFile?, filePath: String?,
        directoryDefaults: [String: String] = [:]
    ) {
        self.flags = Self.snapshot(of: flags, name: "flags")
        self.directoryDefaults = Self.snapshot(of: directoryDefaults, name: "data directory")
        let prefix = ConfigurationKey.environmentPrefix
        let ours = environment.filter { $0.key.hasPrefix(prefix) && !$0.value.isEmpty }
        self.environment = EnvironmentVariablesProvider(environmentVariables: ours).snapshot()
        self.file = file?.snapshot
        self.filePath = filePath
    }

    private static func snapshot(of texts: [String: String], name: String) -> any ConfigSnapshot {
        let values = texts.map {
            (AbsoluteConfigKey($0.key.dotComponents), ConfigValue(.string($0.value), isSecret: false))
        }
        return InMemoryProvider(name: name, values: Dictionary(values) { _, later in later }).snapshot()
    }

    /// The text of the highest layer that has the key; nil when none has.
    func find(_ key: ConfigurationKey) throws(ConfigurationProblem) -> Found? {
        if let found = try find(key, in: flags, path: key.name.dotComponents, origin: "flag \(key.flagName)") {
            return found
        }
        let environmentPath = ["coldvault"] + key.name.dotComponents
        let variable = "environment variable \(key.environmentName)"
        if let found = try find(key, in: environment, path: environmentPath, origin: variable) {
            return found
        }
        if let file, let filePath,
            let found = try find(key, in: file, path: key.name.dotComponents, origin: filePath)
        {
            return found
        }
        return try find(key, in: directoryDefaults, path: key.name.dotComponents, origin: "the data directory")
    }

    private func find(
        _ key: ConfigurationKey, in snapshot: any ConfigSnapshot, path: [String], origin: String
    ) throws(ConfigurationProblem) -> Found? {
        // A JSON number or boolean is not a string to the library; each type that may stand for the text is tried.
        let types: [ConfigType] =
            if key.isList { [.stringArray, .string] } else if key.isBoolean { [.string, .bool] } else {
                [.string, .int, .double]
            }
        for type in types {
            let value: ConfigValue?
            do {
                value = try snapshot.value(forKey: AbsoluteConfigKey(path), type: type).value
            } catch {
                continue  // Not of this type: the next one may fit.
            }
            guard let value else { return nil }
            return Found(text: Self.text(value.content), origin: origin)
        }
        throw ConfigurationProblem(
            key: key.name, origin: origin, reason: key.isList ? "is not a list of texts" : "is not a single value",
            remedy: "Write \(key.accepts).")
    }

    private static func text(_ content: ConfigContent) -> String {
        switch content {
        case .string(let text): text
        case .int(let number): String(number)
        case .double(let number): String(number)
        case .bool(let flag): String(flag)
        case .stringArray(let items): items.joined(separator: ",")
        default: ""
        }
    }
}

extension String {
    fileprivate var dotComponents: [String] { split(separator: ".").map(String.init) }
}
