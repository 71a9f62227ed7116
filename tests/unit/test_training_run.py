"""A whole training on sixty small pictures: what it leaves, what it refuses, that it repeats."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import indexer.training
from indexer.training import FIGURES_SKIPPED, MIN_IMAGES, require_tensorflow
from indexer.training.configs import PlainConfig
from indexer.training.training import TrainingConfig, TrainingResult, train
from shared.encoder import LiteRTEncoder
from shared.errors import TrainingError
from shared.images import pixels
from shared.models import ENCODER_FILE, Models
from shared.types import Embeddings, PixelSpec
from tests.homes import draw_photos
from tests.progress import Silent

CONFIG = TrainingConfig(
    epochs=2, seed=3, save_h5=True, encoder=PlainConfig(size=16, filters=(8, 8))
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_photos(tmp_path_factory.mktemp("photos"), 20)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("home") / "models")


@pytest.fixture(scope="module")
def progress() -> Silent:
    return Silent()


@pytest.fixture(scope="module")
def trained(photos: list[Path], models: Models, progress: Silent) -> TrainingResult:
    bad = photos[0].parent / "bad.jpg"
    bad.write_bytes(b"no picture")
    return train([*photos[:9], bad, *photos[9:]], models, CONFIG, progress)


def vectors(result: TrainingResult, models: Models, paths: list[Path]) -> Embeddings:
    bundle = models.bundle(result.pair.encoder)
    encoder = LiteRTEncoder(bundle.read(ENCODER_FILE), bundle_id=bundle.id, spec=bundle.spec)
    return encoder.encode(np.stack([pixels(path, bundle.spec) for path in paths]))


def test_the_bundle_is_whole(trained: TrainingResult, models: Models) -> None:
    bundle = models.bundle(trained.pair.encoder)
    assert (bundle.kind, bundle.spec) == ("autoencoder-plain", PixelSpec(size=16, version=2))
    names = {"encoder.tflite", "autoencoder.keras", "Conv_AE.h5"}
    assert names <= set(bundle.manifest["files"])
    for name in bundle.manifest["files"]:
        bundle.read(name)
    assert bundle.manifest["data"]["images"] == 60
    assert set(bundle.manifest["versions"]) == {"keras", "numpy", "python", "tensorflow"}
    assert models.next() is None


def test_metrics_are_those_of_the_kept_epoch(trained: TrainingResult, models: Models) -> None:
    metrics = trained.metrics
    assert metrics["val_loss"] == min(metrics["history"]["val_loss"])
    assert metrics["epochs_run"] == len(metrics["history"]["loss"]) == 2
    assert (metrics["training"], metrics["validation"]) == (51, 9)
    assert models.bundle(trained.pair.encoder).manifest["metrics"] == metrics


def test_what_cannot_be_read_is_reported(trained: TrainingResult) -> None:
    ((path, reason),) = trained.refused
    assert Path(str(path)).name == "bad.jpg"
    assert "is not an image" in reason
    assert trained.images == 60


def test_clusters_are_fitted_on_the_vectors_that_will_be_stored(
    trained: TrainingResult, models: Models, photos: list[Path]
) -> None:
    clustering = models.clustering(trained.pair)
    labels = clustering.predict(vectors(trained, models, photos))
    assert tuple(np.bincount(labels, minlength=trained.k)) == trained.sizes
    about = models.about_clustering(trained.pair)
    assert about["chosen_by"] == trained.chosen_by in ("elbow", "fallback")
    assert about["ks"] == [1, 2, 3, 4, 5, 6]


def test_every_figure_is_a_picture(trained: TrainingResult) -> None:
    names = {path.name for path in trained.figures}
    sheets = {f"cluster-{number}.png" for number in range(trained.k)}
    assert names == {"losses.png", "reconstructions.png", "elbow.png"} | sheets
    for path in trained.figures:
        assert path.read_bytes().startswith(b"\x89PNG")


def test_every_stage_reaches_its_total(trained: TrainingResult, progress: Silent) -> None:
    names = [stage.name for stage in progress.stages]
    assert names == [
        "Reading pictures",
        "Training",
        "Centring",
        "Exporting",
        "Encoding pictures",
        "Clustering",
        "Drawing clusters",
    ]
    assert all(stage.done == stage.total for stage in progress.stages)


def test_same_seed_same_bundle_and_another_seed_another(
    trained: TrainingResult, models: Models, photos: list[Path], tmp_path: Path
) -> None:
    again = train(photos, models, CONFIG, Silent())
    assert again.pair.encoder == trained.pair.encoder
    assert again.pair.generation == "g2"
    np.testing.assert_array_equal(
        models.clustering(again.pair).centroids, models.clustering(trained.pair).centroids
    )
    other = train(photos, Models(tmp_path), replace(CONFIG, seed=4, epochs=1), Silent())
    assert other.pair.encoder != trained.pair.encoder


@pytest.mark.parametrize("name", ["autoencoder.keras", "Conv_AE.h5"])
def test_a_saved_model_goes_through_the_same_export(
    trained: TrainingResult, models: Models, photos: list[Path], tmp_path: Path, name: str
) -> None:
    loaded = TrainingConfig(from_model=trained.bundle / name, k=4)
    other = Models(tmp_path)
    result = train(photos, other, loaded, Silent())
    assert (result.k, result.chosen_by) == (4, "given")
    assert result.metrics["validation"] == 9
    np.testing.assert_array_equal(vectors(result, other, photos), vectors(trained, models, photos))


class _Interrupted(Silent):
    """Ctrl-C in the stage of that name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def stage(self, name: str, total: int | None) -> Any:
        if name == self.name:
            raise KeyboardInterrupt
        return super().stage(name, total)


