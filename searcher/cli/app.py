"""The commands of `searcher`, gathered.

A command is imported when it is to run, or when help lists them all; what it needs to run it
imports inside. So `--help` and a cold query stay quick.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

COMMANDS = {
    "query": "query",
    "eval": "evaluate",
    "clusters": "clusters",
    "groups": "groups",
    "serve": "serve",
}
"""The function of each command, in the module of the command's name."""


def application(commands: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with all of the commands, or with some."""
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(searcher)
    for name in commands:
        module = import_module(f"searcher.cli.{name}")
        app.command(name)(getattr(module, COMMANDS[name]))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"searcher {version('lookalike')}")
        raise typer.Exit


def searcher(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Find the images that look like this one."""


def main() -> None:
    """The entry point of the command."""
    asked = [name for name in sys.argv[1:2] if name in COMMANDS]
    try:
        application(asked or COMMANDS)(prog_name="searcher")
    finally:
        gc.freeze()  # the process ends: to look for garbage once more takes a tenth of a query
