// SPDX-License-Identifier: Apache-2.0

import Execution

/// Runs a connection's requests on `executor`: all that the engine does for them in between its waits, children and guaranteed commits
/// included. What works long or blocks leaves it for the compute and disk pools.
public func withRequestExecutor<R>(_ executor: any TaskExecutor, _ body: () async throws -> R) async rethrows -> R {
    try await withTaskExecutor(executor, body)
}
