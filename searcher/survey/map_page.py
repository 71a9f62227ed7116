"""Writes the clusters and a map of the collection as one HTML file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from searcher.drawn.html_parts import data_link, file_link, frame, page, text
from searcher.pictures import Picture, indexed_picture
from searcher.render import share
from searcher.survey.cluster_map import Projection
from searcher.survey.clusters import UNLABELLED, Cluster, Survey
from searcher.survey.map_assets import COLORS, MAP_SCRIPT, MAP_STYLE, SHAPES
from searcher.survey.report import facts, headline
from shared.reading import Limits

PICTURED = 300
"""Points of the map that show their picture; all others are dots, or the file would be huge."""

_VIEW, _EDGE = 1000, 30
_SQUARES = 10
_PREVIEW = 160
_METHODS = {
    "t-SNE": "t-SNE (van der Maaten and Hinton 2008, drawn by openTSNE), which keeps pictures"
    " beside those they are most like; where groups lie and how far apart means little",
    "PCA": "PCA: the two directions in which the pictures differ most",
}


@dataclass(frozen=True, slots=True)
class _Point:
    """A place on the map, in the units of its view; `picture` only where it is shown."""

    x: int
    y: int
    number: int
    picture: Picture | None = None


def write_map_page(
    found: Survey, projection: Projection, roots: Mapping[str, Path], limits: Limits | None = None
) -> str:
    """A complete page: map, legend, and the most typical pictures of every cluster.

    `projection` places the pictures of `found.drawn`. Names are escaped, and nothing is fetched.
    """
    limits = limits or Limits()
    points = _points(found, projection, roots, limits)
    sections = "\n".join(_section(cluster, found, roots, limits) for cluster in found.clusters)
    notes = [f"{len(points):,} of them on the map by {_METHODS[projection.method]}."]
    if any(point.picture for point in points):
        notes.append(
            "Outlined points show their picture under the pointer, or by Tab and the arrow keys."
        )
    lines = [*notes, *filter(None, [projection.note])]
    body = f"""<section>
<h1>{text(headline(found))}</h1>
<div class="board">
{_map(points, found)}
<div>
<ul class="legend">
{_legend(found)}
</ul>
{"".join(f"<p>{text(line)}</p>" for line in lines)}
</div>
</div>
<figure class="card" hidden><img alt=""><figcaption></figcaption></figure>
</section>
{sections}"""
    return page("Lookalike: clusters", MAP_STYLE, body, MAP_SCRIPT)


def _points(
    found: Survey, projection: Projection, roots: Mapping[str, Path], limits: Limits
) -> list[_Point]:
    places = np.rint(projection.places * (_VIEW - 2 * _EDGE) + _EDGE).astype(int).tolist()
    shown = set(evenly(found.drawn.numbers, PICTURED))
    points = []
    for row, ((x, y), number) in enumerate(zip(places, found.drawn.numbers.tolist(), strict=True)):
        picture = None
        if row in shown:
            picture = indexed_picture(found.drawn.records[row], roots, limits)
        points.append(_Point(x, y, number, picture if picture and picture.image else None))
    return points


def evenly(numbers: NDArray[np.int64], most: int) -> list[int]:
    """At most `most` rows, from every cluster in turn until it has no more: none is left bare."""
    turns = np.empty(len(numbers), np.int64)
    for number in np.unique(numbers):
        rows = np.flatnonzero(numbers == number)
        turns[rows] = np.arange(len(rows))
    rows = np.argsort(turns, kind="stable")[:most]
    return [int(row) for row in np.sort(rows)]


def _map(points: Sequence[_Point], found: Survey) -> str:
    labels = {cluster.number: cluster.label for cluster in found.clusters}
    by_cluster = {
        number: [point for point in points if point.number == number]
        for number in [UNLABELLED, *(cluster.number for cluster in found.clusters)]
    }
    shapes = "".join(f'<path id="m{n}" d="{shape}"/>' for n, shape in enumerate(SHAPES))
    parts = [_dots(number, some) for number, some in by_cluster.items()]
    parts += [_pictured(number, some, labels) for number, some in by_cluster.items()]
    parts += _labels(points, labels)
    inside = "\n".join(part for part in parts if part)
    top = min((point.y for point in points), default=_EDGE) - _EDGE
    high = max((point.y for point in points), default=_EDGE) + _EDGE - top
    return f"""<svg class="map" viewBox="0 {top} {_VIEW} {high}" role="group" aria-label="map">
