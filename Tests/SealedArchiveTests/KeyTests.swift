// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Cryptography
import SealedArchive
import Testing

/// Docs/Formats/Keyring-v1.md and Record-v1.md §4 against Tests/Vectors/keys.json.
@Suite struct KeyTests {
    let file = try! Vectors.load("keys.json")

    private var root: SecretKey { .vector(file.hex("rootKey")) }
    private var recovery: SecretKey { .vector(file.hex("recoveryKey")) }

    private func context(_ purpose: String) -> WrapContext {
        let (account, vault, version) = (file.text("account"), file.hex("vault"), UInt32(file.int("version")))
        return switch purpose {
        case "master-key": .masterKey(version: version)
        case "identifier-key": .identifierKey(version: version)
        case "signing-key": .signingKey(version: version)
        case "audit-key": .auditKey(version: version)
        case "recovery-key": .recoveryKey(version: version)
        case "vault-key": .vaultKey(account: account, vaultUID: vault, version: version)
        case "data-key": .dataKey(account: account, vaultUID: vault, archiveUID: file.hex("archive"))
        default: .jobKey(account: account, vaultUID: vault, stagedUID: file.hex("staged"))
        }
    }

    @Test func wrapsAreTheVectorsBytes() throws {
        #expect(file.list("wraps").count == 8)
        for vector in file.list("wraps") {
            let context = context(vector.text("purpose"))
            #expect(context.bytes == vector.hex("context"))
            let (key, under) = (SecretKey.vector(vector.hex("key")), SecretKey.vector(vector.hex("under")))
            let wrapped = try KeyWrap.wrap(key, under: under, context: context, random: FixedBytes(vector.hex("salt")))
            #expect(wrapped == vector.hex("wrapped") && wrapped.count == KeyWrap.byteCount)
            #expect(try KeyWrap.unwrap(wrapped, under: under, context: context).isEqual(to: key))
        }
    }

    @Test func aWrapOpensForItsOwnPurposeOnly() throws {
        let wraps = file.list("wraps")
        for vector in wraps {
            for other in wraps where other.text("purpose") != vector.text("purpose") {
                #expect(throws: SealError.wrongKeyOrContext) {
                    try KeyWrap.unwrap(
                        vector.hex("wrapped"), under: .vector(vector.hex("under")),
                        context: context(other.text("purpose")))
                }
            }
        }
    }

    @Test func keyFilesOpenWithEitherRootKeyAndComeBackByteForByte() throws {
        #expect(file.list("files").count == 5)
        for vector in file.list("files") {
            let bytes = Array(vector.text("document").utf8)
            let keyFile = try KeyFile(decoding: bytes)
            #expect(keyFile.encode() == bytes)
            #expect(keyFile.fileName == vector.text("name"))
            #expect(try keyFile.key(rootKey: root).bytesForTests == vector.hex("key"))
            #expect(try keyFile.key(rootKey: recovery).bytesForTests == vector.hex("key"))
            let stranger = SecretKey(random: SeededRandomBytes(seed: 1))
            #expect(throws: FormatError.wrongIdentity("no slot of \(keyFile.fileName) is for this root key")) {
                try keyFile.key(rootKey: stranger)
            }
        }
    }

    @Test func badKeyFilesFailWithTheirClass() throws {
        for failing in file.list("badFiles") {
            do {
                _ = try KeyFile(decoding: Array(failing.text("document").utf8))
                Issue.record("\(failing.text("name")) was accepted")
            } catch {
                #expect(failureClass(error) == failing.text("error"), "\(failing.text("name"))")
            }
        }
        let swapped = try KeyFile(decoding: Array(file["fileWithSwappedVersion"]!.text("document").utf8))
        #expect(throws: FormatError.seal(.wrongKeyOrContext)) { try swapped.key(rootKey: root) }
    }

    @Test func referencesTellRootKeysApart() {
        #expect(KeySlot.reference(of: root) == file.hex("rootReference"))
        #expect(KeySlot.reference(of: recovery) == file.hex("recoveryReference"))
    }

    @Test func aSlotMadeHereOpensHere() throws {
        let random = SeededRandomBytes(seed: 6)
        let key = SecretKey(random: random)
        var keyFile = KeyFile(purpose: .master, keyVersion: 2, createdMilliseconds: 5, generation: 1, slots: [])
        for (custody, holder) in [(KeySlot.fileCustody, root), (KeySlot.recoveryCustody, recovery)] {
            keyFile.slots.append(
                try KeySlot(
                    custody: custody, rootKey: holder, key: key, context: keyFile.wrapContext, random: random))
        }
        let read = try KeyFile(decoding: keyFile.encode())
        #expect(read == keyFile && read.fileName == "master-000002.json")
        #expect(try read.key(rootKey: root).isEqual(to: key) && read.key(rootKey: recovery).isEqual(to: key))
    }

    @Test func columnsOpenInTheirOwnRowOnly() throws {
        let vector = file["column"]!
        let key = SecretKey.vector(vector.hex("key"))
        let sealed = vector.hex("sealed")
        #expect(
            try SealedColumn.open(sealed, table: vector.text("table"), rowUID: vector.hex("row"), key: key)
                == vector.hex("plaintext"))
        #expect(throws: SealError.wrongKeyOrContext) {
            try SealedColumn.open(sealed, table: "vaults", rowUID: vector.hex("row"), key: key)
        }
        #expect(throws: SealError.wrongKeyOrContext) {
            try SealedColumn.open(sealed, table: vector.text("table"), rowUID: [1], key: key)
        }
    }
}

@Suite struct RecoveryKeyTextTests {
    let file = try! Vectors.load("keys.json")

    @Test func textsAreTheVectorsAndReadBack() throws {
        for vector in file.list("recoveryTexts") {
            let key = SecretKey.vector(vector.hex("key"))
            #expect(RecoveryKeyText.encode(key) == vector.text("text"))
            #expect(try RecoveryKeyText.parse(vector.text("text")).isEqual(to: key))
        }
    }

    @Test func peopleMayTypeItTheirWay() throws {
        let key = SecretKey.vector(file.hex("recoveryKey"))
        for variant in file.list("recoveryVariants") {
            #expect(try RecoveryKeyText.parse(variant.stringValue!).isEqual(to: key), "\(variant.stringValue!)")
        }
    }

    @Test func typingErrorsAreFound() {
        for failing in file.list("badRecoveryTexts") {
            do {
                _ = try RecoveryKeyText.parse(failing.text("text"))
                Issue.record("\(failing.text("name")) was accepted")
            } catch {
                let name =
                    switch error {
                    case .missingPrefix: "missingPrefix"
                    case .invalidCharacter: "invalidCharacter"
                    case .invalidLength: "invalidLength"
                    case .wrongChecksum: "wrongChecksum"
                    }
                #expect(name == failing.text("error"), "\(failing.text("name"))")
            }
        }
    }

    @Test func everySingleWrongCharacterIsFound() throws {
        let text = Array(file.list("recoveryTexts")[0].text("text").utf8)
        for index in text.indices.dropFirst(6) where text[index] != UInt8(ascii: "-") {
            var wrong = text
            wrong[index] = text[index] == UInt8(ascii: "7") ? UInt8(ascii: "8") : UInt8(ascii: "7")
            #expect(throws: RecoveryKeyText.ParseError.wrongChecksum) {
                try RecoveryKeyText.parse(String(decoding: wrong, as: UTF8.self))
            }
        }
    }
}
