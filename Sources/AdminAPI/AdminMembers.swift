// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Messaging
import VaultEngine
import VaultModel

/// The members of a request by their types. Every method throws `VaultError` naming the member that is missing or
/// wrong.
struct AdminMembers {
    private let object: JSONValue

    init(_ object: JSONValue) { self.object = object }

    func value(_ name: String) -> JSONValue? { object[name] }

    // MARK: texts and numbers

    func optionalText(_ name: String) throws(VaultError) -> String? {
        guard let value = object[name], !value.isNull else { return nil }
        guard let text = value.stringValue else { throw VaultError(.invalidParameter, "\(name) must be a string.") }
        return text
    }

    /// Nil when it is absent or null.
    func optional(_ name: String) -> JSONValue? {
        guard let value = object[name], !value.isNull else { return nil }
        return value
    }

    func text(_ name: String) throws(VaultError) -> String {
        guard let text = try optionalText(name) else { throw VaultError(.missingParameter, "\(name) is missing.") }
        return text
    }

    func absolutePath(_ name: String) throws(VaultError) -> String {
        let path = try text(name)
        guard path.hasPrefix("/"), !path.utf8.contains(0), path.utf8.count <= 4096 else {
            throw VaultError(.invalidParameter, "\(name) must be an absolute path.")
        }
        return path
    }

    func active() throws(VaultError) -> Bool { try truth("active") }

    func seconds() throws(VaultError) -> Int64 {
        guard let seconds = object["seconds"]?.integerValue, seconds > 0 else {
            throw VaultError(.invalidParameter, "seconds must be a positive whole number.")
        }
        return seconds
    }

    private func truth(_ name: String) throws(VaultError) -> Bool {
        guard let value = object[name]?.boolValue else {
            throw VaultError(.invalidParameter, "\(name) must be true or false.")
        }
        return value
    }

    private func member(_ name: String) throws(VaultError) -> AdminMembers {
        guard let value = object[name], value.objectValue != nil else {
            throw VaultError(.missingParameter, "\(name) must be an object.")
        }
        return AdminMembers(value)
    }

    // MARK: who and where

    func optionalAccount(_ name: String) throws(VaultError) -> AccountID? {
        guard let text = try optionalText(name) else { return nil }
        guard let account = AccountID(text) else {
            throw VaultError(.invalidParameter, "\(name) must be twelve digits.")
        }
        return account
    }

    func account() throws(VaultError) -> AccountID {
        guard let account = try optionalAccount("accountId") else {
            throw VaultError(.missingParameter, "accountId is missing.")
        }
        return account
    }

    func optionalUser() throws(VaultError) -> UserName? {
        guard let text = try optionalText("user") else { return nil }
        guard let user = UserName(text) else {
            throw VaultError(
                .invalidParameter, "user is not a user name: 1 to 64 characters out of A-Z, a-z, 0-9 and + = , . @ _ -."
            )
        }
        return user
    }

    func user() throws(VaultError) -> UserName {
        guard let user = try optionalUser() else { throw VaultError(.missingParameter, "user is missing.") }
        return user
    }

    func principal() throws(VaultError) -> Principal {
        Principal(account: try account(), user: try optionalUser())
    }

    func region() throws(VaultError) -> Region {
        guard let region = Region(try text("region")) else {
            throw VaultError(.invalidParameter, "region is not a region code.")
        }
        return region
    }

    func location() throws(VaultError) -> VaultLocation {
        let region = try region()
        guard let name = VaultName(try text("vault")) else {
            throw VaultError(.invalidParameter, "vault is not a vault name.")
        }
        return VaultLocation(account: try account(), region: region, name: name)
    }

    func optionalVault(_ name: String) throws(VaultError) -> VaultLocation? {
        guard let value = object[name], !value.isNull else { return nil }
        return try member(name).location()
    }

    // MARK: policies

    func question() throws(VaultError) -> AccessQuestion {
        let name = try text("action")
        guard let action = VaultAction(rawValue: name) else {
            throw VaultError(.invalidParameter, "action is none of the operations: \(name.prefix(64))")
        }
        return AccessQuestion(
            principal: try member("principal").principal(), action: action, target: try member("target").accessTarget(),
            sessionPolicy: try optionalText("policy"), sourceAddress: try optionalText("sourceIp"),
            isSecure: try truth("secure"), userAgent: try optionalText("userAgent"))
    }

    private func accessTarget() throws(VaultError) -> AccessTarget {
        guard try optionalText("vault") != nil else { return .account(try account(), try region()) }
        guard let archive = try optionalText("archiveId") else { return .vault(try location()) }
        return .archive(try location(), id: archive)
    }

    // MARK: topics

    func topic() throws(VaultError) -> TopicARN {
        guard let topic = TopicARN(try text("topic")) else {
            throw VaultError(.invalidParameter, "topic is not an ARN of the form arn:aws:sns:REGION:ACCOUNT:NAME.")
        }
        return topic
    }

    func target() throws(VaultError) -> TopicTarget {
        let target = try member("target")
        let targets = [
            try target.optionalText("webhook").map { TopicTarget.webhook(url: $0) },
            try target.optionalText("directory").map { TopicTarget.directory(path: $0) }, try target.command(),
        ].compactMap { $0 }
        guard targets.count == 1 else {
            throw VaultError(.invalidParameter, "target must have one member: webhook, directory or command.")
        }
        return targets[0]
    }

    private func command() throws(VaultError) -> TopicTarget? {
        guard let value = object["command"], !value.isNull else { return nil }
        let arguments = (value.arrayValue ?? []).compactMap(\.stringValue)
        guard !arguments.isEmpty, arguments.count == value.arrayValue?.count else {
            throw VaultError(.invalidParameter, "command must be an array of strings, the executable first.")
        }
        return .command(arguments: arguments)
    }

    func optionalMessage(_ name: String) throws(VaultError) -> MessageUID? {
        guard let text = try optionalText(name) else { return nil }
        guard let message = MessageUID(hex: text) else {
            throw VaultError(.invalidParameter, "\(name) must be a message id of 32 hexadecimal digits.")
        }
        return message
    }

    func message() throws(VaultError) -> MessageUID {
        guard let message = try optionalMessage("messageId") else {
            throw VaultError(.missingParameter, "messageId is missing.")
        }
        return message
    }
}
