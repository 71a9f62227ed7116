"""How many pictures came under a generation of clusters, and how far they lie from its centroids.

Two numbers a generation, added up while indexing: enough for the mean, which `indexer.drift` needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.database import Database

if TYPE_CHECKING:  # `indexer health` is asked every few seconds, and NumPy is half of its start
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """Pictures that are new to a collection: float32 (n,), how far each lies from the nearest
    centroid of the generation that gave it its label."""

    generation: str
    distances: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Spread:
    """Of how many pictures the mean distance from the nearest centroid is."""

    images: int
    mean_distance: float


def add_arrived(database: Database, collection: str, arrived: Arrived) -> None:
    """Add pictures to those that came before; inside a transaction."""
    if len(arrived.distances):
        total = float(arrived.distances.sum(dtype="float64"))
        database.execute(
            "INSERT INTO arrivals VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "images = images + excluded.images, distance = distance + excluded.distance",
            (collection, arrived.generation, len(arrived.distances), total),
        )


def begin_arrivals(
    database: Database, collection: str, generation: str, fitted: Spread | None
) -> None:
    """Start a generation with those it was fitted on, and forget others; inside a transaction."""
    database.execute("DELETE FROM arrivals WHERE collection = ?", (collection,))
    if fitted is not None:
        database.execute(
            "INSERT INTO arrivals VALUES (?, ?, ?, ?)",
            (collection, generation, fitted.images, fitted.images * fitted.mean_distance),
        )


def arrived_under(database: Database, collection: str, generation: str) -> Spread | None:
    """All that arrived under a generation; None if nothing did."""
    rows = database.all(
        "SELECT images, distance FROM arrivals WHERE collection = ? AND generation = ?",
        (collection, generation),
    )
    return Spread(rows[0][0], rows[0][1] / rows[0][0]) if rows and rows[0][0] else None
