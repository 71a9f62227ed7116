"""A fit that is killed goes on and ends as if it had never been; a bad checkpoint is not used."""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.training.checkpoint import Checkpoint, Checkpoints
from indexer.training.configs import PlainConfig
from indexer.training.dataset import ImageBatches
from indexer.training.export import load_autoencoder
from indexer.training.fit import History, fit
from indexer.training.runtime import keras, make_repeatable
from indexer.training.source import PixelSource
from indexer.training.training import TrainingConfig, train
from shared.models import Models
from shared.types import PixelSpec
from tests.homes import draw_photos
from tests.progress import Silent, SilentStage

SPEC = PixelSpec(size=16)
EPOCHS = 6


def restless(width: int = 8) -> Any:
    """A small network with all that a checkpoint must know of: batch statistics, two dropouts."""
    make_repeatable(0)
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(width, 3, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.GaussianNoise(0.05),
            keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid"),
        ]
    )


class _Stops(Silent):
    """Ctrl-C in the first batch after so many epochs of a fit of `EPOCHS`."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._epochs = epochs

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[SilentStage]:
        assert total is not None
        batches = total // EPOCHS

        class Stage(SilentStage):
            def advance(stage, n: int = 1) -> None:
                super().advance(n)
                if stage.done > self._epochs * batches:
                    raise KeyboardInterrupt

        yield Stage(name, total)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_photos(tmp_path_factory.mktemp("photos"), 20)


@pytest.fixture(scope="module")
def source() -> Iterator[PixelSource]:
    with PixelSource(SPEC) as source:
        yield source


class Fits:
    """Fits of the restless network on the same pictures."""

    def __init__(self, photos: list[Path], source: PixelSource) -> None:
        self._photos, self._source = photos, source

    def __call__(
        self, checkpoint: Checkpoint | None, progress: Silent, **options: Any
    ) -> tuple[Any, History]:
        model = restless()
        history = fit(
            model,
            ImageBatches(self._photos[:20], 8, self._source, seed=1),
            ImageBatches(self._photos[20:26], 8, self._source, flip=0, shuffle=False),
            **(
                {
                    "epochs": EPOCHS,
                    "patience": EPOCHS,
                    "learning_rate": 0.01,
                    "progress": progress,
                    "checkpoint": checkpoint,
                }
                | options
            ),
        )
        return model, history


@pytest.fixture(scope="module")
def fits(photos: list[Path], source: PixelSource) -> Fits:
    return Fits(photos, source)


@pytest.fixture(scope="module")
def uninterrupted(fits: Fits) -> tuple[Any, History]:
    return fits(None, Silent())


def values(model: Any) -> list[Any]:
    return [variable.numpy() for variable in model.variables]


def same(first: Any, second: Any) -> None:
    for one, other in zip(values(first), values(second), strict=True):
        np.testing.assert_array_equal(one, other)


def interrupted(fits: Fits, path: Path, epochs: int, **options: Any) -> Checkpoint:
    checkpoint = Checkpoint(path, "the fit", Silent())
    with pytest.raises(KeyboardInterrupt):
        fits(checkpoint, _Stops(epochs), **options)
    assert path.is_file()
    return checkpoint


# The loss falls, so that the first epoch has the highest, and the fifth is the fourth after it.
EARLY = {"watch": "loss", "mode": "max", "patience": 4}


@pytest.mark.parametrize(
    ("options", "wanted"), [({}, EPOCHS), (EARLY, 5)], ids=["to the end", "early stop"]
)
def test_resumed_equals_uninterrupted(
    fits: Fits, tmp_path: Path, options: dict[str, Any], wanted: int
) -> None:
    model, history = fits(None, Silent(), **options)
    interrupted(fits, tmp_path / "one.npz", 3, **options)
    progress = Silent()
    resumed, again = fits(
        Checkpoint(tmp_path / "one.npz", "the fit", progress), progress, **options
    )
    assert progress.said == [f"going on after epoch 3 of {EPOCHS}"]
    assert again == history
    assert len(history.loss) == wanted
    assert len(values(model)) > len(model.get_weights())  # the seeds are compared, too
    same(resumed, model)


def test_a_fit_that_was_over_is_not_run_again(fits: Fits, tmp_path: Path) -> None:
    progress = Silent()
    checkpoint = Checkpoint(tmp_path / "one.npz", "the fit", progress)
    model, history = fits(checkpoint, progress)
    resumed, again = fits(checkpoint, progress)
    assert [stage.name for stage in progress.stages] == ["Training"]
    assert progress.said == [f"going on after epoch {EPOCHS} of {EPOCHS}"]
    assert again == history
    same(resumed, model)


def test_a_resumed_stage_counts_what_is_left(fits: Fits, tmp_path: Path) -> None:
    interrupted(fits, tmp_path / "one.npz", 4)
    progress = Silent()
    fits(Checkpoint(tmp_path / "one.npz", "the fit", progress), progress)
    (stage,) = progress.stages
    assert (stage.total, stage.done) == (2 * 3, 2 * 3)
    assert stage.notes[0].startswith("epoch 5/6 ")


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    return data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]


def empty(data: bytes) -> bytes:
    return b""


def foreign(data: bytes) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, weights=np.zeros(3))
    return buffer.getvalue()


def sealed(**arrays: Any) -> bytes:
    """An archive with the right checksum, whatever is in it."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, **arrays)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"0" * 64
    content = buffer.getvalue()[:-64]
    return content + hashlib.sha256(content).hexdigest().encode()


