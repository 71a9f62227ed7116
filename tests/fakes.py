"""In-memory stand-ins that implement the protocols; the contract suite runs on them as well."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from shared.conditions import FIELDS, Condition
from shared.errors import StoreError, StoreMissing
from shared.store.protocol import Indexed, Probe, validated
from shared.types import (
    EMBEDDING_SIZE,
    Embeddings,
    ImageRecord,
    Pixels,
    PixelSpec,
    ScoredImage,
    StoredImage,
)


class MemoryStore:
    """A `VectorStore` in a dict: exact by being plain."""

    def __init__(self) -> None:
        self._points: dict[str, tuple[ImageRecord, NDArray[np.float32]]] = {}
        self._closed = False

    def upsert(self, records: Sequence[ImageRecord], vectors: Embeddings) -> None:
        points = self._open()
        rows = validated(vectors, len(records)).copy()
        points |= {record.id: (record, row) for record, row in zip(records, rows, strict=True)}

    def set_labels(self, labels: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        points = self._open()
        for point, held in labels:
            if point in points:
                record, row = points[point]
                points[point] = (dataclasses.replace(record, cluster=held), row)

    def delete(self, ids: Sequence[str]) -> None:
        for point in ids:
            self._open().pop(point, None)

    def delete_root(self, root: str) -> None:
        self.delete([key for key, (record, _) in self._open().items() if record.root == root])

    def search(
        self, probes: Sequence[Probe], *, with_records: bool = True
    ) -> list[list[ScoredImage]]:
        return [self._search(probe, with_records) for probe in probes]

    def _search(self, probe: Probe, with_records: bool) -> list[ScoredImage]:
        query = validated(np.asarray(probe.vector)[None], 1)[0]
        found = [
            ScoredImage(record.id, float(row @ query), record if with_records else None)
            for record, row in self._open().values()
            if _meets(record, probe.cluster, probe.where)
        ]
        return sorted(found, key=lambda image: (-image.score, image.id))[: probe.limit]

    def get(self, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, StoredImage]:
        points = self._open()
        return {key: self._stored(key, with_vectors) for key in ids if key in points}

    def scroll(
        self, *, batch_size: int = 1000, with_vectors: bool = False
    ) -> Iterator[list[StoredImage]]:
        keys = sorted(self._open())
        for start in range(0, len(keys), batch_size):
            yield [self._stored(key, with_vectors) for key in keys[start : start + batch_size]]

    def _stored(self, key: str, with_vectors: bool) -> StoredImage:
        record, row = self._open()[key]
        return StoredImage(record, row.copy() if with_vectors else None)

    def ids(self) -> set[str]:
        return set(self._open())

    def id_page(self, after: str | None, limit: int) -> tuple[list[str], str | None]:
        keys = sorted(key for key in self._open() if after is None or key >= after)
        return keys[:limit], keys[limit] if len(keys) > limit else None

    def count(self, cluster: str | None = None, where: Sequence[Condition] = ()) -> int:
        records = [record for record, _ in self._open().values()]
        return sum(_meets(record, cluster, where) for record in records)

    def facet(self, field: Indexed) -> dict[str, int]:
        held = [getattr(record, field) for record, _ in self._open().values()]
        values = [one for some in held for one in (some if isinstance(some, tuple) else (some,))]
        return {value: values.count(value) for value in sorted(set(values))}

    def cluster_sizes(self) -> dict[str, int]:
        return self.facet("cluster")

    def flush(self) -> None:
        self._open()

    def tidy(self) -> None:
        self._open()

    def close(self) -> None:
        self._closed = True

    def _open(self) -> dict[str, tuple[ImageRecord, NDArray[np.float32]]]:
        if self._closed:
            raise StoreError("the store is closed")
        return self._points


class Server:
    """What stands behind several `SharedHub`s, as one Qdrant server behind several indexers.

    `away`: raised by whatever is asked, while it is set. `announced`: each collection that was said
    to answer.
    """

    def __init__(self) -> None:
        self.collections: dict[str, MemoryStore] = {}
        self.announced: list[str] = []
        self.away: StoreError | None = None

    def check(self) -> None:
        if self.away is not None:
            raise self.away


class ServedStore(MemoryStore):
    """A collection of a `Server`: missing once it was dropped."""

    def __init__(self, server: Server, name: str) -> None:
        super().__init__()
        self._server, self._name = server, name

    def close(self) -> None:
        """One of many that look at it goes; the others stay."""

    def _open(self) -> dict[str, tuple[ImageRecord, NDArray[np.float32]]]:
        self._server.check()
        if self._server.collections.get(self._name) is not self:
            raise StoreMissing(f"collection {self._name} does not exist")
        return self._points


class SharedHub:
    """A `Hub` over a `Server`, one for each indexer."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def is_shared(self) -> bool:
        return True

    def collection(
        self, name: str, *, create: bool = False, closes_hub: bool = False
    ) -> MemoryStore:
        self._server.check()
        if name not in self._server.collections:
            if not create:
                raise StoreMissing(f"collection {name} does not exist")
            self._server.collections[name] = ServedStore(self._server, name)
        return self._server.collections[name]

    def names(self) -> list[str]:
        self._server.check()
        return sorted(self._server.collections)

    def announce(self, name: str) -> None:
        self._server.check()
        self._server.announced.append(name)

    def announced(self) -> str | None:
        self._server.check()
        return self._server.announced[-1] if self._server.announced else None

    def drop(self, name: str) -> None:
        self._server.check()
        self._server.collections.pop(name, None)

    def close(self) -> None:
        pass

    def __enter__(self) -> SharedHub:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _meets(record: ImageRecord, cluster: str | None, where: Sequence[Condition]) -> bool:
    """Plainly: one condition after the other, words with `=` once for all values of their field."""
    if cluster is not None and cluster not in record.cluster:
        return False
    for condition in where:
        field = FIELDS[condition.field]
        held = getattr(record, field.key)
        if field.kind == "word":
            words = held if isinstance(held, tuple) else (held,)
            wanted = {
                other.value
                for other in where
                if (other.field, other.op) == (condition.field, condition.op)
            }
            if bool(wanted & set(words)) != (condition.op == "="):
                return False
        elif held is None or not _COMPARE[condition.op](_sized(held), _sized(condition.value)):
            return False
    return True


_COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _sized(value: str | float) -> float:
    if isinstance(value, str):
        instant = datetime.fromisoformat(value)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
    return value


class MeanColorEncoder:
    """An `Encoder` worked by hand: the direction of the mean colour, in the first three axes.

    Pure red is axis 0, green axis 1, blue axis 2; black has no direction and gives zeros.
    """

    def __init__(self, size: int = 4) -> None:
        self.id = "mean-color"
        self.spec = PixelSpec(size=size)

    def encode(self, pixels: Pixels) -> Embeddings:
        means = pixels.reshape(len(pixels), -1, 3).mean(axis=1)
        lengths = np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
        vectors = np.zeros((len(pixels), EMBEDDING_SIZE), np.float32)
        vectors[:, :3] = means / lengths
        return vectors


def record(name: str, cluster: str = "g1/0", *, root: str = "/photos") -> ImageRecord:
    """A plausible payload for a path inside a root, its id the real one."""
    from shared.points import point_id
    from shared.types import ancestor_folders, record_path

    raw = name.encode("utf-8", "surrogateescape")
    path, path_raw = record_path(raw)
    return ImageRecord(
        id=point_id(root, raw),
        root=root,
        path=path,
        path_raw=path_raw,
        folders=ancestor_folders(raw),
        cluster=(cluster,),
        sha256="0" * 64,
        phash="0" * 16,
        width=4,
        height=4,
        format="JPEG",
        bytes=100,
        mtime=1_700_000_000.0,
        taken_at=None,
        indexed_at="2026-11-24T00:00:00+00:00",
        encoder="mean-color",
    )


def axis_vector(*values: float) -> NDArray[np.float32]:
    """float32 (512,) that starts with these values, the rest 0."""
    vector = np.zeros(EMBEDDING_SIZE, np.float32)
    vector[: len(values)] = values
    return vector