@pytest.mark.parametrize(
    ("stage", "checkpoints"), [("Training", 0), ("Exporting", 1), ("Drawing clusters", 1)]
)
def test_an_interrupted_training_leaves_its_checkpoint_only(
    photos: list[Path], tmp_path: Path, stage: str, checkpoints: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(photos, Models(tmp_path / "models"), replace(CONFIG, epochs=1), _Interrupted(stage))
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == list((tmp_path / "models" / "checkpoints").glob("*.npz"))
    assert len(left) == checkpoints
    assert list((tmp_path / "models" / "encoders").iterdir()) == []


def test_too_few_images_says_how_many_are_needed(photos: list[Path], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"7 images, at least {MIN_IMAGES} are needed"):
        train(photos[:7], Models(tmp_path), CONFIG, Silent())


def test_only_readable_images_count(photos: list[Path], tmp_path: Path) -> None:
    bad = [tmp_path / f"{number}.jpg" for number in range(MIN_IMAGES)]
    with pytest.raises(TrainingError, match=r"none of 50 images can be read; the first, .*0\.jpg"):
        train(bad, Models(tmp_path / "models"), CONFIG, Silent())
    with pytest.raises(TrainingError, match="3 readable images, at least 50"):
        train([*bad, *photos[:3]], Models(tmp_path / "models"), CONFIG, Silent())


def test_more_clusters_than_images_are_refused(photos: list[Path], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="k = 61 with 60 images: give 1 to 60"):
        train(photos, Models(tmp_path), replace(CONFIG, k=61), Silent())


def test_a_full_disk_is_refused_beforehand(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 2**20, 2**20))
    with pytest.raises(TrainingError, match=r"1 MiB free at .*, training needs 256 MiB"):
        train(photos, Models(tmp_path), CONFIG, Silent())


@pytest.mark.parametrize(
    "option",
    [{"epochs": 0}, {"validation_share": 1.0}, {"seed": -1}, {"batch_size": 0}, {"patience": 0}],
)
def test_an_option_out_of_range_is_one_clear_line(option: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match="it must be"):
        TrainingConfig(**option)


def _hide(monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    """Make a library look as if it were not installed."""
    monkeypatch.setattr(
        indexer.training, "find_spec", lambda name: None if name == hidden else name
    )


def test_without_tensorflow_one_line_says_what_to_install(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_tensorflow()
    _hide(monkeypatch, "tensorflow")
    with pytest.raises(TrainingError, match=r"tensorflow\): pip install 'lookalike\[train\]'"):
        train(photos, Models(tmp_path), CONFIG, Silent())


def test_without_matplotlib_figures_are_skipped_with_one_note(
    trained: TrainingResult, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hide(monkeypatch, "matplotlib")
    progress = Silent()
    result = train(photos, Models(tmp_path), CONFIG, progress)
    assert result.figures == ()
    assert progress.said.count(FIGURES_SKIPPED) == 1
    assert (result.metrics, result.sizes) == (trained.metrics, trained.sizes)
    assert [stage.name for stage in progress.stages][-1] == "Clustering"


_IN_A_PROCESS = """
import json, sys
from pathlib import Path
from indexer.training import require_tensorflow
from indexer.training.training import TrainingConfig, train
from shared.errors import TrainingError
from shared.models import Models
from tests.progress import Silent
require_tensorflow()
try:
    train([], Models(Path(sys.argv[1])), TrainingConfig(), Silent())
except TrainingError:
    refused_early = "tensorflow" not in sys.modules
paths = [Path(name) for name in json.loads(sys.argv[2])]
from indexer.training.configs import PlainConfig
network = PlainConfig(size=16, filters=(8, 8))
config = TrainingConfig(epochs=2, seed=3, save_h5=True, encoder=network)
result = train(paths, Models(Path(sys.argv[1])), config, Silent())
print(refused_early, result.pair.encoder)
"""


@pytest.fixture
def process(photos: list[Path], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    names = json.dumps([str(path) for path in photos])
    return subprocess.run(
        [sys.executable, "-c", _IN_A_PROCESS, str(tmp_path), names],
        capture_output=True,
        text=True,
        check=True,
    )


def test_another_process_makes_the_same_bundle_and_keeps_the_terminal_clean(
    trained: TrainingResult, process: subprocess.CompletedProcess[str]
) -> None:
    assert process.stdout.split() == ["True", trained.pair.encoder]
    assert process.stderr == ""
