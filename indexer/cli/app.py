"""The commands of `indexer`, gathered.

A command is imported when it is to run, or when help lists them all; what it needs to run it
imports inside. So `--help` stays quick, and `indexer health`, which is asked every few seconds.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

COMMANDS = (
    "train",
    "scan",
    "watch",
    "status",
    "recluster",
    "upgrade",
    "health",
    "doctor",
    "forget",
    "bakeoff",
    "migrate",
    "backup",
    "restore",
)
"""Each is a function in the module of its name."""


def application(commands: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with all of the commands, or with some."""
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(indexer)
    for name in commands:
        app.command()(getattr(import_module(f"indexer.cli.{name}"), name))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"indexer {version('lookalike')}")
        raise typer.Exit


def indexer(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Watch folders of pictures, encode them, keep the index true to the disk."""


def main() -> None:
    """The entry point of the command."""
    asked = [name for name in sys.argv[1:2] if name in COMMANDS]
    try:
        application(asked or COMMANDS)(prog_name="indexer")
    finally:
        gc.freeze()  # the process ends: nobody needs its garbage
