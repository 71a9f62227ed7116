"""A running `searcher serve`, and the memory that it holds."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from benchmarks.measure import ours

_READY_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Served:
    """A service: the port that it listens at and its process."""

    port: int
    process: psutil.Process

    def megabytes(self) -> float:
        """What the service, its workers and decoders hold, each page once."""
        family = [self.process, *self.process.children(recursive=True)]
        return float(sum(one.memory_full_info().pss for one in family)) / 2**20

    def descriptors(self) -> int:
        """Files and sockets that the service itself has open."""
        return int(self.process.num_fds())


@contextmanager
def serving(home: Path, workers: int) -> Iterator[Served]:
    """The service of a home; it ends with the context. Raises TimeoutError if it never answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*ours("searcher"), "serve", "--home", str(home), "--port", str(port)]
    with subprocess.Popen(
        [*command, "--workers", str(workers)], stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_until_ready(port)
            yield Served(port, psutil.Process(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            link.request("GET", "/readyz")
            if link.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            link.close()
        time.sleep(0.1)
    raise TimeoutError(f"the service is not ready after {_READY_SECONDS} seconds")
