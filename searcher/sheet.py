"""Draws queries with the grid of their results as one picture, as the article shows them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from searcher.pictures import Asked, Picture, result_picture
from searcher.render import found_in, shortfall
from shared.reading import Limits
from shared.report import escape

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

MARGIN, GAP = 40, 20
CELL, QUERY_CELL = 200, 300
LINE = 24
CAPTION = 2 * LINE + 8
TITLE = 64
COLUMNS = 4

_GROUND, _INK, _QUIET = (255, 255, 255), (28, 28, 30), (110, 110, 116)
_BOX, _RULE = (240, 240, 243), (216, 216, 220)


def draw_sheet(
    asked: Sequence[Asked], roots: Mapping[str, Path], limits: Limits | None = None
) -> Image.Image:
    """Every query at the left of its results, four a row, one query below the other. RGB."""
    limits = limits or Limits()
    heights = [_height(len(one.answer.results)) for one in asked]
    width = 2 * MARGIN + QUERY_CELL + 2 * GAP + COLUMNS * (CELL + GAP) - GAP
    height = MARGIN + sum(heights) + MARGIN * max(1, len(asked))
    sheet = Image.new("RGB", (width, height), _GROUND)
    draw = ImageDraw.Draw(sheet)
    top = MARGIN
    for number, (one, section) in enumerate(zip(asked, heights, strict=True)):
        if number:
            line = top - MARGIN // 2
            draw.line((MARGIN, line, width - MARGIN, line), fill=_RULE)
        _draw_section(sheet, draw, one, top, roots, limits)
        top += section + MARGIN
    return sheet


def _height(results: int) -> int:
    rows = -(-results // COLUMNS)
    return TITLE + max(QUERY_CELL + 3 * LINE + GAP, rows * (CELL + CAPTION + GAP) - GAP)


def _draw_section(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    one: Asked,
    top: int,
    roots: Mapping[str, Path],
    limits: Limits,
) -> None:
    answer, picture = one.answer, one.picture or Picture(one.shown, None)
    right = sheet.width - MARGIN
    title = f"Images that look like {escape(picture.name)}"
    draw.text((MARGIN, top), _shortened(title, 28, right - MARGIN), _INK, _font(28))
    _draw_picture(sheet, draw, picture, (MARGIN, top + TITLE), QUERY_CELL)
    facts = [*found_in(answer).split(" · "), *filter(None, [shortfall(answer)])]
    for number, fact in enumerate(facts):
        at = (MARGIN, top + TITLE + QUERY_CELL + 12 + number * LINE)
        draw.text(at, _shortened(fact, 16, QUERY_CELL), _QUIET, _font(16))
    left = MARGIN + QUERY_CELL + 2 * GAP
    for place, result in enumerate(answer.results):
        row, column = divmod(place, COLUMNS)
        x = left + column * (CELL + GAP)
        y = top + TITLE + row * (CELL + CAPTION + GAP)
        found = result_picture(result, roots, limits)
        _draw_picture(sheet, draw, found, (x, y), CELL)
        score = f"{place + 1} · {result.score:.3f}"
        draw.text((x, y + CELL + 8), score, _INK, _font(18))
        name = _shortened(escape(found.name), 15, CELL)
        draw.text((x, y + CELL + 8 + LINE), name, _QUIET, _font(15))


def _draw_picture(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    picture: Picture,
    corner: tuple[int, int],
    edge: int,
) -> None:
    x, y = corner
    draw.rounded_rectangle((x, y, x + edge - 1, y + edge - 1), 6, _BOX)
    if picture.image is None:
        note = _shortened(escape(picture.note), 15, edge - GAP)
        draw.text((x + edge / 2, y + edge / 2), note, _QUIET, _font(15), anchor="mm")
        return
    width, height = picture.image.size
    scale = edge / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = picture.image.resize(size, Image.Resampling.LANCZOS)
    sheet.paste(small, (x + (edge - size[0]) // 2, y + (edge - size[1]) // 2))


def _shortened(text: str, size: int, width: int) -> str:
    """The text, or as much of its start and end as fits `width` pixels around an ellipsis."""
    font = _font(size)
    if font.getlength(text) <= width:
        return text
    kept = min(len(text), 200)
    while kept > 2:
        kept -= 1
        short = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
        if font.getlength(short) <= width:
            return short
    return "…"


@functools.cache
def _font(size: int) -> _Font:
    return ImageFont.load_default(size)
