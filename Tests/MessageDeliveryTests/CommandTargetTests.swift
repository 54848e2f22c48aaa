// SPDX-License-Identifier: Apache-2.0

import CanonicalJSON
import Execution
import Foundation
import Messaging
import NIOCore
import Testing
import VaultModel

@testable import MessageDelivery

/// Messages to real processes.
@Suite(.serialized, .timeLimit(.minutes(5))) struct CommandTargetTests {
    private static let pool = BlockingPool(name: "test", threads: 2)

    private func target(total: Duration = .seconds(30)) -> CommandTarget {
        var limits = DeliveryLimits()
        limits.total = total
        return CommandTarget(pool: Self.pool, clock: RealClock(), limits: limits)
    }

    private func deliver(_ message: TopicMessage, to arguments: [String], total: Duration = .seconds(30)) async
        -> DeliveryFailure?
    {
        let target = target(total: total)
        return await failure { () throws(DeliveryFailure) in try await target.deliver(message, to: arguments) }
    }

    /// A script of the shell, whose `$0` is a file of the test.
    private func withScript<R>(_ script: String, _ body: ([String], _ file: String) async throws -> R) async throws -> R
    {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "CommandTargetTests.\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appending(path: "out").path()
        return try await body(["/bin/sh", "-c", script, file], file)
    }

    @Test func theCommandGetsTheEnvelopeOnItsStandardInput() async throws {
        let message = try TopicMessage.example()
        try await withScript(#"cat > "$0""#) { arguments, file in
            #expect(await deliver(message, to: arguments) == nil)
            let taken = try Data(contentsOf: URL(filePath: file))
            #expect([UInt8](taken) == Envelope.bytes(of: message))
        }
    }

    @Test func aMessageLargerThanAPipeArrivesWhole() async throws {
        let message = try TopicMessage.example(body: String(repeating: "x", count: 1 << 20))
        try await withScript(#"sleep 0.2; cat > "$0""#) { arguments, file in
            #expect(await deliver(message, to: arguments) == nil)
            let taken = try Data(contentsOf: URL(filePath: file))
            #expect([UInt8](taken) == Envelope.bytes(of: message))
        }
    }

    @Test func aCommandNeedNotRead() async throws {
        let message = try TopicMessage.example(body: String(repeating: "x", count: 1 << 20))
        #expect(await deliver(message, to: ["/bin/true"]) == nil)
    }

    @Test func noShellLooksAtTheArguments() async throws {
        try await withScript(#"printf '%s' "$1" > "$0""#) { arguments, file in
            let message = try TopicMessage.example()
            let odd = "$(id) `id` ; * \" ' \n"
            #expect(await deliver(message, to: arguments + [odd]) == nil)
            let printed = try String(contentsOfFile: file, encoding: .utf8)
            #expect(printed == odd)
        }
    }

    @Test func nothingOfTheServiceIsInherited() async throws {
        setenv("COLDVAULT_TEST_SECRET", "hidden", 1)
        // An open file that a child would inherit.
        let open = try #require(fopen("/proc/self/status", "r"))
        defer { fclose(open) }
        let message = try TopicMessage.example()
        try await withScript(#"{ env; echo FILES; ls /proc/$$/fd; echo SIGNALS; grep SigIgn /proc/$$/status; } > "$0""#)
        { arguments, file in
            #expect(await deliver(message, to: arguments) == nil)
            let text = try String(contentsOfFile: file, encoding: .utf8)
            #expect(!text.contains("hidden"))
            let lines = text.split(separator: "\n").map(String.init)
            let names = lines.prefix { $0 != "FILES" }.compactMap { $0.split(separator: "=").first.map(String.init) }
            let expected: Set = ["PATH", "LANG"]
            // The shell adds its own.
            #expect(Set(names).subtracting(["PWD", "OLDPWD", "SHLVL", "_"]) == expected)
            let files = lines.drop { $0 != "FILES" }.dropFirst().prefix { $0 != "SIGNALS" }
            #expect(files.allSatisfy { ["0", "1", "2"].contains($0) || Int($0) ?? 0 >= 10 }, "\(files)")
            let ignored = try #require(lines.last?.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) })
            // 32 and 33 are the C library's own.
            #expect(ignored & 0x7FFF_FFFF == 0, "the service ignores SIGPIPE, a command must not")
        }
    }

    @Test(arguments: [("exit 1", "exit status 1"), ("exit 75", "exit status 75"), ("kill -9 $$", "signal 9")])
    func anyOtherEndMeansNotTaken(script: String, reason: String) async throws {
        let outcome = await deliver(try TopicMessage.example(), to: ["/bin/sh", "-c", script])
        #expect(outcome?.reason.contains(reason) == true, "\(String(describing: outcome))")
        #expect(outcome?.isTransient == true)
    }

    @Test func whatCannotBeStartedIsToldWithItsReason() async throws {
        let outcome = await deliver(try TopicMessage.example(), to: ["/absent/command"])
        #expect(outcome?.reason.contains("No such file") == true)
        #expect(outcome?.isTransient == true, "somebody may put it there")
    }

    @Test func aCommandThatDoesNotEndIsKilledWithItsChildren() async throws {
        try await withScript(#"sleep 1000 & echo $! > "$0"; wait"#) { arguments, file in
            let start = NIODeadline.now()
            let outcome = await deliver(try TopicMessage.example(), to: arguments, total: .milliseconds(700))
            #expect(outcome?.reason.contains("killed") == true)
            #expect(outcome?.isTransient == true)
            #expect(NIODeadline.now() - start < .seconds(30))
            let child = try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(
                in: .whitespacesAndNewlines)
            var isGone = false
            for _ in 0..<2000 where !isGone {
                let status = (try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8)) ?? ""
                // Gone, or a zombie that nobody has waited for yet.
                isGone = status.isEmpty || status.contains(") Z ")
                if !isGone { try await Task.sleep(for: .milliseconds(2)) }
            }
            #expect(isGone)
        }
    }

    @Test func cancellationKillsTheCommand() async throws {
        try await withScript(#"echo $$ > "$0"; exec sleep 1000"#) { arguments, file in
            let message = try TopicMessage.example()
            let target = target()
            let outcome = await withTaskGroup(of: DeliveryFailure?.self) { group in
                group.addTask {
                    await failure { () throws(DeliveryFailure) in try await target.deliver(message, to: arguments) }
                }
                while ((try? String(contentsOfFile: file, encoding: .utf8)) ?? "").isEmpty { await Task.yield() }
                group.cancelAll()
                return await group.next() ?? nil
            }
            #expect(outcome != nil)
            let pid = try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(!FileManager.default.fileExists(atPath: "/proc/\(pid)"), "killed and waited for")
        }
    }

    @Test func manyAtOnceDoNotDisturbEachOther() async throws {
        let target = target()
        let outcomes = try await withThrowingTaskGroup(of: DeliveryFailure?.self) { group in
            for number in UInt64(0)..<24 {
                let message = try TopicMessage.example(number: number)
                group.addTask {
                    await failure { () throws(DeliveryFailure) in
                        try await target.deliver(message, to: ["/bin/sh", "-c", "cat > /dev/null; exit \(number % 2)"])
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == nil } == 12)
    }

    @Test func onlyAFileThatMayRunPassesTheCheck() async throws {
        let target = target()
        for (path, isFine) in [("/bin/true", true), ("/absent", false), ("/tmp", false), ("/etc/passwd", false)] {
            let outcome = await failure { () throws(DeliveryFailure) in try await target.check([path]) }
            #expect((outcome == nil) == isFine, "\(path)")
        }
    }
}
