"""`DecodingPool`: worker processes, each fed by a thread that replaces it when it dies."""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Sequence

from shared.decoding.messages import Job, Outcome
from shared.decoding.process import Death, WorkerGone, WorkerProcess
from shared.reading import Limits, Signature
from shared.types import PixelSpec

_JOBS_A_MESSAGE = 8
"""Jobs sent together. A worker gets the next group while it is still at the last one, so that it
never waits for the parent."""

_AHEAD = 128
"""Pictures under way beside those: workers go on with them while their parent encodes and writes,
which for small pictures takes it longer than them. At 49 KB a picture they are 6 MB."""

MAX_PAUSE_SECONDS = 2.0

_Keyed = tuple[int, Job]

_log = logging.getLogger(__name__)


class DecodingPool:
    """Decodes files in `workers` processes. `submit` jobs with a key, `take` (key, outcome).

    At most `capacity` jobs should be under way; `submit` blocks beyond twice that. A job whose
    worker crashes is tried once more, alone, before its file is refused.
    """

    def __init__(
        self, specs: Sequence[PixelSpec], limits: Limits, *, workers: int, timeout_seconds: float
    ) -> None:
        self.capacity = workers * _JOBS_A_MESSAGE * 2 + _AHEAD
        self._jobs: queue.Queue[list[_Keyed] | None] = queue.Queue(2 * self.capacity)
        self._outcomes: queue.Queue[tuple[int, Outcome]] = queue.Queue()
        self._gathered: list[_Keyed] = []
        self._workers = [WorkerProcess(specs, limits, timeout_seconds) for _ in range(workers)]
        self._feeders = [
            _Feeder(worker, self._jobs, self._outcomes, timeout_seconds) for worker in self._workers
        ]
        for feeder in self._feeders:
            feeder.start()

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
        for worker in self._workers:
            worker.close()
        for _ in self._feeders:
            self._jobs.put(None)
        for feeder in self._feeders:
            feeder.join()
        for worker in self._workers:
            worker.end()


class _Feeder(threading.Thread):
    """Keeps one worker supplied, and finds out which picture it died of."""

    def __init__(
        self,
        worker: WorkerProcess,
        jobs: queue.Queue[list[_Keyed] | None],
        outcomes: queue.Queue[tuple[int, Outcome]],
        timeout_seconds: float,
    ) -> None:
        super().__init__(name="decoding", daemon=True)
        self._worker, self._jobs, self._outcomes = worker, jobs, outcomes
        self._timeout = timeout_seconds
        self._sent: deque[_Keyed] = deque()
        self._waiting: deque[_Keyed] = deque()
        self._suspect: int | None = None
        self._answered = 0
        self._stillborn = 0

    def run(self) -> None:
        """Until the pool is closed."""
        while self._supplied():
            try:
                self._send()
                for outcome in self._worker.receive():
                    key, _ = self._sent.popleft()
                    self._answered += 1
                    if key == self._suspect:
                        self._suspect = None
                    self._outcomes.put((key, outcome))
            except WorkerGone:
                if self._worker.closed:
                    return
                death = self._worker.end()
                self._mourn(death)
                self._pause_after(death)

    def _pause_after(self, death: Death) -> None:
        """A worker that cannot even start is tried again, but not as fast as it dies."""
        self._stillborn = 0 if death.started else self._stillborn + 1
        if self._stillborn > 1:
            _log.warning("a decoder ends before its first picture (exit code %s)", death.code)
            time.sleep(min(MAX_PAUSE_SECONDS, 0.1 * 2**self._stillborn))

    def _supplied(self) -> bool:
        """Take a group if the worker runs low; blocks if it has nothing. False at the end."""
        under_way = len(self._sent) + len(self._waiting)
        if under_way > _JOBS_A_MESSAGE // 2:
            return True
        try:
            group = self._jobs.get(block=under_way == 0)
        except queue.Empty:
            return True
        if group is None:
            return False
        self._waiting.extend(group)
        return True

    def _send(self) -> None:
        """Send what waits; a suspect goes alone, so that its neighbours are not tried with it."""
        if self._suspect is not None and self._sent:
            return
        while self._waiting:
            alone = self._waiting[0][0] == self._suspect
            count = 1 if alone else min(len(self._waiting), _JOBS_A_MESSAGE)
            group = [self._waiting.popleft() for _ in range(count)]
            self._sent.extend(group)
            self._worker.send([job for _, job in group])
            if alone:
                return

    def _mourn(self, death: Death) -> None:
        """Refuse the job that the worker died of, or try it once more, alone and first."""
        at_fault = death.started - self._answered - 1
        self._answered = 0
        jobs = list(self._sent)
        self._sent.clear()
        if 0 <= at_fault < len(jobs):
            key, job = jobs.pop(at_fault)
            if key == self._suspect or death.code == -signal.SIGALRM:
                self._suspect = None
                self._outcomes.put((key, _fatal(job, death, self._timeout)))
            else:
                self._suspect = key
                jobs.insert(0, (key, job))
        self._waiting.extendleft(reversed(jobs))


def _fatal(job: Job, death: Death, timeout_seconds: float) -> Outcome:
    try:
        signature = Signature.of(os.lstat(job.path))
    except OSError:
        return Outcome("gone")
    return Outcome("refused", signature, reason=death.reason(timeout_seconds))
