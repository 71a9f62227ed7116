"""What every sheet is drawn with: its colours, pictures in boxes, and text that fits."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from searcher.pictures import Picture
from shared.report import escape

MARGIN, GAP = 40, 20
LINE = 24
TITLE = 64
SMALL, SMALL_LINE = 13, 18
BESIDE = 6
GROUND, INK, QUIET = (255, 255, 255), (28, 28, 30), (110, 110, 116)
BOX, RULE = (240, 240, 243), (216, 216, 220)
MARK = (173, 31, 31)

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_picture(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    picture: Picture,
    corner: tuple[int, int],
    edge: int,
) -> None:
    """The picture, or the reason why there is none, in a box of `edge` pixels."""
    x, y = corner
    draw.rounded_rectangle((x, y, x + edge - 1, y + edge - 1), 6, BOX)
    if picture.image is None:
        _draw_note(draw, picture.note, corner, edge)
        return
    width, height = picture.image.size
    scale = edge / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = picture.image.resize(size, Image.Resampling.LANCZOS)
    sheet.paste(small, (x + (edge - size[0]) // 2, y + (edge - size[1]) // 2))


def draw_mark(draw: ImageDraw.ImageDraw, text: str, corner: tuple[int, int], edge: int) -> None:
    """A frame around a box of `edge` pixels, with a word in its upper left corner."""
    x, y = corner
    draw.rounded_rectangle((x, y, x + edge - 1, y + edge - 1), 6, outline=MARK, width=3)
    right = x + font(SMALL).getlength(text) + 10
    draw.rounded_rectangle((x, y, right, y + SMALL_LINE + 2), 6, MARK)
    draw.text((x + 5, y + 1), text, GROUND, font(SMALL))


def _draw_note(draw: ImageDraw.ImageDraw, note: str, corner: tuple[int, int], edge: int) -> None:
    """Why there is no picture, in the middle of a box of `edge` pixels."""
    size, line = (15, LINE) if edge > 150 else (SMALL, SMALL + 2)
    above = 0 if edge > 150 else SMALL_LINE  # for a mark in the corner
    most = (edge - above - BESIDE) // line
    lines = wrapped(escape(note), size, edge - BESIDE)
    if len(lines) > most:
        lines = [*lines[: most - 1], shortened(" ".join(lines[most - 1 :]), size, edge - BESIDE)]
    top = corner[1] + (edge + above - (len(lines) - 1) * line) / 2
    for number, text in enumerate(lines):
        draw.text((corner[0] + edge / 2, top + number * line), text, QUIET, font(size), anchor="mm")


def draw_lines(draw: ImageDraw.ImageDraw, lines: Sequence[str], corner: tuple[int, int]) -> None:
    """Small print, one line below the other."""
    x, y = corner
    for number, line in enumerate(lines):
        draw.text((x, y + number * SMALL_LINE), line, QUIET, font(SMALL))


def shortened(text: str, size: int, width: int) -> str:
    """The text, or as much of its start and end as fits `width` pixels around an ellipsis."""
    drawn = font(size)
    if drawn.getlength(text) <= width:
        return text
    kept = min(len(text), 200)
    while kept > 2:
        kept -= 1
        short = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
        if drawn.getlength(short) <= width:
            return short
    return "…"


def wrapped(text: str, size: int, width: int) -> list[str]:
    """The text in lines that fit `width` pixels, broken at spaces."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(size).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(shortened(word, size, width))
    return lines


@functools.cache
def font(size: int) -> _Font:
    """Pillow's own font."""
    return ImageFont.load_default(size)
