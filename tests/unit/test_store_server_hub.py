"""All collections on a server: names, the alias, what others made, several indexers at once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from shared.errors import SettingsError, StoreError, StoreMissing, StoreRefused
from shared.settings import Settings
from shared.store.hub import open_hub, open_store
from shared.store.protocol import Probe
from shared.store.server.hub import ServerHub
from shared.store.server.plan import INDEXES
from shared.types import ImageRecord
from tests.qdrant.running import Running, qdrant

ALL, READING = "key-for-everything", "key-for-reading"
ROW = np.eye(1, 512, dtype=np.float32)


@pytest.fixture(scope="module")
def stub() -> Iterator[Running]:
    with qdrant(api_key=ALL, read_only_key=READING) as running:
        yield running


@pytest.fixture
def prefix() -> str:
    """Every test has the server to itself as far as names go."""
    return f"p{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=["rest", "grpc"])
def settings(
    request: pytest.FixtureRequest, stub: Running, prefix: str, tmp_path: Path
) -> Settings:
    return Settings(
        tmp_path,
        qdrant_url=stub.url,
        qdrant_api_key=ALL,
        qdrant_grpc_port=stub.grpc_port if request.param == "grpc" else 0,
        qdrant_prefix=prefix,
        qdrant_wait_seconds=5,
    )


@pytest.fixture
def hub(settings: Settings) -> Iterator[ServerHub]:
    with ServerHub(settings, long_lived=False) as opened:
        yield opened


@pytest.fixture
def client(stub: Running) -> Iterator[QdrantClient]:
    """Somebody else at the same server."""
    other = QdrantClient(url=stub.url, headers={"api-key": ALL}, check_compatibility=False)
    yield other
    other.close()


def record(number: int = 0) -> ImageRecord:
    return ImageRecord(
        id=f"{number:08x}-0000-5000-8000-000000000000",
        root="r",
        path="a.jpg",
        folders=(),
        cluster=("g1/0",),
        sha256="0" * 64,
        phash="0" * 16,
        width=1,
        height=1,
        format="JPEG",
        bytes=1,
        mtime=1.0,
        taken_at=None,
        indexed_at="2026-01-01T00:00:00+00:00",
        encoder="e",
    )


def test_collections_carry_the_prefix_and_are_named_without(
    hub: ServerHub, client: QdrantClient, prefix: str
) -> None:
    assert hub.is_shared
    assert hub.names() == []
    for name in ("e2", "e1"):
        hub.collection(name, create=True)
    assert hub.names() == ["e1", "e2"]
    assert client.collection_exists(f"{prefix}-e1")
    hub.drop("e1")
    hub.drop("e1")
    assert hub.names() == ["e2"]


def test_the_hub_of_the_settings(settings: Settings) -> None:
    with open_hub(settings, long_lived=False) as opened:
        assert isinstance(opened, ServerHub)
    store = open_store(settings, "e1", create=True)
    assert store.count() == 0
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.count()


def test_a_collection_is_made_as_planned(hub: ServerHub, client: QdrantClient, prefix: str) -> None:
    hub.collection("e1", create=True)
    info = client.get_collection(f"{prefix}-e1")
    assert info.config.params.vectors["image"].datatype == models.Datatype.FLOAT16
    assert set(info.payload_schema) == set(INDEXES)
    assert info.payload_schema["cluster"].params.is_tenant is True
    hub.collection("e1", create=True)
    hub.collection("e1")


def test_everything_that_can_be_set_of_a_collection(
    settings: Settings, client: QdrantClient, prefix: str
) -> None:
    large = replace(settings, qdrant_shards=6, qdrant_quantization="int8", qdrant_storage="disk")
    with ServerHub(large, long_lived=False) as hub:
        store = hub.collection("e1", create=True)
        store.upsert([record()], ROW)
        assert [hit.id for hit in store.search([Probe(ROW[0], "g1/0", 5)])[0]] == [record().id]
    config = client.get_collection(f"{prefix}-e1").config
    assert config.quantization_config.scalar.type == models.ScalarType.INT8
    assert config.params.vectors["image"].on_disk is config.params.on_disk_payload is True
    assert config.hnsw_config.payload_m == 16
    assert config.params.shard_number == 6


def test_what_is_not_there_is_made_only_when_asked(hub: ServerHub) -> None:
    with pytest.raises(StoreMissing, match="run `indexer scan` to build it"):
        hub.collection("e1")
    assert hub.names() == []
    store = hub.collection("e1", create=True)
    hub.drop("e1")
    with pytest.raises(StoreMissing):
        store.search([Probe(ROW[0], None, 1)])


def test_the_alias_moves_from_one_collection_to_the_next(
    hub: ServerHub, client: QdrantClient, prefix: str, stub: Running
) -> None:
    assert hub.announced() is None
    for name in ("e1", "e2"):
        hub.collection(name, create=True).upsert([record(len(name))], ROW)
        before = stub.requests().count(("POST", "/collections/aliases"))
        for _ in range(2):
            hub.announce(name)
        assert stub.requests().count(("POST", "/collections/aliases")) == before + 2
        assert hub.announced() == name
        assert client.count(prefix).count == 1
    aliases = [one for one in client.get_aliases().aliases if one.alias_name == prefix]
    assert [one.collection_name for one in aliases] == [f"{prefix}-e2"]


def test_only_what_is_there_is_announced(hub: ServerHub) -> None:
    with pytest.raises(StoreMissing, match=r"-e1 at .* does not exist"):
        hub.announce("e1")
    assert hub.announced() is None


def test_an_alias_of_somebody_else(hub: ServerHub, client: QdrantClient, prefix: str) -> None:
    plain = models.VectorParams(size=3, distance=models.Distance.DOT)
    client.create_collection(f"x{prefix}", plain)
    alias = models.CreateAlias(collection_name=f"x{prefix}", alias_name=prefix)
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    with pytest.raises(StoreRefused, match=f"alias {prefix} .* x{prefix}, which is not ours: "):
        hub.announced()


def test_a_collection_that_is_called_as_the_alias(
    hub: ServerHub, client: QdrantClient, prefix: str
) -> None:
    client.create_collection(prefix, models.VectorParams(size=3, distance=models.Distance.DOT))
    hub.collection("e1", create=True)
    for verb in (hub.announced, lambda: hub.announce("e1")):
        with pytest.raises(StoreRefused, match=f"is called {prefix}, .*: set another qdrant_pref"):
            verb()


@pytest.mark.parametrize("create", [True, False])
def test_a_collection_made_for_something_else_is_refused(
    hub: ServerHub, client: QdrantClient, prefix: str, create: bool
) -> None:
    client.create_collection(
        f"{prefix}-e1", {"image": models.VectorParams(size=3, distance=models.Distance.DOT)}
    )
    expected = (
        f"collection {prefix}-e1 at .* was made for something else: vector size is 3, must be 512; "
        "distance is Dot, must be Cosine: set another qdrant_prefix, or delete it"
    )
    with pytest.raises(StoreRefused, match=expected):
        hub.collection("e1", create=create)


def test_points_without_indexes_are_refused(
    hub: ServerHub, client: QdrantClient, prefix: str
) -> None:
    full = f"{prefix}-e1"
    client.create_collection(
        full, {"image": models.VectorParams(size=512, distance=models.Distance.COSINE)}
    )
    hub.collection("e1")  # empty, and perhaps just being made
    client.upsert(full, [models.PointStruct(id=1, vector={"image": ROW[0].tolist()})])
    with pytest.raises(StoreRefused, match="else: cluster has no index, must have one; root has"):
        hub.collection("e1", create=True)


def test_what_another_left_half_made_is_completed(
    hub: ServerHub, client: QdrantClient, prefix: str
) -> None:
    full = f"{prefix}-e1"
    client.create_collection(
        full, {"image": models.VectorParams(size=512, distance=models.Distance.COSINE)}
    )
    client.create_payload_index(full, "cluster", INDEXES["cluster"])
    hub.collection("e1", create=True)
    assert set(client.get_collection(full).payload_schema) == set(INDEXES)


def test_two_make_one_collection_at_once(settings: Settings) -> None:
    together, failed = threading.Barrier(4), []

    def make(number: int) -> None:
        try:
            with ServerHub(settings, long_lived=True) as one:
                together.wait()
                one.collection("e1", create=True).upsert([record(number)], ROW)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test fails
            failed.append(error)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with ServerHub(settings, long_lived=False) as hub:
        assert hub.collection("e1").count() == 4


def test_a_reset_after_making_it_is_no_failure(
    hub: ServerHub, stub: Running, client: QdrantClient, prefix: str
) -> None:
    stub.fail([{"match": f"PUT /collections/{prefix}", "times": 3, "how": "reset-after"}])
    hub.collection("e1", create=True)
    assert set(client.get_collection(f"{prefix}-e1").payload_schema) == set(INDEXES)


def test_a_read_only_key_is_enough_to_search(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{READING}\n")
    changed = {"qdrant_api_key": None, "qdrant_api_key_file": str(file)}
    reading = replace(settings, **changed)
    with ServerHub(settings, long_lived=False) as hub, ServerHub(reading, long_lived=True) as other:
        hub.collection("e1", create=True).upsert([record()], ROW)
        hub.announce("e1")
        assert other.names() == ["e1"]
        assert other.announced() == "e1"
        store = other.collection("e1")
        assert [hit.id for hit in store.search([Probe(ROW[0], "g1/0", 5)])[0]] == [record().id]
        assert store.count() == len(store.get([record().id])) == 1
        assert store.cluster_sizes() == {"g1/0": 1}
        assert store.ids() == {record().id}
        with pytest.raises(StoreRefused, match="set qdrant_api_key or qdrant_api_key_file"):
            store.delete([record().id])


@pytest.mark.parametrize("key", ["wrong-and-secret", None])
def test_a_wrong_key_is_refused_and_not_shown(settings: Settings, key: str | None) -> None:
    with ServerHub(replace(settings, qdrant_api_key=key), long_lived=False) as hub:
        with pytest.raises(StoreRefused, match=settings.qdrant_urls[0]) as caught:
            hub.names()
        assert "wrong-and-secret" not in str(caught.value)


def test_a_key_over_plain_http_is_said_once_and_without_it(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    away = replace(settings, qdrant_url="http://qdrant.lan,https://safe.lan,http://localhost")
    ServerHub(away, long_lived=True).close()
    [said] = [one.message for one in caplog.records if one.name.startswith("shared.")]
    assert said == (
        "the key goes to http://qdrant.lan unencrypted: use https outside closed networks"
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("qdrant_api_key_file", None, "it cannot be read: No such file"),
        ("qdrant_api_key_file", b"", "it must hold one key"),
        ("qdrant_api_key_file", b"two words", "it must hold one key"),
        ("qdrant_api_key_file", b"\xff\xfe", "it cannot be read: it is not ASCII"),
        ("qdrant_ca_file", None, "certificates cannot be read: No such file"),
        ("qdrant_ca_file", b"no certificate", "certificates cannot be read: "),
    ],
)
def test_files_that_cannot_be_used(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    settings: Any = {name: str(file), "qdrant_url": "https://node"}
    with pytest.raises(SettingsError, match=f"setting {name} is '{file}': {said}") as caught:
        ServerHub(Settings(tmp_path, **settings), long_lived=True)
    assert "two words" not in str(caught.value)


def test_a_closed_hub_says_so(hub: ServerHub) -> None:
    store = hub.collection("e1", create=True)
    hub.close()
    hub.close()
    for verb in (hub.names, hub.announced, lambda: hub.collection("e1"), store.count):
        with pytest.raises(StoreError, match="closed"):
            verb()
