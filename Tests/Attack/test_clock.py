# SPDX-License-Identifier: Apache-2.0
"""A wall clock that jumps while the service serves. Needs a C compiler (clang or cc), and is skipped without."""

import datetime
import pathlib
import shutil
import struct
import subprocess

import pytest

from Support.wire import Wire

SOURCE = pathlib.Path(__file__).with_name("clock.c")
COMPILER = shutil.which("clang") or shutil.which("cc")
HOUR = 3600


class FakeClock:
    """The wall clock of one service, moved by rewriting a mapped file. The monotonic clock stays what it is."""

    def __init__(self, server, folder):
        library = folder / "clock.so"
        subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", str(SOURCE), "-o", str(library), "-ldl"], check=True)
        self.file = folder / "offset"
        self.file.write_bytes(bytes(8))
        self.offset = 0
        original = server.environment
        server.environment = lambda: {
            **original(), "LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(self.file),
        }

    def set(self, seconds):
        self.offset = seconds
        with open(self.file, "r+b") as file:
            file.write(struct.pack("=q", seconds))


class SignedByItsClock(Wire):
    """A client whose clock is set together with the service's, so that its signatures are fresh."""

    def __init__(self, server, clock):
        super().__init__(server)
        self.clock = clock

    def head(self, *arguments, **options):
        moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.clock.offset)
        options["date"] = moment.strftime("%Y%m%dT%H%M%SZ")
        return super().head(*arguments, **options)


@pytest.fixture
def moved(make_server, tmp_path):
    if COMPILER is None:
        pytest.skip("there is no C compiler")
    server = make_server("clock", start=False)
    clock = FakeClock(server, tmp_path)
    server.start()
    wire = SignedByItsClock(server, clock)
    wire.create_vault("clock")
    return server, clock, wire


@pytest.mark.parametrize("jumps", [(2 * HOUR, 0), (-2 * HOUR, 0), (26 * HOUR, -26 * HOUR, 0), (-400 * 24 * HOUR, 0)])
def test_a_clock_that_jumps_loses_nothing_and_stops_nothing(moved, jumps):
    server, clock, wire = moved
    bodies = {}
    for number, jump in enumerate([0, *jumps]):
        clock.set(jump)
        for _ in range(2):
            body = b"at %d, %d" % (jump, number)
            bodies[wire.upload_archive("clock", body)] = body
        # A job that was ordered before the jump and one after it.
        order = wire.start_job("clock", Type="archive-retrieval", ArchiveId=next(iter(bodies)))
        if number < len(jumps):
            clock.set(jumps[number])
        document = wire.finished_job("clock", order)
        assert document["StatusCode"] == "Succeeded", document
        for archive, body in bodies.items():
            assert wire.retrieve("clock", archive) == body
    inventory = wire.job_output("clock", wire.succeeded_job("clock", Type="inventory-retrieval")).json
    assert {entry["ArchiveId"] for entry in inventory["ArchiveList"]} == set(bodies)
    assert server.errors_logged_since(0) == []
    assert server.stop() == 0
    server.start()
    for archive, body in bodies.items():
        assert wire.retrieve("clock", archive) == body


def test_the_clock_of_the_test_is_really_moved(moved):
    _, clock, wire = moved
    clock.set(10 * HOUR)
    assert Wire(wire.server).request("GET", "/-/vaults").status == 403, "an honest signature is ten hours old now"
