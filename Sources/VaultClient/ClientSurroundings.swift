// SPDX-License-Identifier: Apache-2.0

/// Time, chance and a place for remarks, given from outside so that tests need neither a clock nor luck.
public struct ClientSurroundings: Sendable {
    /// Wall clock in seconds since 1970; only for signatures.
    public var secondsSince1970: @Sendable () -> Int64
    /// Waits; throws `CancellationError` when the task is cancelled meanwhile.
    public var pause: @Sendable (Duration) async throws -> Void
    /// Uniform in 0..<1; only for retry pauses.
    public var chance: @Sendable () -> Double
    /// Remarks for the person: retries, resumptions. Never a secret.
    public var remark: @Sendable (String) -> Void

    /// Surroundings made of these four; see the properties.
    public init(
        secondsSince1970: @escaping @Sendable () -> Int64,
        pause: @escaping @Sendable (Duration) async throws -> Void,
        chance: @escaping @Sendable () -> Double,
        remark: @escaping @Sendable (String) -> Void
    ) {
        self.secondsSince1970 = secondsSince1970
        self.pause = pause
        self.chance = chance
        self.remark = remark
    }
}

/// Receives how far a transfer has come. Called from several tasks at once; must not block.
public protocol TransferProgress: Sendable {
    /// A transfer of `totalBytes` begins.
    func begin(_ activity: String, totalBytes: UInt64)
    /// `bytes` more are done; negative when a part has to be sent again.
    func advance(by bytes: Int64)
    /// The transfer is over, well or not.
    func end()
}
