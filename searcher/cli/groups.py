"""`searcher groups`: the same, altered and similar images of the whole collection, in groups."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from searcher.cli.console import DebugOption, HomeOption, reported_errors, searched_home


class TierChoice(StrEnum):
    """How alike the images of a group are at least."""

    EXACT = "exact"
    NEAR = "near"
    SIMILAR = "similar"


def groups(
    tier: Annotated[
        TierChoice,
        typer.Option(
            help="exact: the same pixels. near: altered copies as well. similar: others that look"
            " like them, too."
        ),
    ] = TierChoice.NEAR,
    min_size: Annotated[
        int, typer.Option(min=2, metavar="N", help="Only groups of at least N images.")
    ] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write one HTML file with all pictures inside."),
    ] = None,
    home: HomeOption = None,
    debug: DebugOption = False,
) -> None:
    """Find images that are in the collection more than once. Never deletes anything.

    The largest picture of a group comes first, as the one to keep; that is only a suggestion.
    """
    with reported_errors(debug), searched_home(home):
        import json

        from searcher.cli.console import write, write_bytes
        from searcher.cli.destinations import check_destination
        from searcher.duplicates.groups import find_groups, read_collection
        from searcher.duplicates.report import groups_json, groups_table
        from searcher.duplicates.tier_rule import TierRule
        from searcher.opening import open_home
        from shared.settings import load_settings

        opened = open_home(load_settings({"home": home}))
        if html is not None:
            check_destination(html, (), opened.roots)
        with opened.searching() as searcher:
            collection = read_collection(searcher.store)
        found = find_groups(
            *collection,
            opened.clustering,
            opened.roots,
            tier=tier.value,
            min_size=min_size,
            rule=TierRule.calibrated(opened.calibration),
            limits=opened.limits,
        )
        if as_json:
            write_bytes(json.dumps(groups_json(found), ensure_ascii=False).encode() + b"\n")
        else:
            write(groups_table(found))
        if html is not None:
            from searcher.duplicates.page import write_groups_page

            page = write_groups_page(found, opened.roots, opened.limits)
            html.write_text(page, encoding="utf-8")
