"""`indexer bakeoff`."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.cli.console import DebugOption, ExcludeOption, HomeOption, reported_errors, say

if TYPE_CHECKING:
    from indexer.bakeoff.questions import Scores
    from indexer.bakeoff.results import Comparison
    from indexer.bakeoff.wanted import Wanted
    from indexer.training.figures import Bar


def bakeoff(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of pictures.")],
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="A kind to train, `current`, or the id of one in the home; repeatable."
            " [default: autoencoder, autoencoder-plain and all that the home holds]",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Most passes through the pictures.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="For training, samples and copies.")
    ] = 0,
    held_out: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=0.9,
            metavar="X",
            help="Share held out of training and asked with; 0 asks with every picture."
            " [default: 0, with triplet 0.2]",
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Compare on N pictures drawn at random."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Labels. [default: the first folder level]"),
    ] = None,
    no_labels: Annotated[
        bool, typer.Option("--no-labels", help="Folders are no classes: ask with altered copies.")
    ] = False,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the comparison.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the trained encoders in the home.")
    ] = False,
    exclude: ExcludeOption = None,
    home: HomeOption = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: DebugOption = False,
) -> None:
    """Compare encoders on your own pictures: quality, speed, size, and what to take."""
    with reported_errors(debug):
        from indexer.bakeoff.comparison import compare
        from indexer.bakeoff.wanted import Wanted
        from indexer.cli.progress import progress
        from shared.settings import load_settings

        wanted = Wanted(
            folder=folder,
            encoders=tuple(dict.fromkeys(encoder or [])),
            epochs=epochs,
            seed=seed,
            held_out=held_out,
            sample=sample,
            labels=labels,
            by_labels=not no_labels,
            exclude=tuple(exclude or []),
            keep=keep,
            debug=debug,
        )
        _check_usage(wanted, figure)
        with _ended_by_sigterm():
            found = compare(wanted, load_settings({"home": home}), progress())
        if figure is not None:
            _draw(found, figure)
        _report(found, json_)


def _check_usage(wanted: Wanted, figure: Path | None) -> None:
    """What can be refused before hours of training."""
    from indexer.bakeoff.entrants import BUNDLE_ID, CURRENT
    from indexer.bakeoff.wanted import LEARN_FROM_LABELS
    from indexer.training.configs import KINDS

    for name in wanted.encoders:
        if name not in KINDS and name != CURRENT and not BUNDLE_ID.fullmatch(name):
            raise typer.BadParameter(
                f"{name!r} is none of {', '.join(KINDS)}, {CURRENT}, or an encoder's id",
                param_hint="--encoder",
            )
    if wanted.labels is not None and not wanted.by_labels:
        raise typer.BadParameter("--labels and --no-labels exclude each other")
    learner = next((name for name in wanted.encoders if name in LEARN_FROM_LABELS), None)
    if learner and not wanted.share:
        raise typer.BadParameter(
            f"{learner} learns from the labels: only pictures held out of its training can be "
            "asked with, give more than 0",
            param_hint="--held-out",
        )
    if learner:
        say(
            f"{learner} learns from the labels: {wanted.share:.0%} of the pictures are held out of "
            "every training and asked with"
        )
    if figure is not None:
        _check_figure(figure)


def _check_figure(figure: Path) -> None:
    from importlib.util import find_spec

    from shared.errors import TrainingError

    if figure.suffix.lower() != ".png":
        raise typer.BadParameter(f"{figure}: use a name in .png", param_hint="--figure")
    if not figure.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {figure.parent}", param_hint="--figure")
    if find_spec("matplotlib") is None:
        raise TrainingError("--figure needs matplotlib: pip install 'lookalike[figures]'")


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the command as Ctrl-C does: the training stops, its folder is removed."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _draw(found: Comparison, figure: Path) -> None:
    from indexer.bakeoff.names import figure_name, floor_name
    from indexer.bakeoff.results import measure
    from indexer.training.figures import draw_bakeoff

    bars = [
        _bar(one.name, one.scores, found.seed, one.speed.images_per_second)
        for one in found.measured
    ]
    floors = (found.floors or {}).items()
    bars += [_bar(floor_name(name), scores, found.seed, None) for name, scores in floors]
    title = f"{found.folder.resolve().name}: {found.pictures:,} pictures, {found.protocol}"
    draw_bakeoff(bars, figure_name(measure(found.measured[0].scores)), title, figure)


def _bar(name: str, scores: Scores, seed: int, rate: float | None) -> Bar:
    from indexer.bakeoff.results import spread
    from indexer.training.figures import Bar

    interval = spread(scores, seed)
    return Bar(name, interval.mean, interval.low, interval.high, rate)


def _report(found: Comparison, as_json: bool) -> None:
    import json

    from indexer.bakeoff.report import comparison_json, comparison_table

    if as_json:
        typer.echo(json.dumps(comparison_json(found)))
    else:
        typer.echo(comparison_table(found), nl=False)
