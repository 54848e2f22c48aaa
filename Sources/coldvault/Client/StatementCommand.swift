// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import Cryptography
import Foundation
import SealedArchive
import VaultClient

/// `coldvault statement …`: asks nobody.
struct StatementCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "statement", abstract: "Verify documents that a service has signed: certificates, receipts, reports.",
        subcommands: [Verify.self])
}

extension StatementCommand {
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Verify a statement and show what it says; exit code 5 when it is not what it seems.",
            discussion: "Works without a service. The public key is the one that `coldvault init` printed.")

        @Option(help: "File with the statement, as a command or a log wrote it; - reads standard input.", completion: .file())
        var file: String
        @Option(help: "The public signing key of the service: 64 hexadecimal digits.")
        var publicKey: String
        @Option(help: "table or json.")
        var output: OutputForm = .table

        func validate() throws {
            guard Hex.decode(publicKey.lowercased())?.count == Ed25519.publicKeyBytes else {
                throw ValidationError("--public-key is 64 hexadecimal digits, as `coldvault init` printed them.")
            }
        }

        func run() async throws {
            let statement: SignedStatement
            do {
                let key = Hex.decode(publicKey.lowercased()) ?? []
                statement = try SignedStatement(decoding: try Self.bytes(of: file), signedBy: key)
            } catch let error as ClientError {
                ClientSession.report(error, as: output)
                throw ExitCode(ClientExit(error.kind).rawValue)
            } catch {
                let failure = ClientError(.integrity, "The statement does not verify: \(error).")
                ClientSession.report(failure, as: output)
                throw ExitCode(ClientExit.integrity.rawValue)
            }
            try show(statement)
        }

        private func show(_ statement: SignedStatement) throws(ClientError) {
            let body = JSONValue.object(statement.body)
            guard output == .table else {
                let document: JSONValue = [
                    "body": body, "created": .integer(statement.createdMilliseconds), "type": .string(statement.type.name),
                    "valid": true,
                ]
                return try StandardOutput.write(line: document.canonicalString())
            }
            let facts = statement.body.sorted { $0.key < $1.key }.map { "  \($0.key)  \(TextTable.printable(body.cell($0.key)))" }
            try StandardOutput.write(
                line: "The signature is good: a \(statement.type.name) of this service.\n" + facts.joined(separator: "\n"))
        }

        /// Without the line end that a command or an editor has put behind it.
        private static func bytes(of path: String) throws(ClientError) -> [UInt8] {
            let data: Data
            do {
                let handle = path == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(filePath: path))
                data = try handle.read(upToCount: SignedStatement.maxBytes + 3) ?? Data()
            } catch {
                throw ClientError(
                    .local, "'\(path)' cannot be read: \(error.localizedDescription)", remedy: "Check --file and its permissions.")
            }
            var bytes = [UInt8](data)
            while let last = bytes.last, last == 0x0A || last == 0x0D { bytes.removeLast() }
            return bytes
        }
    }
}
