"""LiteRT against Keras, and models that come from elsewhere."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.training.autoencoder import encoder_part, network_input
from indexer.training.configs import PlainConfig
from indexer.training.export import complete_encoder, export_litert, load_autoencoder, save_keras
from indexer.training.plain import build_plain
from indexer.training.runtime import keras
from shared.encoder import LiteRTEncoder
from shared.errors import TrainingError
from shared.images import pixels as read_pixels
from shared.types import Embeddings, Pixels, PixelSpec
from tests.homes import draw_photos

SIZE = 16


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pixels:
    paths = draw_photos(tmp_path_factory.mktemp("photos"), 8)
    return np.stack([read_pixels(path, PixelSpec(SIZE)) for path in paths])


@pytest.fixture(scope="module")
def autoencoder(pictures: Pixels) -> Any:
    keras.utils.set_random_seed(0)
    model = build_plain(PlainConfig(size=SIZE, filters=(8, 8)))
    model.compile("adam", "mse", jit_compile=False)
    batch = network_input(model, pictures)
    model.fit(batch, batch, epochs=10, verbose=0)
    return model


@pytest.fixture(scope="module")
def encoder(autoencoder: Any, pictures: Pixels) -> Any:
    latents = encoder_part(autoencoder).predict_on_batch(network_input(autoencoder, pictures))
    return complete_encoder(autoencoder, latents.mean(axis=0))


@pytest.fixture(scope="module")
def exported(encoder: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "encoder.tflite"
    export_litert(encoder, path)
    return path


def encode(path: Path, batch: Pixels) -> Embeddings:
    return LiteRTEncoder(path, bundle_id="test", spec=PixelSpec(SIZE)).encode(batch)


def test_litert_agrees_with_keras(encoder: Any, exported: Path, pictures: Pixels) -> None:
    keras_vectors = encoder.predict_on_batch(pictures.astype(np.float32))
    vectors = encode(exported, pictures)
    np.testing.assert_allclose(vectors, keras_vectors, atol=5e-3)  # weights are int8
    assert (vectors * keras_vectors).sum(axis=1).min() > 0.998


def test_rows_are_unit_and_centred(exported: Path, pictures: Pixels) -> None:
    vectors = encode(exported, pictures)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    # Without the centre all pictures would lie in one direction.
    assert np.linalg.norm(vectors.mean(axis=0)) < 0.5


def test_a_picture_has_one_vector_whatever_its_batch(exported: Path, pictures: Pixels) -> None:
    whole = encode(exported, pictures)
    np.testing.assert_allclose(encode(exported, pictures[5:6]), whole[5:6], atol=1e-6)


@pytest.mark.parametrize("value", [0, 255])
def test_plain_black_and_white_have_a_direction(exported: Path, value: int) -> None:
    vector = encode(exported, np.full((1, SIZE, SIZE, 3), value, np.uint8))
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_the_centre_itself_has_a_direction(autoencoder: Any, pictures: Pixels) -> None:
    one = pictures[:1]
    centre = encoder_part(autoencoder).predict_on_batch(network_input(autoencoder, one))[0]
    kept = centre.copy()
    vector = complete_encoder(autoencoder, centre).predict_on_batch(one.astype(np.float32))
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)
    np.testing.assert_array_equal(centre, kept)


def test_same_weights_same_bytes_and_nothing_left_behind(
    autoencoder: Any, encoder: Any, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    export_litert(encoder, tmp_path / "again.tflite")
    assert (tmp_path / "again.tflite").read_bytes() == exported.read_bytes()
    for suffix in (".keras", ".h5"):
        save_keras(autoencoder, tmp_path / f"one{suffix}")
        save_keras(autoencoder, tmp_path / f"two{suffix}")
        one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
        assert one.read_bytes() == two.read_bytes()
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_saved_model_draws_the_same_again(
    autoencoder: Any, pictures: Pixels, tmp_path: Path, suffix: str
) -> None:
    save_keras(autoencoder, tmp_path / f"model{suffix}")
    loaded = load_autoencoder(tmp_path / f"model{suffix}")
    batch = network_input(autoencoder, pictures)
    np.testing.assert_array_equal(
        loaded.predict_on_batch(batch), autoencoder.predict_on_batch(batch)
    )


def test_a_model_that_rescales_itself_gives_the_same_vectors(
    autoencoder: Any, encoder: Any, pictures: Pixels
) -> None:
    pixels = keras.Input((SIZE, SIZE, 3))
    features = keras.layers.Rescaling(1 / 255)(pixels)
    for layer in autoencoder.layers[1:]:
        features = layer.__class__.from_config(layer.get_config())(features)
    rescaling = keras.Model(pixels, features)
    rescaling.set_weights(autoencoder.get_weights())
    batch = pictures.astype(np.float32)
    centre = encoder_part(rescaling).predict_on_batch(network_input(rescaling, pictures)).mean(0)
    np.testing.assert_allclose(
        complete_encoder(rescaling, centre).predict_on_batch(batch),
        encoder.predict_on_batch(batch),
        atol=1e-4,
    )


def _model(latent: str, units: int, shape: tuple[int, int, int]) -> Any:
    layers = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(units, name=latent)]
    return keras.Sequential(layers)


@pytest.mark.parametrize(
    ("latent", "units", "shape", "message"),
    [
        ("code", 512, (8, 8, 3), "no layer named 'latent'; it has flatten.*, code"),
        ("latent", 64, (8, 8, 3), r"layer 'latent' gives \(64,\), expected \(512,\)"),
        ("latent", 512, (8, 9, 3), r"takes \(None, 8, 9, 3\), expected square"),
        ("latent", 512, (8, 8, 1), r"takes \(None, 8, 8, 1\), expected square"),
    ],
)
def test_another_kind_of_model_is_refused(
    tmp_path: Path, latent: str, units: int, shape: tuple[int, int, int], message: str
) -> None:
    save_keras(_model(latent, units, shape), tmp_path / "model.keras")
    with pytest.raises(TrainingError, match=message):
        load_autoencoder(tmp_path / "model.keras")


@pytest.mark.parametrize("name", ["text.keras", "text.h5", "text.jpg", "missing.keras"])
def test_a_file_that_is_no_model_is_one_clear_line(tmp_path: Path, name: str) -> None:
    if name.startswith("text"):
        (tmp_path / name).write_text("no model")
    with pytest.raises(TrainingError, match=r"cannot be loaded: .*\.keras or \.h5") as caught:
        load_autoencoder(tmp_path / name)
    assert "\n" not in str(caught.value)
