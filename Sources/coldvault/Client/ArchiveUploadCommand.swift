// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import Cryptography
import VaultClient

/// `coldvault archive upload`
struct ArchiveUploadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upload", abstract: "Store a file as an archive and print its id.",
        discussion: """
            Larger files go up in parts, several at once. An interrupted upload goes on with --resume: parts that are \
            already there are compared with the file by their tree hashes and not sent again.
            """)

    /// What `--resume` without an id becomes; no upload id looks like this.
    private static let anyUpload = "found automatically"

    @Argument(help: "File to store.", completion: .file())
    var file: String?

    @OptionGroup var vault: VaultOption

    @Option(parsing: .unconditional, help: "Description kept with the archive: up to 1,024 printable ASCII characters.")
    var description: String?

    @Option(help: "Size of the parts: 1MiB, 2MiB, 4MiB … 4GiB. Chosen for the file when left out.")
    var partSize: ByteArgument?

    @Option(help: "Parts sent at once (1-16).")
    var parallel: Int = 4

    @Option(
        defaultAsFlag: anyUpload, parsing: .next,
        help: ArgumentHelp(
            "Go on with an interrupted upload: the one named (--resume=ID), or the one found for this file.",
            valueName: "upload-id"))
    var resume: String?

    @OptionGroup var options: ClientOptions

    func validate() throws {
        guard (1...16).contains(parallel) else { throw ValidationError("--parallel must be 1 to 16.") }
        guard source != nil else { throw ValidationError("Name the file to upload.") }
    }

    /// The file; `--resume FILE` takes it for the id of an upload, which it cannot be when no file is left.
    private var source: String? { file ?? (resume == Self.anyUpload ? nil : resume) }

    private var resumption: UploadOrder.Resumption {
        guard let resume else { return .never }
        return resume == Self.anyUpload || file == nil ? .automatic : .upload(resume)
    }

    func run() async throws {
        var order = UploadOrder(path: source ?? "", vault: vault.vault)
        order.description = description ?? ""
        order.partBytes = partSize?.bytes
        order.parallel = parallel
        order.resumption = resumption
        let finalOrder = order
        let hint = "Run the same command with --resume to go on."
        try await ClientSession.run(options, parallel: parallel, whenInterrupted: hint) { session in
            let uploader = ArchiveUploader(client: session.client, pool: session.pool, progress: session.progress)
            let result = try await uploader.upload(finalOrder)
            try session.show(
                .object([
                    "ArchiveId": .string(result.archiveID), "Location": .string(result.location),
                    "ResumedBytes": .integer(Int64(clamping: result.keptBytes)),
                    "SHA256TreeHash": .string(result.treeHash.hex),
                    "SizeInBytes": .integer(Int64(clamping: result.bytes)),
                ])
            ) {
                """
                Archive id: \(result.archiveID)
                Tree hash:  \(result.treeHash.hex)
                Size:       \(ByteText.exact(result.bytes))
                """
            }
        }
    }
}
