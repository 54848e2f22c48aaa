// SPDX-License-Identifier: Apache-2.0

/// Names and labels as the Prometheus text format wants them.
enum MetricName {
    /// Longest label value kept, in characters; a value comes from code, so more is a mistake worth bounding.
    static let maxLabelValueCharacters = 128

    /// `http.server.request-duration` → `http_server_request_duration`, with `suffix` at the end unless it is there
    /// already.
    static func exposed(_ label: String, suffix: String = "") -> String {
        let name = sanitized(label, allowingColon: true)
        return name.hasSuffix(suffix) ? name : name + suffix
    }

    /// The label set as it stands between the metric's name and its value, for example `{method="GET",status="200"}`,
    /// or
    /// nothing. Sorted by name so that one set has one text; of two labels with one name the later wins.
    static func labels(_ dimensions: [(String, String)]) -> String {
        guard !dimensions.isEmpty else { return "" }
        var values: [String: String] = [:]
        for (name, value) in dimensions {
            values[labelName(name)] = value
        }
        let pairs = values.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(escapedValue($0.value))\"" }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    /// Adds `le` to a label set made by ``labels(_:)``.
    static func adding(bound: String, to labels: String) -> String {
        labels.isEmpty ? "{le=\"\(bound)\"}" : labels.dropLast() + ",le=\"\(bound)\"}"
    }

    static func escapedHelp(_ text: String) -> String {
        escaped(text, quote: false)
    }

    private static func labelName(_ name: String) -> String {
        let clean = sanitized(name, allowingColon: false)
        // Names with two underscores in front belong to Prometheus, `le` to the histogram.
        if clean.hasPrefix("__") { return "label" + clean }
        return clean == "le" ? "le_" : clean
    }

    private static func escapedValue(_ value: String) -> String {
        escaped(String(value.prefix(maxLabelValueCharacters)), quote: true)
    }

    private static func sanitized(_ text: String, allowingColon: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": result.unicodeScalars.append(scalar)
            case ":" where allowingColon: result.unicodeScalars.append(scalar)
            case "0"..."9":
                if result.isEmpty { result = "_" }
                result.unicodeScalars.append(scalar)
            default: result += "_"
            }
        }
        return result.isEmpty ? "_" : result
    }

    private static func escaped(_ text: String, quote: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += #"\\"#
            case "\n": result += #"\n"#
            case "\"" where quote: result += #"\""#
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
