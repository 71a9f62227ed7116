"""`ParallelEncoder`: the vectors of one interpreter, whatever the number of threads."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.encoding import ParallelEncoder
from shared.encoder import LiteRTEncoder
from shared.errors import ModelError
from shared.types import Embeddings, Pixels, PixelSpec

SPEC = PixelSpec(size=64)


def pictures(n: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, 64, 64, 3), dtype=np.uint8)


def parallel(model: Path, threads: int) -> ParallelEncoder:
    return ParallelEncoder(model.read_bytes(), bundle_id="tiny", spec=SPEC, threads=threads)


@pytest.mark.parametrize("threads", [0, 1, 2, 5, 99])
@pytest.mark.parametrize("n", [0, 1, 8, 9, 64])
def test_vectors_are_those_of_one_interpreter_in_order(
    tiny_tflite: Path, threads: int, n: int
) -> None:
    batch = pictures(n)
    encoder = parallel(tiny_tflite, threads)
    found = encoder.encode(batch)
    alone = LiteRTEncoder(tiny_tflite, bundle_id="tiny", spec=SPEC).encode(batch)
    assert (encoder.id, encoder.spec, str(found.dtype)) == ("tiny", SPEC, "float32")
    np.testing.assert_allclose(found, alone, atol=1e-6)
    np.testing.assert_array_equal(encoder.encode(batch), found)


def test_parts_are_encoded_side_by_side(tiny_tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, encode = threading.Barrier(2, timeout=30), LiteRTEncoder.encode

    def waiting(self: LiteRTEncoder, pixels: Pixels) -> Embeddings:
        both.wait()  # goes on only when another part is here as well
        return encode(self, pixels)

    encoder = parallel(tiny_tflite, 2)
    encoder.encode(pictures(16))
    monkeypatch.setattr(LiteRTEncoder, "encode", waiting)
    assert encoder.encode(pictures(16)).shape == (16, 512)


def test_what_the_encoder_raises_is_raised_and_the_next_batch_works(tiny_tflite: Path) -> None:
    encoder = parallel(tiny_tflite, 2)
    for _ in range(3):
        with pytest.raises(ValueError, match="expected uint8"):
            encoder.encode(pictures(20).astype(np.float32))
    assert encoder.encode(pictures(20)).shape == (20, 512)


def test_a_file_that_is_no_encoder_is_refused_at_once() -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        ParallelEncoder(b"nothing", bundle_id="tiny", spec=SPEC, threads=2)
