// SPDX-License-Identifier: Apache-2.0

import Storage
import VaultModel

extension VaultEngine {
    /// What a job's completion must tell to whom: one message for the job's own topic and one for the vault's, each once. To be
    /// committed with the completion.
    func completionMessages(for job: JobRow, _ column: JobColumn, in vault: VaultRow) throws(VaultError) -> [OutboxRow] {
        []
    }
}
