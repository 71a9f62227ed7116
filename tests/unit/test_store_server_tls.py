"""A server behind TLS, with certificates that the system does not know."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from shared.errors import StoreRefused
from shared.settings import Settings
from shared.store.server.hub import ServerHub
from tests.qdrant.running import Running, qdrant

pytestmark = pytest.mark.skipif(
    not shutil.which("openssl") and "CI" not in os.environ, reason="openssl makes certificates"
)


@pytest.fixture(scope="module")
def stub() -> Iterator[Running]:
    with qdrant() as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine, signed by itself; the key is in the file, too."""
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    made = ["-keyout", str(folder / "key"), "-out", str(folder / "crt")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names, *made]
    subprocess.run(command, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes((folder / "crt").read_bytes() + (folder / "key").read_bytes())
    return both


@contextmanager
def in_front_of(port: int, certificate: Path) -> Iterator[int]:
    """The port of a TLS server that hands everything on, both ways, until one side is done."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])

    class Front(BaseRequestHandler):
        def handle(self) -> None:
            inside = socket.create_connection(("127.0.0.1", port))
            with inside, suppress(OSError), context.wrap_socket(self.request, True) as outside:
                back = threading.Thread(target=_hand_on, args=(inside, outside), daemon=True)
                back.start()
                _hand_on(outside, inside)
                back.join()

    class Server(ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Front) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def _hand_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("wire", ["rest", "grpc"])
def test_the_certificates_that_were_given_are_trusted_and_no_others(
    stub: Running, certificate: Path, tmp_path: Path, wire: str
) -> None:
    behind = stub.port if wire == "rest" else stub.grpc_port
    with in_front_of(behind, certificate) as port:
        settings = {
            "home": tmp_path,
            "qdrant_url": f"https://localhost:{port}",
            "qdrant_grpc_port": 0 if wire == "rest" else port,
            "qdrant_wait_seconds": 5,
        }
        opened = ServerHub(Settings(**settings), long_lived=False)  # type: ignore[arg-type]
        with opened as hub, pytest.raises(StoreRefused, match="not trusted: set qdrant_ca_file"):
            hub.names()
        settings["qdrant_ca_file"] = str(certificate)
        with ServerHub(Settings(**settings), long_lived=False) as hub:  # type: ignore[arg-type]
            assert hub.collection("e1", create=True).count() == 0
