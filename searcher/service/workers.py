"""The parent of several processes that answer: it replaces those that die, and they follow it."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import threading
from pathlib import Path
from types import FrameType

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from searcher.service.metrics_folder import forget
from shared.errors import ServiceError

_log = logging.getLogger(__name__)


class Workers(Multiprocess):
    """Starts and watches workers until SIGTERM or SIGINT; a second one kills them and itself.

    SIGHUP replaces one worker after the other. `metrics`: where they keep their numbers.
    """

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], metrics: Path) -> None:
        super().__init__(config, sockets)
        self._metrics = metrics
        self._known: list[Process] = []
        self._stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def run(self) -> None:
        """Serve to the end. Raises `ServiceError` if a worker could not start."""
        super().run()
        if any(one.exitcode == STARTUP_FAILURE for one in self.processes):
            raise ServiceError("a process of the service could not start: its log says why")

    def keep_subprocess_alive(self) -> None:
        """Replace workers that died; called twice a second."""
        super().keep_subprocess_alive()
        for one in self._known:
            if one not in self.processes and one.pid is not None:
                forget(self._metrics, one.pid)
                if one.exitcode != -signal.SIGTERM:  # else it was asked to
                    _log.warning("process %d of the service ended: replaced", one.pid)
        self._known = list(self.processes)

    def terminate_all(self) -> None:
        """Ask all workers to end; whoever connects from here on is told that nobody listens."""
        for one in self.sockets:
            one.close()
        super().terminate_all()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if self._stopping:
            for one in self.processes:
                one.process.kill()
            os._exit(128 + number)
        self._stopping = True
        self.signal_queue.append(number)


class Alone(uvicorn.Server):
    """A service of one process: the second signal ends it at once."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if self.should_exit:
            os._exit(128 + sig)
        super().handle_exit(sig, frame)


def stop_with_parent() -> None:
    """Stop this worker, as SIGTERM does, when its parent has died; without one do nothing."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="until-parent-ends", daemon=True).start()
