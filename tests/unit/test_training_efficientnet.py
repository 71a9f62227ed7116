"""EfficientNet: where its weights may come from, what is refused, and a whole training with it."""

from __future__ import annotations

import shutil
import socket
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.training.backbone import build_backbone
from indexer.training.configs import EfficientNetConfig
from indexer.training.efficientnet import EfficientNetRecipe
from indexer.training.recipe import Pictures
from indexer.training.runtime import keras, quiet
from indexer.training.source import CheckedImages, PixelSource
from indexer.training.training import TrainingConfig, TrainingResult, train
from shared.encoder import LiteRTEncoder
from shared.errors import TrainingError
from shared.images import pixels
from shared.models import ENCODER_FILE, Models
from shared.types import PIXELS_VERSION, PixelSpec
from tests.homes import draw_photos
from tests.progress import Silent

SIZE = 32
URL = "https://storage.googleapis.com/keras-applications/"
MEAN, DEVIATIONS = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]

BATCH = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3)).astype(np.float32)


def network(variant: str = "B0", *, top: bool = False) -> Any:
    """Keras' own, with random weights that differ from one call to the next."""
    build = getattr(keras.applications, f"EfficientNet{variant}")
    options = {"classes": 7} if top else {"pooling": "avg"}
    with quiet():
        model = build(include_top=top, weights=None, input_shape=(SIZE, SIZE, 3), **options)
    last = model.get_layer(
        "top_conv"
    )  # random layers fade a picture away, which no trained one does
    last.set_weights([weight * 1e6 for weight in last.get_weights()])
    return model


def features(model: Any) -> NDArray[np.float32]:
    found: NDArray[np.float32] = model(BATCH, training=False).numpy()
    return found


@pytest.fixture(scope="module")
def bare() -> Any:
    return network()


@pytest.fixture(scope="module")
def classifier() -> Any:
    return network(top=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, bare: Any, classifier: Any) -> Path:
    """Both networks in every form that Keras has for them, and an EfficientNet of another depth."""
    folder = tmp_path_factory.mktemp("weights")
    small = keras.Sequential([keras.Input((SIZE, SIZE, 3)), keras.layers.Conv2D(8, 3)])
    with quiet():
        for name, model in (("bare", bare), ("classifier", classifier), ("other", small)):
            model.save_weights(folder / f"{name}.weights.h5")
            model.save(folder / f"{name}.keras")
            model.save(folder / f"{name}.h5")
        network("B1").save_weights(folder / "b1.weights.h5")
    (folder / "junk.h5").write_bytes(b"no weights")
    (folder / "empty.keras").write_bytes(b"")
    (folder / "cut.h5").write_bytes((folder / "bare.h5").read_bytes()[:100_000])
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        archive.writestr("photo.jpg", b"")
    return folder


def config(weights: Path | None, variant: str = "B0") -> EfficientNetConfig:
    return EfficientNetConfig(variant, weights, size=SIZE)


# --- weights from a file


@pytest.mark.parametrize("form", ["weights.h5", "keras", "h5"])
@pytest.mark.parametrize("name", ["bare", "classifier"])
def test_every_form_that_keras_saves_is_read(
    files: Path, name: str, form: str, request: pytest.FixtureRequest
) -> None:
    saved = request.getfixturevalue(name)
    if name == "classifier":
        saved = keras.Model(saved.input, saved.get_layer("avg_pool").output)
    backbone = build_backbone(config(files / f"{name}.{form}"))
    assert backbone.output_shape == (None, 1280)
    np.testing.assert_array_equal(features(backbone), features(saved))


def test_the_form_is_told_by_the_content(files: Path, bare: Any, tmp_path: Path) -> None:
    shutil.copy(files / "bare.weights.h5", tmp_path / "weights of mine")
    backbone = build_backbone(config(tmp_path / "weights of mine"))
    np.testing.assert_array_equal(features(backbone), features(bare))


