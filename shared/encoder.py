"""`LiteRTEncoder`: pixels to embeddings, without a training framework."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from shared.errors import ModelError
from shared.types import EMBEDDING_SIZE, Embeddings, Pixels, PixelSpec

_AT_ONCE = 8
"""Pictures that go through the graph together. More are no faster, one core being busy with one,
and take memory for all of their intermediate results."""


class LiteRTEncoder:
    """Runs an exported encoder. The graph takes uint8-valued float32 (n, size, size, 3) in [0, 255]
    and gives float32 (n, 512), centred and unit: all that follows the pixels is inside it.

    Not safe to call from several threads at once. Raises `ModelError` if the file is not such a
    graph.
    """

    def __init__(
        self, model: Path | bytes, *, bundle_id: str, spec: PixelSpec, threads: int = 1
    ) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._id, self._spec = bundle_id, spec
        self._batch = 0
        try:
            content = model if isinstance(model, bytes) else model.read_bytes()
            with _native_remarks_dropped():
                self._interpreter = Interpreter(model_content=content, num_threads=threads)
                self._input: dict[str, Any] = self._interpreter.get_input_details()[0]
                self._output: dict[str, Any] = self._interpreter.get_output_details()[0]
                self._check_shapes()
                self.encode(np.zeros((1, spec.size, spec.size, 3), np.uint8))
        except (OSError, ValueError, RuntimeError, IndexError) as error:
            raise ModelError(f"encoder {bundle_id} cannot be loaded: {error}") from error

    def _check_shapes(self) -> None:
        taken = [*self._input["shape"].tolist()[1:], np.dtype(self._input["dtype"]).name]
        given = [*self._output["shape"].tolist()[1:], np.dtype(self._output["dtype"]).name]
        wanted = [self._spec.size, self._spec.size, 3, "float32"]
        if taken != wanted or given != [EMBEDDING_SIZE, "float32"]:
            raise ModelError(
                f"encoder {self._id} maps {taken} to {given}, "
                f"expected {wanted} to {[EMBEDDING_SIZE, 'float32']}: train again"
            )

    @property
    def id(self) -> str:
        """The bundle's id."""
        return self._id

    @property
    def spec(self) -> PixelSpec:
        """The geometry of the pixels that `encode` takes."""
        return self._spec

    def encode(self, pixels: Pixels) -> Embeddings:
        """uint8 (n, size, size, 3) to float32 (n, 512) with unit rows; n may be 0.

        Raises ValueError for another shape or dtype, `ModelError` if the graph fails.
        """
        expected = (self._spec.size, self._spec.size, 3)
        if pixels.ndim != 4 or pixels.shape[1:] != expected or pixels.dtype != np.uint8:
            raise ValueError(
                f"pixels are {pixels.dtype} {pixels.shape}, expected uint8 (n, *{expected})"
            )
        vectors = np.empty((len(pixels), EMBEDDING_SIZE), np.float32)
        for start in range(0, len(pixels), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            vectors[some] = self._encode(pixels[some])
        return vectors

    def _encode(self, pixels: Pixels) -> Embeddings:
        try:
            if len(pixels) != self._batch:
                self._batch = 0  # if the next two lines fail, they are due again
                self._interpreter.resize_tensor_input(self._input["index"], pixels.shape)
                self._interpreter.allocate_tensors()
                self._batch = len(pixels)
            self._interpreter.set_tensor(self._input["index"], pixels.astype(np.float32))
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"encoder {self._id} cannot encode {len(pixels)} images: {error}"
            ) from error
        vectors: Embeddings = self._interpreter.get_tensor(self._output["index"])
        return vectors


@contextlib.contextmanager
def _native_remarks_dropped() -> Iterator[None]:
    """Keep LiteRT's remark on its delegate off standard error: no setting of it does."""
    try:
        kept = os.dup(2)
    except OSError:  # a daemon may have closed it
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
