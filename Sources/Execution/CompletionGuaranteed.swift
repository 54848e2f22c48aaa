// SPDX-License-Identifier: Apache-2.0

/// Runs `body` to its end even when the calling task is cancelled, and waits for it: for what must not stop half-way,
/// such as the commit of an archive whose client has gone, or giving up a half-written blob.
///
/// This is the one unstructured task of the code base. It is awaited here always, so nothing outlives its caller;
/// inside `body`, `Task.isCancelled` is false. Keep `body` short and bounded: shutdown waits for it.
/// It runs where ``withTaskExecutor(_:_:)`` has put its caller.
public func withCompletionGuaranteed<T: Sendable, E: Error>(
    _ body: @Sendable @escaping () async throws(E) -> T
) async throws(E) -> T {
    let task = Task(executorPreference: ChosenExecutor.current) { () -> Result<T, E> in
        do throws(E) {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }
    return try await task.value.get()
}
