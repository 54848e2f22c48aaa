// SPDX-License-Identifier: Apache-2.0

/// Runs numbered pieces of work, a few at a time.
enum ParallelWork {
    /// Runs `work` for each of `items`, in order, at most `width` at once. The first error cancels what runs and is
    /// thrown when all of it has ended.
    static func run(_ items: [Int], width: Int, _ work: @escaping @Sendable (Int) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var next = items.makeIterator()
            for _ in 0..<max(width, 1) {
                guard let item = next.next() else { break }
                group.addTask { try await work(item) }
            }
            while try await group.next() != nil {
                guard let item = next.next() else { continue }
                group.addTask { try await work(item) }
            }
        }
    }
}
