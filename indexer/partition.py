"""`Partition`: which of several indexers on one Qdrant server a path belongs to.

Every path belongs to exactly one of n parts. From n to n + 1 parts, only a share of 1/(n + 1) of
the paths moves, all of them to the new part.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from shared.errors import SettingsError
from shared.settings import Settings

MAX_PARTS = 1024


@dataclass(frozen=True, slots=True)
class Partition:
    """The part `number` of `count`, counted from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Partition:
        """The partition in a text such as ``2/3``. Raises `SettingsError`."""
        found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
        number, count = (int(found[1]), int(found[2])) if found else (0, 0)
        if not 1 <= number <= count <= MAX_PARTS:
            raise SettingsError(
                f"setting partition is {text!r}: it must be i/n, such as 2/3, with i from 1 to n "
                f"and n at most {MAX_PARTS}"
            )
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def leads(self) -> bool:
        """Whether this part's indexer trains, moves to other models and clears away."""
        return self.number == 1

    def has(self, root: str, path: bytes) -> bool:
        """Whether a path of a root belongs to this part."""
        return jump_hash(path_key(root, path), self.count) == self.number - 1


WHOLE = Partition(1, 1)
"""One indexer for all paths, which is also what no setting means."""


def path_key(root: str, path: bytes) -> int:
    """64 bits that stand for root id, NUL, path. Never change it: every part depends on it."""
    name = root.encode() + b"\0" + path
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")


def jump_hash(key: int, buckets: int) -> int:
    """The bucket of a 64-bit key, from 0 to `buckets` - 1, each equally likely.

    J. Lamping, E. Veach: A Fast, Minimal Memory, Consistent Hash Algorithm, arXiv:1406.2294: with
    one more bucket, a key stays where it is or moves to the new one.
    """
    bucket, following = -1, 0
    while following < buckets:
        bucket = following
        key = (key * 2862933555777941757 + 1) % 2**64
        following = int((bucket + 1) * (2**31 / ((key >> 33) + 1)))
    return bucket


def partition_of(settings: Settings) -> Partition:
    """The part that the settings ask for. Raises `SettingsError`, also where nobody shares."""
    if settings.partition is None:
        return WHOLE
    partition = Partition.parse(settings.partition)
    if not settings.qdrant_urls and partition != WHOLE:
        raise SettingsError(
            f"setting partition is {settings.partition!r}, but no indexers share an embedded "
            "store: give qdrant_url, or no partition"
        )
    return partition


def require_leader(settings: Settings, what: str) -> None:
    """Raise `SettingsError` where another indexer has the say about models."""
    partition = partition_of(settings)
    if not partition.leads:
        raise SettingsError(
            f"partition {partition} does not {what}: do it where partition 1/{partition.count} is"
        )
