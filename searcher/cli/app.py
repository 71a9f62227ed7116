"""The commands of `searcher`, gathered.

Commands import what they need inside, so that `--help` and a cold query stay quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

from searcher.cli.clusters import clusters
from searcher.cli.eval import evaluate
from searcher.cli.groups import groups
from searcher.cli.query import query
from searcher.cli.serve import serve

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(query)
app.command("eval")(evaluate)
app.command()(clusters)
app.command()(groups)
app.command()(serve)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"searcher {version('lookalike')}")
        raise typer.Exit


@app.callback()
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
    app(prog_name="searcher")
