"""`searcher query`: the images that look like each query, from the query's own cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from searcher.cli.console import reported_errors
from searcher.cli.destinations import SHEET_SUFFIXES

MOST_RESULTS = 10_000


def query(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMG...",
            help="An image file, an http(s) URL, or the id of an indexed image. Several are several"
            " queries.",
            show_default=False,
        ),
    ],
    number: Annotated[
        int,
        typer.Option("--number", "-n", min=1, max=MOST_RESULTS, help="How many results to show."),
    ] = 12,
    paths: Annotated[
        bool, typer.Option("--paths", help="Print only the absolute paths, one per line.")
    ] = False,
    null: Annotated[
        bool,
        typer.Option(
            "--null", "-0", help="With --paths: end each path with NUL, as xargs -0 asks."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per query, one per line.")
    ] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the queries and grids of their results as a picture (.png, .jpg, .webp).",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write one HTML file with all pictures inside."),
    ] = None,
    open_viewer: Annotated[
        bool,
        typer.Option(
            "--open", help="Show the page or sheet; without --html or --sheet, a temporary page."
        ),
    ] = False,
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where models and index live. [default: LOOKALIKE_HOME, else the platform's data"
            " directory]",
            show_default=False,
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when something fails.")
    ] = False,
) -> None:
    """Show the indexed images that look like each IMG, the most alike first.

    The search looks into the cluster that the query belongs to. A query that is itself indexed is
    among its results. Exit code 1 if any query could not be answered.
    """
    _check_usage(paths=paths, null=null, as_json=as_json, sheet=sheet)
    with reported_errors(debug):
        from searcher.cli.answering import Options, answer_all

        options = Options(
            number=number,
            form="json" if as_json else "paths" if paths else "table",
            separator=b"\0" if null else b"\n",
            sheet=sheet,
            html=html,
            view=open_viewer,
            debug=debug,
        )
        complete = answer_all(images, options, home)
    if not complete:
        raise typer.Exit(1)


def _check_usage(*, paths: bool, null: bool, as_json: bool, sheet: Path | None) -> None:
    if paths and as_json:
        raise typer.BadParameter("--paths and --json exclude each other")
    if null and not paths:
        raise typer.BadParameter("--null needs --paths")
    if sheet is not None and sheet.suffix.lower() not in SHEET_SUFFIXES:
        raise typer.BadParameter(f"--sheet {sheet}: use a name in {', '.join(SHEET_SUFFIXES)}")
