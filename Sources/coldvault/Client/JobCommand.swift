// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CanonicalJSON
import VaultClient

/// `coldvault job …`
struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "List, describe and watch retrieval and inventory jobs of a Glacier service.",
        subcommands: [List.self, Describe.self, Watch.self])
}

/// The states that `--status` filters by.
enum JobStatusArgument: String, ExpressibleByArgument, CaseIterable, Sendable {
    case inProgress = "InProgress"
    case succeeded = "Succeeded"
    case failed = "Failed"
}

/// The job a command works on.
struct JobOption: ParsableArguments {
    @Option(name: .customLong("job-id"), parsing: .unconditional, help: "Id of the job.")
    var jobID: String
}

extension JobCommand {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the jobs of a vault.")

        @OptionGroup var vault: VaultOption
        @Option(help: "Only jobs in this state: InProgress, Succeeded or Failed.")
        var status: JobStatusArgument?
        @Flag(inversion: .prefixedNo, help: "Only jobs that have finished, or only those that have not.")
        var completed: Bool?
        @OptionGroup var options: ClientOptions

        func run() async throws {
            let (name, status, completed) = (vault.vault, status?.rawValue, completed)
            try await ClientSession.run(options) { session in
                let jobs = try await session.client.listJobs(vault: name, status: status, completed: completed)
                try session.show(.object(["JobList": .array(jobs.map(\.document.value))])) { Self.table(jobs) }
            }
        }

        private static func table(_ jobs: [JobDescription]) -> String {
            var table = TextTable([
                ("JOB ID", .left), ("ACTION", .left), ("STATUS", .left), ("TIER", .left), ("BYTES", .right),
                ("CREATED", .left),
                ("COMPLETED", .left),
            ])
            for job in jobs {
                table.add([
                    job.id, job.action, job.document.string("StatusCode") ?? "", job.tier ?? "-",
                    job.outputBytes.map(String.init) ?? "-", job.creationDate, job.completionDate ?? "-",
                ])
            }
            return table.text
        }
    }

    struct Describe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show what the service tells about a job.")

        @OptionGroup var vault: VaultOption
        @OptionGroup var job: JobOption
        @OptionGroup var options: ClientOptions

        func run() async throws {
            let (name, id) = (vault.vault, job.jobID)
            try await ClientSession.run(options) { session in
                let job = try await session.client.describeJob(vault: name, jobID: id)
                try session.show(job.document.value) { TextTable.members(of: job.document) }
            }
        }
    }

    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Wait until a job has finished. Exit code 6 when it failed.")

        @OptionGroup var vault: VaultOption
        @OptionGroup var job: JobOption
        @OptionGroup var poll: PollOptions
        @OptionGroup var options: ClientOptions

        func run() async throws {
            let (name, id, schedule) = (vault.vault, job.jobID, poll.schedule)
            try await ClientSession.run(options, whenInterrupted: "The job goes on at the service.") { session in
                let job = try await session.client.waitForJob(
                    vault: name, jobID: id, schedule: schedule, observing: session.watching())
                try session.show(job.document.value) { TextTable.members(of: job.document) }
                try job.requireSuccess()
            }
        }
    }
}
