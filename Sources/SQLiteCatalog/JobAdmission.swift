// SPDX-License-Identifier: Apache-2.0

import GRDB
import Storage
import VaultModel

/// How the bounds on a new job are judged, in the transaction that inserts it.
extension JobAdmission {
    /// What there is already when the job does not fit the quota beside it; nil when it fits or is not under the quota.
    func bytesInTheWay(of job: JobRow, in database: Database) throws -> UInt64? {
        guard let quota, job.action == .archiveRetrieval, job.tier == RetrievalTier.standard.rawValue else {
            return nil
        }
        let present: UInt64
        let limit: UInt64
        switch quota {
        case .unfinished(let maxBytes):
            limit = maxBytes
            present = try sum(Pages.unfinishedBytes, [job.account.digits, region.code], in: database)
        case .since(let moment, let maxBytes):
            limit = maxBytes
            present = try sum(Pages.bytesSince, [job.account.digits, region.code, moment.sql], in: database)
        }
        let (total, overflow) = present.addingReportingOverflow(job.range?.count ?? 0)
        return overflow || total > limit ? present : nil
    }

    func isProvisioned(_ job: JobRow, in database: Database) throws -> Bool {
        guard let capacity, job.action == .archiveRetrieval, job.tier == RetrievalTier.expedited.rawValue else {
            return false
        }
        let provisioned = try database.all(
            Pages.provisionedSince, [job.account.digits, region.code, capacity.since.sql, pageLimit(capacity.max)],
            from: "jobs"
        ) { try $0.integer() }
        return provisioned.count < capacity.max
    }

    /// Adds up the two halves of a sum of lengths; more than 64 bits count as all of them.
    private func sum(_ query: String, _ values: [SQLValue], in database: Database) throws -> UInt64 {
        let halves = try database.one(query, values, from: "jobs") { (upper: try $0.count(), lower: try $0.count()) }
        guard let halves else { return 0 }
        let (total, overflow) = halves.upper.multipliedReportingOverflow(by: 1 << 32)
        let (sum, carry) = total.addingReportingOverflow(halves.lower)
        return overflow || carry ? .max : sum
    }
}
