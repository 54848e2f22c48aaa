// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import RequestSignature
import Testing
import VaultModel

@testable import GlacierAPI

struct WireErrorTests {
    /// Each code of the engine, and none left out.
    @Test func everyEngineErrorHasItsStatusCodeAndType() {
        let table: [VaultError.Code: (Int, String, String)] = [
            .invalidParameter: (400, "InvalidParameterValueException", "Client"),
            .missingParameter: (400, "MissingParameterValueException", "Client"),
            .notFound: (404, "ResourceNotFoundException", "Client"),
            .limitExceeded: (400, "LimitExceededException", "Client"),
            .expiredToken: (403, "ExpiredTokenException", "Client"),
            .policyEnforced: (400, "PolicyEnforcedException", "Client"),
            .accessDenied: (403, "AccessDeniedException", "Client"),
            .invalidSignature: (403, "InvalidSignatureException", "Client"),
            .requestTimeout: (408, "RequestTimeoutException", "Client"),
            .serialization: (400, "SerializationException", "Client"),
            .unavailable: (503, "ServiceUnavailableException", "Server"),
            .integrity: (500, "ServiceUnavailableException", "Server"),
            .internalFailure: (500, "ServiceUnavailableException", "Server"),
        ]
        for code in VaultError.Code.allCases {
            let error = WireError(VaultError(code, "text"))
            #expect(
                error.status == table[code]?.0 && error.code == table[code]?.1 && error.kind.rawValue == table[code]?.2)
            #expect((error.message == "text") == (code != .internalFailure))
            #expect((error.retryAfterSeconds != nil) == (code == .unavailable))
        }
    }

    @Test func everySignatureErrorHasItsStatus() {
        #expect(WireError(SignatureError.missingAuthentication).status == 400)
        #expect(WireError(SignatureError.incomplete("x")).code == "IncompleteSignatureException")
        #expect(WireError(SignatureError.invalid("x")).status == 403)
    }

    @Test func anUnknownErrorTellsTheClientNothingOfItself() {
        struct Secret: Error { let path = "/very/secret" }
        let error = WireError(Secret())
        #expect(error.status == 500 && !error.message.contains("secret"))
    }

    @Test func anErrorIsThreeStringsInOrder() {
        #expect(
            WireError(VaultError(.notFound, #"say "x""#)).document.canonicalString()
                == #"{"code":"ResourceNotFoundException","message":"say \"x\"","type":"Client"}"#)
    }

    @Test(arguments: [
        (Int64(0), "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
    ])
    func datesAreWrittenAsHTTPWantsThem(milliseconds: Int64, text: String) {
        #expect(HTTPDate.text(Timestamp(milliseconds: milliseconds)) == text)
    }

    @Test func requestIdentifiersAreFortySevenURLSafeCharacters() {
        let random = CountingRandom()
        let identifiers = (0..<100).map { _ in RequestIdentifier.make(random: random) }
        #expect(Set(identifiers).count == 100)
        let isWellFormed = identifiers.allSatisfy { text in
            text.count == 47 && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        }
        #expect(isWellFormed)
    }
}
