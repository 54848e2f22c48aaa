// SPDX-License-Identifier: Apache-2.0

import VaultModel

/// Standard base64 with padding (RFC 4648 section 4), as records and manifests write wrapped keys.
enum Base64Text {
    static func encode(_ bytes: [UInt8]) -> String {
        let text = Base64URL.encode(bytes).map { character -> Character in
            switch character {
            case "-": "+"
            case "_": "/"
            default: character
            }
        }
        return String(text) + String(repeating: "=", count: (3 - bytes.count % 3) % 3)
    }
}
