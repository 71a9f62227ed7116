"""Draws queries with the grid of their results as one picture, as the article shows them."""

from __future__ import annotations

import math
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
from searcher.pictures import ExamplePicture, Picture, Pictures, examples_title
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
    left = _examples_height(_examples(one)) + max(3, len(_facts(one))) * LINE + GAP
    if one.heats:
        left += GAP + STRIP + len(_legend()) * SMALL_LINE
    return TITLE + max(left, rows * (_cell_height(one) + GAP) - GAP)


def _cell_height(one: Asked) -> int:
    """A result's picture, the heat below it and the text, the same for all results of a query."""
    lines = max((len(_explained(one, result)) for result in one.answer.results), default=0)
    return CELL + (BESIDE + CELL if one.heats else 0) + CAPTION + lines * SMALL_LINE


def _examples(one: Asked) -> tuple[ExamplePicture, ...]:
    return one.examples or (ExamplePicture(Picture(one.shown, None)),)


def _columns(examples: Sequence[ExamplePicture]) -> int:
    """As many examples side by side as are below each other, four at most."""
    return min(4, math.ceil(math.sqrt(len(examples))))


def _example_edge(examples: Sequence[ExamplePicture]) -> int:
    columns = _columns(examples)
    return (QUERY_CELL - (columns - 1) * BESIDE) // columns


def _label_height(examples: Sequence[ExamplePicture]) -> int:
    return SMALL_LINE if any(one.is_negative for one in examples) else 0


def _examples_height(examples: Sequence[ExamplePicture]) -> int:
    rows = -(-len(examples) // _columns(examples))
    return rows * (_example_edge(examples) + _label_height(examples) + BESIDE) - BESIDE


def _draw_examples(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, examples: Sequence[ExamplePicture], top: int
) -> None:
    """All query images in the place of one; below the negative ones stands *not*."""
    edge, label = _example_edge(examples), _label_height(examples)
    for place, one in enumerate(examples):
        row, column = divmod(place, _columns(examples))
        x, y = MARGIN + column * (edge + BESIDE), top + row * (edge + label + BESIDE)
        draw_picture(sheet, draw, one.picture, (x, y), edge)
        if one.is_negative:
            named = shortened(f"not {escape(one.picture.name)}", SMALL, edge)
            draw.text((x, y + edge + 1), named, INK, font(SMALL))
            draw.line((x + 2, y + 2, x + edge - 4, y + edge - 4), fill=INK, width=2)


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
    answer, examples = one.answer, _examples(one)
    right = sheet.width - MARGIN
    title = escape(examples_title(examples))
    draw.text((MARGIN, top), shortened(title, 28, right - MARGIN), INK, font(28))
    _draw_examples(sheet, draw, examples, top + TITLE)
    _draw_facts(sheet, draw, one, top + TITLE + _examples_height(examples) + 12)
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
        draw.text((MARGIN, y), fact, QUIET, font(16))
        y += LINE
    if one.heats:
        sheet.paste(ramp_strip(QUERY_CELL, STRIP), (MARGIN, y + BESIDE))
        draw_lines(draw, _legend(), (MARGIN, y + 2 * BESIDE + STRIP))
