"""What is asked of the stub and what it replies, whichever face it came through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

VIOLATION = "violation "
"""How a line of the log starts that tells of a request that does not fit; JSON follows."""
Cut = Literal["close", "reset"]
"""How a connection ends instead of an answer."""

Form = Literal["usual", "bare", "text"]
"""How an answer is written: beside status and time, as JSON without them, or as plain text."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `body` is what its JSON says, None without one; names of headers are small."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: what the server would send as `result`, or an error; or no answer at all."""

    status: int = 200
    result: Any = None
    error: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: Cut | None = None
    form: Form = "usual"


class Refusal(Exception):
    """The server would not carry out the request."""

    def __init__(self, status: int, error: str, form: Form = "usual") -> None:
        super().__init__(error)
        self.reply = Reply(status, error=error, form=form)
