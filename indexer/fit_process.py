"""A fit in a process of its own: a task as one line of JSON in, an answer out.

Fitting seeds the whole process, and neither TensorFlow nor scikit-learn gives its memory back.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from shared.errors import TrainingError

_STOP_SECONDS = 10.0


def run_fit(module: str, task: Mapping[str, Any]) -> dict[str, Any]:
    """Run a module of `indexer.cli` that ends with `answer_task`, and return its answer.

    What the fit says goes to standard error as it comes. The process ends with this one, however
    this one ends. Raises `TrainingError` with the reason that the fit failed for.
    """
    # A session of its own, so that Ctrl-C reaches it through us and only once.
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    with process:
        try:
            answer = _exchange(process, task)
        except BaseException:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if "error" in answer:
        raise TrainingError(str(answer["error"]))
    return answer


def _exchange(process: subprocess.Popen[str], task: Mapping[str, Any]) -> dict[str, Any]:
    """Hand over the task and read the answer; standard input stays open until that is there."""
    if process.stdin is None or process.stdout is None:
        raise TrainingError("the fit has no standard input or output")
    try:
        process.stdin.write(json.dumps(task) + "\n")
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
        return "the fit was killed, perhaps for its memory: try fewer pictures"
    return f"the fit ended without an answer (exit code {code}): run again with --debug"
