"""The process that `indexer bakeoff` trains in: a task as one line of JSON in, an answer out.

It ends as soon as standard input does: a training that nobody waits for must not go on for hours.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import typer

from shared.report import error_line

if TYPE_CHECKING:
    from indexer.training.configs import EncoderConfig


def main() -> None:
    """Read the task, train, write the answer: the bundle and the seconds, or the error."""
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_asker, daemon=True).start()
    try:
        answer = _train(task)
    except Exception as error:  # noqa: BLE001 - the asker reports it
        if task["debug"]:
            import traceback

            traceback.print_exc()
        answer = {"error": error_line(error)}
    typer.echo(json.dumps(answer))


def _end_with_the_asker() -> None:
    while os.read(0, 1):  # not `sys.stdin`, whose lock would be held when the process ends
        pass
    os._exit(1)


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
    main()
