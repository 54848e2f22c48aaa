// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Logging
import Storage
import VaultModel

extension VaultEngine {
    /// What a job's completion must tell to whom: one message for the job's own topic and one for the vault's, each
    /// once. To be committed with the completion. Failed jobs are announced too. A topic need not exist: whether it
    /// does is seen at delivery.
    func completionMessages(for job: JobRow, _ column: JobColumn, in vault: VaultRow) throws(VaultError) -> [OutboxRow]
    {
        var topics: [TopicARN] = []
        if let text = column.snsTopic {
            if let topic = TopicARN(text) {
                topics.append(topic)
            } else {
                logger.warning(
                    "a job names no topic but another text; nobody is told", metadata: JobRunner.metadata(job))
            }
        }
        let event: VaultEvent =
            switch job.action {
            case .archiveRetrieval: .archiveRetrievalCompleted
            case .inventoryRetrieval: .inventoryRetrievalCompleted
            }
        if let notifications = vaultNotifications(of: vault, job), notifications.events.contains(event),
            !topics.contains(notifications.topic)
        {
            topics.append(notifications.topic)
        }
        guard !topics.isEmpty else { return [] }
        let message = MessageColumn(subject: event.rawValue, body: try document(of: job, in: vault))
        let created = job.completed ?? clock.now()
        var rows: [OutboxRow] = []
        for topic in topics {
            let id = MessageUID(at: created, random: random)
            rows.append(
                OutboxRow(
                    id: id, topic: topic, account: vault.location.account, job: job.uid, sequence: 0, created: created,
                    notBefore: created,
                    sealed: try keyring.sealUnderMaster(message, uid: id.bytes, random: random)))
        }
        return rows
    }

    /// Settings that cannot be read must not keep a job from ending: they silence the vault, and the operator hears of
    /// it.
    private func vaultNotifications(of vault: VaultRow, _ job: JobRow) -> VaultNotifications? {
        do throws(VaultError) {
            return try settings(of: vault).settings.notifications
        } catch {
            logger.error(
                "the notifications of a vault cannot be read; nobody is told of a job",
                metadata: JobRunner.metadata(job).merging(["vault": "\(vault.location.arn)", "error": "\(error)"]) {
                    $1
                })
            return nil
        }
    }

    private func document(of job: JobRow, in vault: VaultRow) throws(VaultError) -> String {
        do {
            return try describe(job, in: vault).document.canonicalString()
        } catch {
            throw .wrapping(error, "describing a finished job")
        }
    }
}
