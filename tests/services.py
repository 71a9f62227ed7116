"""Real `searcher serve` processes for tests: started on a free port, asked over HTTP, stopped."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from shared.store.sharing import SEARCH_SOCKET_NAME, socket_path
from tests.daemons import DEADLINE_SECONDS

_LIMITED = """
import json, sys
from pathlib import Path
from searcher.service.log import Log
from searcher.service.policy import Policy
from searcher.service.running import serve
from shared.settings import load_settings
Log().begin()
policy = Policy(port=0, **json.loads(sys.argv[2]))
serve(load_settings({"home": Path(sys.argv[1])}), policy, lambda address: print(
    "serving", address, file=sys.stderr, flush=True))
"""
"""The same service with limits that no option of the command sets."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole response; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.data)


class Service:
    """A running `searcher serve`. As a context, it waits until the service answers, and ends it.

    `limits`: fields of the service's `Policy`, for short time-outs and small sizes. `folder`: the
    one that the process works in.
    """

    def __init__(
        self,
        home: Path,
        *arguments: str | Path,
        limits: Mapping[str, float] | None = None,
        folder: Path | None = None,
        **environment: str,
    ) -> None:
        self.home = home
        self.log = home.parent / f"{home.name}-serve-{time.monotonic_ns()}.log"
        command = ["-m", "searcher", "serve", "--home", home, "--port", "0", *arguments]
        if limits is not None:
            command = ["-c", _LIMITED, home, json.dumps(limits)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *map(str, command)],
                env=os.environ | environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.port = 0

    @property
    def url(self) -> str:
        """The base of every address, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket(self) -> Path:
        """The Unix socket for the home's own commands."""
        return socket_path(self.home / "run", SEARCH_SOCKET_NAME)

    def __enter__(self) -> Service:
        try:
            self.port = int(self.wait_for(self._port))
            self.wait_for(lambda: self.get("/healthz").status == 200)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._end()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request on a connection of its own."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        try:
            link.request(method, path, body, dict(headers or {}))
            answer = link.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, names, answer.read())
        finally:
            link.close()

    def get(self, path: str, **headers: str) -> Reply:
        """`GET`; headers are spelled as names, `if_none_match`."""
        return self.request("GET", path, headers=_spelled(headers))

    def post(self, path: str, value: Any, **headers: str) -> Reply:
        """`POST` of a value as JSON."""
        kind = {"Content-Type": "application/json"}
        return self.request("POST", path, json.dumps(value).encode(), kind | _spelled(headers))

    def send(
        self,
        path: str,
        images: Sequence[Path | bytes],
        unlike: Sequence[Path | bytes] = (),
        **fields: str | Sequence[str],
    ) -> Reply:
        """`POST` of a form with pictures."""
        body, kind = form(images, unlike, **fields)
        return self.request("POST", path, body, {"Content-Type": kind})

    def wait_for(self, look: Callable[[], Found]) -> Found:
        """What `look` finds once that is true; fails with the log when time is over."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                if found := look():
                    return found
            except OSError:  # not yet, or not any more
                pass
            if self.process.poll() is not None:
                raise AssertionError(f"serve exited {self.process.returncode}: {self.text()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {DEADLINE_SECONDS} s: {self.text()}")
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)

    def text(self) -> str:
        """The log so far."""
        return self.log.read_text(errors="replace")

    def _port(self) -> str:
        found = re.search(r"^serving http://\S+:(\d+)$", self.text(), re.MULTILINE)
        return found[1] if found else ""

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE_SECONDS)
            finally:
                self.process.kill()


def free_port() -> int:
    """A port of the loopback that nobody uses at the moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


BOUNDARY = "4k6sjf9w0x"


def form(
    images: Sequence[Path | bytes],
    unlike: Sequence[Path | bytes] = (),
    **fields: str | Sequence[str],
) -> tuple[bytes, str]:
    """The body of a form with pictures, and its content type."""
    parts = [
        part(name, value.encode())
        for name, given in fields.items()
        for value in ([given] if isinstance(given, str) else given)
    ]
    for name, given in (("image", images), ("not_image", unlike)):
        for one in given:
            shown, data = (one.name, one.read_bytes()) if isinstance(one, Path) else ("upload", one)
            parts.append(part(name, data, shown))
    return b"".join(
        parts
    ) + f"--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, data: bytes, filename: str | None = None) -> bytes:
    """One part of a form; with a name of a file it is a file."""
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + data + b"\r\n"


def _spelled(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
