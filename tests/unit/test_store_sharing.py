"""Several processes, one embedded store: real processes, real sockets, real `kill -9`."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from shared.errors import StoreBusy, StoreError, StoreMissing
from shared.settings import Settings
from shared.store import wire
from shared.store.client import RemoteCollections
from shared.store.hub import open_store
from shared.store.opening import StoreHub
from shared.store.protocol import Probe
from shared.store.serving import MAX_CONNECTIONS
from shared.store.sharing import StoreLock, holder
from shared.types import Embeddings
from tests.fakes import record

PREAMBLE = """
import sys, time
from pathlib import Path
import numpy as np
from shared.settings import Settings
from shared.store.hub import open_store
from shared.store.opening import StoreHub
from tests.fakes import record

def rows(count):
    made = np.random.default_rng(0).normal(size=(count, 512)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)

settings = Settings(home=Path(sys.argv[1]))
"""
OWNER = """
hub = StoreHub(settings, long_lived=True)
store = hub.collection("c", create=True)
print("ready", flush=True)
sys.stdin.read()
hub.close()
"""
WRITER = """
hub = StoreHub(settings, long_lived=True)
store = hub.collection("c", create=True)
for turn in range(10**6):
    store.upsert([record(f"{turn}/{n}.jpg") for n in range(20)], rows(20))
    print(turn, flush=True)
"""
VISITOR = """
store = open_store(settings, "c")
print("ready", flush=True)
sys.stdin.readline()
print(store.count())
store.close()
"""


@contextmanager
def process(home: Path, script: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs `script`; killed at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + script, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def rows(count: int) -> Embeddings:
    made = np.random.default_rng(0).normal(size=(count, 512)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The home of `owner`, used again and again: making a collection waits for the disk."""
    return Settings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture
def owner(owned: Settings) -> Iterator[StoreHub]:
    """An owner in this process, of one collection that is empty."""
    with StoreHub(owned, long_lived=True) as hub:
        store = hub.collection("c", create=True)
        store.delete(list(store.ids()))
        yield hub


def raw_connection(settings: Settings) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(10)
    link.connect(holder(settings.run)["socket"])
    return link


def alive(settings: Settings) -> bool:
    """Whether the owner still answers a new client."""
    client = RemoteCollections.connect(holder(settings.run)["socket"])
    assert client is not None
    try:
        return client.names() == ["c"]
    finally:
        client.close()


def test_a_client_takes_over_from_a_killed_owner(settings: Settings) -> None:
    with process(settings.home, WRITER) as writer:
        assert line(writer) == "0"
        with StoreHub(settings, long_lived=True) as client:
            store = client.collection("c")
            assert not client.is_owner
            acknowledged = 0
            while acknowledged < 15:
                acknowledged = int(line(writer))
                assert len(store.search([Probe(rows(1)[0], "g1/0", 5)])[0]) == 5
            writer.kill()
            assert len(store.search([Probe(rows(1)[0], "g1/0", 5)])[0]) == 5
            assert client.is_owner
            assert writer.stdout is not None
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
            expected = {
                record(f"{turn}/{n}.jpg").id for turn in range(acknowledged + 1) for n in range(20)
            }
            assert expected <= store.ids()
            assert alive(settings)


def test_a_reader_notices_nothing_of_a_change_of_owner(settings: Settings) -> None:
    with process(settings.home, OWNER) as first:
        assert line(first) == "ready"
        store = open_store(settings, "c", role="visitor")
        store.upsert([record(f"{n}.jpg") for n in range(30)], rows(30))
        pages = store.scroll(batch_size=10)
        assert len(next(pages)) == 10
        first.kill()
        first.wait()
        assert [len(page) for page in pages] == [10, 10]
        store.close()


def test_an_owner_that_stops_hands_over(settings: Settings) -> None:
    first = StoreHub(settings, long_lived=True)
    second = StoreHub(settings, long_lived=True)
    view = second.collection("c", create=True)
    view.upsert([record("a.jpg")], rows(1))
    assert (first.is_owner, second.is_owner) == (True, False)
    first.close()
    first.close()
    assert view.count() == 1
    assert second.is_owner
    second.close()
    assert not Path(holder(settings.run)["socket"]).exists()


def test_clients_in_flight_survive_a_handover(settings: Settings) -> None:
    first = StoreHub(settings, long_lived=True)
    second = StoreHub(settings, long_lived=True)
    view = second.collection("c", create=True)
    stop, failures = threading.Event(), []

    def write() -> None:
        try:
            turn = 0
            while not stop.is_set() or turn < 10:
                view.upsert([record(f"{turn}.jpg")], rows(1))
                turn += 1
                written.append(turn)
        except StoreError as error:
            failures.append(error)

    written: list[int] = []
    writer = threading.Thread(target=write)
    writer.start()
    while len(written) < 5 and not failures:
        time.sleep(0.005)
    first.close()
    stop.set()
    writer.join()
    assert failures == []
    assert view.count() == len(written)
    second.close()


