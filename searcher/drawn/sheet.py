"""Draws queries with the grid of their results as one picture, as the article shows them."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from searcher.answer import remarks
from searcher.asked import Asked
from searcher.drawn.drawing import (
    BESIDE,
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
    draw_mark,
    draw_picture,
    font,
    shortened,
    wrapped,
)
from searcher.drawn.examples import MARK_WORD, heading, per_row
from searcher.pictures import ExamplePicture, Picture, Pictures
from searcher.reasons.heat_drawing import LEGEND, ramp_strip
from searcher.render import caption, found_in
from shared.report import escape
from shared.types import ScoredImage

CELL, QUERY_CELL = 200, 300
CAPTION = 2 * LINE + 8
STRIP = 12
BETWEEN = 10
COLUMNS = 4


def draw_sheet(asked: Sequence[Asked], pictures: Pictures) -> Image.Image:
    """Every query, with all of its examples, at the left of its results, four a row, one query
    below the other. RGB."""
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
    left = _examples_height(one.examples) + max(3, len(_facts(one))) * LINE + GAP
    if one.heats:
        left += GAP + STRIP + len(_legend()) * SMALL_LINE
    return TITLE + max(left, rows * (_cell_height(one) + GAP) - GAP)


def _cell_height(one: Asked) -> int:
    """A result's picture, the heat below it and the text, the same for all results of a query."""
    lines = max((len(_explained(one, result)) for result in one.answer.results), default=0)
    return CELL + (BESIDE + CELL if one.heats else 0) + CAPTION + lines * SMALL_LINE


def _facts(one: Asked) -> list[str]:
    facts = [*found_in(one.answer).split(" · "), *remarks(one.answer)]
    return [line for fact in facts for line in wrapped(escape(fact), 16, QUERY_CELL)]


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
    title, width = escape(heading(one.examples)), sheet.width - 2 * MARGIN
    size = 28 if font(28).getlength(title) <= width else 20
    draw.text((MARGIN, top), shortened(title, size, width), INK, font(size))
    _draw_examples(sheet, draw, one.examples, top + TITLE)
    _draw_facts(sheet, draw, one, top + TITLE + _examples_height(one.examples) + 12)
    left = MARGIN + QUERY_CELL + 2 * GAP
    for place, result in enumerate(one.answer.results):
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


def _example_cell(number: int) -> int:
    """Pixels along the edge of each of `number` examples, which are as wide as one query."""
    columns = per_row(number)
    return (QUERY_CELL - (columns - 1) * BETWEEN) // columns


def _examples_height(examples: Sequence[ExamplePicture]) -> int:
    """One example is named by the title; several have their names below them."""
    cell = _example_cell(len(examples))
    if len(examples) == 1:
        return cell
    rows = -(-len(examples) // per_row(len(examples)))
    return rows * (cell + SMALL_LINE + BETWEEN) - BETWEEN


def _draw_examples(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    examples: Sequence[ExamplePicture],
    top: int,
) -> None:
    columns, cell = per_row(len(examples)), _example_cell(len(examples))
    for place, one in enumerate(examples):
        row, column = divmod(place, columns)
        x = MARGIN + column * (cell + BETWEEN)
        y = top + row * (cell + SMALL_LINE + BETWEEN)
        draw_picture(sheet, draw, one.picture, (x, y), cell)
        if one.is_negative:
            draw_mark(draw, MARK_WORD, (x, y), cell)
        if len(examples) > 1:
            name = shortened(escape(one.picture.name), SMALL, cell)
            draw.text((x, y + cell + 2), name, QUIET, font(SMALL))


def _draw_facts(sheet: Image.Image, draw: ImageDraw.ImageDraw, one: Asked, y: int) -> None:
    """How the answer was found, below the query, and how heat is read where it is drawn."""
    for fact in _facts(one):
        draw.text((MARGIN, y), fact, QUIET, font(16))
        y += LINE
    if one.heats:
        sheet.paste(ramp_strip(QUERY_CELL, STRIP), (MARGIN, y + BESIDE))
        draw_lines(draw, _legend(), (MARGIN, y + 2 * BESIDE + STRIP))
