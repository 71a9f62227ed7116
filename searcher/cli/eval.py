"""`searcher eval`: how good the answers are, measured with the files of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from searcher.cli.console import DebugOption, HomeOption, reported_errors, searched_home

MOST_RESULTS = 1_000


def evaluate(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Every readable file below it is a query; its first folder level is the label.",
            show_default=False,
        ),
    ],
    k: Annotated[
        int,
        typer.Option("--number", "-k", min=1, max=MOST_RESULTS, help="Results that P@k looks at."),
    ] = 10,
    sample: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Ask with N files drawn at random. [default: all]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The draw of --sample.")] = 0,
    floors: Annotated[
        bool,
        typer.Option(
            "--floors/--no-floors",
            help="Measure PCA on raw pixels and a colour histogram on the same files.",
        ),
    ] = True,
    recall: Annotated[
        float,
        typer.Option(
            min=0.01, max=1, metavar="X", help="Share of the best results that auto shall find."
        ),
    ] = 0.95,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="Labels of files, columns file and label. [default: the folders]"
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw recall and latency against coverage."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    home: HomeOption = None,
    debug: DebugOption = False,
) -> None:
    """Measure how good the answers are, asking with every file of DIR.

    Compares searches in one cluster, in more, in as many as need be, and in all. A file that is
    itself indexed is left out of its own answers. Files that cannot be read are counted and passed
    over.
    """
    with reported_errors(debug), searched_home(home):
        if figure is not None:
            _check_figure(figure)
        import json

        from searcher.cli.console import say, write, write_bytes
        from searcher.cli.destinations import check_destination
        from searcher.opening import open_home
        from searcher.quality.evaluate import Wanted
        from searcher.quality.evaluate import evaluate as measure
        from searcher.quality.results import evaluation_json, evaluation_table
        from shared.errors import LabelsError
        from shared.settings import load_settings

        opened = open_home(load_settings({"home": home}))
        if figure is not None:
            check_destination(figure, (), opened.roots)
        try:
            found = measure(opened, folder, Wanted(k, sample, seed, floors, labels, recall), say)
        except LabelsError as error:
            raise typer.BadParameter(str(error), param_hint="--labels") from error
        if figure is not None:
            from searcher.figures import draw_probes

            draw_probes(found, figure)
        if as_json:
            write_bytes(json.dumps(evaluation_json(found)).encode() + b"\n")
        else:
            write(evaluation_table(str(folder), found))


def _check_figure(figure: Path) -> None:
    """What can be refused before minutes of measuring."""
    from importlib.util import find_spec

    from shared.errors import LookalikeError

    if figure.suffix.lower() != ".png":
        raise typer.BadParameter(f"{figure}: use a name in .png", param_hint="--figure")
    if not figure.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {figure.parent}", param_hint="--figure")
    if find_spec("matplotlib") is None:
        raise LookalikeError("--figure needs matplotlib: pip install 'lookalike[figures]'")
