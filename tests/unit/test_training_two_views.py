"""Fine-tuning without labels: the views, the loss by hand, what it changes, that it repeats."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.training.backbone import build_backbone
from indexer.training.configs import EfficientNetConfig
from indexer.training.efficientnet import EfficientNetRecipe
from indexer.training.recipe import Pictures
from indexer.training.runtime import keras, make_repeatable, quiet
from indexer.training.source import CheckedImages, PixelSource
from indexer.training.training import TrainingConfig
from indexer.training.two_views import TwoViews, contrastive_loss
from shared.errors import TrainingError
from shared.types import PixelSpec
from tests.homes import draw_photos
from tests.progress import Silent

SIZE = 32


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_photos(tmp_path_factory.mktemp("photos"), 6)


def some_pictures(paths: list[Path], source: PixelSource) -> Pictures:
    checked = CheckedImages(tuple(paths), tuple(map(str, paths)), ())
    return Pictures(source, checked, paths[4:], paths[:4])


def views(paths: list[Path], size: int = 4, *, epoch: int = 0, **options: Any) -> list[Any]:
    with PixelSource(PixelSpec(size=SIZE)) as source:
        batches = TwoViews(paths, size, some_pictures(paths, source), **options)
        batches.epoch = epoch
        return [batches[number] for number in range(len(batches))]


def test_every_picture_is_seen_twice_and_never_the_same_way(photos: list[Path]) -> None:
    ((seen, partners),) = views(photos, 18, shuffle=False)
    assert seen.dtype == np.float32
    assert seen.shape == (36, SIZE, SIZE, 3)
    assert 0 <= seen.min() < 50 < 200 < seen.max() <= 255
    np.testing.assert_array_equal(partners, [*range(18, 36), *range(18)])
    assert not any(np.array_equal(seen[row], seen[partners[row]]) for row in range(36))
    colors = seen.mean(axis=(1, 2)).argmax(axis=1)  # the folders are red, green and blue
    np.testing.assert_array_equal(colors, colors[partners])


def test_views_follow_from_seed_and_epoch_alone(photos: list[Path]) -> None:
    first, again = views(photos, epoch=1, seed=5), views(photos, epoch=1, seed=5)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    for other in (views(photos, epoch=2, seed=5), views(photos, epoch=1, seed=6)):
        assert not np.array_equal(first[0][0], other[0][0])


def test_batches_are_of_nearly_equal_size(photos: list[Path]) -> None:
    assert [len(seen) for seen, _ in views(photos[:9], 8)] == [10, 8]
    assert [len(seen) for seen, _ in views(photos, 7)] == [12, 12, 12]


@pytest.mark.parametrize(("count", "size"), [(1, 8), (9, 1)])
def test_a_picture_alone_has_nothing_to_be_told_from(
    photos: list[Path], count: int, size: int
) -> None:
    with pytest.raises(TrainingError, match=f"batches of {size} from {count} hold one: raise"):
        views(photos[:count], size)


def test_the_loss_is_the_one_worked_by_hand() -> None:
    """Cosines are divided by a tenth: 1 counts e^10, 0 counts 1, the view itself nothing."""
    one, other = [1.0, 0.0], [0.0, 1.0]
    partners = np.array([2, 3, 0, 1])
    found = contrastive_loss(partners, np.array([one, other, one, other], np.float32))
    np.testing.assert_allclose(found, [math.log(1 + 2 * math.exp(-10))] * 4, rtol=1e-2)
    missed = contrastive_loss(partners, np.array([one, other, other, one], np.float32))
    np.testing.assert_allclose(missed, [math.log(2 + math.exp(10))] * 4, rtol=1e-5)
    same = contrastive_loss(partners, np.array([one] * 4, np.float32))
    np.testing.assert_allclose(same, [math.log(3)] * 4, rtol=1e-5)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    make_repeatable(1)
    with quiet():
        network = keras.applications.EfficientNetB0(
            include_top=False, weights=None, input_shape=(SIZE, SIZE, 3)
        )
    path = tmp_path_factory.mktemp("weights") / "b0.weights.h5"
    network.save_weights(path)
    return path


def tuned(
    weights: Path, photos: list[Path], figures: Path
) -> tuple[EfficientNetRecipe, Any, Silent]:
    make_repeatable(3)
    network = EfficientNetConfig(weights=weights, size=SIZE, fine_tune=True, learning_rate=1e-3)
    recipe = EfficientNetRecipe(network, TrainingConfig(epochs=2, batch_size=8, seed=3))
    progress = Silent()
    with PixelSource(recipe.spec) as source:
        return recipe, recipe.fit(some_pictures(photos, source), figures, progress), progress


@pytest.fixture(scope="module")
def fitted(
    weights: Path, photos: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Path, Silent]:
    figures = tmp_path_factory.mktemp("bundle") / "figures"
    _, found, progress = tuned(weights, photos, figures)
    return found, figures, progress


def test_losses_are_told_and_drawn(fitted: tuple[Any, Path, Silent]) -> None:
    found, figures, progress = fitted
    metrics = found.metrics
    assert (metrics["training"], metrics["validation"], metrics["epochs_run"]) == (14, 4, 2)
    assert metrics["val_loss"] == min(metrics["history"]["val_loss"]) > 0
    assert metrics["weights"] == "b0.weights.h5"
    assert (figures / "losses.png").read_bytes().startswith(b"\x89PNG")
    assert [stage.name for stage in progress.stages] == ["Training", "Looking at pictures"]
    assert all(stage.done == stage.total for stage in progress.stages)


def test_only_the_last_stages_learn_and_no_batch_statistics(
    fitted: tuple[Any, Path, Silent], weights: Path
) -> None:
    network = EfficientNetConfig(weights=weights, size=SIZE)
    before = build_backbone(network).layers
    after = fitted[0].encoder.layers[: len(before)]
    changed = {
        old.name
        for old, new in zip(before, after, strict=True)
        for was, now in zip(old.get_weights(), new.get_weights(), strict=True)
        if not np.array_equal(was, now)
    }
    assert "top_conv" in changed
    assert all(name.startswith(("block6", "block7", "top")) for name in changed)
    assert not any(name.endswith("bn") for name in changed)


def test_the_same_seed_gives_the_same_encoder(
    fitted: tuple[Any, Path, Silent], weights: Path, photos: list[Path], tmp_path: Path
) -> None:
    _, again, _ = tuned(weights, photos, tmp_path)
    assert again.metrics == fitted[0].metrics
    for one, other in zip(
        fitted[0].encoder.get_weights(), again.encoder.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
