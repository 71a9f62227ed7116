"""Draws queries with the grid of their results as one picture, as the article shows them."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from searcher.answer import remarks
from searcher.asked import Asked
from searcher.drawn.drawing import (
    GAP,
    GROUND,
    INK,
    LINE,
    MARGIN,
    QUIET,
    RULE,
    SMALL,
    SMALL_LINE,
    TITLE,
    draw_lines,
    draw_picture,
    font,
    shortened,
    wrapped,
)
from searcher.pictures import Picture, Pictures
from searcher.reasons.heat_drawing import LEGEND, ramp_strip
from searcher.render import caption, found_in
from shared.report import escape
from shared.types import ScoredImage

CELL, QUERY_CELL = 200, 300
CAPTION = 2 * LINE + 8
BESIDE = 6
STRIP = 12
COLUMNS = 4


def draw_sheet(asked: Sequence[Asked], pictures: Pictures) -> Image.Image:
    """Every query at the left of its results, four a row, one query below the other. RGB."""
    heights = [_height(one) for one in asked]
    width = 2 * MARGIN + QUERY_CELL + 2 * GAP + COLUMNS * (CELL + GAP) - GAP
    height = MARGIN + sum(heights) + MARGIN * max(1, len(asked))
    sheet = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(sheet)
    top = MARGIN
    for number, (one, section) in enumerate(zip(asked, heights, strict=True)):
        if number:
            line = top - MARGIN // 2
            draw.line((MARGIN, line, width - MARGIN, line), fill=RULE)
        _draw_section(sheet, draw, one, top, pictures)
        top += section + MARGIN
    return sheet


def _height(one: Asked) -> int:
    rows = -(-len(one.answer.results) // COLUMNS)
    left = QUERY_CELL + max(3, len(_facts(one))) * LINE + GAP
    if one.heats:
        left += GAP + STRIP + len(_legend()) * SMALL_LINE
    return TITLE + max(left, rows * (_cell_height(one) + GAP) - GAP)


def _cell_height(one: Asked) -> int:
    """A result's picture, the heat below it and the text, the same for all results of a query."""
    lines = max((len(_explained(one, result)) for result in one.answer.results), default=0)
    return CELL + (BESIDE + CELL if one.heats else 0) + CAPTION + lines * SMALL_LINE


def _facts(one: Asked) -> list[str]:
    return [*found_in(one.answer).split(" · "), *remarks(one.answer)]


def _explained(one: Asked, result: ScoredImage) -> list[str]:
    return wrapped(escape(one.explained.get(result.id, "")), SMALL, CELL)


def _legend() -> list[str]:
    return wrapped(LEGEND, SMALL, QUERY_CELL)


def _draw_section(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    one: Asked,
    top: int,
    pictures: Pictures,
) -> None:
    answer, picture = one.answer, one.picture or Picture(one.shown, None)
    right = sheet.width - MARGIN
    title = f"Images that look like {escape(picture.name)}"
    draw.text((MARGIN, top), shortened(title, 28, right - MARGIN), INK, font(28))
    draw_picture(sheet, draw, picture, (MARGIN, top + TITLE), QUERY_CELL)
    _draw_facts(sheet, draw, one, top + TITLE + QUERY_CELL + 12)
    left = MARGIN + QUERY_CELL + 2 * GAP
    for place, result in enumerate(answer.results):
        row, column = divmod(place, COLUMNS)
        x = left + column * (CELL + GAP)
        y = top + TITLE + row * (_cell_height(one) + GAP)
        found = pictures.of(result.record)
        draw_picture(sheet, draw, found, (x, y), CELL)
        if one.heats:
            y += CELL + BESIDE
            heat = Picture("", one.heats.get(result.id), "no heat map")
            draw_picture(sheet, draw, heat, (x, y), CELL)
        score = caption(one.answer, place + 1, result)
        draw.text((x, y + CELL + 8), score, INK, font(18))
        name = shortened(escape(found.name), 15, CELL)
        draw.text((x, y + CELL + 8 + LINE), name, QUIET, font(15))
        draw_lines(draw, _explained(one, result), (x, y + CELL + CAPTION))


def _draw_facts(sheet: Image.Image, draw: ImageDraw.ImageDraw, one: Asked, y: int) -> None:
    """How the answer was found, below the query, and how heat is read where it is drawn."""
    for fact in _facts(one):
        draw.text((MARGIN, y), shortened(fact, 16, QUERY_CELL), QUIET, font(16))
        y += LINE
    if one.heats:
        sheet.paste(ramp_strip(QUERY_CELL, STRIP), (MARGIN, y + BESIDE))
        draw_lines(draw, _legend(), (MARGIN, y + 2 * BESIDE + STRIP))
