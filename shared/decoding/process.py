"""`WorkerProcess`: one decoder process, started when first needed and again after it died."""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from shared.decoding.messages import (
    MAX_MESSAGE_BYTES,
    STARTED,
    Job,
    Outcome,
    Picture,
    pack_head,
    pack_hello,
    pack_jobs,
    unpack_outcomes,
)
from shared.reading import Limits
from shared.types import PixelSpec

GRACE_SECONDS = 2.0
"""How much later than the worker's own alarm the parent gives up on it."""

_ENVIRONMENT = {
    # One thread a worker: the pool is the parallelism.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # glibc would give memory back after each picture and fault it in again, page by page, for the
    # next: a third of a thumbnail's time.
    "MALLOC_MMAP_THRESHOLD_": str(8 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(32 * 2**20),
}

_TIMEVAL = struct.Struct("@ll")
"""`struct timeval`: seconds, microseconds."""


class WorkerGone(Exception):
    """The worker died or did not answer in time; `end` tells what it died of."""


@dataclass(frozen=True, slots=True)
class _Alive:
    """A running worker. `started` is memory it shares with us."""

    process: subprocess.Popen[bytes]
    connection: Connection
    poll: select.poll
    started: mmap.mmap


@dataclass(frozen=True, slots=True)
class Death:
    """`code` as subprocess gives it; `started`: jobs begun in the process's life.

    `hung`: it was ended because it neither answered nor died.
    """

    code: int
    started: int
    hung: bool = False

    @property
    def took_too_long(self) -> bool:
        """Whether the time was over, by the worker's own alarm or because it did not answer."""
        return self.hung or self.code == -signal.SIGALRM

    def reason(self, timeout_seconds: float) -> str:
        """Why the picture is refused that the worker died of."""
        if self.took_too_long:
            return f"takes longer than decode_timeout_seconds={timeout_seconds:g} to decode"
        name = "an error"
        with contextlib.suppress(ValueError):
            name = signal.Signals(-self.code).name
        return f"crashes the decoder ({name})"


class WorkerProcess:
    """Sends jobs or pictures to a worker and receives what became of them, in order.

    For one thread, but `close`.
    """

    def __init__(self, specs: Sequence[PixelSpec], limits: Limits, timeout_seconds: float) -> None:
        self._specs = tuple(specs)
        self._hello = pack_hello(specs, limits, timeout_seconds)
        self._patience_seconds = timeout_seconds + GRACE_SECONDS
        self._alive: _Alive | None = None
        self._lock = threading.Lock()
        self.closed = False

    def send(self, jobs: Sequence[Job]) -> None:
        """Give the worker jobs behind those it has. Raises `WorkerGone`."""
        try:
            self._running().connection.send_bytes(pack_jobs(jobs))
        except OSError as error:
            raise WorkerGone from error

    def send_picture(self, picture: Picture) -> None:
        """Give an idle worker a picture's bytes. Raises `WorkerGone`."""
        try:
            connection = self._running().connection
            connection.send_bytes(pack_head(picture))
            connection.send_bytes(picture.data)
        except OSError as error:
            raise WorkerGone from error

    def receive(self) -> list[Outcome]:
        """The outcomes of the next job or jobs. Raises `WorkerGone`."""
        alive = self._running()
        try:
            if not alive.poll.poll(self._patience_seconds * 1000):
                raise WorkerGone
            message = alive.connection.recv_bytes(MAX_MESSAGE_BYTES)
        except (EOFError, OSError) as error:
            raise WorkerGone from error
        return unpack_outcomes(message, self._specs)

    def start(self) -> None:
        """Start the process now, so that the first job finds it ready. Raises `WorkerGone`."""
        try:
            self._running()
        except OSError as error:
            raise WorkerGone from error

    def end(self) -> Death:
        """End the process; what it died of."""
        with self._lock:
            if self._alive is None:
                return Death(0, 0)
            alive, self._alive = self._alive, None
            with contextlib.suppress(subprocess.TimeoutExpired):
                alive.process.wait(0.2)  # one that crashed has its own exit code; do not blur it
            given_up = alive.process.returncode is None
            if given_up:
                alive.process.kill()
            code = alive.process.wait()
            # On a busy machine one that crashed may only be slow to give its memory back.
            hung = given_up and code == -signal.SIGKILL
            (started,) = STARTED.unpack_from(alive.started)
            alive.connection.close()
            alive.started.close()
            return Death(code, started, hung)

    def close(self) -> None:
        """End the process for good; may be called from another thread."""
        with self._lock:
            self.closed = True
            if self._alive is not None:
                self._alive.process.kill()

    def _running(self) -> _Alive:
        with self._lock:
            if self.closed:
                raise WorkerGone
            if self._alive is None:
                self._alive = self._start()
            return self._alive

    def _start(self) -> _Alive:
        ours, theirs = socket.socketpair()
        # A large picture fills the socket; a worker that was stopped would never empty it.
        patience = _TIMEVAL.pack(math.ceil(self._patience_seconds), 0)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        with theirs, tempfile.TemporaryFile() as memory:
            memory.write(bytes(STARTED.size))  # not a hole, which a full disk could not fill
            memory.flush()
            started = mmap.mmap(memory.fileno(), STARTED.size)
            descriptors = [theirs.fileno(), memory.fileno()]
            process = subprocess.Popen(
                [sys.executable, "-m", "shared.decoding.worker", *map(str, descriptors)],
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is for the parent, which decides when to stop
                pass_fds=descriptors,
                env=os.environ | _ENVIRONMENT,
            )
        poll = select.poll()
        poll.register(ours, select.POLLIN)
        connection = Connection(ours.detach())
        connection.send_bytes(self._hello)
        return _Alive(process, connection, poll, started)
