"""How collections on a server are made, and which made by others are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qdrant_client import models

from shared.settings import Settings
from shared.store.server.plan import INDEXES, VECTOR, Plan, differences, missing_indexes

COSINE, KEYWORD = models.Distance.COSINE, models.PayloadSchemaType.KEYWORD
IMAGE = models.VectorParams(size=512, distance=COSINE)


def info(vectors: Any, indexes: dict[str, models.PayloadIndexInfo]) -> models.CollectionInfo:
    """What a server tells of a collection with these vectors and indexes."""
    return models.CollectionInfo.model_construct(
        config=models.CollectionConfig.model_construct(
            params=models.CollectionParams.model_construct(vectors=vectors, shard_number=5)
        ),
        payload_schema=indexes,
        points_count=0,
    )


def index(kind: models.PayloadSchemaType, params: Any = None) -> models.PayloadIndexInfo:
    return models.PayloadIndexInfo(data_type=kind, params=params, points=0)


OURS = {field: index(KEYWORD, params) for field, params in INDEXES.items()}


def test_what_the_settings_ask_for(tmp_path: Path) -> None:
    settings = Settings(
        tmp_path,
        qdrant_shards=6,
        qdrant_replicas=3,
        qdrant_write_consistency=2,
        qdrant_quantization="int8",
        qdrant_storage="disk",
    )
    asked = Plan.of(settings).arguments()
    assert (asked["shard_number"], asked["replication_factor"]) == (6, 3)
    assert asked["write_consistency_factor"] == 2
    assert asked["on_disk_payload"] is True
    assert asked["hnsw_config"] == models.HnswConfigDiff(m=16, payload_m=16, on_disk=True)
    assert asked["quantization_config"].scalar.always_ram is True
    assert asked["vectors_config"] == {
        "image": models.VectorParams(
            size=512, distance=COSINE, datatype=models.Datatype.FLOAT16, on_disk=True
        )
    }


def test_what_the_defaults_ask_for(tmp_path: Path) -> None:
    asked = Plan.of(Settings(tmp_path)).arguments()
    assert asked["quantization_config"] is None
    assert asked["on_disk_payload"] is asked["vectors_config"][VECTOR].on_disk is False
    assert asked["shard_number"] == asked["replication_factor"] == 1


def test_clusters_are_tenants_and_the_other_indexes_are_not() -> None:
    assert {field: bool(params.is_tenant) for field, params in INDEXES.items()} == {
        "cluster": True,
        "root": False,
        "folders": False,
    }


def test_our_own_collection_has_no_differences() -> None:
    assert differences(info({VECTOR: IMAGE}, OURS)) == []
    assert missing_indexes(info({VECTOR: IMAGE}, OURS)) == []


def test_what_answers_do_not_depend_on_may_differ() -> None:
    tuned = IMAGE.model_copy(update={"on_disk": True, "datatype": models.Datatype.FLOAT32})
    more = {VECTOR: tuned, "text": models.VectorParams(size=3, distance=models.Distance.DOT)}
    assert differences(info(more, OURS | {"width": index(models.PayloadSchemaType.INTEGER)})) == []


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        (IMAGE, "its vectors have no name, they must be called 'image'"),
        (None, "its vectors have no name, they must be called 'image'"),
        ({"clip": IMAGE}, "its vectors are 'clip', one must be called 'image'"),
        ({}, "its vectors are missing, one must be called 'image'"),
        (
            {VECTOR: IMAGE.model_copy(update={"size": 768})},
            "vector size is 768, must be 512",
        ),
        (
            {VECTOR: IMAGE.model_copy(update={"distance": models.Distance.EUCLID})},
            "distance is Euclid, must be Cosine",
        ),
        (
            {VECTOR: IMAGE.model_copy(update={"multivector_config": "max_sim"})},
            "it keeps several vectors a point, must keep one",
        ),
    ],
)
def test_other_vectors_are_named(vectors: Any, said: str) -> None:
    assert differences(info(vectors, OURS)) == [said]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cluster": index(KEYWORD)}, "index of cluster is no tenant index, must be one"),
        (
            {"cluster": index(KEYWORD, models.KeywordIndexParams(type="keyword"))},
            "index of cluster is no tenant index, must be one",
        ),
        (
            {"root": index(models.PayloadSchemaType.INTEGER)},
            "index of root is integer, must be keyword",
        ),
    ],
)
def test_other_indexes_are_named(changed: dict[str, Any], said: str) -> None:
    assert differences(info({VECTOR: IMAGE}, OURS | changed)) == [said]


def test_every_difference_is_named() -> None:
    other = {VECTOR: models.VectorParams(size=3, distance=models.Distance.DOT)}
    assert len(differences(info(other, {"cluster": index(KEYWORD)}))) == 3
    assert missing_indexes(info(other, {"cluster": index(KEYWORD)})) == ["root", "folders"]
