"""What every command of `indexer` shares: its options, its errors, its signals, its logs."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from shared.log import LogFormat, stderr_handler
from shared.report import error_line, escape

HomeOption = Annotated[
    Path | None,
    typer.Option(help="Where models, store and journal live.", show_default="the data directory"),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
PartitionOption = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Take the I-th of N parts of all paths; other indexers of the server take the others.",
    ),
]
FailFastOption = Annotated[
    bool,
    typer.Option("--fail-fast", help="End at once if the Qdrant server cannot be reached."),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(help="Pass over names or relative paths that match this glob; repeatable."),
]


def say(message: str) -> None:
    """One line on standard error."""
    typer.echo(escape(message), err=True)


@contextlib.contextmanager
def indexed_home(home: Path | None) -> Iterator[None]:
    """Raise `NotReady`, which says what another indexer is doing, where nothing is indexed yet."""
    from shared.readiness import explained
    from shared.settings import load_settings

    with explained(load_settings({"home": home}).run):
        yield


@contextlib.contextmanager
def reported_errors(debug: bool) -> Iterator[None]:
    """Turns an error into one line and exit code 1; with `debug` its traceback comes first."""
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        say("stopped")
        raise typer.Exit(130) from None
    except Exception as error:  # the last resort of the whole command
        if debug:
            import traceback

            traceback.print_exc()
        say(f"error: {error_line(error)}")
        raise typer.Exit(1) from error


class StopSignals:
    """SIGTERM and SIGINT: the first asks to stop, the second ends the process at once.

    Nothing is lost by the second: what was in hand is still owed.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self._event = threading.Event()
        self._wake = wake
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def __call__(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than until the signal; whether it came."""
        return self._event.wait(seconds)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._event.is_set():
            os._exit(128 + number)
        self._event.set()
        self._wake()


LogFormatOption = Annotated[
    LogFormat, typer.Option("--log-format", help="Log lines for people or for machines.")
]


def log_to_stderr(form: LogFormat = LogFormat.text) -> None:
    """Log on standard error, one line an event."""
    logging.basicConfig(level=logging.INFO, handlers=[stderr_handler(form)])
    logging.getLogger("watchdog").setLevel(logging.WARNING)
