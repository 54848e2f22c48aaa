// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Runs `body` with the path of a new empty directory that is removed afterwards.
public func withTemporaryDirectory<R>(in parent: String? = nil, _ body: (String) async throws -> R) async throws -> R {
    let base = parent.map { URL(fileURLWithPath: $0, isDirectory: true) } ?? FileManager.default.temporaryDirectory
    let path = base.appendingPathComponent("coldvault-test-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    // What a failing test leaves in a temporary directory hurts nobody.
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}
