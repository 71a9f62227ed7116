"""The triplet model on drawn pictures whose labels its start hardly sees: the colour of a small
square on greys that say nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.training.configs import PlainConfig, TripletConfig
from indexer.training.dataset import split
from indexer.training.metric import Labelled, learn_projection
from indexer.training.plain import build_plain
from indexer.training.recipe import Fitted, Pictures
from indexer.training.runtime import keras, make_repeatable, quiet
from indexer.training.source import PixelSource, check_images
from indexer.training.training import TrainingConfig, TrainingResult, train
from indexer.training.triplet import TripletRecipe
from shared.encoder import LiteRTEncoder
from shared.errors import TrainingError
from shared.images import pixels
from shared.models import ENCODER_FILE, Models
from tests.progress import Silent

SIZE = 16
COLORS: dict[str, Any] = {"blue": (30, 40, 200), "green": (30, 190, 40), "red": (200, 40, 30)}
KINDS = tuple(COLORS)
OF_EACH = 24


def picture(kind: str, random: np.random.Generator) -> Image.Image:
    """A small square of the label's colour on two greys of random brightness."""
    halves = random.integers(0, 256, (2, 1, 1)).repeat(SIZE // 2, axis=0)
    drawn = halves + np.zeros((1, SIZE, 3), int)
    drawn[6:11, 6:11] = COLORS.get(kind, 128)
    return Image.fromarray(drawn.astype(np.uint8))


def draw(root: Path, kind: str, count: int, seed: int) -> list[Path]:
    (root / kind).mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    paths = [root / kind / f"{seed}-{number}.png" for number in range(count)]
    for path in paths:
        picture(kind, random).save(path)
    return paths


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def photos(root: Path) -> list[Path]:
    return [path for n, kind in enumerate(KINDS) for path in draw(root, kind, OF_EACH, n)]


@pytest.fixture(scope="module")
def config(root: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingConfig:
    """Starts from an autoencoder that has not learnt anything yet, so that none is fitted."""
    keras.utils.set_random_seed(5)
    saved = tmp_path_factory.mktemp("start") / "start.keras"
    with quiet():
        build_plain(PlainConfig(size=SIZE, filters=(16, 16))).save(saved)
    encoder = TripletConfig(start="autoencoder-plain", folders=(root,))
    return TrainingConfig(encoder=encoder, from_model=saved, epochs=12, k=3)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("home") / "models")


@pytest.fixture(scope="module")
def progress() -> Silent:
    return Silent()


@pytest.fixture(scope="module")
def everything(root: Path, photos: list[Path]) -> list[Path]:
    """Besides the three classes one of a single picture, and a picture without a label."""
    picture("loose", np.random.default_rng(9)).save(root / "loose.png")
    return [*photos, *draw(root, "alone", 1, 8), root / "loose.png"]


@pytest.fixture(scope="module")
def trained(
    everything: list[Path], config: TrainingConfig, models: Models, progress: Silent
) -> TrainingResult:
    return train(everything, models, config, progress)


def fitted(paths: list[Path], config: TrainingConfig, folder: Path, progress: Silent) -> Fitted:
    make_repeatable(config.seed)
    recipe = TripletRecipe(triplet(config), config)
    with PixelSource(recipe.spec) as source:
        checked = check_images(paths, source, progress)
        sides = split(checked.good, config.validation_share, config.seed)
        return recipe.fit(Pictures(source, checked, *sides), folder, progress)


def triplet(config: TrainingConfig) -> TripletConfig:
    assert isinstance(config.encoder, TripletConfig)
    return config.encoder


# --- a whole training


def test_it_tells_held_out_pictures_apart_better_than_its_start(trained: TrainingResult) -> None:
    metrics = trained.metrics
    assert metrics["val_p_at_10"] == max(metrics["history"]["val_p_at_10"])
    assert metrics["val_p_at_10"] > metrics["start_p_at_10"] + 0.2
    assert metrics["epochs_run"] == len(metrics["history"]["loss"]) == 12
    assert metrics["history"]["loss"][-1] < metrics["history"]["loss"][0]


def test_the_exported_graph_does_so_for_pictures_never_seen(
    trained: TrainingResult, models: Models, photos: list[Path], tmp_path: Path
) -> None:
    bundle = models.bundle(trained.pair.encoder)
    assert bundle.kind == "triplet"
    encoder = LiteRTEncoder(bundle.read(ENCODER_FILE), bundle_id=bundle.id, spec=bundle.spec)

    def encoded(paths: list[Path]) -> Any:
        return encoder.encode(np.stack([pixels(path, bundle.spec) for path in paths]))

    points = encoded(photos)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-5)
    right = 0.0
    for number, kind in enumerate(KINDS):
        asked = encoded(draw(tmp_path, kind, 10, 50 + number))
        nearest = np.argsort(-(asked @ points.T), axis=1)[:, :10]
        right += float((nearest // OF_EACH == number).mean()) / len(KINDS)
    assert right > trained.metrics["start_p_at_10"] + 0.15


def test_classes_are_split_alike_and_small_ones_left_out_by_name(
    trained: TrainingResult, progress: Silent
) -> None:
    metrics = trained.metrics
    assert metrics["classes"] == list(KINDS)
    assert metrics["left_out"] == {"alone": 1}
    assert (metrics["training"], metrics["validation"]) == (3 * 20, 3 * 4)
    assert "left out, fewer than 3 pictures: alone (1)" in progress.said
    assert any(line.startswith("1 picture has no label") for line in progress.said)


def test_every_figure_is_a_picture(trained: TrainingResult) -> None:
    names = {path.name for path in trained.figures}
    assert {"triplet-losses.png", "precision.png", "projection.png"} <= names
    for path in trained.figures:
        with Image.open(path) as figure:
            assert np.ptp(np.asarray(figure.convert("L"))) > 100


def test_every_stage_reaches_its_total(trained: TrainingResult, progress: Silent) -> None:
    (learning,) = [stage for stage in progress.stages if stage.name == "Learning labels"]
    assert learning.total == 12 * 30
    assert all(stage.done == stage.total for stage in progress.stages)
    assert "P@10" in learning.notes[-1]


def test_same_seed_same_bundle_wherever_the_pictures_lie(
    trained: TrainingResult,
    root: Path,
    everything: list[Path],
    config: TrainingConfig,
    tmp_path: Path,
) -> None:
    moved = tmp_path / "moved"
    moved.symlink_to(root)
    paths = [moved / path.relative_to(root) for path in everything]
    there = replace(config, encoder=replace(triplet(config), folders=(moved,)))
    again = train(paths, Models(tmp_path / "models"), there, Silent())
    assert again.pair.encoder == trained.pair.encoder


# --- what it is given


def test_labels_from_a_table(photos: list[Path], config: TrainingConfig, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    rows = [f"{path},{'warm' if path.parent.name == 'red' else 'cool'}" for path in photos]
    table.write_text("\n".join(["file,label", *rows, "gone.png,warm"]))
    progress = Silent()
    labelled = replace(config, epochs=1, encoder=replace(triplet(config), labels=table))
    found = fitted(photos, labelled, tmp_path / "figures", progress)
    assert found.metrics["classes"] == ["cool", "warm"]
    assert any("1 row for files that are not there" in line for line in progress.said)


def test_fewer_than_two_classes_is_one_clear_line(
    root: Path, photos: list[Path], config: TrainingConfig, tmp_path: Path
) -> None:
    few = [*photos[:10], *photos[-2:]]
    with pytest.raises(TrainingError, match="1 class with at least 3 pictures, two are needed"):
        fitted(few, config, tmp_path, Silent())


def test_pictures_that_are_all_black(config: TrainingConfig, tmp_path: Path) -> None:
    paths = [tmp_path / name / f"{n}.png" for name in ("a", "b") for n in range(10)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (SIZE, SIZE)).save(path)
    black = replace(config, epochs=2, encoder=replace(triplet(config), folders=(tmp_path,)))
    found = fitted(paths, black, tmp_path / "figures", Silent())
    vectors = found.encoder(np.zeros((2, SIZE, SIZE, 3), np.float32)).numpy()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_where_nothing_can_be_learnt_the_start_is_kept() -> None:
    random = np.random.default_rng(0)
    near = np.eye(2, 20, dtype=np.float32)[np.repeat([0, 1], 20)]
    rows = near + random.normal(size=near.shape).astype(np.float32) / 100
    some = Labelled(rows, np.repeat([0, 1], 20))
    learnt = learn_projection(some, some, TripletConfig(), epochs=2, seed=0, progress=Silent())
    assert learnt.start == 1
    assert learnt.metrics()["best_epoch"] == 0
    assert learnt.metrics()["val_p_at_10"] == 1
    # the kernel is still that of PCA: all its columns are at right angles
    products = learnt.projection.components.T @ learnt.projection.components
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-4)


def test_a_loss_that_is_no_number_is_one_clear_line() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 20)).astype(np.float32)
    some = Labelled(rows, np.repeat([0, 1], 20))
    wild = TripletConfig(learning_rate=float("nan"))
    with pytest.raises(TrainingError, match="no longer a number after epoch 1"):
        learn_projection(some, some, wild, epochs=2, seed=0, progress=Silent())


# --- options


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TripletConfig(start="triplet"), "start is 'triplet'"),
        (lambda: TripletConfig(mining="easy"), "mining is 'easy'"),
        (lambda: TripletConfig(margin=0), "margin is 0"),
        (lambda: TripletConfig(classes=1), "a batch needs two classes"),
    ],
)
def test_what_cannot_be_is_one_clear_line(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        make()
