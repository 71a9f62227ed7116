"""`searcher query`: the images that look like each query, from the query's own cluster or more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from searcher.cli.console import DebugOption, HomeOption, reported_errors, searched_home
from searcher.cli.destinations import SHEET_SUFFIXES

if TYPE_CHECKING:
    from searcher.answer import Tier
    from searcher.query.options import Request

MOST_RESULTS = 10_000
TIERS = ("exact", "near", "similar")


def query(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMG...]",
            help="An image file, an http(s) URL, or the id of an indexed image. Several are several"
            " queries.",
            show_default=False,
        ),
    ] = None,
    number: Annotated[
        int,
        typer.Option("--number", "-n", min=1, max=MOST_RESULTS, help="How many results to show."),
    ] = 12,
    probes: Annotated[
        str | None,
        typer.Option(
            metavar="N|auto|all",
            help="Search as many clusters as --recall needs, the N nearest (1: the predicted one),"
            " or all. [default: auto]",
        ),
    ] = None,
    recall: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="Share of the best results that auto finds. [default: 0.95]"
        ),
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Search everything.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Search everything as well, and tell the recall.")
    ] = False,
    together: Annotated[
        bool, typer.Option("--together", help="One query: what looks like all IMGs at once.")
    ] = False,
    against: Annotated[
        list[str] | None,
        typer.Option("--not", metavar="IMG", help="Away from what looks like this; repeatable."),
    ] = None,
    keep_self: Annotated[
        bool,
        typer.Option("--self", help="Keep an indexed query image among its own results."),
    ] = False,
    at_random: Annotated[
        bool, typer.Option("--random", help="Ask with an indexed image at random.")
    ] = False,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Only images such as folder=holiday/2024, taken_at>=2024-01, width>=1000;"
            " repeatable.",
        ),
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(metavar="X", help="Leave out results with a lower score.")
    ] = None,
    min_percentile: Annotated[
        float | None,
        typer.Option(metavar="P", help="Leave out results below the score of P% of all pairs."),
    ] = None,
    tier: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(TIERS), help="Only the same picture, altered ones too, or alike ones."
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell for each result why, and draw where.")
    ] = False,
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
    home: HomeOption = None,
    debug: DebugOption = False,
) -> None:
    """Show the indexed images that look like each IMG, the most alike first.

    The search looks into the predicted cluster of the query and those whose border is near, so that
    it finds at least 95% of the best results. A query image that is itself indexed is left out.
    Exit code 1 if any query failed.
    """
    _check_output(paths=paths, null=null, as_json=as_json, sheet=sheet)
    _check_examples(images or [], together=together, against=against or [], at_random=at_random)
    least = _tier(tier)
    with reported_errors(debug), searched_home(home):
        request = _request(
            number=number,
            probes=_probes(probes, exact=exact, recall=recall),
            wanted_recall=recall,
            verify=verify,
            where=where or [],
            min_score=min_score,
            min_percentile=min_percentile,
            keep_self=keep_self,
        )
        from searcher.asked import Wish
        from searcher.cli.answering import Options, answer_all

        wish = Wish(
            request=request,
            against=tuple(against or ()),
            tier=least,
            explain=explain,
            draws=open_viewer or sheet is not None or html is not None,
        )
        options = Options(
            wish=wish,
            together=together,
            form="json" if as_json else "paths" if paths else "table",
            separator=b"\0" if null else b"\n",
            sheet=sheet,
            html=html,
            view=open_viewer,
            debug=debug,
        )
        complete = answer_all(images or [], options, home)
    if not complete:
        raise typer.Exit(1)


def _check_output(*, paths: bool, null: bool, as_json: bool, sheet: Path | None) -> None:
    if paths and as_json:
        raise typer.BadParameter("--paths and --json exclude each other")
    if null and not paths:
        raise typer.BadParameter("--null needs --paths")
    if sheet is not None and sheet.suffix.lower() not in SHEET_SUFFIXES:
        raise typer.BadParameter(f"--sheet {sheet}: use a name in {', '.join(SHEET_SUFFIXES)}")


def _check_examples(
    images: list[str], *, together: bool, against: list[str], at_random: bool
) -> None:
    if at_random and (images or against or together):
        raise typer.BadParameter("--random asks with one indexed image: give no other")
    if not images and not at_random:
        raise typer.BadParameter("give at least one, or --random", param_hint="IMG")
    if against and len(images) > 1 and not together:
        raise typer.BadParameter("--not with several images needs --together")


def _tier(text: str | None) -> Tier | None:
    match text:
        case None | "exact" | "near" | "similar":
            return text
    raise typer.BadParameter(f"{text!r} is none of {', '.join(TIERS)}", param_hint="--tier")


def _probes(probes: str | None, *, exact: bool, recall: float | None) -> str:
    if exact and probes not in (None, "all"):
        raise typer.BadParameter(f"--exact searches everything, not --probes {probes}: give one")
    chosen = "all" if exact else probes or "auto"
    if recall is not None and chosen != "auto":
        other = "--exact" if exact else f"--probes {probes}"
        raise typer.BadParameter(f"--recall is for --probes auto: leave it or {other} out")
    return chosen


def _request(
    *,
    number: int,
    probes: str,
    wanted_recall: float | None,
    verify: bool,
    where: list[str],
    min_score: float | None,
    min_percentile: float | None,
    keep_self: bool,
) -> Request:
    """The options of every search; those out of range are wrong usage."""
    from searcher.query.options import Request, parse_probes
    from shared.errors import QueryError
    from shared.thresholds import WANTED_RECALL
    from shared.where import parse_where

    try:
        return Request(
            number=number,
            probes=parse_probes(probes),
            wanted_recall=WANTED_RECALL if wanted_recall is None else wanted_recall,
            verify=verify,
            where=parse_where(where),
            min_score=min_score,
            min_percentile=min_percentile,
            keep_self=keep_self,
        )
    except QueryError as error:
        raise typer.BadParameter(str(error)) from error
