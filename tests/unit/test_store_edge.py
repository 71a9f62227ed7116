"""The embedded store on disk: made whole or not at all, damage named, one process at a time."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from shared.errors import StoreBusy, StoreError, StoreMissing
from shared.store.collections import EdgeCollections
from shared.store.edge.store import EdgeStore
from shared.store.edge.warming import fetch
from shared.store.protocol import Probe
from shared.types import Embeddings, ImageRecord
from tests.fakes import record


def rows(count: int, seed: int = 0) -> Embeddings:
    made = np.random.default_rng(seed).normal(size=(count, 512)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def test_what_is_closed_is_there_when_opened_again(tmp_path: Path) -> None:
    records = [record(f"{n}.jpg") for n in range(30)]
    store = EdgeStore.open(tmp_path / "c", create=True)
    store.upsert(records, rows(30))
    store.close()
    store = EdgeStore.open(tmp_path / "c", create=True)
    assert store.ids() == {item.id for item in records}
    assert store.cluster_sizes() == {"g1/0": 30}
    store.close()


def test_a_missing_collection_is_not_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing, match="does not exist: run `indexer scan`"):
        EdgeStore.open(tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_one_process_at_a_time(tmp_path: Path) -> None:
    store = EdgeStore.open(tmp_path / "c", create=True)
    with pytest.raises(StoreBusy, match="held by another process"):
        EdgeStore.open(tmp_path / "c")
    store.close()


@pytest.mark.parametrize("victim", ["edge_config.json", "segments/*/segment.json", "nothing left"])
def test_damage_is_named_with_its_remedy(tmp_path: Path, victim: str) -> None:
    path = tmp_path / "c"
    if victim == "nothing left":
        path.mkdir()
    else:
        EdgeStore.open(path, create=True).close()
        next(path.glob(victim)).write_bytes(b"garbage")
    with pytest.raises(StoreError) as caught:
        EdgeStore.open(path)
    message = str(caught.value)
    assert str(path) in message
    assert "`indexer doctor --repair`" in message
    assert "\n" not in message
    assert caught.value.__cause__ is not None


def test_an_unfinished_creation_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".new-c" / "segments").mkdir(parents=True)
    (tmp_path / ".old-d").mkdir()
    stores = EdgeCollections(tmp_path, flush_points=100)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".new-c" / "segments").mkdir(parents=True)
    stores.open("c", create=True)
    assert stores.names() == ["c"]
    assert stores.store("c").count() == 0
    stores.close()


def test_dropping_removes_the_folder(tmp_path: Path) -> None:
    stores = EdgeCollections(tmp_path, flush_points=100)
    for name in ("a", "b"):
        stores.open(name, create=True)
    stores.drop("a")
    stores.drop("a")
    assert stores.names() == [path.name for path in tmp_path.iterdir()] == ["b"]
    with pytest.raises(StoreMissing):
        stores.store("a")
    stores.close()


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "a\0b", "x" * 200])
def test_names_stay_inside_the_store(tmp_path: Path, name: str) -> None:
    stores = EdgeCollections(tmp_path / "store", flush_points=100)
    for use in (lambda: stores.open(name, create=True), lambda: stores.drop(name)):
        with pytest.raises(StoreError, match="cannot be used"):
            use()
    assert list(tmp_path.iterdir()) == []


def test_a_bad_id_or_payload_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    store = EdgeStore.open(tmp_path / "c", create=True)
    good = record("a.jpg")
    for bad in (
        dataclasses.replace(good, id="7"),
        dataclasses.replace(good, mtime=float("nan")),
        dataclasses.replace(good, root="\udcff"),
    ):
        with pytest.raises(StoreError):
            store.upsert([good, bad], rows(2))
        assert store.count() == 0
    store.upsert([good], rows(1))
    assert store.count() == 1
    store.close()


def test_what_the_engine_rejects_is_our_error(tmp_path: Path) -> None:
    store = EdgeStore.open(tmp_path / "c", create=True)
    with pytest.raises(StoreError):
        store.search([Probe(rows(1)[0], None, -1)])
    with pytest.raises(StoreError):
        store.page("no id", 10)
    store.close()


def test_threads_may_share_a_store(tmp_path: Path) -> None:
    store = EdgeStore.open(tmp_path / "c", create=True, flush_points=50)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                records = [record(f"{number}/{turn}/{n}.jpg") for n in range(20)]
                store.upsert(records, rows(20, seed=number * 100 + turn))
                store.search([Probe(rows(1)[0], "g1/0", 5)])
                store.delete([records[0].id])
                assert set(store.get([records[1].id])) == {records[1].id}
        except BaseException as error:  # noqa: BLE001 - reported by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.count() == 4 * 5 * 19
    store.close()


def two_clusters(count: int) -> list[ImageRecord]:
    return [record(f"{n}.jpg", f"g1/{n % 2}") for n in range(count)]


def found_share(store: EdgeStore, made: Embeddings, limit: int, cluster: str | None) -> float:
    """Which share of its nearest points 30 queries find, by an exact scan in float32."""
    items = two_clusters(len(made))
    rows_of = [n for n, item in enumerate(items) if cluster in (None, item.cluster[0])]
    share = 0.0
    for query in rows(30, seed=1):
        nearest = sorted(rows_of, key=lambda n: -float(made[n] @ query))[:limit]
        [hits] = store.search([Probe(query, cluster, limit)], with_records=False)
        assert len(hits) == limit
        share += len({hit.id for hit in hits} & {items[n].id for n in nearest}) / limit / 30
    return share


def test_a_cluster_is_scanned_in_int8_and_its_nearest_are_found(tmp_path: Path) -> None:
    made = rows(4000)
    store = EdgeStore.open(tmp_path / "c", create=True, flush_points=10**6)
    store.upsert(two_clusters(4000), made)
    store.tidy()
    assert list(tmp_path.glob("c/segments/*/vector_storage/quantized.data"))
    for limit in (1, 10, 100, 150):
        assert found_share(store, made, limit, "g1/1") >= 0.99
    assert found_share(store, made, 10, None) >= 0.99
    [own] = store.search([Probe(made[7], "g1/1", 1)])[0]
    assert own.id == record("7.jpg").id
    assert own.score == pytest.approx(1, abs=1e-3)  # Float16's, not Int8's
    store.close()


def test_a_collection_from_before_int8_goes_on_without(tmp_path: Path) -> None:
    EdgeStore.open(tmp_path / "c", create=True).close()
    config = tmp_path / "c" / "edge_config.json"
    held = json.loads(config.read_text())
    assert held["vectors"][""].pop("quantization_config")
    config.write_text(json.dumps(held))
    made = rows(2000)
    for part in (slice(0, 1000), slice(1000, 2000)):
        store = EdgeStore.open(tmp_path / "c", flush_points=10**6)
        store.upsert(two_clusters(2000)[part], made[part])
        store.tidy()
        store.close()
    store = EdgeStore.open(tmp_path / "c")
    assert found_share(store, made, 10, "g1/0") >= 0.99
    assert found_share(store, made, 10, None) >= 0.99
    assert not list(tmp_path.glob("c/segments/*/vector_storage/quantized.data"))
    assert json.loads(config.read_text()) == held
    store.close()


def test_vectors_are_fetched_after_a_merge_and_by_who_goes_on_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda *given: asked.append(given[1:3]))

    def fetched() -> int:
        total = sum(length for _, length in asked)
        asked.clear()
        return total

    store = EdgeStore.open(tmp_path / "c", create=True, flush_points=1500)
    store.upsert([record(f"{n}.jpg") for n in range(1500)], rows(1500))
    assert fetched() >= 1500 * 512 * 3
    store.tidy()
    assert fetched() == 0
    store.upsert([record(f"{n}.jpg") for n in range(1500, 3500)], rows(2000))
    assert 2000 * 512 * 3 <= fetched() < 3500 * 512 * 3  # what was fetched before is not again
    store.close()
    store = EdgeStore.open(tmp_path / "c")
    store.tidy()  # there is nothing to merge
    assert fetched() == 0
    probe = Probe(rows(1)[0], "g1/0", 5)
    store.search([probe])
    assert fetched() == 0
    store.search([probe])
    assert fetched() >= 1500 * 512 * 3
    store.search([probe])
    assert fetched() == 0
    store.close()


def test_fetching_passes_over_files_that_have_gone(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"x")
    for name in ("gone", ".", "there"):
        fetch(tmp_path / name)


def test_the_count_of_everything_is_exact_whatever_was_written(tmp_path: Path) -> None:
    random, records = np.random.default_rng(0), [record(f"{n}.jpg", "g1/0") for n in range(3000)]
    store = EdgeStore.open(tmp_path / "c", create=True, flush_points=500)
    for step in range(30):
        rows = np.unique(random.integers(0, len(records), 200)).tolist()
        some = [records[row] for row in rows]
        match step % 5:
            case 0 | 1:
                vectors = random.normal(size=(len(rows), 512)).astype(np.float32)
                store.upsert(some, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
            case 2:
                store.delete([one.id for one in some[:60]])
            case 3:
                store.set_labels([(one.id, ("g1/0", "g2/1")) for one in some])
            case _:
                store.tidy()
        assert store.count() == len(store.ids())
    store.close()
    store = EdgeStore.open(tmp_path / "c")
    assert store.count() == len(store.ids()) > 500
    store.close()
