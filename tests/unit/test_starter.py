"""The encoder that ships: whole, small, installed as it is, and a start for the default network."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import indexer.starter
import indexer.training.start
from indexer.starter import BUNDLE, WEIGHTS_FILE, install
from indexer.starter.make import make
from indexer.training.autoencoder import build_autoencoder, start_linear
from indexer.training.autoencoder_recipe import AutoencoderRecipe
from indexer.training.configs import AutoencoderConfig
from indexer.training.dataset import scaled, split
from indexer.training.recipe import Pictures
from indexer.training.source import PixelSource, check_images
from indexer.training.start import load_starter
from indexer.training.training import TrainingConfig
from shared.encoder import LiteRTEncoder
from shared.errors import ModelError
from shared.images import pixels
from shared.models import ENCODER_FILE, Models, read_bundle
from shared.types import EMBEDDING_SIZE, PixelSpec
from tests.homes import draw_photos
from tests.progress import Silent

ROOT = Path(__file__).parent.parent.parent

TINY = AutoencoderConfig(
    picture=32, size=16, filters=(4, 4), components=12, vocabulary_pictures=54, least_views=0
)


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's bundle, in its place."""
    folder = tmp_path / "package" / "bundle"
    shutil.copytree(BUNDLE, folder)
    monkeypatch.setattr(indexer.starter, "BUNDLE", folder)
    monkeypatch.setattr(indexer.training.start, "BUNDLE", folder)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_photos(tmp_path_factory.mktemp("home") / "photos", 18)


def test_the_shipped_bundle_is_whole_and_small() -> None:
    bundle = read_bundle(BUNDLE)
    names = {str(path.relative_to(BUNDLE)) for path in BUNDLE.rglob("*") if path.is_file()}
    assert names == {"manifest.json", *bundle.manifest["files"]}
    assert {ENCODER_FILE, WEIGHTS_FILE} == set(bundle.manifest["files"])
    for name in bundle.manifest["files"]:
        bundle.read(name)
    assert sum((BUNDLE / name).stat().st_size for name in names) <= 10 * 10**6


def test_the_shipped_bundle_is_of_the_default_kind() -> None:
    bundle, default = read_bundle(BUNDLE), AutoencoderConfig()
    assert (bundle.kind, bundle.spec.size) == (default.kind, default.picture)
    assert bundle.manifest["latent"] == EMBEDDING_SIZE
    made = bundle.manifest["fit"]["encoder"]
    assert (made["size"], made["filters"]) == (default.size, list(default.filters))
    assert made["components"] == default.components
    assert bundle.manifest["metrics"]["started_from"] == "pca"


def test_it_has_not_seen_what_figures_are_measured_on() -> None:
    data = read_bundle(BUNDLE).manifest["data"]
    assert data["sources"]
    assert "clothing128_test" not in data["sources"]
    assert not any("/" in name for name in data["sources"])


def test_every_file_of_it_is_package_data() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["indexer.starter"]
    package = Path(indexer.starter.__file__).parent
    packed = {path for pattern in patterns for path in package.glob(pattern)}
    assert {path for path in BUNDLE.rglob("*") if path.is_file()} <= packed


