"""Trains one encoder in a process of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from indexer.fit_process import run_fit

MODULE = "indexer.cli.bakeoff_fit"


@dataclass(frozen=True, slots=True)
class Task:
    """What to train, as JSON values. `paths`: the pictures, as `os.fsdecode` spells them. `models`:
    the folder that gets the bundle. `folder` and `labels` (a CSV or None) say what a path's label
    is, for the kinds that learn from labels. `debug`: show the traceback of an error."""

    kind: str
    epochs: int | None
    seed: int
    paths: tuple[str, ...]
    folder: str
    labels: str | None
    models: str
    workers: int
    max_pixels: int
    max_file_bytes: int
    debug: bool


@dataclass(frozen=True, slots=True)
class Trained:
    """The id of the bundle, and how long `train` took in seconds: reading, fitting, exporting,
    clustering, drawing."""

    bundle: str
    seconds: float


def fit(task: Task) -> Trained:
    """Train in a process of its own, see `run_fit`. Raises `TrainingError` with the reason."""
    answer = run_fit(MODULE, asdict(task))
    return Trained(str(answer["bundle"]), float(answer["seconds"]))
