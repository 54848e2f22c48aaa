// SPDX-License-Identifier: Apache-2.0

import VaultModel

@testable import VaultEngine

extension Client {
    private static let partBytes = 1 << 20
    private static let multipartSizes = [500_000, 1 << 20 + 20_000, 1 << 20 + 20_000, 2 << 20 + 5]

    /// An upload in parts, some of them sent again, also at the same moment and with other bytes; then completed, aborted, both, or left.
    func multipart(to vault: String) async {
        let whole = world.content(Self.multipartSizes)
        let attempt = oracle.begin(whole, in: vault)
        let location = World.location(vault)
        let begun = await ask("initiate n\(attempt)") {
            try await engine.initiateUpload(location, partBytes: UInt64(Self.partBytes), description: "n\(attempt)")
        }
        guard case .done(let upload) = begun else { return }
        let count = (whole.count + Self.partBytes - 1) / Self.partBytes
        // What each part may be by now; one number when it is certain.
        var candidates = [[UInt64]](repeating: [], count: count)
        for index in (0..<count).shuffled(using: &world.choices) {
            let base = whole.numbers[0] &+ UInt64(index + 1)
            let other = base &+ 100
            switch world.pick(5) {
            case 0:
                // One after the other: the later one counts.
                if await send(base, index, of: whole, upload, location) { candidates[index] = [base] }
                if await send(other, index, of: whole, upload, location) {
                    candidates[index] = [other]
                } else if !candidates[index].isEmpty {
                    candidates[index].append(other)
                }
            case 1:
                // At the same moment: either counts, for ever the same.
                async let first = send(base, index, of: whole, upload, location)
                async let second = send(other, index, of: whole, upload, location)
                let both = await (first, second)
                if both.0 || both.1 { candidates[index] = [base, other] }
            default:
                for _ in 0..<3 where candidates[index].isEmpty {
                    if await send(base, index, of: whole, upload, location) { candidates[index] = [base] }
                }
            }
            if world.isDead { return }
        }
        guard candidates.allSatisfy({ !$0.isEmpty }) else {
            return await abort(upload, in: location, attempt, expecting: true)
        }
        await end(upload, in: location, attempt, Self.contents(of: candidates, count: whole.count))
    }

    private static func contents(of candidates: [[UInt64]], count: Int) -> [Recipe] {
        candidates.reduce([[]]) { heads, choices in heads.flatMap { head in choices.map { head + [$0] } } }
            .map { Recipe(numbers: $0, count: count) }
    }

    private func send(_ number: UInt64, _ index: Int, of whole: Recipe, _ upload: String, _ location: VaultLocation) async -> Bool {
        let numbers = [UInt64](repeating: number, count: index + 1)
        let first = index * Self.partBytes
        let end = min(whole.count, first + Self.partBytes)
        let bytes = Array(Recipe(numbers: numbers, count: end).bytes[first..<end])
        guard let range = ByteRange(first: UInt64(first), last: UInt64(end - 1)) else { return false }
        let answer = await ask("part \(index)") {
            try await engine.uploadPart(
                UploadPartRequest(
                    location: location, uploadID: upload, range: range, treeHash: bytes.treeHash, linearHash: bytes.linearHash),
                body: Pieces(bytes: bytes, pieceBytes: 300_000))
        }
        guard case .done(let hash) = answer else { return false }
        world.check(hash == bytes.treeHash, "a part was acknowledged with another tree hash")
        return true
    }

    private func end(_ upload: String, in location: VaultLocation, _ attempt: Int, _ contents: [Recipe]) async {
        for content in contents { oracle.widen(attempt, with: content) }
        switch world.pick(10) {
        case 0: return
        case 1: await abort(upload, in: location, attempt, expecting: true)
        case 2:
            async let aborted: Void = abort(upload, in: location, attempt, expecting: false)
            async let completed: Void = complete(upload, in: location, attempt, contents, isAlone: false)
            _ = await (aborted, completed)
        case 3:
            async let first: Void = complete(upload, in: location, attempt, contents, isAlone: true)
            async let second: Void = complete(upload, in: location, attempt, contents, isAlone: true)
            _ = await (first, second)
        default: await complete(upload, in: location, attempt, contents, isAlone: true)
        }
    }

    /// Tries the contents that the upload may have; one of them it must have.
    private func complete(
        _ upload: String, in location: VaultLocation, _ attempt: Int, _ contents: [Recipe], isAlone: Bool
    ) async {
        var wasUnknown = false
        for _ in 0..<2 {
            for content in contents {
                let bytes = content.bytes
                let answer = await ask("complete n\(attempt)", refusals: [.invalidParameter, .notFound]) {
                    try await engine.completeUpload(
                        location, uploadID: upload, size: UInt64(bytes.count), treeHash: bytes.treeHash)
                }
                switch answer {
                case .done(let stored):
                    acknowledge(attempt, stored, content)
                    return
                case .refused(let error) where error.code == .notFound:
                    // Somebody may have deleted the archive already that was made before; or an abort won.
                    world.check(
                        !isAlone || wasUnknown || oracle.attempts[attempt].acknowledged != nil,
                        "a complete upload n\(attempt) was not found")
                    return
                case .refused: continue
                case .unknown: wasUnknown = true
                }
                if world.isDead { return }
            }
            // A second round only where an answer was lost; else one of the contents had to be right.
            guard wasUnknown else { return world.violation("none of \(contents.count) contents completes n\(attempt)") }
        }
    }

    private func abort(_ upload: String, in location: VaultLocation, _ attempt: Int, expecting: Bool) async {
        let answer = await ask("abort n\(attempt)", refusals: expecting ? [] : [.notFound]) {
            try await engine.abortUpload(location, uploadID: upload)
        }
        guard case .done = answer else { return }
        world.check(
            oracle.attempts[attempt].acknowledged == nil, "upload n\(attempt) was both completed and aborted")
        oracle.settleAborted(attempt)
    }
}
