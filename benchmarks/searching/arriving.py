"""Queries while new images arrive and the store tidies itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.searching.filling import Filling
from benchmarks.searching.owned import Owned, owned
from benchmarks.searching.owner import BATCH
from benchmarks.searching.paced import ask_at_random
from shared.types import Embeddings

ASKS_THROUGH, ASKS_INSIDE = 50, 20
"""Queries a second, through the socket and in the owner's process."""


@dataclass(frozen=True, slots=True)
class Phase:
    """`batches`: of 64 images a second. `tidies`: after each, as the daemon does with no more owed;
    else the store does so by itself, as in the middle of a scan."""

    name: str
    batches: float
    tidies: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What one asker had to wait in one phase. `waits`: (n, 2), when in seconds from the phase's
    begin and for how long; `cause`: what the owner did during the longest wait. `images`: written
    meanwhile."""

    phase: Phase
    asker: str
    waits: NDArray[np.float64]
    cause: str
    images: int

    def percentile(self, share: float) -> float:
        """Seconds."""
        return float(np.percentile(self.waits[:, 1], share))

    @property
    def longest(self) -> float:
        """Seconds."""
        return float(self.waits[:, 1].max())


def while_arriving(
    filling: Filling, queries: Embeddings, new: Embeddings, phases: list[Phase]
) -> list[Heard]:
    """Each phase in turn, on a store that goes on growing by `new` (n, 512)."""
    with owned(filling.home, filling.clusters, queries, new) as sides:
        for _ in range(2):
            sides.question.seconds_of_all(sides.client, with_records=False)
        return [heard for phase in phases for heard in _phase(sides, phase)]


def _phase(sides: Owned, phase: Phase) -> list[Heard]:
    began = time.monotonic()
    sides.wish(
        do="go on",
        seconds=phase.seconds,
        batches=phase.batches,
        tidies=phase.tidies,
        asks=ASKS_INSIDE,
    )
    through = ask_at_random(
        sides.client, sides.question, ASKS_THROUGH, began + phase.seconds, seed=0
    )
    answer = sides.answer()
    written = [tuple(one) for one in answer["written"]]
    images = BATCH * sum(kind == "writing a batch" for kind, _, _ in written)
    return [
        Heard(phase, asker, _waits(asked, began), _cause(asked, written), images)
        for asker, asked in (("through the socket", through), ("in the owner", answer["asked"]))
    ]


def _waits(asked: list[tuple[float, float]], began: float) -> NDArray[np.float64]:
    return np.array([(start - began, end - start) for start, end in asked])


def _cause(asked: list[tuple[float, float]], written: list[tuple[str, float, float]]) -> str:
    """What went on longest between the start and the end of the longest query."""
    start, end = max(asked, key=lambda one: one[1] - one[0])
    shares = [(min(end, until) - max(start, since), kind) for kind, since, until in written]
    share, kind = max(shares, default=(0.0, ""))
    return f"{kind}, {1e3 * share:.0f} ms of it" if share > 0 else "nothing of the store's"