def test_visitors_wait_for_each_other(settings: Settings) -> None:
    open_store(settings, "c", create=True).close()
    with process(settings.home, VISITOR) as first:
        assert line(first) == "ready"
        with process(settings.home, VISITOR) as second:
            time.sleep(0.1)
            assert first.communicate("\n")[0].strip() == "0"
            assert line(second) == "ready"
            assert second.communicate("\n")[0].strip() == "0"


def test_an_owner_waits_for_a_visitor(settings: Settings) -> None:
    visitor = open_store(settings, "c", create=True)
    timer = threading.Timer(0.2, visitor.close)
    timer.start()
    with StoreHub(settings, long_lived=True) as hub:
        assert hub.is_owner
    timer.join()


def test_busy_names_the_holder(settings: Settings) -> None:
    impatient = Settings(home=settings.home, store_wait_seconds=0.05)
    visitor = open_store(settings, "c", create=True)
    with pytest.raises(StoreBusy, match=f"held by process {os.getpid()} .*: stop it or wait"):
        StoreHub(impatient, long_lived=True)
    with pytest.raises(StoreBusy, match=f"held by process {os.getpid()}"):
        open_store(impatient, "c")
    visitor.close()


def test_looking_at_an_empty_home_leaves_it_empty(settings: Settings) -> None:
    settings.home.mkdir()
    with pytest.raises(StoreMissing, match="run `indexer scan`"):
        open_store(settings, "c")
    with StoreHub(settings, long_lived=False) as hub:
        assert hub.names() == []
        hub.drop("c")
    assert list(settings.home.iterdir()) == []


def test_socket_and_folder_are_private(settings: Settings) -> None:
    settings.run.mkdir(parents=True)
    settings.run.chmod(0o755)
    with StoreHub(settings, long_lived=True):
        path = settings.run / "store.sock"
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(settings.run.stat().st_mode) == 0o700


def test_a_stale_socket_is_replaced(settings: Settings) -> None:
    with process(settings.home, OWNER) as dead:
        assert line(dead) == "ready"
        dead.kill()
    assert (settings.run / "store.sock").exists()
    with StoreHub(settings, long_lived=False) as hub:
        assert hub.collection("c").count() == 0
        assert hub.is_owner
    with StoreHub(settings, long_lived=True) as hub:
        assert hub.is_owner
        assert alive(settings)


@pytest.mark.parametrize("runtime", ["given", "too long"])
def test_a_long_home_listens_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    short = Path("/tmp") / f"lk-{os.getpid()}"  # noqa: S108 - tmp_path may be too long itself
    short.mkdir(mode=0o700)
    monkeypatch.setenv("TMPDIR", str(short))
    monkeypatch.setattr("tempfile.tempdir", None)
    too_long = tmp_path / ("r" * 120)
    too_long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short if runtime == "given" else too_long))
    settings = Settings(home=tmp_path / ("h" * 60) / ("o" * 60))
    try:
        with StoreHub(settings, long_lived=True) as hub:
            hub.collection("c", create=True)
            path = Path(holder(settings.run)["socket"])
            assert path.is_relative_to(short)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            monkeypatch.delenv("XDG_RUNTIME_DIR")
            with StoreHub(settings, long_lived=True) as client:
                assert not client.is_owner
                assert client.names() == ["c"]
        assert not path.exists()
    finally:
        shutil.rmtree(short)


def test_a_foreign_folder_is_not_trusted(settings: Settings, tmp_path: Path) -> None:
    settings.home.mkdir()
    (tmp_path / "elsewhere").mkdir()
    settings.run.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="belongs to somebody else"):
        StoreHub(settings, long_lived=True)


def request(verb: object, **header: object) -> bytes:
    return wire.encode({"wire": wire.WIRE_VERSION, "verb": verb, **header}, limit=1000)


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x04\x95" * 50,
        struct.pack("<II", wire.MAX_REQUEST_BYTES + 1, 2),
        struct.pack("<II", 2**32 - 1, 2**32 - 1),
        struct.pack("<II", 6, 100) + b"{}",
        struct.pack("<II", 6, 2) + b"{{",
        struct.pack("<II", 6, 2) + b"[]",
        struct.pack("<II", 9, 2) + b"{}\0\0\0",
        struct.pack("<II", 100_004, 100_000) + b"[" * 100_000,
        request("open"),
        request("close", collection="c"),
        request("_run", collection="c"),
        request(["x"], collection="c"),
        request("get", collection="c", ids=7),
        request("upsert", collection="c", records=[1]),
        request("count", collection="c", cluster=None, where=[["colour", "=", "red"]]),
        request("count", collection="c", cluster=None, where=7),
        request("set_labels", collection="c", labels=[["x"]]),
    ],
)
def test_garbage_ends_that_connection_only(
    owned: Settings, owner: StoreHub, garbage: bytes
) -> None:
    with raw_connection(owned) as link:
        link.sendall(garbage)
        link.shutdown(socket.SHUT_WR)
        header, _ = wire.receive(link, limit=wire.MAX_REPLY_BYTES)
        assert header["error"] == "StoreError"
        with pytest.raises((EOFError, ConnectionResetError)):
            wire.receive(link, limit=wire.MAX_REPLY_BYTES)
    assert alive(owned)
    assert owner.collection("c").count() == 0


