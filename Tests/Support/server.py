# SPDX-License-Identifier: Apache-2.0
"""The service as its users meet it: one process, one data directory, one line on stdout when it is ready."""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
DEFAULT_SETTINGS = {"operator-listen": "off"}


def binary():
    """The executable under test: COLDVAULT_BINARY, else the debug build of this checkout."""
    path = pathlib.Path(os.environ.get("COLDVAULT_BINARY", REPOSITORY / ".build" / "debug" / "coldvault"))
    if not path.exists():
        raise RuntimeError(f"{path} does not exist: run `swift build`, or set COLDVAULT_BINARY")
    return str(path)


class Account:
    """An account number and one of its access keys, permanent or (with a session token) temporary."""

    def __init__(self, number, access_key, secret, session_token=None):
        self.number = number
        self.access_key = access_key
        self.secret = secret
        self.session_token = session_token


class Server:
    """One data directory and, while started, one `coldvault serve` on it.

    `settings` are flags without their dashes (`{"output-mode": "staged"}`); a value of None removes a default.
    """

    def __init__(
        self, folder, settings=None, region="us-east-1", account_id=None, data_dir=None, tls=None, wait_seconds=30.0
    ):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = pathlib.Path(data_dir) if data_dir else self.folder / "data"
        self.root_key_file = self.folder / "root.key"
        self.log_file = self.folder / "log.jsonl"
        self.settings = {**DEFAULT_SETTINGS, **(settings or {})}
        self.region = region
        self.account_id = account_id
        self.tls = tls
        self.wait_seconds = wait_seconds
        self.process = None
        self.account = None
        self.recovery_key = None
        self.host = "127.0.0.1"
        self.port = None

    # The operator's commands

    def initialise(self):
        """Runs `coldvault init` and keeps the credentials that it prints once."""
        arguments = [
            "init",
            "--data-dir",
            str(self.data_dir),
            "--root-key-file",
            str(self.root_key_file),
            "--region",
            self.region,
            "--output",
            "json",
        ]
        if self.account_id:
            arguments += ["--account-id", self.account_id]
        answer = json.loads(self.command(arguments).stdout)
        self.account = Account(answer["accountId"], answer["accessKeyId"], answer["secretAccessKey"])
        self.recovery_key = answer["recoveryKey"]
        self.signing_key = answer["signingPublicKey"]
        self.backup_key_file = self.folder / "backup.key"
        self.backup_key_file.write_text(answer["backupKey"] + "\n")
        return answer

    def command(self, arguments, check=True, timeout=60, environment=None):
        """Runs one verb of the executable. Its output is text; a failure shows its stderr."""
        result = subprocess.run(
            [binary(), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**self.environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
        )
        if check and result.returncode != 0:
            raise AssertionError(
                f"coldvault {' '.join(arguments)} exited {result.returncode}:\n" f"{result.stdout}{result.stderr}"
            )
        return result

    def admin(self, *arguments, check=True):
        """A verb that talks to the running service through its admin socket; the answer is parsed JSON."""
        result = self.command([*arguments, "--data-dir", str(self.data_dir), "--output", "json"], check=check)
        if not check:
            return result
        return json.loads(result.stdout) if result.stdout.strip() else None

    def restore_arguments(self, backup, *more):
        return [
            "backup", "restore", "--file", str(backup), "--backup-key-file", str(self.backup_key_file), "--data-dir",
            str(self.data_dir), "--root-key-file", str(self.root_key_file), "--output", "json", *more,
        ]

    def restore(self, backup, *more, check=True):
        """Puts a backup back; the service must be stopped. The report, or with check=False the finished process."""
        result = self.command(self.restore_arguments(backup, *more), check=check)
        return json.loads(result.stdout) if check else result

    def environment(self):
        """The caller's environment without anything that could configure the service or reach AWS."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COLDVAULT_"))}
        kept["AWS_EC2_METADATA_DISABLED"] = "true"
        return kept

    # The process

    def start(self, expect_ready=True):
        """Starts `coldvault serve` and returns when it has said that it listens."""
        assert self.process is None, "already started"
        arguments = [
            binary(),
            "serve",
            "--data-dir",
            str(self.data_dir),
            "--root-key-file",
            str(self.root_key_file),
            "--listen",
            "127.0.0.1:0",
        ]
        for name, value in self.settings.items():
            if value is not None:
                arguments += [f"--{name}", str(value)]
        if self.tls:
            arguments += ["--tls-certificate", str(self.tls.certificate), "--tls-private-key", str(self.tls.key)]
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                arguments, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, env=self.environment()
            )
        if not expect_ready:
            return self
        line = self._first_line()
        match = re.search(r"listening on (?:https?://)?(?P<host>[^\s:/]+):(?P<port>\d+)", line)
        if not match:
            status = self.process.poll()
            self.kill()
            raise AssertionError(
                f"the service did not say that it listens (exit {status}, stdout {line!r}):\n" f"{self.log_tail()}"
            )
        self.host, self.port = match["host"], int(match["port"])
        return self

    def _first_line(self):
        deadline = time.monotonic() + self.wait_seconds
        received = b""
        while b"\n" not in received:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not select.select([self.process.stdout], [], [], remaining)[0]:
                break
            piece = os.read(self.process.stdout.fileno(), 4096)
            if not piece:
                break
            received += piece
        return received.decode(errors="replace")

    @property
    def pid(self):
        return self.process.pid

    def stop(self, timeout=30):
        """SIGTERM, then the exit status. A service that does not end in time is killed and that is an error."""
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the service did not stop within {timeout} s of SIGTERM:\n{self.log_tail()}")
        finally:
            process.stdout.close()

    def kill(self):
        """SIGKILL: what a power cut looks like to the process."""
        process, self.process = self.process, None
        process.kill()
        process.wait()
        process.stdout.close()

    def restart(self):
        self.stop()
        return self.start()

    def wait_for_exit(self, timeout=30):
        """The exit status of a service that is expected to end by itself."""
        status = self.process.wait(timeout)
        self.process.stdout.close()
        self.process = None
        return status

    def dispose(self):
        """Ends the process, however it is, and removes what it stored."""
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    # What an operator sees

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    @property
    def blobs(self):
        return self.data_dir / "blobs"

    def log_records(self):
        """The log, one dictionary a line; a line that is not JSON is a failure."""
        return [json.loads(line) for line in self.log_lines()]

    def log_lines(self, position=0):
        """The whole lines written after byte `position`. The last one may still be on its way into the file."""
        text = self.log_file.read_bytes()[position:].decode(errors="replace")
        return text[: text.rfind("\n") + 1].splitlines()

    def errors_logged_since(self, position):
        """Log records of level error (or worse) written after byte `position`."""
        records = [json.loads(line) for line in self.log_lines(position) if line.startswith("{")]
        return [record for record in records if str(record.get("level", "")).lower() in ("error", "critical")]

    def log_position(self):
        return self.log_file.stat().st_size

    def crash_report(self):
        """What a process that trapped wrote: the message and where it was, without registers and images."""
        kept = re.compile(
            r"Fatal error|Precondition failed|^\*\*\*|^Thread \d+ .*crashed|^\d+ .* in | \S+\.swift:\d+"
        )
        lines = [line for line in self.log_file.read_text(errors="replace").splitlines() if kept.search(line)]
        return "\n".join(lines[-40:]) or self.log_tail()

    def log_tail(self, lines=30):
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])