def test_of_a_whole_model_only_the_weights_are_looked_at(
    files: Path, bare: Any, tmp_path: Path
) -> None:
    with zipfile.ZipFile(files / "bare.keras") as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(tmp_path / "odd.keras", "w") as archive:
        archive.writestr("config.json", "what would build a model, and could run code")
        archive.writestr("model.weights.h5", weights)
    backbone = build_backbone(config(tmp_path / "odd.keras"))
    np.testing.assert_array_equal(features(backbone), features(bare))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing.h5", "there is no such file: check --weights"),
        ("", "there is no such file"),
        ("junk.h5", "cannot be read: .*: give a .keras, .h5 or .weights.h5 file saved by Keras"),
        ("empty.keras", "cannot be read: "),
        ("cut.h5", "cannot be read: .*truncated"),
        ("photos.zip", "not those of an EfficientNet-B0: .*model.weights.h5"),
        ("b1.weights.h5", "not those of an EfficientNet-B0: .*: give the file's own --variant"),
        ("other.weights.h5", "not those of an EfficientNet-B0: "),
        ("other.keras", "not those of an EfficientNet-B0: "),
        ("other.h5", "not those of an EfficientNet-B0: Layer count mismatch"),
    ],
)
def test_another_file_is_one_clear_line(files: Path, name: str, said: str) -> None:
    with pytest.raises(TrainingError, match=said) as raised:
        build_backbone(config(files / name))
    assert str(raised.value).startswith(f"weights {files / name}")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


def test_weights_that_are_no_numbers_are_one_clear_line(bare: Any, tmp_path: Path) -> None:
    broken = keras.models.clone_model(bare)
    *others, last = bare.get_weights()
    broken.set_weights([*others, np.full_like(last, np.nan)])
    broken.save_weights(tmp_path / "nan.weights.h5")
    recipe = EfficientNetRecipe(config(tmp_path / "nan.weights.h5"), TrainingConfig())
    paths = draw_photos(tmp_path / "photos", 1)
    with (
        PixelSource(recipe.spec) as source,
        pytest.raises(TrainingError, match=r"weights nan\.weights\.h5 give features that are no"),
    ):
        recipe.fit(some_pictures(paths, source), tmp_path / "figures", Silent())


# --- ImageNet's weights, up to the network and back


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Keras would find what it has fetched before."""
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    return tmp_path


Download = Callable[[str, str, Any], None]


@pytest.fixture
def download(keras_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Download], None]:
    """Put something in the place of the network call; all of Keras around it stays."""
    return lambda call: monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", call)


@pytest.mark.parametrize("variant", ["B0", "B1"])
def test_keras_is_asked_for_the_weights_without_a_head(
    download: Callable[[Download], None], variant: str, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, float | None]] = []

    def unreachable(url: str, target: str, hook: Any) -> None:
        asked.append((url, socket.getdefaulttimeout()))
        raise urllib.error.URLError(OSError("Network is unreachable"))

    download(unreachable)
    with pytest.raises(TrainingError) as raised:
        build_backbone(config(None, variant))
    url = f"{URL}efficientnet{variant.lower()}_notop.h5"
    assert asked == [(url, 30.0)]
    assert str(raised.value) == (
        f"ImageNet weights of EfficientNet-{variant} cannot be fetched: URL fetch failure on "
        f"{url}: None -- Network is unreachable: connect to the network, or give a file with "
        "--weights"
    )
    assert socket.getdefaulttimeout() is None
    assert capfd.readouterr() == ("", "")


def test_without_a_network_one_line_says_what_to_do(
    keras_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # a port where nobody listens
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)
    with pytest.raises(TrainingError, match=r"cannot be fetched: .*Connection refused: connect"):
        build_backbone(config(None))
    assert [path for path in keras_home.rglob("*") if path.is_file()] == []


def test_a_damaged_download_is_one_clear_line(download: Callable[[Download], None]) -> None:
    download(lambda url, target, hook: Path(target).write_bytes(b"half of it") and None)
    with pytest.raises(TrainingError, match="cannot be fetched: Incomplete or corrupted file"):
        build_backbone(config(None))


def test_keras_own_file_gives_the_same_fetched_or_given(
    bare: Any,
    download: Callable[[Download], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its variances are deviations, and Keras mends that only where it fetches the file itself."""
    own = keras.models.clone_model(bare)
    own.set_weights(bare.get_weights())
    normalization = next(one for one in own.layers if "normalization" in one.name)
    normalization.set_weights([np.array(MEAN), np.array(DEVIATIONS), np.array(1)])
    with quiet():
        own.save(tmp_path / "own.h5")
    monkeypatch.setattr("keras.src.utils.file_utils.validate_file", lambda *_, **__: True)
    download(lambda url, target, hook: shutil.copy(tmp_path / "own.h5", target) and None)

    given = features(build_backbone(config(tmp_path / "own.h5")))
    np.testing.assert_allclose(given, features(build_backbone(config(None))), atol=1e-4)
    assert not np.allclose(given, features(own), rtol=1e-2)


