// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import AccessPolicy
import Storage
public import VaultModel

/// Users of an account and their identity policies. A user may do only what a policy allows; the account's root may
/// do everything that no policy denies.
extension VaultEngine {
    /// Durable on return. The user has no key and no policy yet.
    public func createUser(_ account: AccountID, _ name: UserName) async throws(VaultError) {
        let now = clock.now()
        try await changeAccount(
            account, as: .account(account, "CreateUser", ["user": .string(name.text)])
        ) { state in
            guard !state.users.contains(where: { $0.name == name }) else {
                throw VaultError(
                    .invalidParameter, "Account \(account) has a user \(name) already. Choose another name.")
            }
            state.users.append(AccountState.User(name: name, state: .active, created: now, policies: [:]))
        }
    }

    /// In order of names.
    public func listUsers(_ account: AccountID) async throws(VaultError) -> [UserDescription] {
        try await vaultErrors("listing users") {
            try await accountState(account).users.map {
                UserDescription(
                    account: account, name: $0.name, isActive: $0.state == .active, created: $0.created,
                    policies: $0.policies.keys.sorted())
            }
        }
    }

    /// A disabled user's keys and sessions are refused at once.
    public func setUser(_ account: AccountID, _ name: UserName, active: Bool) async throws(VaultError) {
        try await changeAccount(
            account, as: .account(account, "SetUser", ["user": .string(name.text), "active": .bool(active)])
        ) { state in
            state.users[try state.index(of: name)].state = active ? .active : .disabled
        }
    }

    /// The user's keys and policies go with it, in one change; its sessions end.
    public func deleteUser(_ account: AccountID, _ name: UserName) async throws(VaultError) {
        try await changeAccount(
            account, as: .account(account, "DeleteUser", ["user": .string(name.text)])
        ) { state in
            state.users.remove(at: try state.index(of: name))
            state.accessKeys.removeAll { $0.user == name }
        }
    }

    // MARK: Identity policies

    /// Attaches a policy to a user, in place of the one of that name. Durable on return.
    /// - Parameter name: 1 to 128 characters out of `A-Z a-z 0-9 + = , . @ _ -`.
    public func putUserPolicy(
        _ account: AccountID, _ user: UserName, name: String, document: String
    ) async throws(VaultError) {
        guard Self.isPolicyName(name) else {
            throw VaultError(
                .invalidParameter, "A policy's name has 1 to 128 characters out of A-Z a-z 0-9 + = , . @ _ -")
        }
        try Self.check(document, as: .identity, maxBytes: Limits.maxIdentityPolicyBytes, called: "policy \(name)")
        try await changeAccount(
            account, as: .policy(account, "PutUserPolicy", user, name)
        ) { state in
            state.users[try state.index(of: user)].policies[name] = document
        }
    }

    /// Succeeds when there is none.
    public func deleteUserPolicy(_ account: AccountID, _ user: UserName, name: String) async throws(VaultError) {
        try await changeAccount(
            account, as: .policy(account, "DeleteUserPolicy", user, name)
        ) { state in
            state.users[try state.index(of: user)].policies[name] = nil
        }
    }

    /// By name, verbatim as they were put.
    public func userPolicies(_ account: AccountID, _ user: UserName) async throws(VaultError) -> [String: String] {
        try await vaultErrors("reading a user's policies") {
            let state = try await accountState(account)
            return state.users[try state.index(of: user)].policies
        }
    }

    /// The policies that say what a principal may do; none for a root, or for a user that is gone. One catalog
    /// read, whether the account exists or not.
    func identityPolicies(of principal: Principal) async throws -> [(name: String, document: PolicyDocument)] {
        guard let (account, user) = try await catalog.principal(principal), let user else { return [] }
        if let cached = identityPolicyCache.policies(of: principal, generation: account.generation) { return cached }
        var parsed: [(name: String, document: PolicyDocument)] = []
        for (name, text) in try policies(of: user).sorted(by: { $0.key < $1.key }) {
            do {
                parsed.append((name, try PolicyDocument.stored(text, as: .identity)))
            } catch {
                // What cannot be read cannot be obeyed: nothing is allowed to this user until an operator has put
                // it right.
                throw VaultError(
                    .integrity, "Policy \(name) of user \(user.name) cannot be read. The operator must put it again.",
                    cause: error)
            }
        }
        identityPolicyCache.remember(parsed, of: principal, generation: account.generation)
        return parsed
    }

    /// Refuses a policy that cannot be obeyed, naming the place.
    static func check(_ text: String, as kind: PolicyDocument.Kind, maxBytes: Int, called name: String)
        throws(VaultError)
    {
        do {
            _ = try PolicyDocument(parsing: text, as: kind, maxBytes: maxBytes)
        } catch {
            throw VaultError(.invalidParameter, "The \(name) is not valid: \(error)", cause: error)
        }
    }

    private static func isPolicyName(_ name: String) -> Bool {
        let marks = Array("+=,.@_-".utf8)
        return (1...128).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                    || marks.contains(byte)
            }
    }
}
