// SPDX-License-Identifier: Apache-2.0

import Foundation
import Messaging
import Testing
import VaultModel

@testable import MessageDelivery

/// Certificates are verified, always: against servers of another make (Python's `ssl`), with certificates made by
/// `openssl`.
@Suite(.serialized, .timeLimit(.minutes(5))) struct WebhookTLSTests {
    /// Answers every request with 200 and says on which port.
    private static let server = #"""
        import http.server, os, ssl, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()
        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1] + "/cert.pem", sys.argv[1] + "/key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with open(sys.argv[1] + "/port.new", "w") as file: file.write(str(server.server_address[1]))
        os.rename(sys.argv[1] + "/port.new", sys.argv[1] + "/port")
        server.serve_forever()
        """#

    struct Setting: Error { let what: String }

    private func start(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess.start(arguments, environment: ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp"]).get()
    }

    private func run(_ arguments: [String]) async throws {
        let child = try start(arguments)
        child.closeInput()
        for _ in 0..<20_000 {
            if let end = child.end() {
                guard end == .exited(0) else { throw Setting(what: "\(arguments): \(end)") }
                return
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        child.killGroup()
        throw Setting(what: "\(arguments) does not end")
    }

    /// A server whose certificate is for `name`; its certificate's path and its port.
    private func withServer<R>(for name: String, _ body: (_ certificate: String, _ port: String) async throws -> R)
        async throws -> R
    {
        let directory = FileManager.default.temporaryDirectory.appending(path: "WebhookTLSTests.\(UUID().uuidString)")
            .path()
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await run([
            "/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2",
            "-subj", "/CN=test", "-addext", "subjectAltName=\(name)", "-keyout", "\(directory)/key.pem", "-out",
            "\(directory)/cert.pem",
        ])
        let server = try start(["/usr/bin/env", "python3", "-c", Self.server, directory])
        defer {
            server.killGroup()
            while server.end() == nil { sched_yield() }
        }
        var port = ""
        for _ in 0..<20_000 where port.isEmpty {
            port = (try? String(contentsOfFile: "\(directory)/port", encoding: .utf8)) ?? ""
            if port.isEmpty { try await Task.sleep(for: .milliseconds(2)) }
        }
        guard !port.isEmpty else { throw Setting(what: "the server does not come up") }
        return try await body("\(directory)/cert.pem", port)
    }

    private func deliver(to port: String, trusting authority: String?) async throws -> DeliveryFailure? {
        let message = try TopicMessage.example()
        let webhook = Webhook(clock: RealClock(), limits: DeliveryLimits(), authority: authority)
        let outcome = await failure { () throws(DeliveryFailure) in
            try await webhook.deliver(message, to: "https://127.0.0.1:\(port)/hook", secret: exampleSecret)
        }
        await webhook.shutdown()
        return outcome
    }

    @Test func aCertificateThatNobodyVouchesForIsRefused() async throws {
        try await withServer(for: "IP:127.0.0.1") { certificate, port in
            let outcome = try await deliver(to: port, trusting: nil)
            #expect(outcome?.reason.contains("TLS") == true, "\(String(describing: outcome))")
            #expect(outcome?.isTransient == true, "a certificate can be renewed")
            // The same server, known: so it was the certificate.
            #expect(try await deliver(to: port, trusting: certificate) == nil)
        }
    }

    @Test func aCertificateForAnotherHostIsRefused() async throws {
        try await withServer(for: "DNS:elsewhere.example.org") { certificate, port in
            let outcome = try await deliver(to: port, trusting: certificate)
            #expect(outcome?.reason.contains("TLS") == true, "\(String(describing: outcome))")
        }
    }
}
