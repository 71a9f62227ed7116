"""The process that `indexer.fit_process` starts: read a task, fit, print the answer.

It ends as soon as standard input does: a fit that nobody waits for must not go on for hours.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import typer

from shared.report import error_line


def answer_task(fit: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Read the task, call `fit` with it, and print what it returns or the error that it raises.

    A task with `debug` prints the traceback of an error, too.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # folders are removed on the way out
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    try:
        answer = fit(task)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGTERM)
    except Exception as error:  # noqa: BLE001 - who started this process reports it
        if task["debug"]:
            import traceback

            traceback.print_exc()
        answer = {"error": error_line(error)}
    typer.echo(json.dumps(answer))


def _end_with_standard_input() -> None:
    while os.read(0, 1):  # not `sys.stdin`, whose lock would be held when the process ends
        pass
    os._exit(1)
