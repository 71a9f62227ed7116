"""Encoders that take part: loaded from their bundles, run as a home would run them, and timed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import numpy as np

from shared.encoder import LiteRTEncoder
from shared.errors import ModelError, NoModel
from shared.floors import Rows
from shared.models import ENCODER_FILE, Bundle, Models
from shared.store.protocol import UNIT_TOLERANCE
from shared.types import EMBEDDING_SIZE, Encoder, Pixels, PixelSpec

CURRENT = "current"
"""The name of the home's current encoder; others of the home go by their bundle's id."""

VECTOR_BYTES = EMBEDDING_SIZE * np.dtype(np.float16).itemsize
"""What the store holds of a picture's vector; payload and index are the same for every encoder."""

BUNDLE_ID = re.compile(r"[0-9a-f]{16}")

_TIMED_SECONDS = 1.0
_LEAST_ROUNDS, _MOST_ROUNDS = 3, 50


def in_home(models: Models) -> list[str]:
    """What the home holds: `CURRENT` if anything is current, then the ids of the other bundles."""
    found = sorted(
        path.name for path in (models.root / "encoders").glob("*") if BUNDLE_ID.fullmatch(path.name)
    )
    try:
        current = models.current().encoder
    except NoModel:
        return found
    except ModelError:  # it takes part and fails, with the reason
        return [CURRENT, *found]
    return [CURRENT, *(name for name in found if name != current)]


def bundle_of(models: Models, name: str) -> Bundle:
    """The bundle that goes by this name in a home. Raises `ModelError`."""
    return models.bundle(models.current().encoder if name == CURRENT else name)


@dataclass(frozen=True, slots=True, eq=False)
class StoredVectors:
    """An encoder's vectors as the store keeps them, rounded to Float16."""

    encoder: Encoder

    @classmethod
    def of(cls, bundle: Bundle) -> StoredVectors:
        """The exported file of a bundle on one core. Raises `ModelError`."""
        data = bundle.read(ENCODER_FILE)
        return cls(LiteRTEncoder(data, bundle_id=bundle.id, spec=bundle.spec, threads=1))

    @property
    def spec(self) -> PixelSpec:
        """The geometry of the pixels."""
        return self.encoder.spec

    def __call__(self, pixels: Pixels, /) -> Rows:
        """float32 (n, 512); a row that the store would refuse is zeros."""
        rows = self.encoder.encode(pixels)
        length = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
        stored = np.where(np.abs(length - 1) <= UNIT_TOLERANCE, rows, 0)
        return stored.astype(np.float16).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Speed:
    """On one core, decoding not included. `images_per_second`: in batches of up to 64. `query_ms`:
    milliseconds for one picture alone. Both are medians."""

    images_per_second: float
    query_ms: float


def speed(encoder: Encoder, batch: Pixels) -> Speed:
    """Time the encoder on a batch and on its pictures one by one; each is warmed up first."""
    alone = [batch[place : place + 1] for place in range(min(len(batch), _MOST_ROUNDS))]
    together = _seconds(lambda _: encoder.encode(batch))
    single = _seconds(lambda round_: encoder.encode(alone[round_ % len(alone)]))
    return Speed(len(batch) / together, single * 1000)


def _seconds(encode: Callable[[int], object]) -> float:
    """The median of one call, over a second of calls."""
    encode(0)
    took: list[float] = []
    while len(took) < _LEAST_ROUNDS or (len(took) < _MOST_ROUNDS and sum(took) < _TIMED_SECONDS):
        started = perf_counter()
        encode(len(took))
        took.append(perf_counter() - started)
    return median(took)
