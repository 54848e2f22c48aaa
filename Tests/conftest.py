# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the black-box suites: a running service, a fresh vault, clients that speak to it."""

import itertools
import pathlib
import subprocess
import tempfile
import types

import pytest

from Support.clients import AwsCli, boto_client, boto_resource
from Support.server import Server
from Support.wire import Wire

_names = itertools.count(1)


@pytest.fixture(scope="session")
def work_dir():
    """A folder for data directories. Left behind only when the interpreter is killed."""
    with tempfile.TemporaryDirectory(prefix="coldvault-tests-") as folder:
        yield pathlib.Path(folder)


@pytest.fixture(scope="session")
def make_server_for_session(work_dir):
    """Builds services that live until the session ends."""
    yield from _server_factory(work_dir)


@pytest.fixture
def make_server(work_dir):
    """Builds services that end with the test: `make_server(settings={...}, arguments=[...])`."""
    yield from _server_factory(work_dir)


def _server_factory(work_dir):
    servers = []

    def make(name="server", start=True, **options):
        server = Server(work_dir / f"{name}-{next(_names)}", **options)
        servers.append(server)
        server.initialise()
        if start:
            server.start()
        return server

    yield make
    for server in servers:
        server.dispose()


@pytest.fixture(scope="session")
def shared_server(make_server_for_session):
    return make_server_for_session("shared")


@pytest.fixture
def server(shared_server):
    """The service that the tests of one session share. Nobody restarts, fills or damages it; one that ends by itself
    fails the test that made it end, and is started again for the others."""
    yield shared_server
    status = shared_server.process.poll()
    if status is not None:
        shared_server.wait_for_exit()
        report = shared_server.crash_report()
        shared_server.start()
        pytest.fail(f"the service ended by itself with status {status}:\n{report}")


@pytest.fixture
def wire(server):
    """Raw signed requests to the shared service."""
    return Wire(server)


@pytest.fixture
def vault_name():
    """A name that no other test uses."""
    return f"vault-{next(_names)}"


@pytest.fixture
def vault(wire, vault_name):
    """A fresh, empty vault on the shared service."""
    answer = wire.request("PUT", f"/-/vaults/{vault_name}")
    assert answer.status == 201, answer
    return vault_name


@pytest.fixture(scope="session")
def certificate(work_dir):
    """A certificate for localhost that nobody but its users trusts."""
    key, pem = work_dir / "tls.key", work_dir / "tls.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout",
            key,
            "-out",
            pem,
        ],
        check=True,
        capture_output=True,
    )
    return types.SimpleNamespace(certificate=pem, key=key)


@pytest.fixture
def glacier(server):
    """The boto3 client of the shared service."""
    return boto_client(server)


@pytest.fixture
def glacier_resource(server):
    """The boto3 resource API of the shared service."""
    return boto_resource(server)


@pytest.fixture
def aws(server, tmp_path):
    """The real AWS CLI, configured only by environment variables as a user would."""
    return AwsCli(server, tmp_path)
