// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// One pass over all keys that collects problems instead of stopping at the first.
struct ConfigurationReading {
    private(set) var problems: [ConfigurationProblem] = []
    private let layers: ConfigurationLayers

    /// A Unix socket's path has 108 bytes in the kernel's interface, the last of them zero.
    static let maxSocketPathBytes = 107

    init(layers: ConfigurationLayers) {
        self.layers = layers
    }

    /// The key's value, or its default when nothing is set or what is set is wrong (then a problem is noted).
    mutating func value<Value>(
        _ key: ConfigurationKey, _ parse: (String) throws(InvalidValue) -> Value
    ) -> Value {
        if let found = find(key) {
            do throws(InvalidValue) {
                let text = found.text.trimmingSpaces
                if text.isEmpty { throw InvalidValue("is empty", remedy: "Leave it out, or write \(key.accepts).") }
                return try parse(text)
            } catch {
                note(key, found, error)
            }
        }
        do {
            return try parse(key.defaultText ?? "")
        } catch {
            preconditionFailure("the default of \(key.name) \(error)")
        }
    }

    mutating func duration(_ key: ConfigurationKey, in bounds: ClosedRange<Duration>) -> Duration {
        value(key) { text throws(InvalidValue) in try DurationText.parse(text, in: bounds) }
    }

    mutating func size(_ key: ConfigurationKey, in bounds: ClosedRange<Int>) -> Int {
        value(key) { text throws(InvalidValue) in try ByteSizeText.parse(text, in: bounds) }
    }

    mutating func count(_ key: ConfigurationKey, in bounds: ClosedRange<Int>) -> Int {
        value(key) { text throws(InvalidValue) in
            guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int(text), bounds.contains(count)
            else {
                throw InvalidValue(
                    "is not a whole number within bounds",
                    remedy: "Write a number from \(bounds.lowerBound) to \(bounds.upperBound).")
            }
            return count
        }
    }

    mutating func boolean(_ key: ConfigurationKey) -> Bool {
        value(key) { text throws(InvalidValue) in
            switch text.lowercased() {
            case "true", "yes", "on": return true
            case "false", "no", "off": return false
            default: throw InvalidValue("is neither true nor false", remedy: "Write true or false.")
            }
        }
    }

    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(_ key: ConfigurationKey) -> Choice {
        value(key) { text throws(InvalidValue) in
            if let choice = Choice(rawValue: text) { return choice }
            let names = Choice.allCases.map(\.rawValue)
            throw InvalidValue("is none of the choices", remedy: "Write one of \(names.joined(separator: ", ")).")
        }
    }

    /// A path without a default; nil when nothing is set, or when it is wrong.
    mutating func path(_ key: ConfigurationKey, isRequired: Bool) -> String? {
        guard let found = find(key) else {
            if isRequired, !hasProblem(with: key) {
                problems.append(
                    ConfigurationProblem(
                        key: key.name, reason: "is not set",
                        remedy:
                            "Give \(key.flagName), set \(key.environmentName), or write it into the configuration file."
                    ))
            }
            return nil
        }
        guard !found.text.isEmpty, !found.text.utf8.contains(0) else {
            note(key, found, InvalidValue("is not a path", remedy: "Write the path of a file or directory."))
            return nil
        }
        return found.text
    }

    /// As ``path(_:isRequired:)``; the file must exist and be readable now.
    mutating func readableFile(_ key: ConfigurationKey) -> String? {
        guard let path = path(key, isRequired: false) else { return nil }
        var isDirectory = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
        guard exists, !isDirectory, FileManager.default.isReadableFile(atPath: path) else {
            report(
                key, reason: exists ? "is not a file that can be read" : "does not exist",
                remedy: "Check the path, and that the service's user may read the file.")
            return nil
        }
        return path
    }

    mutating func socketPath(_ key: ConfigurationKey, defaultIn directory: String?) -> String {
        let chosen = path(key, isRequired: false)
        guard let path = chosen ?? directory.map({ $0.hasSuffix("/") ? $0 + "admin.sock" : $0 + "/admin.sock" }) else {
            return ""
        }
        if path.utf8.count > Self.maxSocketPathBytes {
            problems.append(
                ConfigurationProblem(
                    key: key.name, value: path, origin: chosen == nil ? "default in dataDir" : nil,
                    reason: "is longer than the \(Self.maxSocketPathBytes) bytes that a Unix socket's path may have",
                    remedy: "Set \(key.name) to a shorter path, for example below /run."))
        }
        return path
    }

    /// Certificate and key come together or not at all.
    mutating func pair(certificate: String?, privateKey: String?) -> ServiceConfiguration.TLSFiles? {
        if let certificate, let privateKey {
            return ServiceConfiguration.TLSFiles(certificate: certificate, privateKey: privateKey)
        }
        if !hasProblem(with: .tlsCertificate, .tlsPrivateKey), (certificate == nil) != (privateKey == nil) {
            let missing: ConfigurationKey = certificate == nil ? .tlsCertificate : .tlsPrivateKey
            let given: ConfigurationKey = certificate == nil ? .tlsPrivateKey : .tlsCertificate
            report(missing, reason: "is not set although \(given.name) is", remedy: "Set both for HTTPS, or neither.")
        }
        return nil
    }

    func hasProblem(with keys: ConfigurationKey...) -> Bool {
        problems.contains { problem in keys.contains { $0.name == problem.key } }
    }

    /// Notes a problem with the key as it is set now.
    mutating func report(_ key: ConfigurationKey, reason: String, remedy: String) {
        let found = hasProblem(with: key) ? nil : find(key)
        problems.append(
            ConfigurationProblem(
                key: key.name, value: key.mayShowValue ? found?.text : nil, origin: found?.origin, reason: reason,
                remedy: remedy))
    }

    private mutating func note(_ key: ConfigurationKey, _ found: ConfigurationLayers.Found, _ why: InvalidValue) {
        problems.append(
            ConfigurationProblem(
                key: key.name, value: key.mayShowValue ? found.text : nil, origin: found.origin, reason: why.reason,
                remedy: why.remedy))
    }

    private mutating func find(_ key: ConfigurationKey) -> ConfigurationLayers.Found? {
        do {
            return try layers.find(key)
        } catch {
            problems.append(error)
            return nil
        }
    }
}
