"""What a collection on a server looks like, and what of another one would break us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qdrant_client import models

from shared.settings import Settings
from shared.types import EMBEDDING_SIZE

VECTOR = "image"
"""The vector's name: a collection with names can be given further vectors later."""
GRAPH = 16
"""Edges a node, over all points and again over each cluster's. Without the former a search of two
clusters at once finds 60 of 100 (measured)."""
INDEXES: Mapping[str, models.KeywordIndexParams] = {
    "cluster": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True),
    "root": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD),
    "folders": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD),
}
"""Made before any point, for the graph of each cluster is built from the index. The other fields of
``--where`` are read from each point that is looked at."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How collections are made. `quantized`: an Int8 copy of the vectors lies in memory and is
    searched first; `on_disk`: vectors, graph and payload stay on disk until they are asked for."""

    shards: int = 1
    replicas: int = 1
    write_consistency: int = 1
    quantized: bool = False
    on_disk: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Plan:
        """The plan that the settings ask for."""
        return cls(
            shards=settings.qdrant_shards,
            replicas=settings.qdrant_replicas,
            write_consistency=settings.qdrant_write_consistency,
            quantized=settings.qdrant_quantization == "int8",
            on_disk=settings.qdrant_storage == "disk",
        )

    def arguments(self) -> dict[str, Any]:
        """What `QdrantClient.create_collection` takes besides the name.

        Placement is said with ``on_disk``, which servers know for longer than ``memory``.
        """
        return {
            "vectors_config": {
                VECTOR: models.VectorParams(
                    size=EMBEDDING_SIZE,
                    distance=models.Distance.COSINE,
                    datatype=models.Datatype.FLOAT16,
                    on_disk=self.on_disk,
                )
            },
            "hnsw_config": models.HnswConfigDiff(m=GRAPH, payload_m=GRAPH, on_disk=self.on_disk),
            "quantization_config": _INT8 if self.quantized else None,
            "on_disk_payload": self.on_disk,
            "shard_number": self.shards,
            "replication_factor": self.replicas,
            "write_consistency_factor": self.write_consistency,
        }


_INT8 = models.ScalarQuantization(
    scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
)


def differences(info: models.CollectionInfo) -> list[str]:
    """What makes a collection unusable for us, each as *what it is, what it must be*.

    Only what answers depend on counts: shards, replicas, graph and placement may be whatever
    somebody found best. An index that is not there is none of it, see `missing_indexes`.
    """
    return _vector_differences(info) + _index_differences(info)


def missing_indexes(info: models.CollectionInfo) -> list[str]:
    """The payload fields that have no index yet."""
    return [field for field in INDEXES if field not in info.payload_schema]


def _vector_differences(info: models.CollectionInfo) -> list[str]:
    vectors = info.config.params.vectors
    if not isinstance(vectors, Mapping):
        return [f"its vectors have no name, they must be called {VECTOR!r}"]
    if VECTOR not in vectors:
        named = ", ".join(map(repr, sorted(vectors))) or "missing"
        return [f"its vectors are {named}, one must be called {VECTOR!r}"]
    mine, found = vectors[VECTOR], []
    if mine.size != EMBEDDING_SIZE:
        found.append(f"vector size is {mine.size}, must be {EMBEDDING_SIZE}")
    if mine.distance != models.Distance.COSINE:
        found.append(f"distance is {mine.distance.value}, must be {models.Distance.COSINE.value}")
    if mine.multivector_config is not None:
        found.append("it keeps several vectors a point, must keep one")
    return found


def _index_differences(info: models.CollectionInfo) -> list[str]:
    found = []
    for field, wanted in INDEXES.items():
        index = info.payload_schema.get(field)
        if index is None:
            continue
        if index.data_type != models.PayloadSchemaType.KEYWORD:
            found.append(f"index of {field} is {index.data_type.value}, must be keyword")
        elif wanted.is_tenant and not getattr(index.params, "is_tenant", False):
            found.append(f"index of {field} is no tenant index, must be one")
    return found
