"""Answers the queries of one `searcher query`, prints them as they come, and draws them at the end.

Imported by the command when it runs: everything a query needs is loaded from here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from searcher.answer import Took, answer_json
from searcher.cli.console import complain, say, wants_color, write, write_bytes
from searcher.cli.destinations import check_destination, temporary_page, view
from searcher.opening import Home, open_home
from searcher.pictures import Asked, Picture, indexed_picture, located, query_picture
from searcher.query import read_query
from searcher.render import table
from searcher.search import Searcher, embed
from shared.errors import ImageRefused, LookalikeError, QueryError
from shared.settings import load_settings


@dataclass(frozen=True, slots=True)
class Options:
    """What is printed, drawn and opened; `separator` ends each path."""

    number: int
    form: Literal["table", "paths", "json"] = "table"
    separator: bytes = b"\n"
    sheet: Path | None = None
    html: Path | None = None
    view: bool = False
    debug: bool = False

    @property
    def draws(self) -> bool:
        """Whether pictures are wanted besides text."""
        return self.view or self.sheet is not None or self.html is not None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A query that only lacks the store: a vector and the time it took, or else a point's id."""

    shown: str
    given: str
    point: str | None
    vector: NDArray[np.float32] | None
    took: Took
    picture: Picture | None


def answer_all(given: Sequence[str], options: Options, home: Path | None) -> bool:
    """Answer every query and print it. False if any of it could not be done.

    A query that cannot be asked costs one line on standard error; the others go on.
    """
    opened = open_home(load_settings({"home": home}))
    for path in filter(None, (options.sheet, options.html)):
        check_destination(path, given, opened.roots)
    prepared = [one for text in given if (one := _prepare(text, opened, options)) is not None]
    asked, complete = list[Asked](), len(prepared) == len(given)
    if prepared:
        with opened.searching() as searcher:
            for query in prepared:
                if (found := _ask(query, searcher, options)) is None:
                    complete = False
                    continue
                if asked and options.form == "table":
                    write("\n")
                complete &= _print(found, options, opened.roots)
                asked.append(found)
    if asked and options.draws:
        _draw(asked, options, opened)
    return complete


def _prepare(text: str, home: Home, options: Options) -> _Prepared | None:
    """Read, decode and encode a query; None if it was refused."""
    try:
        query = read_query(text, home.settings)
        vector, took, picture = None, Took(), None
        if query.data is not None:
            home.encoder.load()  # before the clock of `took_ms` starts
            vector, took = embed(home.encoder, query.data, home.limits)
            picture = query_picture(query, home.limits) if options.draws else None
    except (QueryError, ImageRefused) as error:
        _refuse(text, error, options)
        return None
    return _Prepared(query.shown, text, query.point, vector, took, picture)


def _ask(query: _Prepared, searcher: Searcher, options: Options) -> Asked | None:
    try:
        if query.vector is not None:
            answer = searcher.ask_vector(query.vector, options.number, query.took)
        else:
            answer = searcher.ask_point(str(query.point), options.number)
    except QueryError as error:
        _refuse(query.given, error, options)
        return None
    return Asked(query.shown, answer, query.picture)


def _refuse(text: str, error: LookalikeError, options: Options) -> None:
    if options.debug:
        import traceback

        traceback.print_exc()
    complain(f"{text}: {error}" if text else f"the empty query {error}")


def _print(one: Asked, options: Options, roots: Mapping[str, Path]) -> bool:
    """Print one answer; False if a path could not be told."""
    if options.form == "json":
        value = json.dumps(answer_json(one.shown, one.answer), ensure_ascii=False)
        write_bytes(value.encode() + b"\n")
    elif options.form == "paths":
        return _print_paths(one, options, roots)
    else:
        write(table(one.shown, one.answer, color=wants_color()))
    return True


def _print_paths(one: Asked, options: Options, roots: Mapping[str, Path]) -> bool:
    records = [image.record for image in one.answer.results if image.record is not None]
    places = [located(roots, record) for record in records]
    write_bytes(b"".join(os.fsencode(place) + options.separator for place in places if place))
    unknown = sorted({record.root for record in records} - set(roots))
    for root in unknown:
        complain(f"root {root} is not known on this machine: run `indexer scan` on its folder")
    return not unknown


def _draw(asked: Sequence[Asked], options: Options, home: Home) -> None:
    asked = [
        one
        if one.picture
        else replace(one, picture=indexed_picture(one.answer.point, home.roots, home.limits))
        for one in asked
    ]
    sheet, html = options.sheet, options.html
    if sheet is None and html is None:
        html = temporary_page()
        say(f"page: {html}")
    if sheet is not None:
        from searcher.sheet import draw_sheet

        draw_sheet(asked, home.roots, home.limits).save(sheet)
    if html is not None:
        from searcher.html_page import write_page

        html.write_text(write_page(asked, home.roots, home.limits), encoding="utf-8")
    if options.view and (shown := html or sheet) is not None:
        view(shown)