def test_half_a_frame_then_nothing(owned: Settings, owner: StoreHub) -> None:
    with raw_connection(owned) as link:
        link.sendall(struct.pack("<II", 1000, 10) + b"{")
    assert alive(owned)


def test_another_version_is_told_so(owned: Settings, owner: StoreHub) -> None:
    with raw_connection(owned) as link:
        link.sendall(wire.encode({"wire": 99, "verb": "names"}, limit=1000))
        header, _ = wire.receive(link, limit=1000)
    assert f"version {wire.WIRE_VERSION}, not 99: restart it" in header["message"]


def test_a_request_over_the_limit_is_split(
    owned: Settings, owner: StoreHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MAX_REQUEST_BYTES", 20_000)
    with StoreHub(owned, long_lived=False) as client:
        store = client.collection("c")
        store.upsert([record(f"{n}.jpg") for n in range(50)], rows(50))
        assert store.count() == 50
        with pytest.raises(StoreError, match="exceeds 20000"):
            store.upsert([record("x" * 20_000)], rows(1))
        assert store.count() == 50


def test_a_reply_over_the_limit_is_an_error(
    owned: Settings, owner: StoreHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StoreHub(owned, long_lived=False) as client:
        store = client.collection("c")
        store.upsert([record(f"{n}.jpg") for n in range(50)], rows(50))
        monkeypatch.setattr(wire, "MAX_REPLY_BYTES", 20_000)
        with pytest.raises(StoreError, match="ask for fewer points"):
            list(store.scroll(with_vectors=True))
        assert sum(map(len, store.scroll(batch_size=5, with_vectors=True))) == 50


def test_errors_keep_their_class_over_the_socket(owned: Settings, owner: StoreHub) -> None:
    with StoreHub(owned, long_lived=False) as client:
        with pytest.raises(StoreMissing):
            client.collection("absent")
        with pytest.raises(StoreError, match="cannot be used"):
            client.collection("../c", create=True)
        assert client.collection("c").count() == 0


def test_collections_are_made_listed_and_dropped_over_the_socket(
    owned: Settings, owner: StoreHub
) -> None:
    with StoreHub(owned, long_lived=False) as client:
        view = client.collection("d", create=True)
        assert owner.names() == client.names() == ["c", "d"]
        client.drop("d")
        client.drop("d")
        assert owner.names() == client.names() == ["c"]
        with pytest.raises(StoreMissing):
            view.count()
    assert not (owned.store / "d").exists()


def test_too_many_clients_are_turned_away(owned: Settings, owner: StoreHub) -> None:
    impatient = Settings(home=owned.home, store_wait_seconds=0.05)
    links = [raw_connection(owned) for _ in range(MAX_CONNECTIONS)]
    try:
        with StoreHub(impatient, long_lived=False) as client:
            with pytest.raises(StoreError):
                client.collection("c")
            links.pop().close()
            while True:
                try:
                    assert client.collection("c").count() == 0
                    break
                except StoreError:
                    time.sleep(0.01)
    finally:
        for link in links:
            link.close()


def test_the_lock_says_who_holds_it(settings: Settings) -> None:
    lock = StoreLock.acquire(settings.run)
    assert lock is not None
    assert StoreLock.acquire(settings.run) is None
    content = json.loads((settings.run / "store.lock").read_text())
    assert content["pid"] == os.getpid()
    assert content["socket"] is None
    lock.release()
    lock.release()
    again = StoreLock.acquire(settings.run)
    assert again is not None
    again.release()


def test_a_closed_hub_says_so(settings: Settings) -> None:
    hub = StoreHub(settings, long_lived=True)
    view = hub.collection("c", create=True)
    hub.close()
    for use in (hub.names, view.count, lambda: hub.collection("c")):
        with pytest.raises(StoreError, match="closed"):
            use()


def test_reaching_an_owner_loads_no_engine(owned: Settings, owner: StoreHub) -> None:
    script = """
store = open_store(settings, "c")
print(store.count(), "qdrant_edge" in sys.modules, "multiprocessing" in sys.modules)
store.close()
"""
    with process(owned.home, script) as visitor:
        assert line(visitor) == "0 False False"
