// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import VaultModel

extension VaultEngine {
    /// Takes a refused request into the audit log, folded and bounded like every denial. Returns at once.
    public func noteRefusal(_ request: RefusedRequest) {
        denials.increment()
        denialDesk.note(request, at: clock.now())
    }
}
