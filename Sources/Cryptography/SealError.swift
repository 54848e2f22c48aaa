// SPDX-License-Identifier: Apache-2.0

/// Why a sealed message was not made or not opened. Except for `libraryFailure` and `messageTooLong`, these are
/// integrity errors: the stored bytes, the key or the place the bytes were found in are not what was written.
public enum SealError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The key commitment differs: another key, another context (place), or a damaged header.
    case wrongKeyOrContext
    /// The authentication tag of this chunk does not fit its bytes.
    case tampered(chunk: UInt64)
    /// The length is not that of any whole message: bytes are missing at the end (or were added).
    case truncated
    /// A piece handed over for opening has another length than its place in the message asks for.
    case invalidLength(expected: UInt64, actual: UInt64)
    /// More chunks than the construction allows (2^38).
    case messageTooLong
    /// libcrypto refused an operation; memory is exhausted or the library is broken.
    case libraryFailure(String)

    public var description: String {
        switch self {
        case .wrongKeyOrContext:
            "the sealed bytes do not belong to this key and place (key commitment differs); "
                + "compare the key version and the blob's name with its preamble"
        case .tampered(let chunk):
            "chunk \(chunk) of the sealed bytes fails authentication; restore this blob from another copy"
        case .truncated:
            "the sealed bytes do not form a whole message; restore this blob from another copy"
        case .invalidLength(let expected, let actual):
            "a sealed piece must be \(expected) bytes, got \(actual); the blob changed length or was read short"
        case .messageTooLong:
            "a sealed message has fewer than 2^38 chunks of 16 KiB"
        case .libraryFailure(let operation):
            "libcrypto failed in \(operation); free memory and restart the service"
        }
    }
}