def test_install_keeps_its_id_and_twice_is_once(tmp_path: Path) -> None:
    models = Models(tmp_path)
    first, second = install(models), install(models)
    assert first.id == second.id == read_bundle(BUNDLE).id
    assert first.path == tmp_path / "encoders" / first.id
    assert [path.name for path in (tmp_path / "encoders").iterdir()] == [first.id]
    for path in BUNDLE.iterdir():
        assert (first.path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", [ENCODER_FILE, "manifest.json"])
def test_a_damaged_copy_in_the_home_is_replaced(tmp_path: Path, name: str) -> None:
    models = Models(tmp_path)
    flip_a_byte(install(models).path / name)
    bundle = install(models)
    for path in BUNDLE.iterdir():
        assert (bundle.path / path.name).read_bytes() == path.read_bytes()
    assert [path.name for path in (tmp_path / "encoders").iterdir()] == [bundle.id]


@pytest.mark.parametrize("name", [ENCODER_FILE, WEIGHTS_FILE, "manifest.json"])
def test_a_damaged_package_is_one_clear_line(copy: Path, tmp_path: Path, name: str) -> None:
    if name == "manifest.json":
        (copy / name).write_text("{")
    else:
        flip_a_byte(copy / name)
    with pytest.raises(ModelError, match=rf"{name}.* is damaged") as caught:
        install(Models(tmp_path / "models"))
    assert "\n" not in str(caught.value)
    encoders = tmp_path / "models" / "encoders"
    assert not encoders.exists() or list(encoders.iterdir()) == []


@pytest.mark.parametrize("name", [ENCODER_FILE, WEIGHTS_FILE])
def test_a_package_that_lacks_a_file_is_refused(copy: Path, tmp_path: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ModelError, match=name):
        install(Models(tmp_path / "models"))


def test_it_tells_pictures_apart(photos: list[Path], tmp_path: Path) -> None:
    bundle = install(Models(tmp_path))
    encoder = LiteRTEncoder(bundle.read(ENCODER_FILE), bundle_id=bundle.id, spec=bundle.spec)
    some = [photos[0], photos[1], photos[20]]
    vectors = encoder.encode(np.stack([pixels(path, bundle.spec) for path in some]))
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_the_default_network_begins_with_its_weights() -> None:
    autoencoder = build_autoencoder(AutoencoderConfig())
    assert load_starter(autoencoder) == read_bundle(BUNDLE).id
    weights = autoencoder.get_weights()
    with np.load(BUNDLE / WEIGHTS_FILE) as file:
        assert len(file.files) == len(weights)
        for number, array in enumerate(weights):
            stored = file[str(number)]
            assert (stored.dtype, array.dtype) == (np.float16, np.float32)
            np.testing.assert_array_equal(array, stored.astype(np.float32))
            assert np.isfinite(array).all()


def _untouched(autoencoder: Any, before: list[Any]) -> bool:
    after = autoencoder.get_weights()
    return all(np.array_equal(one, two) for one, two in zip(before, after, strict=True))


def test_a_network_of_another_shape_keeps_its_weights() -> None:
    autoencoder = build_autoencoder(TINY)
    before = autoencoder.get_weights()
    assert load_starter(autoencoder) is None
    assert _untouched(autoencoder, before)


def test_without_a_starter_the_network_keeps_its_weights(copy: Path) -> None:
    shutil.rmtree(copy)
    autoencoder = build_autoencoder(TINY)
    before = autoencoder.get_weights()
    assert load_starter(autoencoder) is None
    assert _untouched(autoencoder, before)


def test_damaged_weights_are_refused(copy: Path) -> None:
    flip_a_byte(copy / WEIGHTS_FILE)
    autoencoder = build_autoencoder(TINY)
    before = autoencoder.get_weights()
    with pytest.raises(ModelError, match=f"{WEIGHTS_FILE} is damaged"):
        load_starter(autoencoder)
    assert _untouched(autoencoder, before)


@pytest.fixture(scope="module")
def made(photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A starter of a tiny network, made twice in the same place."""
    out = tmp_path_factory.mktemp("made") / "bundle"
    folder = photos[0].parent.parent
    ids = []
    for _ in range(2):
        ids.append(make([folder], out, epochs=1, seed=2, progress=Silent(), network=TINY))
        (out / "left over").touch()
    (out / "left over").unlink()
    assert ids[0] == ids[1] == read_bundle(out).id
    return out


def test_make_leaves_what_ships_and_no_more(made: Path, tmp_path: Path) -> None:
    assert {path.name for path in made.rglob("*")} == {
        "manifest.json",
        ENCODER_FILE,
        WEIGHTS_FILE,
    }
    bundle = Models(tmp_path).import_bundle(made)
    data = bundle.manifest["data"]
    assert (data["images"], data["sources"]) == (54, ["photos"])
    assert (bundle.kind, bundle.spec.size) == ("autoencoder", 32)
    assert str(made.parent) not in json.dumps(bundle.manifest)
    LiteRTEncoder(bundle.read(ENCODER_FILE), bundle_id=bundle.id, spec=bundle.spec)


def _pictures(photos: list[Path], source: PixelSource) -> Pictures:
    checked = check_images(photos, source, Silent())
    return Pictures(source, checked, *split(checked.good, 0.15, 0))


def _starter_of(autoencoder: Any, folder: Path) -> Path:
    """A starter that holds a network's weights."""
    (folder / "encoders").mkdir(parents=True)
    built = folder / "encoders" / ".built"
    built.mkdir()
    weights = {str(n): array for n, array in enumerate(autoencoder.get_weights())}
    np.savez(built / WEIGHTS_FILE, **{name: one.astype("f2") for name, one in weights.items()})
    manifest = {"kind": "autoencoder", "pixels": PixelSpec(size=32).to_json()}
    return Models(folder).add_bundle(built, manifest).path


@pytest.mark.parametrize("better", [True, False])
def test_a_training_goes_on_from_the_starter_only_if_it_serves_better(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, better: bool
) -> None:
    recipe = AutoencoderRecipe(TINY, TrainingConfig(encoder=TINY))
    autoencoder = build_autoencoder(TINY)
    with PixelSource(recipe.spec) as source:
        pictures = _pictures(photos, source)
        # Knows the validation pictures, which a start from the training pictures does not.
        seen = pictures.sample(pictures.validation if better else pictures.training[:3], 54, (0,))
        start_linear(autoencoder, scaled(seen, TINY.size), 0)
        starter = _starter_of(autoencoder, tmp_path / "starter")
        monkeypatch.setattr(indexer.training.start, "BUNDLE", starter)
        begun = recipe.begin(pictures, tmp_path / "figures", Silent()).autoencoder
        first = build_autoencoder(TINY)
        load_starter(first)
    assert _untouched(begun, first.get_weights()) == better


def test_a_training_goes_on_without_a_damaged_starter(
    copy: Path, photos: list[Path], tmp_path: Path
) -> None:
    flip_a_byte(copy / WEIGHTS_FILE)
    progress = Silent()
    recipe = AutoencoderRecipe(TINY, TrainingConfig(encoder=TINY))
    with PixelSource(recipe.spec) as source:
        recipe.begin(_pictures(photos, source), tmp_path / "figures", progress)
    (line,) = progress.said
    assert line.endswith("going on without the starter")
    assert WEIGHTS_FILE in line
