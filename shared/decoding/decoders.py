"""`Decoders`: pictures that come as bytes, decoded one by one in processes of their own."""

from __future__ import annotations

import contextlib
import logging
import queue
from collections.abc import Sequence

from shared.decoding.messages import Outcome, Picture
from shared.decoding.process import Death, WorkerGone, WorkerProcess
from shared.errors import ImageRefused
from shared.reading import Limits
from shared.types import Decoded, PixelSpec

_STARTS = 3
"""How often a worker may end before it began on a picture, until that picture is refused."""

_log = logging.getLogger(__name__)


class Decoders:
    """Decodes bytes in `workers` processes, for callers in any number of threads.

    A call borrows an idle worker, and waits for one while all are busy. A picture that takes longer
    than `timeout_seconds` is refused and its worker replaced; one that crashes its worker is tried
    once more in a fresh one. After `close` every picture is refused.
    """

    def __init__(
        self, specs: Sequence[PixelSpec], limits: Limits, *, workers: int, timeout_seconds: float
    ) -> None:
        self._limits = limits
        self._workers = [_Worker(specs, limits, timeout_seconds) for _ in range(workers)]
        # The last one used goes first: its memory is warm.
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for worker in self._workers:
            worker.start()
            self._idle.put(worker)

    def decode(self, data: bytes) -> Decoded:
        """The picture's pixels for every spec, as `shared.images.decode` makes them.

        Raises `ImageRefused` with the reason.
        """
        outcome = self._answer(Picture(data))
        if outcome.decoded is None:
            raise ImageRefused(outcome.reason or "is refused")
        return outcome.decoded

    def thumbnail(self, data: bytes, edge: int) -> bytes:
        """A JPEG file of the picture, upright, at most `edge` pixels wide and high.

        As `shared.images.thumbnail` and `jpeg_bytes` make it. Raises `ImageRefused`.
        """
        outcome = self._answer(Picture(data, edge))
        if outcome.thumbnail is None:
            raise ImageRefused(outcome.reason or "is refused")
        return outcome.thumbnail

    def close(self) -> None:
        """End the workers; pictures under way are refused. May be called twice."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.process.close()
        for _ in workers:
            self._idle.get()  # whoever has borrowed it hands it back
        for worker in workers:
            worker.process.end()
        self._idle.put(None)

    def _answer(self, picture: Picture) -> Outcome:
        size = len(picture.data)
        if size > self._limits.max_file_bytes:
            limit = f"max_file_bytes={self._limits.max_file_bytes}"
            raise ImageRefused(f"has {size} bytes, more than {limit}")
        worker = self._idle.get()
        try:
            if worker is None:
                raise _closed()
            return worker.answer(picture)
        finally:
            self._idle.put(worker)


class _Worker:
    """One worker process, replaced when it dies, and what it did since it was started."""

    def __init__(self, specs: Sequence[PixelSpec], limits: Limits, timeout_seconds: float) -> None:
        self.process = WorkerProcess(specs, limits, timeout_seconds)
        self._timeout = timeout_seconds
        self._answered = 0

    def start(self) -> None:
        """Have a process ready. If none can be started now, the next picture tries again."""
        with contextlib.suppress(WorkerGone):
            self.process.start()

    def answer(self, picture: Picture) -> Outcome:
        """What became of the picture. Raises `ImageRefused` if it has cost a worker."""
        crashes, stillborn = 0, 0
        while True:
            try:
                self.process.send_picture(picture)
                (outcome,) = self.process.receive()
            except WorkerGone as gone:
                if self.process.closed:
                    raise _closed() from None
                began, death = self._replace()
                crashes, stillborn = crashes + began, stillborn + (not began)
                if stillborn >= _STARTS:
                    raise _unable(death, gone) from gone
                if death.took_too_long or crashes > 1:
                    raise ImageRefused(death.reason(self._timeout)) from None
            except BaseException:
                self._replace()  # else the next picture would get this one's answer
                raise
            else:
                self._answered += 1
                return outcome

    def _replace(self) -> tuple[bool, Death]:
        """Start another process; whether the one before had begun on its last picture."""
        death = self.process.end()
        began = death.started > self._answered
        self._answered = 0
        self.start()
        return began, death


def _closed() -> ImageRefused:
    return ImageRefused("cannot be decoded: the decoders are closed")


def _unable(death: Death, gone: WorkerGone) -> ImageRefused:
    cause = gone.__cause__ or f"exit code {death.code}"
    _log.error("no decoder can be started: %s", cause)
    return ImageRefused(f"cannot be decoded: no decoder can be started ({cause})")
