"""What a request asks, and what is found for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from searcher.answer import Answer, Tier
from searcher.query.identity import NO_OWN, OwnImages
from searcher.query.options import Request
from searcher.reasons.explaining import Explained


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that came with a request: its name as it was given, and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Asking:
    """One query as a request puts it. Examples are uploads or ids of indexed images; with none to
    be like, an indexed image at random is the query. `own`: indexed images that the client knows to
    be examples themselves."""

    like: tuple[Upload | str, ...]
    unlike: tuple[Upload | str, ...] = ()
    request: Request = field(default_factory=Request)
    tier: Tier | None = None
    explain: bool = False
    seed: int = 0
    own: OwnImages = NO_OWN

    def without_files(self) -> Asking:
        """The same, with its own images known by their ids only."""
        return replace(self, own=OwnImages(self.own.points))


@dataclass(frozen=True, slots=True)
class Found:
    """An answer, what it was asked with, and why its results are results if that was asked."""

    shown: str
    answer: Answer
    explained: Explained | None = None
