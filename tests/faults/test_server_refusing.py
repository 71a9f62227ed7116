"""A Qdrant server that cannot be used: the key, the version, what others keep there."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from shared.models import Models
from tests.daemons import indexer, searcher
from tests.faults.server import (
    KEY,
    READING_KEY,
    WRONG_KEY,
    connect,
    error_of,
    is_true,
    names_no_key,
)
from tests.qdrant.running import Running, qdrant

COSINE, DOT = models.Distance.COSINE, models.Distance.DOT
FLAT = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """One for all: each test has a prefix of its own."""
    with qdrant(api_key=KEY, read_only_key=READING_KEY) as server:
        yield server


@pytest.fixture
def someone(server: Running) -> Iterator[QdrantClient]:
    """Another program of the same server."""
    headers = {"api-key": KEY}
    client = QdrantClient(url=server.url, headers=headers, check_compatibility=False)
    with contextlib.closing(client):
        yield client


def _scan(home: Path, photos: Path) -> subprocess.CompletedProcess[str]:
    return indexer("scan", photos, "--home", home, check=False)


def test_keys(home: Path, photos: Path, server: Running) -> None:
    """Without the right key nobody may do anything; with that for readers, searchers may."""
    connect(home, server.url, qdrant_api_key=KEY)
    done = _scan(home, photos)
    assert done.returncode == 0
    names_no_key(done.stdout + done.stderr)
    asking = ["query", photos / "red/1.jpg", "--home", home, "--json"]
    connect(home, server.url, qdrant_api_key=WRONG_KEY)
    _is_locked(searcher(*asking, check=False), server)
    connect(home, server.url, qdrant_api_key=WRONG_KEY, qdrant_grpc_port=server.grpc_port)
    _is_locked(_scan(home, photos), server)
    connect(home, server.url, qdrant_api_key=READING_KEY)
    _is_locked(indexer("watch", photos, "--home", home, check=False), server)
    asked = searcher(*asking)
    assert json.loads(asked.stdout)["results"]
    names_no_key(asked.stdout + asked.stderr)
    connect(home, server.url, qdrant_api_key=KEY)
    is_true(home, photos)


def _is_locked(done: subprocess.CompletedProcess[str], server: Running) -> None:
    told = error_of(done)
    assert f"qdrant at {server.url} refuses" in told
    assert "set qdrant_api_key or qdrant_api_key_file to a key that may do this" in told


def test_another_version_is_named_with_those_that_work(home: Path, photos: Path) -> None:
    with qdrant(version="1.9.7") as old:
        connect(home, old.url)
        told = error_of(_scan(home, photos))
        assert f"qdrant at {old.url} is of version 1.9.7: run one from 1.13 on, below 2.0" in told


def _vectors(size: int = 512, distance: models.Distance = COSINE) -> dict[str, Any]:
    return {"image": models.VectorParams(size=size, distance=distance)}


def _made(
    someone: QdrantClient, full: str, vectors: Any, index: models.KeywordIndexParams | None = None
) -> None:
    """A collection of somebody else's making, with a point of theirs."""
    someone.create_collection(full, vectors_config=vectors)
    if index is not None:
        for field in ("cluster", "root", "folders"):
            someone.create_payload_index(full, field, index)
    theirs: Any = [0.5] * 4 if not isinstance(vectors, dict) else {}
    someone.upsert(full, [models.PointStruct(id=1, vector=theirs, payload={"whose": "theirs"})])


@pytest.mark.parametrize(
    ("prefix", "vectors", "index", "differences"),
    [
        (
            "other",
            _vectors(size=4, distance=DOT),
            FLAT,
            "vector size is 4, must be 512; distance is Dot, must be Cosine; "
            "index of cluster is no tenant index, must be one",
        ),
        ("bare", _vectors(), None, "cluster has no index, must have one"),
        (
            "nameless",
            models.VectorParams(size=4, distance=COSINE),
            FLAT,
            "its vectors have no name, they must be called 'image'",
        ),
    ],
    ids=["other", "bare", "nameless"],
)
def test_what_someone_else_made_is_refused_and_left_as_it_is(
    home: Path,
    photos: Path,
    server: Running,
    someone: QdrantClient,
    prefix: str,
    vectors: Any,
    index: models.KeywordIndexParams | None,
    differences: str,
) -> None:
    full = f"{prefix}-{Models(home / 'models').current().encoder}"
    _made(someone, full, vectors, index)
    connect(home, server.url, qdrant_api_key=KEY, qdrant_prefix=prefix)
    told = error_of(_scan(home, photos))
    assert f"collection {full} at {server.url} was made for something else" in told
    assert differences in told
    assert "set another qdrant_prefix, or delete it" in told
    assert [point.payload for point in someone.scroll(full)[0]] == [{"whose": "theirs"}]


def test_a_collection_with_the_alias_name_is_refused(
    home: Path, photos: Path, server: Running, someone: QdrantClient
) -> None:
    _made(someone, "taken", _vectors())
    connect(home, server.url, qdrant_api_key=KEY, qdrant_prefix="taken")
    told = error_of(_scan(home, photos))
    assert f"a collection at {server.url} is called taken, as the alias must be" in told
    assert someone.count("taken").count == 1


def test_an_alias_of_somebody_else_is_not_taken_from_them(
    home: Path, photos: Path, server: Running, someone: QdrantClient
) -> None:
    _made(someone, "theirs", _vectors())
    alias = models.CreateAlias(collection_name="theirs", alias_name="alias")
    someone.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    connect(home, server.url, qdrant_api_key=KEY, qdrant_prefix="alias")
    told = error_of(_scan(home, photos))
    assert f"alias alias at {server.url} points to theirs, which is not ours" in told
    assert [one.alias_name for one in someone.get_collection_aliases("theirs").aliases] == ["alias"]


def test_a_collection_that_is_gone_with_its_alias_is_built_again(
    home: Path, photos: Path, server: Running, someone: QdrantClient
) -> None:
    connect(home, server.url, qdrant_api_key=KEY, qdrant_prefix="gone")
    full = f"gone-{Models(home / 'models').current().encoder}"
    assert _scan(home, photos).returncode == 0
    someone.delete_collection(full)
    assert _scan(home, photos).returncode == 0
    assert [one.alias_name for one in someone.get_collection_aliases(full).aliases] == ["gone"]
    is_true(home, photos)


def test_an_alias_that_leads_elsewhere_is_noted_and_put_right(
    home: Path, photos: Path, server: Running, someone: QdrantClient
) -> None:
    """Our own commands do not go by it; whoever reads the collection without them does."""
    connect(home, server.url, qdrant_api_key=KEY, qdrant_prefix="elsewhere")
    assert _scan(home, photos).returncode == 0
    vectors = {"image": models.VectorParams(size=512, distance=COSINE)}
    someone.create_collection("elsewhere-e9", vectors_config=vectors)
    someone.update_collection_aliases(
        [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name="elsewhere")),
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(
                    collection_name="elsewhere-e9", alias_name="elsewhere"
                )
            ),
        ]
    )
    answering = Models(home / "models").current().encoder
    told = f"note: the alias points to e9, and {answering} answers"
    done = indexer("doctor", "--home", home)
    assert told in done.stdout
    assert "all is well" in done.stdout
    assert _scan(home, photos).returncode == 0
    assert "note:" not in indexer("doctor", "--home", home).stdout
