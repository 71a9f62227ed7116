"""`LiteRTEncoder`: shapes, unit rows, silence, and files that are no encoder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.encoder import LiteRTEncoder
from shared.errors import ModelError
from shared.types import PixelSpec

SPEC = PixelSpec(size=64)


@pytest.fixture(scope="module")
def encoder(tiny_tflite: Path) -> LiteRTEncoder:
    return LiteRTEncoder(tiny_tflite, bundle_id="tiny", spec=SPEC)


def pictures(n: int, *, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, 64, 64, 3), dtype=np.uint8)


def test_it_knows_its_id_and_geometry(encoder: LiteRTEncoder) -> None:
    assert (encoder.id, encoder.spec) == ("tiny", SPEC)


@pytest.mark.parametrize("n", [1, 2, 7, 0, 64])
def test_any_number_of_pictures_gives_unit_rows(encoder: LiteRTEncoder, n: int) -> None:
    vectors = encoder.encode(pictures(n))
    assert vectors.shape == (n, 512)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_picture_has_the_same_vector_in_any_batch(encoder: LiteRTEncoder) -> None:
    batch = pictures(9)
    together = encoder.encode(batch)
    alone = np.concatenate([encoder.encode(batch[row : row + 1]) for row in range(9)])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert len({row.tobytes() for row in together}) == 9


def test_vectors_of_one_call_are_not_overwritten_by_the_next(encoder: LiteRTEncoder) -> None:
    first = encoder.encode(pictures(2, seed=1))
    kept = first.copy()
    encoder.encode(pictures(2, seed=2))
    np.testing.assert_array_equal(first, kept)


def test_the_callers_pixels_are_untouched_and_may_be_read_only(encoder: LiteRTEncoder) -> None:
    batch = pictures(2)
    before = batch.copy()
    batch.setflags(write=False)
    encoder.encode(batch)
    np.testing.assert_array_equal(batch, before)


def test_pixels_need_not_lie_in_order(encoder: LiteRTEncoder) -> None:
    batch = pictures(4)
    flipped = batch[:, :, ::-1]
    np.testing.assert_array_equal(
        encoder.encode(flipped), encoder.encode(np.ascontiguousarray(flipped))
    )


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 32, 32, 3), np.uint8),
        np.zeros((1, 64, 64, 4), np.uint8),
        np.zeros((0, 64, 64), np.uint8),
        np.zeros((1, 64, 64, 3), np.float32),
        np.zeros((1, 64, 64, 3), np.int64),
    ],
)
def test_other_shapes_and_types_are_refused(
    encoder: LiteRTEncoder, pixels: NDArray[np.uint8]
) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        encoder.encode(pixels)
    assert encoder.encode(pictures(1)).shape == (1, 512)


def test_another_size_than_the_specs_is_refused(tiny_tflite: Path) -> None:
    with pytest.raises(ModelError, match=r"encoder tiny maps \[64, 64, 3, .*: train again"):
        LiteRTEncoder(tiny_tflite, bundle_id="tiny", spec=PixelSpec(size=32))


@pytest.mark.parametrize("content", [b"", b"no graph", bytes(1000)])
def test_bytes_that_are_no_graph(content: bytes) -> None:
    with pytest.raises(ModelError, match="encoder tiny cannot be loaded"):
        LiteRTEncoder(content, bundle_id="tiny", spec=SPEC)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"encoder tiny cannot be loaded: .*No such file"):
        LiteRTEncoder(tmp_path / "none", bundle_id="tiny", spec=SPEC)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_graph_cut_short(share: float, tiny_tflite: Path) -> None:
    content = tiny_tflite.read_bytes()
    with pytest.raises(ModelError):
        LiteRTEncoder(content[: int(len(content) * share)], bundle_id="tiny", spec=SPEC)


def test_a_graph_that_fails_later_is_a_model_error_and_the_next_call_recovers(
    tiny_tflite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = LiteRTEncoder(tiny_tflite, bundle_id="tiny", spec=SPEC)

    def fail() -> None:
        raise RuntimeError("no memory for tensors")

    with monkeypatch.context() as patched:
        patched.setattr(encoder._interpreter, "allocate_tensors", fail)
        with pytest.raises(ModelError, match="cannot encode 3 images: no memory for tensors"):
            encoder.encode(pictures(3))
    assert encoder.encode(pictures(3)).shape == (3, 512)


def test_nothing_is_printed(tiny_tflite: Path, capfd: pytest.CaptureFixture[str]) -> None:
    encoder = LiteRTEncoder(tiny_tflite, bundle_id="tiny", spec=SPEC)
    encoder.encode(pictures(1))
    encoder.encode(pictures(5))
    with pytest.raises(ModelError):
        LiteRTEncoder(b"no graph", bundle_id="tiny", spec=SPEC)
    assert capfd.readouterr() == ("", "")


def test_standard_error_works_afterwards_and_may_be_closed(tiny_tflite: Path) -> None:
    code = f"""
import os, sys
from pathlib import Path
from shared.encoder import LiteRTEncoder
from shared.types import PixelSpec
LiteRTEncoder(Path({os.fspath(tiny_tflite)!r}), bundle_id="tiny", spec=PixelSpec(size=64))
sys.stderr.write("still here")
sys.stderr.flush()
os.close(2)
LiteRTEncoder(Path({os.fspath(tiny_tflite)!r}), bundle_id="tiny", spec=PixelSpec(size=64))
print("done")
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-uc", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("done\n", "still here")
