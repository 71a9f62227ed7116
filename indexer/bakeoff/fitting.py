"""Trains one encoder in a process of its own.

Training seeds the whole process, and TensorFlow gives no memory back.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from shared.errors import TrainingError

MODULE = "indexer.cli.bakeoff_fit"
_STOP_SECONDS = 10.0


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
    """Train; what the training says goes to standard error as it comes.

    The process ends with this one, however this one ends. Raises `TrainingError` with the reason.
    """
    # A session of its own, so that Ctrl-C reaches it through us and only once.
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    with process:
        try:
            answer = _talk(process, task)
        except BaseException:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if "error" in answer:
        raise TrainingError(str(answer["error"]))
    return Trained(str(answer["bundle"]), float(answer["seconds"]))


def _talk(process: subprocess.Popen[str], task: Task) -> dict[str, Any]:
    """Hand over the task and read the answer; standard input stays open until that is there."""
    if process.stdin is None or process.stdout is None:
        raise TrainingError("the training has no standard input or output")
    try:
        process.stdin.write(json.dumps(asdict(task)) + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # it has ended already; its exit code says how
    text = process.stdout.read()
    code = process.wait()
    try:
        answer: dict[str, Any] = json.loads(text)
    except ValueError:
        raise TrainingError(_ended(code)) from None
    return answer


def _ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return "the training was killed, perhaps for its memory: try --sample"
    return f"the training ended without a word (exit code {code}): run again with --debug"
