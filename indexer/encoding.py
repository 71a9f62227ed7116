"""`ParallelEncoder`: one graph in several interpreters, so that a batch uses every processor."""

from __future__ import annotations

import queue
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from shared.encoder import LiteRTEncoder
from shared.types import Embeddings, Pixels, PixelSpec

_AT_ONCE = 8
"""Pictures that a thread takes at a time."""

_MOST_THREADS = 8
"""Each holds an interpreter of some 20 MB; decoding needs the other processors."""


class ParallelEncoder:
    """Encodes parts of a batch in threads; LiteRT lets go of Python's lock meanwhile.

    LiteRT's own threads share out single operations, and most of ours are too small for that. The
    vectors are those of `LiteRTEncoder`. Raises what it raises. For one caller at a time.
    """

    def __init__(self, model: bytes, *, bundle_id: str, spec: PixelSpec, threads: int) -> None:
        self._model, self._id, self._spec = model, bundle_id, spec
        self._idle: queue.SimpleQueue[LiteRTEncoder] = queue.SimpleQueue()
        self._idle.put(self._load())
        self._unmade = max(1, min(threads, _MOST_THREADS)) - 1
        self._threads = ThreadPoolExecutor(self._unmade + 1, "encoding")

    @property
    def id(self) -> str:
        """The bundle's id."""
        return self._id

    @property
    def spec(self) -> PixelSpec:
        """The geometry of the pixels that `encode` takes."""
        return self._spec

    def encode(self, pixels: Pixels) -> Embeddings:
        """uint8 (n, size, size, 3) to float32 (n, 512) with unit rows; n may be 0."""
        parts = [pixels[start : start + _AT_ONCE] for start in range(0, len(pixels), _AT_ONCE)]
        if len(parts) < 2:
            return self._encode(pixels)
        while self._unmade:  # only now: a daemon that gets a picture an hour needs but one
            self._idle.put(self._load())
            self._unmade -= 1
        return np.concatenate(list(self._threads.map(self._encode, parts)))

    def _load(self) -> LiteRTEncoder:
        return LiteRTEncoder(self._model, bundle_id=self._id, spec=self._spec)

    def _encode(self, part: Pixels) -> Embeddings:
        encoder = self._idle.get()
        try:
            return encoder.encode(part)
        finally:
            self._idle.put(encoder)
