"""The embedded store from a process that does not own it: requests over the owner's socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from shared.conditions import Condition
from shared.errors import StoreBusy, StoreError
from shared.store import wire
from shared.store.protocol import Indexed, Probe, validated
from shared.types import Embeddings, ImageRecord, ScoredImage, StoredImage

if TYPE_CHECKING:
    from socket import socket

POINTS_PER_REQUEST = 1_000
ANSWER_SECONDS = 60.0
"""How long an owner may take for one request before it counts as stuck."""

Item = TypeVar("Item")


class LinkLost(StoreError):
    """The connection to the owner broke; the request may or may not have been carried out."""


class RemoteCollections:
    """All collections of a home, through one connection. Safe to call from several threads."""

    def __init__(self, link: socket) -> None:
        self._link = link
        self._lock = threading.Lock()

    @classmethod
    def connect(cls, path: str) -> RemoteCollections | None:
        """Connect to the owner that listens at `path`; None when nobody does."""
        import socket  # 4 ms that a command without an owner can do without

        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(ANSWER_SECONDS)
        try:
            link.connect(path)
        except OSError:
            link.close()
            return None
        return cls(link)

    def open(self, name: str, *, create: bool = False) -> None:
        """Make sure that the collection can be used, making it if it is absent and `create` is set.

        Raises `StoreMissing` when it is absent.
        """
        self.ask("open", collection=name, create=create)

    def store(self, name: str) -> RemoteStore:
        """The collection as the owner has it; its verbs raise `StoreMissing` when it is absent."""
        return RemoteStore(self, name)

    def names(self) -> list[str]:
        """The collections on disk, sorted."""
        return list(self.ask("names")[0]["names"])

    def drop(self, name: str) -> None:
        """Delete a whole collection; one that is not there is passed over."""
        self.ask("drop", collection=name)

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        import socket

        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for an answer
        self._link.close()

    def ask(self, verb: str, vectors: Embeddings = wire.NO_VECTORS, **header: Any) -> wire.Message:
        """One request and its answer; raises what the owner raised, or `LinkLost`."""
        frame = wire.encode(
            {"wire": wire.WIRE_VERSION, "verb": verb, **header},
            vectors,
            limit=wire.MAX_REQUEST_BYTES,
        )
        with self._lock:
            answer, rows = self._exchange(frame)
        wire.raise_error(answer)
        return answer, rows

    def _exchange(self, frame: bytes) -> wire.Message:
        answered = False
        try:
            self._link.sendall(frame)
            reply = wire.receive(self._link, limit=wire.MAX_REPLY_BYTES)
            answered = True
        except TimeoutError as error:
            raise StoreBusy(
                f"the store's owner did not answer for {ANSWER_SECONDS:.0f} s: restart it"
            ) from error
        except (OSError, EOFError) as error:
            raise LinkLost(f"the store's owner went away: {error}: try again") from error
        finally:
            if not answered:
                self._link.close()  # a late answer must not be taken for the next one
        return reply


class RemoteStore:
    """One collection behind the owner's socket; the verbs of `EdgeStore`."""

    def __init__(self, owner: RemoteCollections, name: str) -> None:
        self._owner = owner
        self._name = name

    def upsert(self, records: Sequence[ImageRecord], vectors: Embeddings) -> None:
        """Insert or replace points; nothing is sent when a vector is refused."""
        rows = validated(vectors, len(records))
        for start in range(0, len(records), POINTS_PER_REQUEST):
            part = slice(start, start + POINTS_PER_REQUEST)
            self._upsert_part(records[part], rows[part])

    def _upsert_part(self, records: Sequence[ImageRecord], rows: Embeddings) -> None:
        try:
            self._ask("upsert", rows, records=wire.pack_records(records))
        except wire.FrameTooLong:
            if len(records) == 1:
                raise
            half = len(records) // 2
            self._upsert_part(records[:half], rows[:half])
            self._upsert_part(records[half:], rows[half:])

    def set_labels(self, labels: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        """Replace the cluster labels of points; ids that are not there are passed over."""
        for part in _parts(labels):
            self._ask("set_labels", labels=part)

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points; ids that are not there are passed over."""
        for part in _parts(ids):
            self._ask("delete", ids=part)

    def delete_root(self, root: str) -> None:
        """Remove every point of one root id."""
        self._ask("delete_root", root=root)

    def search(
        self, probes: Sequence[Probe], *, with_records: bool = True
    ) -> list[list[ScoredImage]]:
        """Cosine search, best first, one answer list per probe."""
        if not probes:
            return []
        vectors = validated(np.stack([probe.vector for probe in probes]), len(probes))
        asked = [
            [probe.cluster, probe.limit, wire.pack_where(probe.where), probe.exact]
            for probe in probes
        ]
        answer, _ = self._ask("search", vectors, probes=asked, with_records=with_records)
        return [[_scored(*hit) for hit in hits] for hits in answer["hits"]]

    def get(self, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, StoredImage]:
        """The points that exist among `ids`."""
        found: dict[str, StoredImage] = {}
        for part in _parts(ids):
            answer = self._ask("get", ids=part, with_vectors=with_vectors)
            found |= {image.record.id: image for image in wire.unpack_images(*answer)}
        return found

    def page(
        self, after: str | None, limit: int, *, with_vectors: bool = False
    ) -> tuple[list[StoredImage], str | None]:
        """Up to `limit` points from the id `after` on, and where the next page starts."""
        answer = self._ask("page", after=after, limit=limit, with_vectors=with_vectors)
        return wire.unpack_images(*answer), answer[0]["next"]

    def id_page(self, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """Up to `limit` ids from `after` on, and where the next page starts."""
        answer, _ = self._ask("id_page", after=after, limit=limit)
        return answer["ids"], answer["next"]

    def count(self, cluster: str | None = None, where: Sequence[Condition] = ()) -> int:
        """Exact number of points that meet `where`, of one cluster or of all."""
        answer, _ = self._ask("count", cluster=cluster, where=wire.pack_where(where))
        return int(answer["count"])

    def facet(self, field: Indexed) -> dict[str, int]:
        """How many points have each value of a payload field, by value."""
        return dict(self._ask("facet", field=field)[0]["counts"])

    def flush(self) -> None:
        """Make everything acknowledged so far durable and quick to load."""
        self._ask("flush")

    def tidy(self) -> None:
        """Merge segments, drop deleted points, lay each cluster's vectors side by side."""
        self._ask("tidy")

    def _ask(self, verb: str, vectors: Embeddings = wire.NO_VECTORS, **header: Any) -> wire.Message:
        return self._owner.ask(verb, vectors, collection=self._name, **header)


def _scored(point_id: str, score: float, payload: dict[str, Any] | None) -> ScoredImage:
    record = None if payload is None else ImageRecord.from_payload(point_id, payload)
    return ScoredImage(point_id, score, record)


def _parts(items: Sequence[Item]) -> Iterator[list[Item]]:
    for start in range(0, len(items), POINTS_PER_REQUEST):
        yield list(items[start : start + POINTS_PER_REQUEST])