def header(**value: Any) -> Any:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def pickled(data: bytes) -> bytes:
    return sealed(header=np.array([print], dtype=object))


def without_header(data: bytes) -> bytes:
    return sealed(weights=np.zeros(3))


def not_an_object(data: bytes) -> bytes:
    return sealed(header=np.frombuffer(b"[1, 2]", np.uint8))


def of_tomorrow(data: bytes) -> bytes:
    return sealed(header=header(format=2))


def of_another_training(data: bytes) -> bytes:
    return sealed(header=header(format=1, fingerprint="another"))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (truncated, "its checksum is wrong, so it is damaged or no checkpoint"),
        (flipped, "its checksum is wrong"),
        (empty, "its checksum is wrong"),
        (foreign, "its checksum is wrong"),
        (pickled, "Object arrays cannot be loaded"),
        (without_header, "header"),
        (not_an_object, ""),
        (of_tomorrow, "it has format 2, this program reads 1"),
        (of_another_training, "it belongs to another training"),
    ],
)
def test_what_is_no_checkpoint_of_this_fit_is_ignored_with_one_line(
    tmp_path: Path, damage: Any, reason: str
) -> None:
    model, progress = compiled(restless()), Silent()
    checkpoint = Checkpoint(tmp_path / "one.npz", "the fit", progress)
    checkpoint.save(model, {"loss": [1.0]}, model.get_weights())
    checkpoint.path.write_bytes(damage(checkpoint.path.read_bytes()))
    before = values(model)
    assert checkpoint.resume(model) is None
    (line,) = progress.said
    assert line.startswith(f"checkpoint {checkpoint.path} is ignored, training begins anew: ")
    assert reason in line
    assert "\n" not in line
    for one, other in zip(before, values(model), strict=True):
        np.testing.assert_array_equal(one, other)


def compiled(model: Any) -> Any:
    model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_the_state_of_another_network_is_ignored(tmp_path: Path) -> None:
    progress = Silent()
    checkpoint = Checkpoint(tmp_path / "one.npz", "the fit", progress)
    model = compiled(restless(width=4))
    checkpoint.save(model, {"loss": [1.0]}, model.get_weights())
    assert checkpoint.resume(compiled(restless())) is None
    assert "another network" in progress.said[0]


