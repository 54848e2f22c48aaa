// SPDX-License-Identifier: Apache-2.0

public import VaultModel

/// Where the messages of a topic go. Only operators make targets; no request of a client names one.
public enum TopicTarget: Hashable, Sendable {
    /// `http://` or `https://`; the message is posted as the field's notification envelope with our signature header.
    case webhook(url: String)
    /// An absolute directory on the service's machine: each message becomes one file, durable, renamed into place.
    case directory(path: String)
    /// An absolute executable and its arguments; the envelope arrives on standard input, and exit status 0 means taken.
    case command(arguments: [String])
}

/// A message ready for delivery.
public struct TopicMessage: Hashable, Sendable {
    /// Stable over all attempts.
    public let id: MessageUID
    public let topic: TopicARN
    public let subject: String
    /// The documented job document, as text.
    public let body: String
    /// When the event happened.
    public let created: Timestamp

    public init(id: MessageUID, topic: TopicARN, subject: String, body: String, created: Timestamp) {
        self.id = id
        self.topic = topic
        self.subject = subject
        self.body = body
        self.created = created
    }
}

/// Why a message was not taken.
public struct DeliveryFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What happened, for the operator; never a secret nor a body.
    public let reason: String
    /// Whether another attempt makes sense.
    public let isTransient: Bool

    public init(_ reason: String, isTransient: Bool) {
        self.reason = reason
        self.isTransient = isTransient
    }

    public var description: String { reason }
}

/// Delivers messages. Laws:
///  1. Returning means that the target has taken the message; throwing that it is not known to have. A message may
///     arrive more than once.
///  2. A delivery ends within a bounded time, whatever the target does, and holds a bounded amount of memory.
///  3. It goes to the target given and nowhere else: redirects are not followed.
///  4. Nothing blocks the caller's executor. Cancellation ends a delivery soon.
public protocol MessageTransport: Sendable {
    /// - Parameter secret: the topic's signing secret, 32 bytes.
    func deliver(_ message: TopicMessage, to target: TopicTarget, secret: [UInt8]) async throws(DeliveryFailure)
    /// Whether `target` can be delivered to, as far as this machine can tell without sending anything: a directory that
    /// is there, an executable that may be run. Throws what is wrong with it.
    func check(_ target: TopicTarget) async throws(DeliveryFailure)
}
