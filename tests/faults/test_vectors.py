"""Case 36: pictures without content, and an encoder that gives no vector for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.daemons import Watch, searcher
from tests.faults.conftest import oracle
from tests.homes import make_home

_EXPORT = """
import sys
import keras
from keras import ops
picture = keras.Input((64, 64, 3))
level = keras.layers.AveragePooling2D(8)(keras.layers.Rescaling(1 / 255)(picture))
flat = keras.layers.Flatten()(level)
vector = keras.layers.Dense(512, use_bias=False, kernel_initializer="glorot_normal")(flat)
vector = vector / ops.sqrt(ops.sum(vector * vector, axis=1, keepdims=True))
dark = 1.0 - ops.min(flat, axis=1, keepdims=True)
model = keras.Model(picture, vector * (dark / (dark + 1e-20)))
keras.utils.set_random_seed(0)
model.export(sys.argv[1], format="litert", verbose=False)
"""


@pytest.fixture(scope="module")
def faulty_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that gives NaN for black and zeros for white."""
    path = tmp_path_factory.mktemp("faulty") / "encoder.tflite"
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run(
        [sys.executable, "-c", _EXPORT, path],
        env={**os.environ, **quiet, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        check=True,
        timeout=120,
    )
    return path


def _flat(path: Path, level: int, edge: int = 1) -> Path:
    Image.new("RGB", (edge, edge), (level,) * 3).save(path)
    return path


@pytest.mark.case(36)
def test_tiny_and_flat_pictures_have_vectors_like_any_other(home: Path, photos: Path) -> None:
    for level in (0, 127, 128, 255):
        _flat(photos / f"one-{level}.png", level)
        _flat(photos / f"flat-{level}.png", level, 300)
    Image.new("RGBA", (1, 1)).save(photos / "clear.png")
    Image.new("RGB", (1, 4000)).save(photos / "line.png")
    with Watch(home, photos) as watch:
        assert watch.settled(18 + 10)["refused"] == []
    answer = searcher("query", photos / "one-0.png", "--home", home, "--json").stdout
    assert json.loads(answer)["results"][0]["score"] > 0.999
    oracle(home)


@pytest.mark.case(36)
def test_no_vector_is_stored_that_has_no_length(
    tmp_path: Path, photos: Path, faulty_encoder: Path
) -> None:
    home = tmp_path / "home"
    make_home(home, photos, faulty_encoder, indexed=False)
    _flat(photos / "black.png", 0)
    _flat(photos / "white.png", 255, 50)
    with Watch(home, photos) as watch:
        found = watch.settled(18)
        _flat(photos / "later.png", 0, 40)
        watch.wait_until(lambda found: len(found["refused"]) == 3)
        watch.settled(18)
        reasons = {file["path"]: file["reason"] for file in watch.status()["refused"]}  # type: ignore[index]
        assert "length nan" in reasons["black.png"]
        assert "length nan" in reasons["later.png"]
        assert "length 0" in reasons["white.png"]
        assert found["images"] == 18
        for name in ("black.png", "white.png"):
            done = searcher("query", photos / name, "--home", home, check=False)
            assert (done.returncode, done.stdout) == (1, "")
            assert len(done.stderr.splitlines()) == 1
            assert "unexpected" not in done.stderr
        _flat(photos / "black.png", 90, 40)
        watch.settled(19)
    assert len(oracle(home)["refused"]) == 2
