"""The stores under contract: each test gets an empty collection of every adapter."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from shared.settings import Settings
from shared.store.edge.store import EdgeStore
from shared.store.opening import StoreHub
from shared.store.protocol import VectorStore
from shared.store.server.hub import ServerHub
from shared.types import Embeddings, ImageRecord
from tests.fakes import MemoryStore
from tests.qdrant.running import Running, qdrant

OWNER = """
import sys
from pathlib import Path
from shared.settings import Settings
from shared.store.opening import StoreHub

with StoreHub(Settings(home=Path(sys.argv[1])), long_lived=True):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="session")
def foreign_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose store is owned by another process."""
    home = tmp_path_factory.mktemp("home")
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        yield home
        owner.communicate()
    assert owner.returncode == 0


@pytest.fixture(scope="session")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose store this process opens, again and again: making one waits for the disk."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def stub() -> Iterator[Running]:
    """A server's stand-in that checks all requests against Qdrant's own document."""
    with qdrant() as running:
        yield running


LIVE = os.environ.get("QDRANT_URLS") or os.environ.get("QDRANT_URL")
"""A real server, or the nodes of a cluster separated by commas, if there is one to test with."""
STORES = ["memory", "edge", "owner", "client", "server-rest", "server-grpc"]


@pytest.fixture(params=[*STORES, "qdrant"] if LIVE else STORES)
def store(request: pytest.FixtureRequest, own_home: Path) -> Iterator[VectorStore]:
    """An empty collection: a stand-in, the engine itself, a hub that owns it, over a socket, or on
    a server."""
    if request.param == "memory":
        yield MemoryStore()
    elif request.param.startswith("server"):
        running: Running = request.getfixturevalue("stub")
        port = running.grpc_port if request.param == "server-grpc" else 0
        yield from on_server(Settings(home=own_home, qdrant_url=running.url, qdrant_grpc_port=port))
    elif request.param == "qdrant":
        key = os.environ.get("QDRANT_API_KEY")
        yield from on_server(
            Settings(own_home, qdrant_url=LIVE, qdrant_api_key=key, qdrant_prefix="contract")
        )
    elif request.param == "edge":
        edge = EdgeStore.open(own_home / "store" / "c", create=True)
        edge.delete(list(edge.ids()))
        yield edge
        edge.close()
    else:
        is_owner = request.param == "owner"
        home = own_home if is_owner else request.getfixturevalue("foreign_home")
        with StoreHub(Settings(home=home), long_lived=is_owner) as hub:
            collection = hub.collection("c", create=True)
            assert hub.is_owner == is_owner
            collection.delete(list(collection.ids()))
            yield collection


def on_server(settings: Settings) -> Iterator[VectorStore]:
    """A collection made anew, and gone afterwards."""
    with ServerHub(settings, long_lived=False) as hub:
        hub.drop("c")
        yield hub.collection("c", create=True)
        hub.drop("c")


@pytest.fixture
def vectors() -> Callable[[int], Embeddings]:
    """Makes (n, 512) random unit rows, always the same."""

    def make(count: int, seed: int = 0) -> Embeddings:
        rows = np.random.default_rng(seed).normal(size=(count, 512)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    return make


@pytest.fixture
def records() -> Callable[..., list[ImageRecord]]:
    """Makes n records with different ids; keyword arguments replace fields of all of them."""

    def make(count: int, start: int = 0, **changes: object) -> list[ImageRecord]:
        values: dict[str, object] = {
            "root": "/photos",
            "folders": ("a",),
            "cluster": ("g1/0",),
            "sha256": "0" * 64,
            "phash": "f" * 16,
            "width": 640,
            "height": 480,
            "format": "JPEG",
            "bytes": 12345,
            "mtime": 1700000000.25,
            "taken_at": None,
            "indexed_at": "2026-01-01T00:00:00+00:00",
            "encoder": "e1",
        } | changes
        return [
            ImageRecord(**({"id": point_id(n), "path": f"a/{n}.jpg"} | values))  # type: ignore[arg-type]
            for n in range(start, start + count)
        ]

    return make


def point_id(number: int) -> str:
    """The id of record `number`; ids are in the order of the numbers."""
    return f"{number:08x}-0000-5000-8000-000000000000"
