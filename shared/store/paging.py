"""Reading a whole collection page by page, so that each page fits into one frame of the wire."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeVar

from shared.store.protocol import Indexed
from shared.types import StoredImage

IDS_PER_PAGE = 10_000

Item = TypeVar("Item")


class Paged(ABC):
    """`scroll`, `ids` and `cluster_sizes` of a `VectorStore`, made from its other verbs."""

    @abstractmethod
    def page(
        self, after: str | None, limit: int, *, with_vectors: bool = False
    ) -> tuple[list[StoredImage], str | None]:
        """Up to `limit` points from the id `after` on, and where the next page starts."""

    @abstractmethod
    def id_page(self, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """Up to `limit` ids from `after` on, and where the next page starts."""

    @abstractmethod
    def facet(self, field: Indexed) -> dict[str, int]:
        """How many points have each value of a payload field."""

    def cluster_sizes(self) -> dict[str, int]:
        """Points per cluster label, over all generations present, by label."""
        return self.facet("cluster")

    def scroll(
        self, *, batch_size: int = 1000, with_vectors: bool = False
    ) -> Iterator[list[StoredImage]]:
        """Every point, in batches, in the order of the ids."""
        return _pages(lambda after: self.page(after, batch_size, with_vectors=with_vectors))

    def ids(self) -> set[str]:
        """The ids of all points."""
        pages = _pages(lambda after: self.id_page(after, IDS_PER_PAGE))
        return {point_id for page in pages for point_id in page}


def _pages(
    fetch: Callable[[str | None], tuple[list[Item], str | None]],
) -> Iterator[list[Item]]:
    items, following = fetch(None)
    while items:
        yield items
        if following is None:
            return
        items, following = fetch(following)
