"""Answers the queries of one `searcher query`, prints them as they come, and draws them at the end.

Imported by the command when it runs: everything a query needs is loaded from here.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from searcher.answer import Tier, answer_json
from searcher.asking import Request
from searcher.cli.console import complain, say, wants_color, write, write_bytes
from searcher.cli.destinations import check_destination, temporary_page, view
from searcher.duplicates.tiering import with_tiers
from searcher.opening import Home, open_home
from searcher.pictures import Asked, indexed_picture, located, query_picture
from searcher.question import Question, answer, random_question, read_question
from searcher.render import table
from searcher.search import Searcher
from shared.errors import ImageRefused, LookalikeError, QueryError
from shared.settings import load_settings


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked, printed, drawn and opened; `separator` ends each path."""

    request: Request = field(default_factory=Request)
    together: bool = False
    against: tuple[str, ...] = ()
    tier: Tier | None = None
    explain: bool = False
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


Texts = tuple[str, ...]
"""The images of one query as they were given; none means one at random."""


def answer_all(given: Sequence[str], options: Options, home: Path | None) -> bool:
    """Answer every query and print it. False if any of it could not be done.

    A query that cannot be asked costs one line on standard error; the others go on.
    """
    opened = open_home(load_settings({"home": home}))
    for path in filter(None, (options.sheet, options.html)):
        check_destination(path, [*given, *options.against], opened.roots)
    single = options.together or not given
    answering = Answering(options, opened)
    answering.run([tuple(given)] if single else [(text,) for text in given])
    if answering.asked and options.draws:
        _draw(answering.asked, options, answering.home)
    return answering.complete


class Answering:
    """One run of the command. `asked`: what was answered; `complete`: nothing failed so far."""

    def __init__(self, options: Options, home: Home) -> None:
        self.home, self.asked, self.complete = home, list[Asked](), True
        self._options = options

    def run(self, waiting: Sequence[Texts]) -> None:
        """Answer and print every query."""
        while waiting:
            # The store is held by nobody while pictures are fetched, decoded and encoded.
            prepared = [(texts, self._prepare(texts)) for texts in waiting]
            ready = [(texts, one) for texts, one in prepared if one is not None or not texts]
            waiting = self._answer(ready) if ready else []

    def _answer(self, ready: Sequence[tuple[Texts, Question | None]]) -> list[Texts]:
        """Answer prepared queries. Those are left that must be asked anew, because the clusters
        changed meanwhile and the labels that were searched may be going."""
        with self.home.searching() as searcher:
            for place, (_, question) in enumerate(ready):
                found = self._ask(question, searcher)
                if not self.home.is_current:
                    self.home = open_home(self.home.settings)
                    return [texts for texts, _ in ready[place:]]
                if found is not None:
                    self._print(found)
        return []

    def _prepare(self, texts: Texts) -> Question | None:
        """Read, decode and encode the examples; None if one was refused, or none was given."""
        if not texts:
            return None
        try:
            return read_question(texts, self._options.against, self.home)
        except (QueryError, ImageRefused) as error:
            self._refuse(" + ".join(texts), error)
            return None

    def _ask(self, question: Question | None, searcher: Searcher) -> Asked | None:
        """Ask the store; with an indexed image at random if there is no question."""
        question = question or random_question(searcher.store, secrets.randbits(64))
        options, picture = self._options, None
        try:
            found = answer(question, searcher, options.request)
            found = with_tiers(found, question, self.home, options.tier)
            if options.draws:
                picture = query_picture(question.like[0].query, self.home.limits)
        except (QueryError, ImageRefused) as error:
            self._refuse(question.given, error)
            return None
        if not options.explain:
            return Asked(question.shown, found, picture)
        from searcher.reasons.explaining import explain

        told = explain(question, found, searcher, self.home, drawn=options.draws)
        return Asked(question.shown, found, picture, told.heats, told.lines, told.values)

    def _refuse(self, text: str, error: LookalikeError) -> None:
        self.complete = False
        if self._options.debug:
            import traceback

            traceback.print_exc()
        complain(f"{text}: {error}" if text else f"the empty query {error}")

    def _print(self, one: Asked) -> None:
        options = self._options
        if self.asked and options.form == "table":
            write("\n")
        self.asked.append(one)
        if options.form == "json":
            found = answer_json(one.shown, one.answer, one.told)
            value = json.dumps(found, ensure_ascii=False)
            write_bytes(value.encode() + b"\n")
        elif options.form == "paths":
            self.complete &= _print_paths(one, options, self.home.roots)
        else:
            write(table(one.shown, one.answer, one.explained, color=wants_color()))


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
        from searcher.drawn.sheet import draw_sheet

        draw_sheet(asked, home.roots, home.limits).save(sheet)
    if html is not None:
        from searcher.drawn.page import write_page

        html.write_text(write_page(asked, home.roots, home.limits), encoding="utf-8")
    if options.view and (shown := html or sheet) is not None:
        view(shown)
