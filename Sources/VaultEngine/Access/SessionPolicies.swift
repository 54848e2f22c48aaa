// SPDX-License-Identifier: Apache-2.0

import AccessPolicy
import Synchronization
import VaultModel

/// Session policies parsed once; a session sends many requests. Bounded: emptied when it is full. Found by their bytes: two texts that
/// look the same, with letters composed differently, are two policies.
final class SessionPolicies: Sendable {
    static let capacity = 256
    private let documents = Mutex<[[UInt8]: PolicyDocument]>([:])

    /// The document of a text that was accepted when the session was made.
    func document(_ text: String) throws(VaultError) -> PolicyDocument {
        let bytes = Array(text.utf8)
        if let known = documents.withLock({ $0[bytes] }) { return known }
        do throws(PolicyError) {
            let document = try PolicyDocument.stored(text, as: .session)
            documents.withLock { documents in
                if documents.count >= Self.capacity { documents.removeAll(keepingCapacity: true) }
                documents[bytes] = document
            }
            return document
        } catch {
            throw VaultError(.integrity, "The session's policy cannot be read. Create a new session.", cause: error)
        }
    }
}
