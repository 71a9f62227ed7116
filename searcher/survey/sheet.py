"""Draws the clusters with their most typical pictures as one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw

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
    draw_picture,
    font,
    shortened,
)
from searcher.pictures import indexed_picture
from searcher.survey.clusters import Cluster, Survey
from searcher.survey.report import facts, headline
from shared.reading import Limits
from shared.report import escape

CELL = 160
COLUMNS = 6
_HEAD = LINE + 12
_ROW = CELL + SMALL_LINE + 6 + GAP


def draw_clusters(
    found: Survey, roots: Mapping[str, Path], limits: Limits | None = None
) -> Image.Image:
    """Every cluster, largest first: its figures above its samples, six a row. RGB."""
    limits = limits or Limits()
    heights = [_height(cluster) for cluster in found.clusters]
    width = 2 * MARGIN + COLUMNS * (CELL + GAP) - GAP
    sheet = Image.new("RGB", (width, 2 * MARGIN + TITLE + sum(heights)), GROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), shortened(headline(found), 28, width - 2 * MARGIN), INK, font(28))
    top = MARGIN + TITLE
    for cluster, height in zip(found.clusters, heights, strict=True):
        draw.line((MARGIN, top - 8, width - MARGIN, top - 8), fill=RULE)
        draw.text((MARGIN, top), cluster.label, INK, font(18))
        beside = MARGIN + font(18).getlength(cluster.label) + GAP
        draw.text((beside, top + 2), facts(cluster, found.total), QUIET, font(16))
        for place, sample in enumerate(cluster.samples):
            row, column = divmod(place, COLUMNS)
            x, y = MARGIN + column * (CELL + GAP), top + _HEAD + row * _ROW
            picture = indexed_picture(sample.record, roots, limits)
            draw_picture(sheet, draw, picture, (x, y), CELL)
            name = shortened(escape(picture.name), SMALL, CELL)
            draw.text((x, y + CELL + 6), name, QUIET, font(SMALL))
        top += height
    return sheet


def _height(cluster: Cluster) -> int:
    return _HEAD + -(-len(cluster.samples) // COLUMNS) * _ROW + GAP
