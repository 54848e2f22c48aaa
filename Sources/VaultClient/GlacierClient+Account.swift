// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON
import NIOHTTP1

/// How much an account lets itself retrieve: the data retrieval policy.
public enum RetrievalAllowance: Sendable, Hashable {
    /// No limit.
    case none
    /// What the service gives away.
    case freeTier
    /// Bytes per hour, from 1.
    case bytesPerHour(UInt64)

    /// The strategy's name in the API.
    public var strategy: String {
        switch self {
        case .none: "None"
        case .freeTier: "FreeTier"
        case .bytesPerHour: "BytesPerHour"
        }
    }

    /// The one rule of the policy document.
    public var rule: JSONValue {
        guard case .bytesPerHour(let bytes) = self else { return ["Strategy": .string(strategy)] }
        return ["BytesPerHour": .integer(Int64(clamping: bytes)), "Strategy": .string(strategy)]
    }

    /// The first rule of a policy document; there is never more than one.
    init(_ document: WireDocument) throws(ClientError) {
        let rule = document.value["Policy"]?["Rules"]?[0]
        switch rule?["Strategy"]?.stringValue {
        // Nobody has set a policy: the same as no limit.
        case nil where rule == nil, "None": self = .none
        case "FreeTier": self = .freeTier
        case "BytesPerHour":
            guard let bytes = rule?["BytesPerHour"]?.integerValue, bytes > 0 else {
                throw Missing.member("BytesPerHour", of: "data retrieval policy")
            }
            self = .bytesPerHour(UInt64(bytes))
        default: throw Missing.member("Strategy", of: "data retrieval policy")
        }
    }
}

/// A unit of provisioned capacity as ListProvisionedCapacity tells it.
public struct CapacityDescription: Sendable, Hashable {
    /// All members as on the wire.
    public let document: WireDocument
    /// The unit's id.
    public let id: String
    /// ISO 8601, as the service wrote it.
    public let start: String
    /// ISO 8601, as the service wrote it.
    public let expiration: String

    init(_ document: WireDocument) throws(ClientError) {
        guard let id = document.string("CapacityId") else { throw Missing.member("CapacityId", of: "capacity list") }
        self.document = document
        self.id = id
        start = document.string("StartDate") ?? ""
        expiration = document.string("ExpirationDate") ?? ""
    }
}

extension GlacierClient {
    private static let retrievalPolicyPath = ["policies", "data-retrieval"]

    /// SetDataRetrievalPolicy: for the account and the region; jobs that run already are not affected.
    public func setDataRetrievalPolicy(_ allowance: RetrievalAllowance) async throws {
        var call = GlacierCall(operation: "SetDataRetrievalPolicy", method: "PUT", path: Self.retrievalPolicyPath)
        call.carry(["Policy": ["Rules": [allowance.rule]]])
        _ = try await perform(call)
    }

    /// GetDataRetrievalPolicy, with the document of the service.
    public func dataRetrievalPolicy() async throws -> (allowance: RetrievalAllowance, document: WireDocument) {
        let call = GlacierCall(operation: "GetDataRetrievalPolicy", method: "GET", path: Self.retrievalPolicyPath)
        let document = try await document(call)
        return (try RetrievalAllowance(document), document)
    }

    /// PurchaseProvisionedCapacity: one unit for a calendar month. Returns its id.
    ///
    /// Not repeated when its outcome is unknown, because a second unit could be the result.
    public func purchaseCapacity() async throws -> String {
        var call = GlacierCall(
            operation: "PurchaseProvisionedCapacity", method: "POST", path: ["provisioned-capacity"])
        call.mayRepeat = false
        guard let id = try await perform(call).first(name: "x-amz-capacity-id"), !id.isEmpty else {
            throw Missing.member("x-amz-capacity-id", of: "answer to \(call.operation)")
        }
        return id
    }

    /// ListProvisionedCapacity.
    public func provisionedCapacity() async throws -> [CapacityDescription] {
        let call = GlacierCall(operation: "ListProvisionedCapacity", method: "GET", path: ["provisioned-capacity"])
        return try await document(call).documents("ProvisionedCapacityList").map { try CapacityDescription($0) }
    }
}
