// SPDX-License-Identifier: Apache-2.0

/// What a server accepts of a signature before it looks at the secret: service, regions and clock.
///
/// Pure: the caller brings the time. The checks of one request: parse (`ParsedAuthentication`), look the access key up,
/// `check`, then `CheckedAuthentication.verify`.
public struct SignatureVerifier: Sendable {
    /// The service every scope must name.
    public let service: String
    /// The regions a scope may name.
    public let regions: Set<String>
    /// How far a request's clock may be off, either way; whole seconds.
    public let clockTolerance: Duration

    /// Rules for one endpoint; the tolerance of the real service is five minutes.
    public init(service: String = "glacier", regions: Set<String>, clockTolerance: Duration = .seconds(300)) {
        self.service = service
        self.regions = regions
        self.clockTolerance = clockTolerance
    }

    /// Checks scope and time of a parsed authentication.
    /// - Throws: `SignatureError.invalid` with the service's documented text.
    public func check(
        _ parsed: ParsedAuthentication, now: SignatureTimestamp
    ) throws(SignatureError) -> CheckedAuthentication {
        try checkScope(parsed)
        try checkTime(parsed, now)
        return CheckedAuthentication(parsed: parsed)
    }

    private func checkScope(_ parsed: ParsedAuthentication) throws(SignatureError) {
        var faults = ""
        if !regions.contains(parsed.scope.region) {
            faults += "Credential should be scoped to a valid region, not '\(parsed.scope.region)'. "
        }
        if parsed.scope.service != service {
            faults += "Credential should be scoped to correct service: '\(service)'. "
        }
        guard faults.isEmpty else { throw .invalid(faults) }
        guard parsed.scope.date == parsed.timestamp.date else {
            throw .invalid(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                    + "'\(parsed.scope.date)' != '\(parsed.timestamp.date)', from '\(parsed.timestamp)'.")
        }
    }

    private func checkTime(_ parsed: ParsedAuthentication, _ now: SignatureTimestamp) throws(SignatureError) {
        let tolerance = clockTolerance.components.seconds
        let latest = now.adding(seconds: tolerance)
        guard parsed.timestamp <= latest else {
            throw .invalid(
                "Signature not yet current: \(parsed.timestamp) is still later than \(latest) "
                    + "(\(now) + \(Self.span(tolerance)).)")
        }
        // A presigned request states its own life; a signed one lives as long as clocks may differ.
        let life = parsed.expiresSeconds ?? tolerance
        let earliest = now.adding(seconds: -life)
        guard parsed.timestamp >= earliest else {
            throw .invalid(
                "Signature expired: \(parsed.timestamp) is now earlier than \(earliest) "
                    + "(\(now) - \(Self.span(life)).)")
        }
    }

    private static func span(_ seconds: Int64) -> String {
        seconds.isMultiple(of: 60) ? "\(seconds / 60) min" : "\(seconds) sec"
    }
}
