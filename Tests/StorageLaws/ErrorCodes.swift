// SPDX-License-Identifier: Apache-2.0

public import Storage
public import Testing

/// Expects `body` to throw a ``StorageError`` with exactly this code.
public func expectCode<R>(
    _ code: StorageError.Code, _ what: @autoclosure () -> String = "",
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> R
) async {
    do {
        _ = try await body()
        Issue.record("expected \(code), but nothing was thrown \(what())", sourceLocation: sourceLocation)
    } catch let error as StorageError {
        #expect(error.code == code, "\(error) \(what())", sourceLocation: sourceLocation)
    } catch {
        Issue.record("expected \(code), but \(error) was thrown \(what())", sourceLocation: sourceLocation)
    }
}
