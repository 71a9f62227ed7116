"""`Calls`: requests to a server, asked again and elsewhere for as long as that makes sense."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from qdrant_client import QdrantClient

from shared.errors import LookalikeError
from shared.settings import Settings
from shared.store.server.client import Node
from shared.store.server.faults import Fault, Retry, understood

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
LONG_LIVED_SECONDS = 15.0
"""Daemons and services have a back-off of their own, or someone who waits."""
SELDOM_TRIES = 3

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request is tried. `seconds`: no try begins that would probably end later;
    `rounds`: how often every node is tried when none answers, None for while there is time."""

    seconds: float
    rounds: int | None = None

    @classmethod
    def of(cls, settings: Settings, *, long_lived: bool) -> Patience:
        """Short commands wait for a server that is away; those that stay say that it is."""
        seconds = settings.qdrant_wait_seconds
        return cls(min(seconds, LONG_LIVED_SECONDS), 2) if long_lived else cls(seconds)


class Calls:
    """Requests to the nodes of one server. Safe to call from several threads.

    Every request is idempotent, so that one without an answer may be repeated. It goes to the node
    that answered last, and from one that fails to the next.
    """

    def __init__(self, nodes: Sequence[Node], patience: Patience) -> None:
        self._nodes = tuple(nodes)
        self._patience = patience
        self._turn = 0

    @property
    def url(self) -> str:
        """The address of the node whose turn it is."""
        return self._nodes[self._turn].url

    def run(self, request: Callable[[QdrantClient], Result]) -> Result:
        """The answer of the first node that gives one.

        Raises `StoreAway`, `DiskFull`, `StoreRefused`, `StoreMissing`, `AlreadyThere` and, for
        whatever else the server does not want, `StoreError`.
        """
        tries = _Tries(self._patience, len(self._nodes))
        while True:
            turn = self._turn
            node = self._nodes[turn]
            try:
                return request(node.client())
            except LookalikeError:
                raise
            except Exception as error:  # whatever the client raises is one fault or another
                fault = understood(error, node.url)
                pause = tries.pause_after(fault)
                if pause is None:
                    raise fault.error from error
            if fault.retry is Retry.ELSEWHERE:
                node.forget()
            if fault.seconds is None:
                self._turn = (turn + 1) % len(self._nodes)
            time.sleep(pause)

    def close(self) -> None:
        """End all connections; closing twice is harmless."""
        for node in self._nodes:
            node.close()


class _Tries:
    """The failed tries of one request, and whether another one makes sense."""

    def __init__(self, patience: Patience, nodes: int) -> None:
        self._patience = patience
        self._nodes = nodes
        self._failed = 0
        self._began = self._tried = time.monotonic()

    def pause_after(self, fault: Fault) -> float | None:
        """Seconds until the next try; None when there shall be none."""
        now = time.monotonic()
        took, self._failed = now - self._tried, self._failed + 1
        rounds, within = divmod(self._failed, self._nodes)
        if fault.retry is Retry.NEVER:
            return None
        if fault.retry is Retry.SELDOM and self._failed >= SELDOM_TRIES:
            return None
        if fault.retry is Retry.ELSEWHERE:
            if within:
                self._tried = now
                return 0.0
            if rounds == self._patience.rounds:
                return None
        pause = fault.seconds or _pause(self._failed)
        if now + pause + took > self._began + self._patience.seconds:
            return None
        if fault.retry is Retry.ELSEWHERE and rounds == 1 and self._patience.rounds is None:
            _log.warning("%s; trying for %.0f s", fault.error, self._patience.seconds)
        self._tried = now + pause
        return pause


def _pause(failed: int) -> float:
    """Doubled from try to try, and never the same for two who failed together."""
    pause = min(FIRST_PAUSE_SECONDS * 2.0 ** (failed - 1), LONGEST_PAUSE_SECONDS)
    return pause * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
