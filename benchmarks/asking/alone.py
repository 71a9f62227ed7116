"""The limit: decoding, encoding and searching alone, in this process and one after the other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from searcher.opening import open_home
from searcher.query.options import Request
from searcher.search import embed_image
from shared.settings import load_settings


@dataclass(frozen=True, slots=True)
class Alone:
    """Medians of a question: milliseconds of each stage, and processor milliseconds of all."""

    decode: float
    encode: float
    search: float
    processor: float

    def rate(self, processors: int) -> float:
        """Questions/s, if nothing else were to do."""
        return 1000 * processors / self.processor


def alone(home: Path, pictures: Sequence[bytes]) -> Alone:
    """Ask each picture once, after one that warms everything. No service may hold the home."""
    opened = open_home(load_settings({"home": home}))
    opened.encoder.load()
    took, processor = [], []
    with opened.searching() as searcher:
        for picture in (pictures[0], *pictures):
            started = time.process_time()
            _, vector, so_far = embed_image(opened.encoder, picture, opened.limits)
            took.append(searcher.search(vector, Request(), so_far).took)
            processor.append(1000 * (time.process_time() - started))
    decode, encode, search = (
        statistics.median(getattr(one, stage) for one in took[1:])
        for stage in ("decode", "encode", "search")
    )
    return Alone(decode, encode, search, statistics.median(processor[1:]))
