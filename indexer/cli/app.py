"""The commands of `indexer`, gathered. Commands import what they need inside, to start quickly."""

from __future__ import annotations

from typing import Annotated

import typer

from indexer.cli.backup import backup
from indexer.cli.bakeoff import bakeoff
from indexer.cli.doctor import doctor
from indexer.cli.forget import forget
from indexer.cli.health import health
from indexer.cli.migrate import migrate
from indexer.cli.recluster import recluster
from indexer.cli.restore import restore
from indexer.cli.scan import scan
from indexer.cli.status import status
from indexer.cli.train import train
from indexer.cli.upgrade import upgrade
from indexer.cli.watch import watch

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    train,
    scan,
    watch,
    status,
    recluster,
    upgrade,
    health,
    doctor,
    forget,
    bakeoff,
    migrate,
    backup,
    restore,
):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"indexer {version('lookalike')}")
        raise typer.Exit


@app.callback()
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
    app(prog_name="indexer")
