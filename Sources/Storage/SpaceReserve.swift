// SPDX-License-Identifier: Apache-2.0

/// Room set aside on the medium in advance, for the hour when somebody else has filled it to the last byte: without it nothing could be
/// deleted, since a deletion must be written down before it counts.
public protocol SpaceReserve: Sendable {
    /// Gives the room back to the medium. False when there is none (any more).
    func release() async -> Bool
    /// Sets the room aside again, once the medium holds it and more. Does nothing while it is there, or while there is no room for it.
    func restore() async
}
