"""What parent and worker say to each other: JSON, then raw bytes. Never pickle."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from shared.reading import Limits, Signature
from shared.types import Decoded, PixelSpec

MAX_MESSAGE_BYTES = 64 * 2**20
"""Longest message accepted, in bytes; a batch of small pictures is far below. A picture sent to a
worker may have as many bytes as its limits allow."""

STARTED = struct.Struct("<q")
"""What a worker keeps in memory shared with its parent: how many jobs it has started so far."""

_LENGTH = struct.Struct("<I")
_FACTS = ("sha256", "phash", "old_phash", "width", "height", "format", "taken_at")


@dataclass(frozen=True, slots=True)
class Job:
    """One file to read. `known`: hashes of contents that need no decoding again."""

    path: bytes
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's bytes: to be decoded, or made a thumbnail of at most `edge` pixels a side."""

    data: bytes
    edge: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job or a picture.

    decoded: `decoded` is set. drawn: `thumbnail`, a JPEG file. known: `sha256` (one of the job's).
    refused: `reason`. waiting: it could not be read now, for `reason`. changed, gone: look at the
    disk again. A job's outcome has the file's `signature` as well, unless it is waiting, changed or
    gone.
    """

    kind: Literal["decoded", "drawn", "known", "refused", "waiting", "changed", "gone"]
    signature: Signature | None = None
    decoded: Decoded | None = None
    sha256: str | None = None
    reason: str | None = None
    thumbnail: bytes | None = None


def pack_hello(specs: Sequence[PixelSpec], limits: Limits, timeout_seconds: float) -> bytes:
    """What a worker must know before its first job."""
    value = {
        "specs": [spec.to_json() for spec in specs],
        "limits": asdict(limits),
        "timeout_seconds": timeout_seconds,
    }
    return json.dumps(value).encode()


def unpack_hello(message: bytes) -> tuple[list[PixelSpec], Limits, float]:
    """The reverse of `pack_hello`."""
    value = json.loads(message)
    specs = [PixelSpec.from_json(spec) for spec in value["specs"]]
    return specs, Limits(**value["limits"]), float(value["timeout_seconds"])


def pack_jobs(jobs: Sequence[Job]) -> bytes:
    """Jobs as JSON; names that are not UTF-8 travel as surrogate escapes."""
    return json.dumps([[os.fsdecode(job.path), *job.known] for job in jobs]).encode()


def unpack_jobs(message: bytes) -> list[Job]:
    """The reverse of `pack_jobs`."""
    return [Job(os.fsencode(path), tuple(known)) for path, *known in json.loads(message)]


def pack_head(picture: Picture) -> bytes:
    """What goes before a picture's bytes, which are a message of their own, never copied."""
    return json.dumps({"edge": picture.edge}).encode()


def edge_in_head(message: bytes) -> int | None:
    """The reverse of `pack_head`."""
    edge: int | None = json.loads(message)["edge"]
    return edge


def is_head(message: bytes) -> bool:
    """Whether a picture's bytes come next; else the message is one of jobs."""
    return message.startswith(b"{")


def pack_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """Several outcomes, each behind its length in bytes (4, little-endian)."""
    packed = [pack_outcome(outcome) for outcome in outcomes]
    return b"".join(part for one in packed for part in (_LENGTH.pack(len(one)), one))


def unpack_outcomes(message: bytes, specs: Sequence[PixelSpec]) -> list[Outcome]:
    """The reverse of `pack_outcomes`."""
    outcomes, start = [], 0
    while start < len(message):
        (length,) = _LENGTH.unpack_from(message, start)
        start += _LENGTH.size
        outcomes.append(unpack_outcome(message[start : start + length], specs))
        start += length
    return outcomes


def pack_outcome(outcome: Outcome) -> bytes:
    """A JSON line, and behind it the raw pixels of every spec, or the thumbnail."""
    head: dict[str, Any] = {
        "kind": outcome.kind,
        "sha256": outcome.sha256,
        "reason": outcome.reason,
        "signature": asdict(outcome.signature) if outcome.signature else None,
        "decoded": None,
    }
    raw = [outcome.thumbnail] if outcome.thumbnail is not None else []
    if outcome.decoded is not None:
        found = outcome.decoded
        head["decoded"] = {name: getattr(found, name) for name in _FACTS}
        raw = [array.tobytes() for array in found.pixels]
    return json.dumps(head).encode() + b"\n" + b"".join(raw)


def unpack_outcome(message: bytes, specs: Sequence[PixelSpec]) -> Outcome:
    """The reverse of `pack_outcome` for a worker that was given those specs."""
    line, _, raw = message.partition(b"\n")
    head = json.loads(line)
    signature = Signature(**head["signature"]) if head["signature"] else None
    decoded = None
    if head["decoded"] is not None:
        arrays, start = [], 0
        for spec in specs:
            count = spec.size * spec.size * 3
            flat = np.frombuffer(raw, np.uint8, count, start)
            arrays.append(flat.reshape(spec.size, spec.size, 3))
            start += count
        decoded = Decoded(pixels=tuple(arrays), **head["decoded"])
    thumbnail = raw if head["kind"] == "drawn" else None
    return Outcome(head["kind"], signature, decoded, head["sha256"], head["reason"], thumbnail)
