// SPDX-License-Identifier: Apache-2.0

/// The executor that ``withTaskExecutor(_:_:)`` chose, for the one unstructured task (``withCompletionGuaranteed(_:)``), which does not
/// inherit the preference as children do.
enum ChosenExecutor {
    @TaskLocal static var current: (any TaskExecutor)?
}

/// Runs `body`, its children and what it guarantees to complete on `executor`, wherever nothing else is said.
public func withTaskExecutor<R>(_ executor: any TaskExecutor, _ body: () async throws -> R) async rethrows -> R {
    try await ChosenExecutor.$current.withValue(executor) {
        try await withTaskExecutorPreference(executor) { try await body() }
    }
}
