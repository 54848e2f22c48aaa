// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import VaultClient

/// A policy document that a command is given.
struct PolicyFileOption: ParsableArguments {
    @Option(help: "File with the policy (JSON); - reads standard input.", completion: .file())
    var file: String

    /// Exactly as it is in the file, which is also how it is stored.
    func text() throws(ClientError) -> String { try PolicyFile.text(file) }
}

enum PolicyFile {
    /// No policy of any kind may be so large; the bound is for mistakes such as naming an archive.
    private static let maxBytes = 64 << 10

    /// - Throws: ``ClientError`` of kind `local` when it cannot be read, `usage` when it cannot be a policy.
    static func text(_ path: String) throws(ClientError) -> String {
        let name = path == "-" ? "Standard input" : "'\(path)'"
        let bytes: Data
        do {
            let handle = path == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(filePath: path))
            bytes = try handle.read(upToCount: maxBytes + 1) ?? Data()
        } catch {
            throw ClientError(
                .local, "\(name) cannot be read: \(error.localizedDescription)",
                remedy: "Check --file and its permissions.")
        }
        guard bytes.count <= maxBytes else {
            throw ClientError(.usage, "\(name) is larger than \(maxBytes) bytes, which no policy may be.")
        }
        guard let text = String(validating: bytes, as: UTF8.self), !text.isEmpty else {
            throw ClientError(
                .usage, "\(name) is \(bytes.isEmpty ? "empty" : "not UTF-8 text").",
                remedy: "A policy is a JSON document.")
        }
        return text
    }
}
