"""What one `searcher query` asks, and what comes back for each query, whoever answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from searcher.query.options import Request
from shared.errors import LookalikeError

if TYPE_CHECKING:
    from PIL import Image

    from searcher.answer import Answer, Tier
    from searcher.pictures import ExamplePicture, Pictures

Texts = tuple[str, ...]
"""The images of one query as they were given; none means one at random."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How every query of a command is asked. `against`: images that results shall not look like,
    as they were given. `tier`: the least of the results. `draws`: pictures are wanted too."""

    request: Request = field(default_factory=Request)
    against: Texts = ()
    tier: Tier | None = None
    explain: bool = False
    draws: bool = False

    @property
    def wants_heat(self) -> bool:
        """Whether heat maps are drawn, for which the encoder itself is needed."""
        return self.explain and self.draws


@dataclass(frozen=True, slots=True)
class Asked:
    """One query as it was given (valid Unicode), its answer, and its examples if they are drawn.

    By result id, for results that are explained: `heats` is the picture with its heat map over it,
    `explained` a line of text, `told` the same and more as JSON values.
    """

    shown: str
    answer: Answer
    examples: tuple[ExamplePicture, ...] = ()
    heats: Mapping[str, Image.Image] = field(default_factory=dict)
    explained: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """A query, as it was given, that cannot be asked; it costs only itself."""

    given: str
    error: LookalikeError


class Asker(Protocol):
    """Whoever answers: this process with its home, or a running service."""

    @property
    def roots(self) -> Mapping[str, Path]:
        """Where each root id lies on this machine."""
        ...

    @property
    def pictures(self) -> Pictures:
        """The indexed images as small pictures."""
        ...

    def answers(self, queries: Sequence[Texts]) -> Iterator[Asked | Refused]:
        """What comes back for each query, in their order. Raises `LookalikeError` when it is of no
        use to go on."""
        ...
