// SPDX-License-Identifier: Apache-2.0

import Cryptography
import VaultModel

/// Names one request in its answer and in the log: 47 characters of the base64url alphabet, as the real service's are.
enum RequestIdentifier {
    static func make(random: some RandomByteSource) -> String { Base64URL.encode(random.bytes(35)) }
}
