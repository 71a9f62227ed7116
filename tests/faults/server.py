"""A home on a Qdrant server that fails: told of it, broken into, and held to what is on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from indexer.checkup import check_up
from shared.settings import load_settings
from tests.faults.pictures import on_disk, stored
from tests.progress import Silent
from tests.qdrant.running import Running

KEY, READING_KEY, WRONG_KEY = "all-5d0c1a", "reading-77fe20", "wrong-93ab4e"
"""None of them may ever be seen in any output."""
WRITES = "PUT /collections/[^/]+/points$"
"""How vectors are written, over either face."""
_NO_LINGER = struct.pack("ii", 1, 0)


def ready(server: Running) -> Running:
    """A server that several tests share, as the next one wants it: alive, and failing nowhere."""
    server.go_on()
    try:
        server.fail([])
    except OSError:
        server.restart()
    return server


def connect(home: Path, url: str, **settings: str | float) -> None:
    """Have the home's own settings file name the server, where it has collections of its own;
    `settings` are written beside it."""
    own = "t" + hashlib.sha256(bytes(home)).hexdigest()[:12]
    values = {
        "qdrant_url": url,
        "qdrant_prefix": own,
        "qdrant_timeout_seconds": 1,
        "settle_seconds": 0.2,
        **settings,
    }
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in values.items()]
    (home / "settings.toml").write_text("".join(lines))


def is_true(home: Path, photos: Path) -> None:
    """The oracle: nothing is missing, nothing is there twice or too much, and what `indexer doctor
    --deep` finds, asked without the cost of another process."""
    assert stored(home).keys() == on_disk(photos)
    found = check_up(load_settings({"home": home}, {}), Silent(), lambda: False, deep=True)
    assert found.diagnosis.is_well, found.diagnosis
    assert found.diagnosis.points == len(on_disk(photos))
    assert not found.diagnosis.refused + found.diagnosis.suspended


def writes(server: Running) -> int:
    """How often vectors were written since the server started, whatever came of it."""
    return sum(bool(re.search(WRITES, f"{how} {path}")) for how, path in server.requests())


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a command ended with, progress aside; it failed, and it told no key."""
    assert done.returncode == 1, done
    lines = [line for line in done.stderr.splitlines() if not line.startswith("indexing: ")]
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    names_no_key(done.stdout + done.stderr)
    return lines[0]


def names_no_key(text: str) -> None:
    """No output shows a key, nor a traceback."""
    for key in (KEY, READING_KEY, WRONG_KEY, "Traceback"):
        assert key not in text


class Front:
    """Another address of a running stub, as a second node of a cluster is; it can be lost."""

    def __init__(self, url: str) -> None:
        self._behind = urlsplit(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.taken = 0
        self._links: list[socket.socket] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def lose(self) -> None:
        """The node is gone: connections break, new ones are refused."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # or `accept` would hold on to the port
        self._listener.close()
        for link in self._links:
            with contextlib.suppress(OSError):
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                link.shutdown(socket.SHUT_RDWR)
        self._links.clear()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                behind = socket.create_connection((self._behind.hostname, self._behind.port))
                self._links += [link, behind]
                for one, other in ((link, behind), (behind, link)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(2**16):
                self.taken += len(data)
                other.sendall(data)
        for link in (one, other):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()


@contextlib.contextmanager
def front(server: Running) -> Iterator[Front]:
    """A second address of the stub, gone at the end."""
    found = Front(server.url)
    try:
        yield found
    finally:
        found.lose()
