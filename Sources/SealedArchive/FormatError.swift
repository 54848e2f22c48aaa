// SPDX-License-Identifier: Apache-2.0

public import Cryptography

/// Why stored bytes were not accepted as what they should be. Docs/Formats/README.md, "Failure classes".
///
/// `newerVersion`, `unknownSuite` and `unknownCritical` ask for an upgrade; everything else is an integrity error:
/// report it, never retry blindly, never delete the bytes.
public enum FormatError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The magic bytes are missing: not a Coldvault blob at all.
    case notABlob
    /// A format version, blob kind or document format that this build does not know.
    case newerVersion(String)
    /// A cryptographic suite that this build does not know.
    case unknownSuite(UInt16)
    /// Members that the writer declared indispensable and this build does not understand.
    case unknownCritical([String])
    /// The clear preamble names something else than was asked for.
    case wrongIdentity(String)
    /// The part is whole, but not the one its manifest pins.
    case wrongSealHeader
    /// The sealed message did not open.
    case seal(SealError)
    /// Opened bytes break a rule of their format.
    case malformed(String)
    /// A limit of the format is exceeded.
    case limitExceeded(String)
    /// An opened and inflated frame does not have its leaf hash.
    case wrongLeafHash(frame: Int)
    /// A statement's signature is not that of the key it names.
    case wrongSignature

    public var description: String {
        switch self {
        case .notABlob: "not a Coldvault blob (magic bytes missing); look for a foreign or overwritten file"
        case .newerVersion(let what): "\(what) was made by a newer Coldvault; upgrade this installation"
        case .unknownSuite(let suite): "cryptographic suite \(suite) is unknown; upgrade this installation"
        case .unknownCritical(let names):
            "the document needs a reader that understands \(names.joined(separator: ", ")); upgrade this installation"
        case .wrongIdentity(let what): "the blob is not the one asked for: \(what); files may have been swapped"
        case .wrongSealHeader: "the part is not the one its manifest names; restore it from another copy"
        case .seal(let error): error.description
        case .malformed(let what): "malformed: \(what); restore it from another copy"
        case .limitExceeded(let what): "limit of the format exceeded: \(what)"
        case .wrongLeafHash(let frame): "frame \(frame) does not have its leaf hash; restore the part from another copy"
        case .wrongSignature: "the signature does not fit: the statement was changed, or is not of the key that it names"
        }
    }

    /// Whether an upgrade, rather than a repair, is the remedy.
    public var needsNewerVersion: Bool {
        switch self {
        case .newerVersion, .unknownSuite, .unknownCritical: true
        default: false
        }
    }
}

/// Runs a sealing verb and classes its error.
func sealing<R>(_ body: () throws(SealError) -> R) throws(FormatError) -> R {
    do throws(SealError) { return try body() } catch { throw .seal(error) }
}
