"""`indexer watch --serve`: a `searcher serve` of the same home, kept running beside the daemon."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

DEFAULT_PORT = 8765
HOST = "127.0.0.1"

FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 30.0
LOOK_SECONDS = 1.0
"""How often a port that another program has is looked at."""
STEADY_SECONDS = 60.0
"""A service that ran so long is started again as if it had never failed."""
STOP_SECONDS = 10.0
"""How long a service may go on answering what it was asked, once the daemon stops."""

_log = logging.getLogger(__name__)


class Service:
    """Runs `searcher serve` as a child, and again, with growing pauses, when it ends.

    The child holds the read end of a pipe whose other end only this process has: however this
    process ends, the child sees the pipe close and stops. Nothing here disturbs the daemon.
    """

    def __init__(self, home: Path, port: int) -> None:
        self._home, self._port = home, port
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="service", daemon=True)

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self._port}"

    def __enter__(self) -> Service:
        """Begin to serve; returns at once."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stop(self) -> None:
        """Ask the child to end, and start no other; returns at once."""
        with self._lock:
            self._stopping.set()
            if self._child is not None:
                self._child.terminate()

    def close(self) -> None:
        """`stop`, and wait for the end; after `STOP_SECONDS` the child is killed."""
        self.stop()
        self._thread.join(STOP_SECONDS)
        with self._lock:
            if self._child is not None:
                _log.warning("searcher serve did not stop within %g s: killed", STOP_SECONDS)
                self._child.kill()
        self._thread.join()

    def _run(self) -> None:
        failures = 0
        while self._wait_for_port():
            started = time.monotonic()
            ending = self._serve()
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - started > STEADY_SECONDS else failures + 1
            pause = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**failures)
            _log.error("%s; indexing goes on, and it is started again in %g s", ending, pause)
            self._stopping.wait(pause)

    def _wait_for_port(self) -> bool:
        """Return True once the port is free, False if told to stop. Each reason is said once."""
        said = None
        while not self._stopping.is_set():
            problem = port_problem(self._port)
            if problem is None:
                return True
            if problem != said:
                _log.error("%s; indexing goes on, and serving begins once it is free", problem)
            said = problem
            self._stopping.wait(LOOK_SECONDS)
        return False

    def _serve(self) -> str:
        """Run one child to its end; how it ended."""
        reading, writing = os.pipe()
        try:
            with self._lock:
                if not self._stopping.is_set():
                    self._child = self._spawn(reading)
            code = self._child.wait() if self._child is not None else 0
        except OSError as error:
            return f"searcher serve cannot be started: {error.strerror}"
        finally:
            with self._lock:
                self._child = None
            os.close(reading)
            os.close(writing)
        return f"searcher serve ended with exit code {code}"

    def _spawn(self, pipe: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "searcher", "serve", "--home", str(self._home)]
        command += ["--port", str(self._port), "--until-closed", str(pipe)]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[pipe],
            # A session of its own, so that Ctrl-C reaches it through us and only once.
            start_new_session=True,
        )


def port_problem(port: int) -> str | None:
    """Why the port cannot be listened on, if so: asked first, to say it once and start nothing."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            reason = error.strerror or str(error)
            return f"port {port} of {HOST} cannot be served: {reason}: choose another --port"
    return None
