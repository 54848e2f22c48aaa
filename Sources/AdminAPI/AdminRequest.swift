// SPDX-License-Identifier: Apache-2.0

public import CanonicalJSON
public import VaultModel

/// One thing an operator asks of the running service.
///
/// On the wire: `POST /v1/<verb>` with a JSON object, over the admin socket. Both ends use this type, so they cannot
/// disagree.
public enum AdminRequest: Sendable, Hashable {
    /// With a random number when none is given. Answer: the account's first access key, the only time its secret is
    /// shown.
    case createAccount(AccountID?)
    /// Up to ``accountsPerPage`` accounts with greater numbers than `after`.
    case listAccounts(after: AccountID?)
    case setAccount(AccountID, active: Bool)
    /// Answer: the key with its secret, shown this once.
    case createAccessKey(AccountID)
    case listAccessKeys(AccountID)
    case setAccessKey(String, active: Bool)
    case deleteAccessKey(String)
    case listKeys
    case rotateMasterKey
    case rotateVaultKey(VaultLocation)
    /// Into an existing directory of the service's machine, named by its absolute path.
    case createBackup(directory: String)
    /// `lz4`, `none`, or nil for the service's default.
    case setVaultCompression(VaultLocation, String?)

    public static let accountsPerPage = 1000
    static let pathPrefix = "/v1/"

    /// The last segment of the path.
    public var verb: String {
        switch self {
        case .createAccount: "create-account"
        case .listAccounts: "list-accounts"
        case .setAccount: "set-account"
        case .createAccessKey: "create-access-key"
        case .listAccessKeys: "list-access-keys"
        case .setAccessKey: "set-access-key"
        case .deleteAccessKey: "delete-access-key"
        case .listKeys: "list-keys"
        case .rotateMasterKey: "rotate-master-key"
        case .rotateVaultKey: "rotate-vault-key"
        case .createBackup: "create-backup"
        case .setVaultCompression: "set-vault-compression"
        }
    }

    /// The JSON object that goes with the verb.
    public var body: JSONValue {
        switch self {
        case .createAccount(let account): ["accountId": .text(account?.digits)]
        case .listAccounts(let after): ["after": .text(after?.digits)]
        case .setAccount(let account, let active): ["accountId": .string(account.digits), "active": .bool(active)]
        case .createAccessKey(let account), .listAccessKeys(let account): ["accountId": .string(account.digits)]
        case .setAccessKey(let key, let active): ["accessKeyId": .string(key), "active": .bool(active)]
        case .deleteAccessKey(let key): ["accessKeyId": .string(key)]
        case .listKeys, .rotateMasterKey: [:]
        case .rotateVaultKey(let location): .object(Self.members(location))
        case .createBackup(let directory): ["directory": .string(directory)]
        case .setVaultCompression(let location, let compression):
            .object(Self.members(location).merging(["compression": .text(compression)]) { first, _ in first })
        }
    }

    /// Reads what ``verb`` and ``body`` write.
    /// - Throws: `VaultError` naming the member that is missing or wrong.
    public init(verb: String, body: JSONValue) throws(VaultError) {
        let members = AdminMembers(body)
        switch verb {
        case "create-account": self = .createAccount(try members.optionalAccount("accountId"))
        case "list-accounts": self = .listAccounts(after: try members.optionalAccount("after"))
        case "set-account": self = .setAccount(try members.account(), active: try members.active())
        case "create-access-key": self = .createAccessKey(try members.account())
        case "list-access-keys": self = .listAccessKeys(try members.account())
        case "set-access-key": self = .setAccessKey(try members.text("accessKeyId"), active: try members.active())
        case "delete-access-key": self = .deleteAccessKey(try members.text("accessKeyId"))
        case "list-keys": self = .listKeys
        case "rotate-master-key": self = .rotateMasterKey
        case "rotate-vault-key": self = .rotateVaultKey(try members.location())
        case "create-backup":
            let directory = try members.text("directory")
            guard directory.hasPrefix("/"), !directory.utf8.contains(0), directory.utf8.count <= 4096 else {
                throw VaultError(.invalidParameter, "directory must be an absolute path.")
            }
            self = .createBackup(directory: directory)
        case "set-vault-compression":
            let compression = try members.optionalText("compression")
            guard compression == nil || compression == "lz4" || compression == "none" else {
                throw VaultError(.invalidParameter, "compression must be lz4, none or null.")
            }
            self = .setVaultCompression(try members.location(), compression)
        default: throw VaultError(.notFound, "There is no such administrative request: \(verb)")
        }
    }

    private static func members(_ location: VaultLocation) -> [String: JSONValue] {
        [
            "accountId": .string(location.account.digits), "region": .string(location.region.code),
            "vault": .string(location.name.text),
        ]
    }
}

/// The members of a request by their types.
private struct AdminMembers {
    private let object: JSONValue

    init(_ object: JSONValue) { self.object = object }

    func optionalText(_ name: String) throws(VaultError) -> String? {
        guard let value = object[name], !value.isNull else { return nil }
        guard let text = value.stringValue else { throw VaultError(.invalidParameter, "\(name) must be a string.") }
        return text
    }

    func text(_ name: String) throws(VaultError) -> String {
        guard let text = try optionalText(name) else { throw VaultError(.missingParameter, "\(name) is missing.") }
        return text
    }

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

    func active() throws(VaultError) -> Bool {
        guard let active = object["active"]?.boolValue else {
            throw VaultError(.invalidParameter, "active must be true or false.")
        }
        return active
    }

    func location() throws(VaultError) -> VaultLocation {
        guard let region = Region(try text("region")) else {
            throw VaultError(.invalidParameter, "region is not a region code.")
        }
        guard let name = VaultName(try text("vault")) else {
            throw VaultError(.invalidParameter, "vault is not a vault name.")
        }
        return VaultLocation(account: try account(), region: region, name: name)
    }
}

extension JSONValue {
    /// A string, or null.
    static func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }

    static func count(_ value: UInt64) -> JSONValue { .integer(Int64(clamping: value)) }
}