<defs>{shapes}</defs>
{inside}
</svg>"""


def _dots(number: int, points: Sequence[_Point]) -> str:
    uses = "".join(_mark(point) for point in points if point.picture is None)
    return f'<g class="{_kind(number)}" data-cluster="{number}">{uses}</g>' if uses else ""


def _pictured(number: int, points: Sequence[_Point], labels: Mapping[int, str]) -> str:
    """Links in reading order, of which Tab reaches the first; the arrow keys reach the others."""
    links = list[str]()
    for point in sorted(points, key=lambda point: (point.x, point.y)):
        picture = point.picture
        if picture is None or picture.image is None or picture.path is None:
            continue
        small = picture.image.copy()
        small.thumbnail((_PREVIEW, _PREVIEW))
        links.append(
            f'<a class="{_kind(number)}" data-cluster="{number}" '
            f'tabindex="{-1 if links else 0}" href="{text(file_link(picture.path))}" '
            f'aria-label="{text(labels.get(number, "no cluster"))}: {text(picture.name)}" '
            f'data-image="{data_link(small)}">{_mark(point)}</a>'
        )
    return "\n".join(links)


def _labels(points: Sequence[_Point], labels: Mapping[int, str]) -> list[str]:
    """Each label where its cluster is most among itself: it is known without telling colours apart.

    That is the square of the map with the largest lead of the cluster's own points over others.
    """
    if not points:
        return []
    places = np.array([(point.x, point.y) for point in points])
    numbers = np.array([point.number for point in points])
    squares = places // (_VIEW // _SQUARES)
    squares = squares[:, 0] * (_SQUARES + 1) + squares[:, 1]
    everyone = np.bincount(squares)
    drawn = []
    for number in np.unique(numbers[numbers != UNLABELLED]).tolist():
        own = np.bincount(squares[numbers == number], minlength=len(everyone))
        # Only squares with own points count, however far others lead there.
        best = int(np.where(own > 0, 2 * own - everyone, -len(points)).argmax())
        x, y = places[(numbers == number) & (squares == best)].mean(axis=0).round().astype(int)
        name = text(labels[number])
        drawn.append(f'<text data-cluster="{number}" x="{x}" y="{y}">{name}</text>')
    return drawn


def _mark(point: _Point) -> str:
    return f'<use href="#m{_shape(point.number)}" x="{point.x}" y="{point.y}"/>'


def _shape(number: int) -> int:
    return number // len(COLORS) % len(SHAPES) if number != UNLABELLED else 0


def _kind(number: int) -> str:
    return f"c{number % len(COLORS)}" if number != UNLABELLED else "none"


def _legend(found: Survey) -> str:
    lines = [
        f'<li><button type="button" aria-pressed="false" data-cluster="{cluster.number}">'
        f'<svg class="key {_kind(cluster.number)}" viewBox="-6 -6 12 12" aria-hidden="true">'
        f'<use href="#m{_shape(cluster.number)}"/></svg>{text(cluster.label)}</button>'
        f"<span>{cluster.size:,} ({share(cluster.size, found.total)})</span></li>"
        for cluster in found.clusters
    ]
    return "\n".join(lines)


def _section(cluster: Cluster, found: Survey, roots: Mapping[str, Path], limits: Limits) -> str:
    items = list[str]()
    for sample in cluster.samples:
        picture = indexed_picture(sample.record, roots, limits)
        items.append(
            f'<li><figure title="{text(sample.record.path)}">{frame(picture, picture.name)}'
            f"<figcaption><span>{text(picture.name)}</span></figcaption></figure></li>"
        )
    inside = "\n".join(items)
    return f"""<section>
<h2>{text(cluster.label)}</h2>
<p>{text(facts(cluster, found.total))}</p>
<ol class="results">
{inside}
</ol>
</section>"""
