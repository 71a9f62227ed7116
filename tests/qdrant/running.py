"""The stub as a process of its own, for tests."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.qdrant.asking import VIOLATION

DEADLINE_SECONDS = 60.0
"""Only a broken program takes so long."""


class Running:
    """A stub on ports of its own. `storage`: without it, points are gone when the process is."""

    def __init__(
        self, log: Path, storage: Path | None, options: list[str], certificate: Path | None
    ) -> None:
        self.port, self.grpc_port = _free_ports()
        self._certificate = certificate
        self._log = log
        storing = ["--storage", str(storage)] if storage else []
        ports = ["--port", str(self.port), "--grpc-port", str(self.grpc_port)]
        self._command = [sys.executable, "-m", "tests.qdrant", *ports, *storing, *options]
        self._process = self._started()

    @property
    def url(self) -> str:
        """The base of every REST address, without a slash at its end."""
        return f"http{'s' * (self._certificate is not None)}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process that runs now."""
        return self._process.pid

    def fail(self, plan: list[dict[str, Any]]) -> None:
        """Have the next requests fail, see `tests.qdrant.failing.Failure`; replaces other plans."""
        self._control("POST", "fail", plan)

    def requests(self) -> list[tuple[str, str]]:
        """Method and path of what was asked since the process started, gRPC as its REST twin."""
        return [(method, path) for method, path in self._control("GET", "requests")]

    def violations(self) -> list[dict[str, Any]]:
        """The requests that do not fit Qdrant's document, over all processes so far."""
        lines = self._log.read_text(errors="replace").splitlines()
        told = [line.removeprefix(VIOLATION) for line in lines if line.startswith(VIOLATION)]
        return [json.loads(line) for line in told]

    def expect_violations(self) -> list[dict[str, Any]]:
        """The violations so far, which are forgotten: this test made them."""
        found = self.violations()
        self._log.write_text("")
        return found

    def kill(self) -> None:
        """End it as a power cut would, `kill -9`; harmless when it has ended."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it as a container is ended; the exit code."""
        self._process.terminate()
        return self._process.wait(DEADLINE_SECONDS)

    def restart(self) -> None:
        """Start it again on the same ports, with the same storage and options."""
        self.kill()
        self._process = self._started()

    def stop_answering(self) -> None:
        """Freeze it: connections are taken, nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self._stands_still():  # a thread at work on another processor goes on for a while
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} goes on after SIGSTOP")
            time.sleep(0.001)

    def _stands_still(self) -> bool:
        """Whether every thread is stopped: the state follows the name in parentheses, proc(5)."""
        stats = Path(f"/proc/{self.pid}/task").glob("*/stat")
        return all(stat.read_text().rpartition(") ")[2].startswith("T") for stat in stats)

    def go_on(self) -> None:
        """Undo `stop_answering`."""
        self._process.send_signal(signal.SIGCONT)

    def _started(self) -> subprocess.Popen[str]:
        with self._log.open("a") as log:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=Path(__file__).parents[2],
            )
        assert process.stdout is not None
        with process.stdout as output:
            if output.readline() != "ready\n":
                process.kill()
                raise AssertionError(f"the stub ended ({process.wait()}): {self._log.read_text()}")
        return process

    def _control(self, method: str, route: str, value: Any = None) -> Any:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        if self._certificate is not None:
            trusting = ssl.create_default_context(cafile=self._certificate)
            link = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=DEADLINE_SECONDS, context=trusting
            )
        try:
            link.request(method, f"/_stub/{route}", None if value is None else json.dumps(value))
            answer = json.loads(link.getresponse().read())
        finally:
            link.close()
        if "result" not in answer:
            raise AssertionError(f"the stub refused {route}: {answer['status']['error']}")
        return answer["result"]


@contextmanager
def qdrant(
    storage: Path | None = None,
    *,
    api_key: str | None = None,
    read_only_key: str | None = None,
    version: str | None = None,
    certificate: tuple[Path, Path] | None = None,
    acknowledge_only: bool = False,
) -> Iterator[Running]:
    """A running stub; at the end, `AssertionError` when any request did not fit the document.

    `certificate`: the files of a certificate for 127.0.0.1 and its key, see `self_signed`; without,
    there is no TLS.
    """
    chain, key = certificate or (None, None)
    given: dict[str, str | Path | None] = {
        "--api-key": api_key,
        "--read-only-key": read_only_key,
        "--version": version,
        "--tls-cert": chain,
        "--tls-key": key,
    }
    options = [str(part) for option, value in given.items() if value for part in (option, value)]
    options += ["--acknowledge-only"] * acknowledge_only
    with tempfile.TemporaryDirectory() as folder:
        running = Running(Path(folder) / "log", storage, options, chain)
        try:
            yield running
        finally:
            running.kill()
        found = running.violations()
        if found:
            raise AssertionError("requests that Qdrant would not take: " + json.dumps(found[:5]))


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
