"""Fitting: which weights are kept, when it stops, what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.training.configs import PlainConfig
from indexer.training.dataset import ImageBatches
from indexer.training.fit import History, fit, schedule
from indexer.training.plain import build_plain
from indexer.training.runtime import keras
from indexer.training.source import PixelSource
from shared.errors import TrainingError
from shared.types import PixelSpec
from tests.homes import draw_photos
from tests.progress import Silent

SPEC = PixelSpec(size=16)


def fitted(paths: list[Path], source: PixelSource, **options: Any) -> tuple[Any, History, Silent]:
    keras.utils.set_random_seed(0)
    model = build_plain(PlainConfig(size=16, filters=(8, 8)))
    progress = Silent()
    history = fit(
        model,
        ImageBatches(paths[:-5], 8, source),
        ImageBatches(paths[-5:], 8, source, flip=0, shuffle=False),
        **({"epochs": 6, "patience": 6, "learning_rate": 1e-3, "progress": progress} | options),
    )
    return model, history, progress


def test_the_weights_of_the_best_epoch_are_kept(tmp_path: Path) -> None:
    paths = draw_photos(tmp_path, 8)
    with PixelSource(SPEC) as source:
        # The loss falls, so that its highest is the first and not that of the last weights.
        model, history, _ = fitted(paths, source, watch="loss", mode="max")
        validation, _ = ImageBatches(paths[-5:], 8, source, flip=0, shuffle=False)[0]
    assert (history.best, len(history.loss)) == (0, 6)
    assert history.val_loss[0] != pytest.approx(history.val_loss[-1], rel=1e-3)
    drawn = model.predict_on_batch(validation)
    assert np.square(drawn - validation).mean() == pytest.approx(history.val_loss[0], rel=1e-4)


def test_best_is_the_first_of_equals() -> None:
    assert History((3.0, 2.0, 1.0), (0.5, 0.4, 0.4)).best == 1


def test_another_measure_can_tell_the_best_epoch(tmp_path: Path) -> None:
    paths = draw_photos(tmp_path, 8)
    with PixelSource(SPEC) as source:
        _, history, progress = fitted(
            paths,
            source,
            epochs=3,
            compile={"loss": "mse", "metrics": ["mae"]},
            watch="val_mae",
            mode="max",
        )
        with pytest.raises(ValueError, match=r"watch is 'val_recall': .* one of .*val_loss"):
            fitted(paths, source, epochs=1, watch="val_recall")
    assert set(history.extra) == {"mae", "val_mae"}
    highest = max(history.extra["val_mae"])
    assert history.extra["val_mae"][history.best] == history.metrics()["val_mae"] == highest
    assert f", highest {highest:.4f} (epoch {history.best + 1})" in progress.stages[0].notes[-1]
    assert history.metrics()["history"]["mae"] == list(history.extra["mae"])


def test_the_learning_rate_rises_and_falls_by_the_step_alone() -> None:
    rate = schedule(0.5, steps=4, epochs=11)
    # A tenth of 44 steps is 4, an epoch; then 40 steps of half a cosine.
    wanted = {0: 0.125, 2: 0.3125, 4: 0.5, 24: 0.2525, 44: 0.005, 1000: 0.005}
    for step, value in wanted.items():
        assert float(rate(step)) == pytest.approx(value, rel=1e-5)
    assert float(schedule(0.5, steps=1, epochs=1)(0)) == pytest.approx(0.5)


def test_it_stops_when_nothing_gets_better(tmp_path: Path) -> None:
    paths = draw_photos(tmp_path, 8)
    with PixelSource(SPEC) as source:
        _, history, _ = fitted(paths, source, learning_rate=0.5, epochs=40, patience=2)
    assert len(history.val_loss) == history.best + 1 + 2 < 40


def test_it_tells_both_losses_after_every_epoch(tmp_path: Path) -> None:
    paths = draw_photos(tmp_path, 8)
    with PixelSource(SPEC) as source:
        _, history, progress = fitted(paths, source, epochs=2)
    (stage,) = progress.stages
    assert (stage.total, stage.done) == (6, 6)
    assert len(stage.notes) == 2
    assert f"loss {history.loss[0]:.4f}  validation {history.val_loss[0]:.4f}" in stage.notes[0]
    assert f"lowest {min(history.val_loss):.4f} (epoch {history.best + 1})" in stage.notes[1]


def test_a_loss_that_is_no_number_is_one_clear_line(tmp_path: Path) -> None:
    paths = draw_photos(tmp_path, 8)
    with (
        PixelSource(SPEC) as source,
        pytest.raises(TrainingError, match="no longer a number"),
    ):
        fitted(paths, source, learning_rate=float("nan"))


def test_a_folder_that_vanishes_ends_in_one_clear_line(tmp_path: Path) -> None:
    paths = draw_photos(tmp_path, 8)

    class Vanishing(Silent):
        def stage(self, name: str, total: int | None) -> Any:
            for path in paths:
                path.unlink()
            return super().stage(name, total)

    with (
        PixelSource(SPEC, cache_bytes=0) as source,
        pytest.raises(TrainingError, match="can be read any more"),
    ):
        fitted(paths, source, progress=Vanishing())
