// SPDX-License-Identifier: Apache-2.0

import Cryptography
public import Storage
import VaultModel

/// A chain without a key, for tests of what a catalog does with chains: easy to compute, and different for every input.
public struct TestAuditChain: AuditChain {
    public init() {}

    public func head(after head: AuditHead, appending draft: AuditDraft) -> AuditHead {
        let sequence = head.sequence + 1
        var number: [UInt8] = []
        for shift in stride(from: 56, through: 0, by: -8) { number.append(UInt8(truncatingIfNeeded: sequence >> UInt64(shift))) }
        return AuditHead(
            sequence: sequence, link: SHA256Hasher.hash(head.link + number + draft.digest).bytes,
            tag: SHA256Hasher.hash(head.tag + number + draft.uid.bytes + draft.sealed.bytes).bytes)
    }
}

extension CatalogFixtures {
    mutating func draft(_ time: Int64 = 1) -> AuditDraft {
        AuditDraft(uid: choices.uid(), time: Self.time(time), sealed: sealed(9), digest: choices.bytes(32))
    }

    mutating func entries(_ count: Int = 1) -> AuditEntries {
        AuditEntries((0..<count).map { draft(Int64($0)) }, chain: TestAuditChain())
    }
}
