"""The process that `indexer bakeoff` trains in."""

from __future__ import annotations

import os
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from indexer.cli.fit_process import answer_task

if TYPE_CHECKING:
    from indexer.training.configs import EncoderConfig


def _train(task: dict[str, Any]) -> dict[str, Any]:
    from indexer.cli.progress import progress
    from indexer.training.training import TrainingConfig, train
    from shared.models import Models
    from shared.reading import Limits

    config = TrainingConfig(
        encoder=_encoder(task),
        epochs=task["epochs"],
        seed=task["seed"],
        workers=task["workers"],
        fresh=True,  # half a training would be timed as a whole one
    )
    started = perf_counter()
    result = train(
        [os.fsencode(path) for path in task["paths"]],
        Models(Path(task["models"])),
        config,
        progress(),
        Limits(task["max_pixels"], task["max_file_bytes"]),
    )
    return {"bundle": result.pair.encoder, "seconds": perf_counter() - started}


def _encoder(task: dict[str, Any]) -> EncoderConfig:
    from indexer.training.configs import KINDS, TripletConfig

    if task["kind"] == TripletConfig.kind:
        labels = None if task["labels"] is None else Path(task["labels"])
        return TripletConfig(labels=labels, folders=(Path(task["folder"]),))
    return KINDS[task["kind"]]()


if __name__ == "__main__":
    answer_task(_train)
