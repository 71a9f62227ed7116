"""What a backup holds: the names of its parts, its manifest, and how much of either is believed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from shared.errors import LookalikeError
from shared.models import Pair

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
SETTINGS = "settings.toml"
ROOTS = "roots.json"
JOURNAL = "journal.sqlite3"
MODELS = "models"

POINTS_PER_PART = 5_000
MOST_MANIFEST_BYTES = 64 * 2**20
"""That of 100 million points takes 8 MB."""
MOST_TEXT_BYTES = 64 * 2**20
"""Of a part that is read as a whole: records (about 600 bytes each), settings, roots."""

_ENCODER = "[0-9a-f]{16}"
_PIECE = "[A-Za-z0-9_][A-Za-z0-9._ -]{0,127}"
_NAME = re.compile(
    rf"{re.escape(SETTINGS)}|{re.escape(ROOTS)}|{re.escape(JOURNAL)}"
    rf"|models/(current|next)\.json"
    rf"|models/(encoders/{_ENCODER}|clusterings/{_ENCODER}/g[1-9][0-9]*)(/{_PIECE}){{1,4}}"
    rf"|points/{_ENCODER}/[0-9]{{6}}\.(jsonl|f16)"
)


def is_part_name(name: str) -> bool:
    """Whether a part may be called so: below known folders only, without `..` or hidden names."""
    return _NAME.fullmatch(name) is not None


def part_names(collection: str, number: int) -> tuple[str, str]:
    """The names of the records and the vectors of one part of a collection's points."""
    stem = f"points/{collection}/{number:06}"
    return f"{stem}.jsonl", f"{stem}.f16"


@dataclass(frozen=True, slots=True)
class Part:
    """Size in bytes and SHA-256 in hex of one part."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `collections`: by encoder, how many points each part has."""

    made_by: str
    made_at: str
    current: Pair
    next: Pair | None
    collections: Mapping[str, tuple[int, ...]]
    files: Mapping[str, Part]

    @property
    def points(self) -> int:
        """Points of all collections together."""
        return sum(sum(counts) for counts in self.collections.values())

    @property
    def size(self) -> int:
        """Bytes of all parts together."""
        return sum(part.bytes for part in self.files.values())

    def to_bytes(self) -> bytes:
        """As it is written."""
        value = asdict(self) | {"format": FORMAT_VERSION}
        return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """What `to_bytes` wrote. Raises `LookalikeError` saying what is wrong with it."""
        try:
            value = json.loads(data)
            version = value["format"]
            if version != FORMAT_VERSION:
                raise LookalikeError(
                    f"has format {version!r}, this program reads {FORMAT_VERSION}: "
                    "use the version that made it"
                )
            return cls._from_json(value)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LookalikeError(f"has a manifest that cannot be read: {error!r}") from error

    @classmethod
    def _from_json(cls, value: Mapping[str, Any]) -> Manifest:
        manifest = cls(
            made_by=str(value["made_by"]),
            made_at=str(value["made_at"]),
            current=Pair(**value["current"]),
            next=Pair(**value["next"]) if value["next"] else None,
            collections={
                name: tuple(_count(count, POINTS_PER_PART) for count in counts)
                for name, counts in value["collections"].items()
            },
            files={
                name: Part(_count(part["bytes"]), str(part["sha256"]))
                for name, part in value["files"].items()
            },
        )
        for name, counts in manifest.collections.items():
            for number in range(len(counts)):
                for part in part_names(name, number):
                    manifest.files[part]  # a KeyError if it is not there
        return manifest


def _count(value: object, most: int | None = None) -> int:
    if not isinstance(value, int) or value < 0 or (most is not None and value > most):
        raise ValueError(f"{value!r} is no count")
    return value
