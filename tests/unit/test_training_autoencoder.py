"""The default encoder: its start as PCA, a whole training, what it says of odd pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA

from indexer.training.autoencoder import build_autoencoder, encoder_part, start_linear
from indexer.training.autoencoder_recipe import AutoencoderRecipe
from indexer.training.configs import WEIGHTS, AutoencoderConfig
from indexer.training.dataset import split
from indexer.training.export import export_litert, load_autoencoder
from indexer.training.recipe import Fitted, Pictures
from indexer.training.runtime import keras, make_repeatable
from indexer.training.source import PixelSource, check_images
from indexer.training.training import TrainingConfig, TrainingResult, train
from shared.encoder import LiteRTEncoder
from shared.errors import TrainingError
from shared.images import pixels
from shared.models import ENCODER_FILE, Models
from shared.types import EMBEDDING_SIZE, Pixels
from tests.homes import draw_photos
from tests.progress import Silent

NETWORK = AutoencoderConfig(
    picture=32, size=16, filters=(4, 4), components=12, vocabulary_pictures=54, least_views=0
)
CONFIG = TrainingConfig(encoder=NETWORK, epochs=1, seed=3, k=3, starter=False)

Batch = NDArray[np.float32]


def textures(count: int, size: int, seed: int) -> Batch:
    """float32 (n, size, size, 3): noise that is louder in coarse waves than in fine ones."""
    random = np.random.default_rng(seed)
    rows = np.cos(np.pi * np.outer(np.arange(size), np.arange(size) + 0.5) / size)
    loudness = 1 / (1 + np.add.outer(np.arange(size), np.arange(size)))
    waves = random.normal(0, 1, (count, size, size, 3)) * loudness[None, :, :, None]
    drawn = np.einsum("nijc,iy,jx->nyxc", waves, rows, rows, optimize=True)
    return np.asarray(0.5 + 0.1 * drawn, np.float32)


def error(drawn: Any, batch: Batch) -> float:
    return float(np.square(np.asarray(drawn) - batch).mean())


def test_it_begins_as_good_as_pca() -> None:
    keras.utils.set_random_seed(0)
    autoencoder = build_autoencoder(AutoencoderConfig(size=16, filters=(4, 4), components=48))
    batch = textures(560, 16, 0)
    start_linear(autoencoder, batch, 0)
    flat = batch.reshape(len(batch), -1)
    pca = PCA(EMBEDDING_SIZE, svd_solver="full").fit(flat)
    best = error(pca.inverse_transform(pca.transform(flat)), flat)
    assert 0 < best < flat.var()
    # Randomised PCA misses a little.
    assert error(autoencoder.predict_on_batch(batch), batch) < 1.03 * best


def test_fewer_pictures_than_512_are_rebuilt_too() -> None:
    keras.utils.set_random_seed(0)
    autoencoder = build_autoencoder(AutoencoderConfig(size=16, filters=(4, 4), components=48))
    batch = textures(60, 16, 1)
    start_linear(autoencoder, batch, 0)
    assert error(autoencoder.predict_on_batch(batch), batch) < 1e-3 * batch.var()


def test_a_code_shorter_than_512_can_start_from_many_pictures() -> None:
    autoencoder = build_autoencoder(NETWORK)  # 4 x 4 blocks of 12 numbers are 192
    batch = textures(220, 16, 2)
    start_linear(autoencoder, batch, 0)
    assert error(autoencoder.predict_on_batch(batch), batch) < batch.var()


def test_pictures_that_are_all_the_same_can_start() -> None:
    autoencoder = build_autoencoder(NETWORK)
    batch = np.zeros((60, 16, 16, 3), np.float32)
    start_linear(autoencoder, batch, 0)
    assert np.isfinite(autoencoder.predict_on_batch(batch)).all()


def test_residual_branches_begin_at_zero() -> None:
    keras.utils.set_random_seed(1)
    autoencoder = build_autoencoder(NETWORK)
    start_linear(autoencoder, textures(60, 16, 3), 0)
    batch = textures(4, 16, 4)
    grid, edge = 4, 4
    cut = batch.reshape(4, grid, edge, grid, edge, 3).transpose(0, 1, 3, 2, 4, 5)
    (kernel,) = autoencoder.get_layer("blocks").get_weights()
    basis = kernel.reshape(edge * edge * 3, NETWORK.components)
    down, shift = autoencoder.get_layer("latent").get_weights()
    up, mean = autoencoder.get_layer("unfold").get_weights()
    code = (cut.reshape(4, grid * grid, -1) @ basis).reshape(4, -1)
    latent = code @ down + shift
    drawn = (latent @ up + mean).reshape(4, grid, grid, -1) @ basis.T
    drawn = drawn.reshape(4, grid, grid, edge, edge, 3).transpose(0, 1, 3, 2, 4, 5)
    np.testing.assert_allclose(
        encoder_part(autoencoder).predict_on_batch(batch), latent, rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(
        autoencoder.predict_on_batch(batch), drawn.reshape(batch.shape), atol=1e-4
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_photos(tmp_path_factory.mktemp("photos"), 18)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("home") / "models")


@pytest.fixture(scope="module")
def trained(photos: list[Path], models: Models) -> TrainingResult:
    return train(photos, models, CONFIG, Silent())


@pytest.fixture(scope="module")
def encoder(trained: TrainingResult, models: Models) -> LiteRTEncoder:
    bundle = models.bundle(trained.pair.encoder)
    return LiteRTEncoder(bundle.read(ENCODER_FILE), bundle_id=bundle.id, spec=bundle.spec)


@pytest.fixture(scope="module")
def fitted(
    trained: TrainingResult, photos: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Fitted:
    """The same training once more, up to the Keras graph."""
    make_repeatable(CONFIG.seed)
    recipe = AutoencoderRecipe(NETWORK, CONFIG)
    with PixelSource(recipe.spec) as source:
        checked = check_images(photos, source, Silent())
        parts = split(checked.good, CONFIG.validation_share, CONFIG.seed)
        pictures = Pictures(source, checked, *parts)
        return recipe.fit(pictures, tmp_path_factory.mktemp("figures"), Silent())


def test_the_bundle_is_whole(trained: TrainingResult, models: Models) -> None:
    bundle = models.bundle(trained.pair.encoder)
    assert (bundle.kind, bundle.spec.size) == ("autoencoder", 32)
    assert {ENCODER_FILE, "autoencoder.keras", "figures/losses.png"} <= set(
        bundle.manifest["files"]
    )
    for name in bundle.manifest["files"]:
        bundle.read(name)
    assert bundle.manifest["fit"]["encoder"]["weights"] == WEIGHTS
    saved = load_autoencoder(bundle.path / "autoencoder.keras")
    assert saved.input_shape == saved.output_shape == (None, 16, 16, 3)
    assert (trained.k, sum(trained.sizes)) == (3, 54)


def test_metrics_tell_how_it_went(trained: TrainingResult, models: Models) -> None:
    metrics = models.bundle(trained.pair.encoder).manifest["metrics"]
    assert metrics == trained.metrics
    assert metrics["started_from"] == "pca"
    assert 0 < metrics["val_loss"] < 0.05
    assert 0.9 < metrics["variance_kept"] <= 1 + 1e-6
    assert (metrics["training"], metrics["validation"]) == (46, 8)


def test_litert_agrees_with_keras(
    encoder: LiteRTEncoder, fitted: Fitted, photos: list[Path], tmp_path: Path
) -> None:
    batch = np.stack([pixels(path, encoder.spec) for path in photos])
    wanted = fitted.encoder.predict_on_batch(batch.astype(np.float32))
    vectors = encoder.encode(batch)
    export_litert(fitted.encoder, tmp_path / "exact.tflite", quantize=False)
    exact = LiteRTEncoder(tmp_path / "exact.tflite", bundle_id="exact", spec=encoder.spec)
    np.testing.assert_allclose(exact.encode(batch), wanted, atol=2e-3)
    # Weights of 8 bits turn vectors a little. So few pictures, so alike, magnify that: what tells
    # them apart is small.
    assert (vectors * wanted).sum(axis=1).min() > 0.85
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(batch[7:8]), vectors[7:8], atol=1e-5)


def test_pictures_of_one_colour_are_alike(encoder: LiteRTEncoder, photos: list[Path]) -> None:
    vectors = encoder.encode(np.stack([pixels(path, encoder.spec) for path in photos]))
    likeness = (vectors @ vectors.T).reshape(3, 18, 3, 18).mean(axis=(1, 3))
    assert (likeness.argmax(axis=1) == np.arange(3)).all()


def test_a_flipped_picture_stays_its_own_nearest(
    encoder: LiteRTEncoder, photos: list[Path]
) -> None:
    batch = np.stack([pixels(path, encoder.spec) for path in photos])
    flipped = encoder.encode(np.ascontiguousarray(batch[:, :, ::-1]))
    assert (flipped * encoder.encode(batch)).sum(axis=1).min() > 0.5


def _black(path: Path) -> None:
    Image.new("RGB", (40, 30)).save(path)


def _one_pixel(path: Path) -> None:
    Image.new("RGB", (1, 1), (250, 20, 90)).save(path)


def _grey(path: Path) -> None:
    Image.linear_gradient("L").save(path)


@pytest.mark.parametrize("draw", [_black, _one_pixel, _grey])
def test_odd_pictures_have_a_direction(
    encoder: LiteRTEncoder, tmp_path: Path, draw: Callable[[Path], None]
) -> None:
    draw(tmp_path / "odd.png")
    batch: Pixels = pixels(tmp_path / "odd.png", encoder.spec)[None]
    vector = encoder.encode(batch)
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": {"shapes": 1.0, "smell": 1.0}}, r"weights name \['smell'\]: known are shapes"),
        ({"weights": {"shapes": 0.0}}, "weights leave out every block"),
        ({"picture": 100}, "picture 100 cannot be divided by size 64"),
        ({"size": 20}, "size 20 cannot be halved 3 times"),
        ({"filters": ()}, "size 64 cannot be halved 0 times"),
        ({"filters": (8,)}, "components is 32: a block of 2 pixels an edge has 1 to 12"),
    ],
)
def test_a_network_that_cannot_be_is_one_clear_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message) as caught:
        AutoencoderConfig(**options)
    assert "\n" not in str(caught.value)