# --- the recipe


def some_pictures(paths: list[Path], source: PixelSource, held_out: int = 1) -> Pictures:
    checked = CheckedImages(tuple(paths), tuple(map(str, paths)), ())
    return Pictures(source, checked, paths[held_out:], paths[:held_out])


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_photos(tmp_path_factory.mktemp("photos"), 20)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("home") / "models")


@pytest.fixture(scope="module")
def trained(files: Path, photos: list[Path], models: Models) -> TrainingResult:
    weights = config(files / "classifier.keras")
    return train(photos, models, TrainingConfig(encoder=weights, k=3), Silent())


def test_the_bundle_says_where_its_vectors_come_from(
    trained: TrainingResult, models: Models
) -> None:
    bundle = models.bundle(trained.pair.encoder)
    assert (bundle.kind, bundle.spec) == (
        "efficientnet",
        PixelSpec(size=SIZE, version=PIXELS_VERSION),
    )
    assert set(bundle.manifest["files"]) == {"encoder.tflite", "encoder.keras"}
    explained = trained.metrics["explained"]
    assert explained == pytest.approx(1, abs=1e-3)  # 60 pictures have no more than 59 directions
    assert bundle.manifest["metrics"] == {
        "variant": "B0",
        "weights": "classifier.keras",
        "features": 1280,
        "explained": explained,
    }
    assert {path.name for path in trained.figures} >= {"elbow.png", "cluster-0.png"}


def test_the_exported_graph_is_the_keras_one(
    trained: TrainingResult, models: Models, photos: list[Path]
) -> None:
    bundle = models.bundle(trained.pair.encoder)
    encoder = LiteRTEncoder(bundle.read(ENCODER_FILE), bundle_id=bundle.id, spec=bundle.spec)
    batch = np.stack([pixels(path, bundle.spec) for path in photos])
    exported = encoder.encode(batch)
    assert len(bundle.read(ENCODER_FILE)) > 4 * 4_000_000  # not quantized
    saved = keras.saving.load_model(bundle.path / "encoder.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(exported, saved(batch.astype(np.float32)).numpy(), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(exported, axis=1), 1, rtol=1e-5)
    labels = models.clustering(trained.pair).predict(exported)
    assert tuple(np.bincount(labels, minlength=3)) == trained.sizes


def test_distances_are_those_of_the_features(
    trained: TrainingResult, models: Models, photos: list[Path], classifier: Any
) -> None:
    """Fewer pictures than directions: the projection turns the features and loses nothing."""
    bundle = models.bundle(trained.pair.encoder)
    encoder = LiteRTEncoder(bundle.read(ENCODER_FILE), bundle_id=bundle.id, spec=bundle.spec)
    batch = np.stack([pixels(path, bundle.spec) for path in photos])
    backbone = keras.Model(classifier.input, classifier.get_layer("avg_pool").output)
    centred = backbone(batch.astype(np.float32)).numpy()
    centred = centred - centred.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    vectors = encoder.encode(batch)
    np.testing.assert_allclose(vectors @ vectors.T, unit @ unit.T, atol=1e-2)


def test_another_model_than_weights_is_refused(files: Path) -> None:
    whole = TrainingConfig(from_model=files / "bare.keras")
    with pytest.raises(TrainingError, match=r"bare\.keras: efficientnet takes no whole model"):
        EfficientNetRecipe(config(files / "bare.keras"), whole)


# --- configuration and command line


def test_the_edge_is_the_variants_own_unless_it_is_given() -> None:
    assert [EfficientNetConfig(f"B{n}").edge for n in (0, 1, 4, 7)] == [224, 240, 380, 600]
    assert config(None).edge == SIZE


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"variant": "b0"}, "variant is 'b0': it must be one of B0, B1"),
        ({"size": 31}, "size is 31"),
    ],
)
def test_an_option_out_of_range_is_one_clear_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        EfficientNetConfig(**options)
