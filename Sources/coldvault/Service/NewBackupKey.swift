// SPDX-License-Identifier: Apache-2.0

import Cryptography
import PosixDisk
import SealedArchive

/// A backup key that is being made: the private half as text, to be shown once, and the public half for the service.
struct NewBackupKey {
    let text: String
    /// 64 hexadecimal digits.
    let publicKey: String

    init() throws {
        let secret = SecretKey(random: SystemRandomBytes())
        text = BackupKeyText.encode(secret)
        publicKey = Hex.encode(try BackupRecipient(privateKey: secret).publicKey)
        guard try BackupKeyText.parse(text).isEqual(to: secret) else {
            throw OperatorError("The printed form of the backup key does not read back; nothing can be trusted to it. Try again.")
        }
    }
}
