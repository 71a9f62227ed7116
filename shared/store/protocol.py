"""`VectorStore`: the few verbs that the rest of Lookalike needs from a vector database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.conditions import Condition
from shared.errors import VectorRefused
from shared.types import EMBEDDING_SIZE, Embeddings, ImageRecord, ScoredImage, StoredImage

Indexed = Literal["cluster", "root", "folders"]
"""Payload fields with a keyword index, whose values can be counted."""

MOST_VALUES = 1_000_000
"""Values of a field that `facet` counts: more labels or folders than any collection has."""

UNIT_TOLERANCE = 1e-3
"""How far a row's L2 length may be from 1. float32 rounding is 1e-6, int8 encoders keep to 1e-4."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One cluster searched for one query: `cluster` is a label, None means the whole collection.

    Only points that meet all of `where` are looked at, so that `limit` answers are `limit` answers.
    `exact`: none may be missed, as when a whole cluster is listed page by page.
    """

    vector: NDArray[np.float32]
    cluster: str | None
    limit: int
    where: tuple[Condition, ...] = ()
    exact: bool = False


class VectorStore(Protocol):
    """One collection of points: the vectors of one encoder, with their payloads.

    Every method raises `StoreError` (or a child of it) when the store fails. All writes are
    idempotent, so a caller that saw no acknowledgement may repeat them.
    """

    def upsert(self, records: Sequence[ImageRecord], vectors: Embeddings) -> None:
        """Insert or replace points, row i of `vectors` (n, 512) belonging to `records[i]`.

        Raises `VectorRefused` before anything is written if a row is not finite or not unit.
        """
        ...

    def set_labels(self, labels: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        """Replace the cluster labels of points, pairs of id and labels, and nothing else of them.

        Ids that are not there are passed over.
        """
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points; ids that are not there are passed over."""
        ...

    def delete_root(self, root: str) -> None:
        """Remove every point of one root id."""
        ...

    def search(
        self, probes: Sequence[Probe], *, with_records: bool = True
    ) -> list[list[ScoredImage]]:
        """Cosine search, best first, one answer list per probe, as one batch.

        Exact over everything, however long that takes: who asks for it wants to know the truth.
        Inside a cluster an adapter may miss one in a hundred, unless the probe says otherwise.
        """
        ...

    def get(self, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, StoredImage]:
        """The points that exist among `ids`."""
        ...

    def scroll(
        self, *, batch_size: int = 1000, with_vectors: bool = False
    ) -> Iterator[list[StoredImage]]:
        """Every point, in batches, in the order of the ids."""
        ...

    def id_page(self, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """Up to `limit` ids from `after` on, in order, and where the next page starts."""
        ...

    def ids(self) -> set[str]:
        """The ids of all points."""
        ...

    def count(self, cluster: str | None = None, where: Sequence[Condition] = ()) -> int:
        """Exact number of points that meet `where`, of one cluster or of all."""
        ...

    def facet(self, field: Indexed) -> dict[str, int]:
        """Return how many points have each value of a payload field; values of none are left out.

        At most `MOST_VALUES` values are counted.
        """
        ...

    def cluster_sizes(self) -> dict[str, int]:
        """Points per cluster label, over all generations present."""
        ...

    def flush(self) -> None:
        """Make everything acknowledged so far durable and quick to load."""
        ...

    def tidy(self) -> None:
        """Merge segments, drop deleted points, lay each cluster's vectors side by side.

        What takes long may be put off while others ask, until much has changed or the store closes.
        """
        ...

    def close(self) -> None:
        """Release the store; further calls raise `StoreError`. Closing twice is harmless."""
        ...


def validated(vectors: Embeddings, count: int) -> Embeddings:
    """The vectors as float32 (count, 512), or `VectorRefused` naming the first bad row."""
    array = np.ascontiguousarray(vectors, dtype=np.float32)
    if array.shape != (count, EMBEDDING_SIZE):
        raise VectorRefused(
            f"vectors have shape {array.shape}, expected ({count}, {EMBEDDING_SIZE})"
        )
    # In double precision; what is not finite has a norm that is not near 1 either.
    norms = np.sqrt(np.einsum("ij,ij->i", array, array, dtype=np.float64)).tolist()
    for row, norm in enumerate(norms):
        if not abs(norm - 1) <= UNIT_TOLERANCE:
            raise VectorRefused(f"vector {row} has length {norm:.6g}, expected 1: encode it again")
    return array