def test_a_damaged_checkpoint_means_a_new_beginning(
    fits: Fits, uninterrupted: tuple[Any, History], tmp_path: Path
) -> None:
    model, history = uninterrupted
    interrupted(fits, tmp_path / "one.npz", 3)
    (tmp_path / "one.npz").write_bytes(truncated((tmp_path / "one.npz").read_bytes()))
    progress = Silent()
    again, other = fits(Checkpoint(tmp_path / "one.npz", "the fit", progress), progress)
    assert len(progress.said) == 1
    assert other == history
    same(again, model)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """No file may grow beyond 4 KiB: writing fails as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def not_a_folder(folder: Path) -> Iterator[None]:
    folder.write_bytes(b"")
    yield
    assert folder.read_bytes() == b""


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o500)
    if not os.access(folder, os.W_OK):
        yield
        return
    chattr = shutil.which("chattr") or "chattr is missing: install e2fsprogs"
    subprocess.run([chattr, "+i", folder], check=True)  # root may write anywhere but here
    try:
        yield
    finally:
        subprocess.run([chattr, "-i", folder], check=True)


@pytest.mark.parametrize("trouble", [full, not_a_folder, read_only])
def test_where_no_checkpoint_can_be_written_training_goes_on(
    fits: Fits, uninterrupted: tuple[Any, History], tmp_path: Path, trouble: Any
) -> None:
    model, history = uninterrupted
    progress, folder = Silent(), tmp_path / "checkpoints"
    checkpoint = Checkpoint(folder / "one.npz", "the fit", progress)
    with trouble(folder):
        again, other = fits(checkpoint, progress)
        checkpoint.remove()
        Checkpoints(folder, {}, progress).sweep()
    warnings = [line for line in progress.said if line.startswith("warning: checkpoint")]
    assert len(warnings) == 1
    assert "cannot be written" in warnings[0]
    assert not folder.is_dir() or list(folder.iterdir()) == []
    assert other == history
    same(again, model)


def test_a_loss_that_is_no_number_leaves_no_checkpoint(fits: Fits, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "one.npz", "the fit", Silent())
    with pytest.raises(Exception, match="no longer a number"):
        fits(checkpoint, Silent(), learning_rate=float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_every_difference_is_another_checkpoint(tmp_path: Path) -> None:
    def path(training: dict[str, Any], width: int = 8, about: Any = None) -> Path:
        return Checkpoints(tmp_path, training, Silent()).of(restless(width), about).path

    usual = path({"seed": 1, "pictures": ["a", "b"]})
    assert usual.parent == tmp_path
    assert usual == path({"pictures": ["a", "b"], "seed": 1})
    others = {
        path({"seed": 2, "pictures": ["a", "b"]}),
        path({"seed": 1, "pictures": ["b", "a"]}),
        path({"seed": 1, "pictures": ["a"]}),
        path({"seed": 1, "pictures": ["a", "b"]}, width=4),
        path({"seed": 1, "pictures": ["a", "b"]}, about={"targets": "labels"}),
    }
    assert len(others | {usual}) == 6


def test_what_nobody_came_back_for_is_swept(tmp_path: Path) -> None:
    ages = {"old.npz": 31, "young.npz": 29, ".cut.npz-12ab": 2, ".now.npz-34cd": 0.5, "else": 99}
    for name, days in ages.items():
        (tmp_path / name).touch()
        then = time.time() - 86_400 * days
        os.utime(tmp_path / name, (then, then))
    Checkpoints(tmp_path, {}, Silent()).sweep()
    assert {path.name for path in tmp_path.iterdir()} == {"young.npz", ".now.npz-34cd", "else"}
    Checkpoints(tmp_path / "missing", {}, Silent()).sweep()


CONFIG = TrainingConfig(epochs=EPOCHS, seed=3, k=3, encoder=PlainConfig(size=16, filters=(8, 8)))

_KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from indexer.training.training import train
from shared.models import Models
from tests.progress import Silent, SilentStage
from tests.unit.test_training_checkpoint import CONFIG, EPOCHS

after = sys.argv[2]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Killed(Silent):
    def say(self, text):
        print(text, flush=True)

    @contextmanager
    def stage(self, name, total):
        if name == after:
            die()
        class Stage(SilentStage):
            def advance(self, n=1):
                super().advance(n)
                if name == "Training" and after == "3" and self.done > 3 * total // EPOCHS:
                    die()
        yield Stage(name, total)

train([Path(name) for name in sys.argv[3:]], Models(Path(sys.argv[1])), CONFIG, Killed())
"""


def killed(root: Path, after: str, photos: list[Path]) -> str:
    """What a training said that was killed after three epochs or at the start of a stage."""
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(root), after, *map(str, photos)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert list((root / "encoders").glob("[!.]*")) == []
    (checkpoint,) = (root / "checkpoints").iterdir()
    assert checkpoint.suffix == ".npz"
    return done.stdout


def test_a_training_killed_twice_makes_the_same_bundle(photos: list[Path], tmp_path: Path) -> None:
    whole = train(photos, Models(tmp_path / "whole"), CONFIG, Silent())
    models, progress = Models(tmp_path / "killed"), Silent()
    assert killed(models.root, "3", photos) == ""
    assert killed(models.root, "Exporting", photos) == "going on after epoch 3 of 6\n"
    result = train(photos, models, CONFIG, progress)
    assert progress.said[0] == "going on after epoch 6 of 6"
    assert result.metrics == whole.metrics
    first, second = (load_autoencoder(one.bundle / "autoencoder.keras") for one in (whole, result))
    same(first, second)
    assert result.pair == whole.pair
    assert list((models.root / "checkpoints").iterdir()) == []


class _Interrupted(Silent):
    """Ctrl-C when the network is fitted."""

    def stage(self, name: str, total: int | None) -> Any:
        if name == "Exporting":
            raise KeyboardInterrupt
        return super().stage(name, total)


def test_another_seed_and_fresh_begin_anew(photos: list[Path], tmp_path: Path) -> None:
    def fitted(config: TrainingConfig, photos: list[Path] = photos) -> bool:
        """Whether the network was fitted from the beginning."""
        progress = _Interrupted()
        with pytest.raises(KeyboardInterrupt):
            train(photos, Models(tmp_path), config, progress)
        from_scratch = "Training" in {stage.name for stage in progress.stages}
        assert from_scratch != bool(progress.said)
        return from_scratch

    config = replace(CONFIG, epochs=1)
    assert fitted(config)
    assert not fitted(config)
    assert fitted(replace(config, seed=4))
    assert fitted(replace(config, batch_size=16))
    assert fitted(config, photos[:-1])
    assert len(list((tmp_path / "checkpoints").iterdir())) == 4
    assert not fitted(config)
    assert fitted(replace(config, fresh=True))
    assert len(list((tmp_path / "checkpoints").iterdir())) == 4
