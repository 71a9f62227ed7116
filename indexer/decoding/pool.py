"""`DecodingPool`: worker processes, each fed by a thread that replaces it when it dies."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from indexer.decoding.messages import (
    MAX_MESSAGE_BYTES,
    Job,
    Outcome,
    pack_hello,
    pack_jobs,
    unpack_outcome,
)
from shared.reading import Limits, Signature
from shared.types import PixelSpec

_JOBS_A_MESSAGE = 8
"""Jobs sent together: enough that a worker never waits for the parent, few enough to share out."""
_GRACE_SECONDS = 2.0
"""How much later than the worker's own alarm the parent gives up on it."""


class DecodingPool:
    """Decodes files in `workers` processes. `submit` jobs with a key, `take` (key, outcome).

    At most `capacity` jobs should be under way; `submit` blocks beyond twice that. A job whose
    worker dies is tried once more, alone, before its file is refused.
    """

    def __init__(
        self, specs: Sequence[PixelSpec], limits: Limits, *, workers: int, timeout_seconds: float
    ) -> None:
        self._specs, self._limits, self._timeout = tuple(specs), limits, timeout_seconds
        self.capacity = workers * _JOBS_A_MESSAGE * 4
        self._jobs: queue.Queue[list[tuple[int, Job]] | None] = queue.Queue(2 * self.capacity)
        self._outcomes: queue.Queue[tuple[int, Outcome]] = queue.Queue()
        self._gathered: list[tuple[int, Job]] = []
        self._workers = [_Worker(self._start) for _ in range(workers)]
        self._threads = [
            threading.Thread(target=self._feed, args=(worker,), name="decoding", daemon=True)
            for worker in self._workers
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, key: int, job: Job) -> None:
        """Queue a job; jobs leave for the workers in small groups, see `push`."""
        self._gathered.append((key, job))
        if len(self._gathered) >= _JOBS_A_MESSAGE:
            self.push()

    def push(self) -> None:
        """Send off the jobs that still wait for their group to fill."""
        if self._gathered:
            self._jobs.put(self._gathered)
            self._gathered = []

    def take(self, timeout_seconds: float | None = None) -> tuple[int, Outcome] | None:
        """The next outcome, in the order they become ready; None when the time is over."""
        try:
            return self._outcomes.get(timeout=timeout_seconds)
        except queue.Empty:
            return None

    def close(self) -> None:
        """End the workers; outcomes not taken are lost (their files are still owed)."""
        for _ in self._threads:
            self._jobs.put(None)
        for worker in self._workers:
            worker.close()
        for thread in self._threads:
            thread.join()
        for worker in self._workers:
            worker.end()

    def _feed(self, worker: _Worker) -> None:
        while (group := self._jobs.get()) is not None:
            suspects: set[int] = set()
            while group:
                done = self._run(worker, group)
                group = group[done:]
                if not group:
                    break
                if worker.closed:
                    return
                key, job = group[0]
                if key in suspects:
                    self._outcomes.put((key, _fatal(job, worker.died_of, self._timeout)))
                    group = group[1:]
                suspects.add(key)

    def _run(self, worker: _Worker, group: Sequence[tuple[int, Job]]) -> int:
        """Let the worker do a group; how many jobs it answered before it died."""
        done = 0
        try:
            connection = worker.connection()
            connection.send_bytes(pack_jobs([job for _, job in group]))
            for key, _ in group:
                if not connection.poll(self._timeout + _GRACE_SECONDS):
                    worker.end()
                    break
                message = connection.recv_bytes(MAX_MESSAGE_BYTES)
                self._outcomes.put((key, unpack_outcome(message, self._specs)))
                done += 1
        except (EOFError, OSError):
            worker.end()
        return done

    def _start(self) -> tuple[subprocess.Popen[bytes], Connection]:
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            process = subprocess.Popen(
                [sys.executable, "-m", "indexer.decoding.worker", str(number)],
                stdin=subprocess.DEVNULL,
                pass_fds=[number],
                # One thread a worker: the pool is the parallelism.
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        connection = Connection(ours.detach())
        connection.send_bytes(pack_hello(self._specs, self._limits, self._timeout))
        return process, connection


class _Worker:
    """One worker process, started when first needed and again after it died."""

    def __init__(self, start: Callable[[], tuple[subprocess.Popen[bytes], Connection]]) -> None:
        self._start = start
        self._alive: tuple[subprocess.Popen[bytes], Connection] | None = None
        self._lock = threading.Lock()
        self.died_of: int | None = None
        self.closed = False

    def connection(self) -> Connection:
        """The connection to a living worker. Raises OSError after `close`."""
        with self._lock:
            if self.closed:
                raise OSError("the pool is closed")
            if self._alive is None:
                self._alive = self._start()
            return self._alive[1]

    def end(self) -> None:
        """End the process and remember what it died of."""
        with self._lock:
            if self._alive is None:
                return
            process, connection = self._alive
            self._alive = None
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)  # one that crashed has its own exit code; do not blur it
            if process.returncode is None:
                process.kill()
            self.died_of = process.wait()
            connection.close()

    def close(self) -> None:
        """End the process for good."""
        with self._lock:
            self.closed = True
            if self._alive is not None:
                self._alive[0].kill()


def _fatal(job: Job, died_of: int | None, timeout_seconds: float) -> Outcome:
    try:
        signature = Signature.of(os.lstat(job.path))
    except OSError:
        return Outcome("gone")
    if died_of == -signal.SIGALRM:
        reason = f"takes longer than decode_timeout_seconds={timeout_seconds:g} to decode"
    else:
        name = "an error"
        with contextlib.suppress(ValueError, TypeError):
            name = signal.Signals(-(died_of or 0)).name
        reason = f"crashes the decoder ({name})"
    return Outcome("refused", signature, reason=reason)
