"""Answers the queries of one `searcher query`, prints them as they come, and draws them at the end.

Imported by the command when it runs. Who answers is chosen here, and loads what it needs itself.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from searcher.answer import answer_json
from searcher.asked import Asked, Asker, Refused, Wish
from searcher.cli.console import complain, say, wants_color, write, write_bytes
from searcher.cli.destinations import check_destination, temporary_page, view
from searcher.pictures import Pictures, located
from searcher.remote.home_service import running_service
from searcher.render import table
from shared.roots import known_roots
from shared.settings import Settings, load_settings

if TYPE_CHECKING:
    from searcher.remote.asker import ServiceAsker


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked, printed, drawn and opened; `separator` ends each path."""

    wish: Wish = field(default_factory=Wish)
    together: bool = False
    form: Literal["table", "paths", "json"] = "table"
    separator: bytes = b"\n"
    sheet: Path | None = None
    html: Path | None = None
    view: bool = False
    debug: bool = False


def answer_all(given: Sequence[str], options: Options, home: Path | None) -> bool:
    """Answer every query and print it. False if any of it could not be done.

    A query that cannot be asked costs one line on standard error; the others go on.
    """
    with chosen(load_settings({"home": home}), options.wish) as asker:
        for path in filter(None, (options.sheet, options.html)):
            check_destination(path, [*given, *options.wish.against], asker.roots)
        single = options.together or not given
        queries = [tuple(given)] if single else [(text,) for text in given]
        printing = Printing(options)
        for found in asker.answers(queries):
            printing.show(found, asker.roots)
        if printing.asked and options.wish.draws:
            _draw(printing.asked, options, asker.pictures)
    return printing.complete


@contextlib.contextmanager
def chosen(settings: Settings, wish: Wish) -> Iterator[Asker]:
    """Who answers: the service of the settings, or the one of the home if it runs, or the home."""
    if settings.url is not None:
        with contextlib.closing(_service_elsewhere(settings.url, settings, wish)) as service:
            yield service
    elif (at_home := running_service(settings, wish)) is not None:
        with contextlib.closing(at_home):
            yield at_home
    else:
        from searcher.numpy_alone import load_numpy

        load_numpy()  # before anything else does
        from searcher.home_asker import HomeAsker

        yield HomeAsker(settings, wish)


def _service_elsewhere(url: str, settings: Settings, wish: Wish) -> ServiceAsker:
    from searcher.remote.asker import ServiceAsker
    from searcher.remote.connection import Service

    if wish.wants_heat:
        say("heat maps are drawn by the home itself: ask there, without LOOKALIKE_URL")
    service = Service.at_url(url, settings.api_key)
    return ServiceAsker(service, wish, settings, known_roots(settings))


class Printing:
    """The output of one run. `asked`: what was answered; `complete`: nothing failed so far."""

    def __init__(self, options: Options) -> None:
        self.asked, self.complete = list[Asked](), True
        self._options = options

    def show(self, found: Asked | Refused, roots: Mapping[str, Path]) -> None:
        """Print what came back for a query."""
        if isinstance(found, Refused):
            self._refuse(found)
        else:
            self._print(found, roots)

    def _refuse(self, one: Refused) -> None:
        self.complete = False
        if self._options.debug:
            import traceback

            traceback.print_exception(one.error)
        complain(f"{one.given}: {one.error}" if one.given else f"the empty query {one.error}")

    def _print(self, one: Asked, roots: Mapping[str, Path]) -> None:
        options = self._options
        if self.asked and options.form == "table":
            write("\n")
        self.asked.append(one)
        if options.form == "json":
            found = answer_json(one.shown, one.answer, one.told)
            value = json.dumps(found, ensure_ascii=False)
            write_bytes(value.encode() + b"\n")
        elif options.form == "paths":
            self.complete &= _print_paths(one, options, roots)
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


def _draw(asked: Sequence[Asked], options: Options, pictures: Pictures) -> None:
    sheet, html = options.sheet, options.html
    if sheet is None and html is None:
        html = temporary_page()
        say(f"page: {html}")
    if sheet is not None:
        from searcher.drawn.sheet import draw_sheet

        draw_sheet(asked, pictures).save(sheet)
    if html is not None:
        from searcher.drawn.page import write_page

        html.write_text(write_page(asked, pictures), encoding="utf-8")
    if options.view and (shown := html or sheet) is not None:
        view(shown)
