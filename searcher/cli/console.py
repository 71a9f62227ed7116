"""Options, standard output, standard error and exit codes, as every command uses them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from shared.report import error_line, escape

HomeOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Where models and index live. [default: LOOKALIKE_HOME, else the platform's data"
        " directory]",
        show_default=False,
    ),
]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="Show a traceback when something fails.")
]


def write(text: str) -> None:
    """Text for people on standard output; what its encoding lacks is shown as ``?``."""
    write_bytes(text.encode(sys.stdout.encoding or "utf-8", "replace"))


def write_bytes(data: bytes) -> None:
    """Bytes on standard output as they are, at once."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def complain(message: str) -> None:
    """One line about an error on standard error."""
    say(f"error: {message}")


def say(message: str) -> None:
    """One line on standard error."""
    typer.echo(escape(message), err=True)


def wants_color() -> bool:
    """Whether standard output is a terminal whose user has not said no to colour (NO_COLOR)."""
    return (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "") != "dumb"
    )


@contextlib.contextmanager
def searched_home(home: Path | None) -> Iterator[None]:
    """Tells what an indexer at work on the home means for a search: that there is nothing to search
    yet (`NotReady`), or in a remark at the end that more images are coming.

    The remark goes to standard error: it changes from second to second, and what is on standard
    output must not. With `LOOKALIKE_URL` another machine answers, and says it itself.
    """
    from shared.readiness import explained, indexing_remark
    from shared.settings import load_settings

    settings = load_settings({"home": home})
    if settings.url is not None:
        yield
        return
    with explained(settings.run):
        yield
    if remark := indexing_remark(settings.run):
        say(remark)


@contextlib.contextmanager
def reported_errors(debug: bool) -> Iterator[None]:
    """Turns an error into one line and exit code 1; with `debug` its traceback comes first."""
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise
    except Exception as error:  # the last resort of the whole command
        if debug:
            import traceback

            traceback.print_exc()
        complain(error_line(error))
        raise typer.Exit(1) from error
