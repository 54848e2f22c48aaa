// SPDX-License-Identifier: Apache-2.0

public import Storage
public import Testing

/// One thing that every catalog must do, as a body that any adapter's tests can run on a fresh, empty catalog.
///
///     @Test(arguments: CatalogLaw.all) func holds(_ law: CatalogLaw) async throws {
///         try await law.check { try await openEmptyCatalog() }
///     }
public struct CatalogLaw: Sendable, CustomTestStringConvertible {
    /// What is true.
    public let name: String
    private let body: @Sendable (any Catalog) async throws -> Void

    init(_ name: String, _ body: @Sendable @escaping (any Catalog) async throws -> Void) {
        self.name = name
        self.body = body
    }

    public var testDescription: String { name }

    /// Runs the law on what `make` returns and closes that afterwards.
    public func check(on make: @Sendable () async throws -> any Catalog) async throws {
        let catalog = try await make()
        do {
            try await body(catalog)
        } catch {
            await catalog.close()
            throw error
        }
        await catalog.close()
    }

    /// Every law there is.
    public static let all: [CatalogLaw] =
        accounts + members + vaults + vaultDeletions + archives + archivePurges + uploads + parts + jobs + admissions
        + jobLeases + jobOutcomes
        + outbox + service + models + outboxModels + audits + keys + scrubs
}
