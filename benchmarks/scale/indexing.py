"""What the first indexing takes, and what grows with every image afterwards."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from benchmarks.scale.inputs import values
from benchmarks.scale.paths import ROOT, relative
from indexer.partition import jump_hash, path_key

HOUR = 3_600.0
BUILT_POINTS = 200_000


def encoder_limit() -> float:
    """Images a second that one indexer encodes and writes down at most: that is one thread."""
    given = values()
    return 1e3 / (given["encode_ms"] + (given["journal_us"] + given["predict_us"]) / 1e3)


def core_ms(decode_ms: float) -> float:
    """Core-milliseconds of an indexer for one image."""
    given = values()
    return decode_ms + given["encode_ms"] + (given["journal_us"] + given["predict_us"]) / 1e3


def images_per_second(decode_ms: float, cores: float) -> float:
    """Of one indexer: its decoders share the cores that encoding leaves."""
    return min(cores * 1e3 / core_ms(decode_ms), encoder_limit())


def graph_core_us(segment_points: float) -> float:
    """Core-microseconds a point to build the graph of a segment: n log n from 200,000 points."""
    return values()["built_us"] * math.log2(segment_points) / math.log2(BUILT_POINTS)


def graph_core_hours(points: int, segment_points: float, replicas: int) -> float:
    """Of all replicas, each point built as often as segments merge."""
    each = graph_core_us(segment_points) * values()["rebuilds"]
    return points * replicas * each / 1e6 / HOUR


def listing_seconds(files: float, indexers: int = 1) -> float:
    """One thread: every file of all is passed, the own ones are looked at and compared with the
    journal; nothing has changed."""
    given = values()
    own = given["listing_us"] + given["compare_us"]
    return files * (given["foreign_us"] * (1 - 1 / indexers) + own / indexers) / 1e6


def upkeep_files() -> float:
    """Files that one indexer lists in half of the time between two listings."""
    return values()["rescan"] / 2 / listing_seconds(1)


def absorbed_per_second(cores: float, replicas: int) -> float:
    """Images a second that a cluster takes in and builds graphs of."""
    return values()["indexed_rate"] * cores / replicas


@cache
def imbalance(paths: int, parts: int) -> tuple[float, float]:
    """Largest and smallest part of so many paths, divided by the mean: the hash that indexers use,
    over paths as cameras make them."""
    keys = (path_key(ROOT, relative(number)) for number in range(paths))
    sizes = np.bincount([jump_hash(key, parts) for key in keys], minlength=parts)
    return float(sizes.max() / sizes.mean()), float(sizes.min() / sizes.mean())


@cache
def moved(paths: int, parts: int) -> float:
    """Share of paths that belong to another indexer when one is added."""
    keys = [path_key(ROOT, relative(number)) for number in range(paths)]
    return sum(jump_hash(key, parts) != jump_hash(key, parts + 1) for key in keys) / paths
