"""`searcher clusters`: each cluster's size, spread and typical pictures, and a map of them all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from searcher.cli.console import DebugOption, HomeOption, reported_errors, searched_home
from searcher.cli.destinations import SHEET_SUFFIXES

if TYPE_CHECKING:
    from searcher.opening import Home
    from searcher.survey.clusters import Survey

MOST_SAMPLES = 100
MOST_POINTS = 20_000


def clusters(
    samples: Annotated[
        int,
        typer.Option(min=0, max=MOST_SAMPLES, metavar="N", help="Pictures shown of each cluster."),
    ] = 6,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the clusters with their pictures as a picture (.png, .jpg, .webp).",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write one HTML file with a map of the collection and the pictures.",
        ),
    ] = None,
    points: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_POINTS,
            metavar="N",
            help="Pictures on the map, drawn at random where there are more.",
        ),
    ] = 5_000,
    seed: Annotated[int, typer.Option(min=0, help="The draw of --points and the map.")] = 0,
    home: HomeOption = None,
    debug: DebugOption = False,
) -> None:
    """Show each cluster of the index: how large, how wide, and the pictures in its middle.

    The map of --html needs the `map` extra to be more than a sketch.
    """
    if sheet is not None and sheet.suffix.lower() not in SHEET_SUFFIXES:
        raise typer.BadParameter(f"--sheet {sheet}: use a name in {', '.join(SHEET_SUFFIXES)}")
    with reported_errors(debug), searched_home(home):
        import json

        from searcher.cli.console import write, write_bytes
        from searcher.cli.destinations import check_destination
        from searcher.opening import open_home
        from searcher.survey.clusters import survey
        from searcher.survey.report import clusters_json, clusters_table
        from shared.settings import load_settings

        opened = open_home(load_settings({"home": home}))
        for path in filter(None, (sheet, html)):
            check_destination(path, (), opened.roots)
        with opened.searching() as searcher:
            drawn = points if html is not None else 0
            found = survey(
                searcher.store, opened.clustering, samples=samples, drawn=drawn, seed=seed
            )
        if as_json:
            write_bytes(json.dumps(clusters_json(found), ensure_ascii=False).encode() + b"\n")
        else:
            write(clusters_table(found))
        _draw(found, opened, sheet, html, seed)


def _draw(found: Survey, home: Home, sheet: Path | None, html: Path | None, seed: int) -> None:
    from searcher.cli.console import say

    if sheet is not None:
        from searcher.survey.sheet import draw_clusters

        draw_clusters(found, home.roots, home.limits).save(sheet)
    if html is not None:
        from searcher.survey.cluster_map import project
        from searcher.survey.map_page import write_map_page

        if sys.stderr.isatty():  # it may take half a minute
            say(f"placing {len(found.drawn.records):,} pictures on the map")
        projection = project(found.drawn.vectors, seed)
        if projection.note is not None:
            say(projection.note)
        page = write_map_page(found, projection, home.roots, home.limits)
        html.write_text(page, encoding="utf-8")
