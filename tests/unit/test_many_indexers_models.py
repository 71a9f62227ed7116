"""Who leads and who follows when the models change, with others at work in between."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.firstmodel import wait_for_model
from indexer.follower import Follower
from indexer.home import Home
from indexer.indexing import Indexing
from indexer.lacking import lacks_none
from indexer.leader import Leader
from indexer.partition import Partition
from indexer.relabel import add_labels, keep_only
from shared.clustering import Clustering
from shared.models import Models
from shared.types import StoredImage
from tests.fakes import MemoryStore, axis_vector, record
from tests.indexers import Fleet, paint, scan

IMAGES = 60


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("album")
    for number in range(IMAGES):
        paint(folder / f"{number % 3}/{number}.png", number)
    return folder


@pytest.fixture
def fleet(tmp_path: Path, album: Path, tiny_tflite: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Two parts of one folder, indexed."""
    photos = tmp_path / "photos"
    shutil.copytree(album, photos)
    fleet = Fleet(tmp_path, photos, tiny_tflite).install(monkeypatch)
    fleet.scan("1-2", "1/2")
    fleet.scan("2-2", "2/2")
    monkeypatch.setattr("indexer.relabel._BATCH", 7)
    return fleet


def _new_pictures(fleet: Fleet, first: int, count: int = 4) -> set[str]:
    """Draw pictures that all belong to the second part."""
    names = {number: f"new/{number}.png" for number in range(first, first + 1000)}
    part, root = Partition(2, 2), fleet.root
    mine = [number for number, name in names.items() if part.has(root, name.encode())][:count]
    for number in mine:
        paint(fleet.photos / names[number], number)
    return {names[number] for number in mine}


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def _index(indexing: Indexing) -> None:
    """One round of a daemon that has not looked at the models."""
    indexing.reconcile(indexing.home.roots.all()[0])
    indexing.work(lambda: False, lambda _files: None)


def test_the_first_part_leads_and_the_others_follow(fleet: Fleet) -> None:
    for part, role in (("1/2", Leader), ("2/2", Follower), (None, Leader)):
        with fleet.opened(f"as-{part}".replace("/", "-"), part) as indexing:
            assert type(indexing.role) is role
    assert set(fleet.server.announced) == {fleet.models.current().encoder}


def test_only_the_leader_announces_and_drops_and_only_what_it_knows(fleet: Fleet) -> None:
    known = fleet.next_encoder().encoder
    (fleet.models.root / "next.json").unlink()
    hub = fleet._hub(fleet.settings("x", None), long_lived=True)
    for name in (known, "0123456789abcdef"):
        hub.collection(name, create=True)
    fleet.server.announced.clear()
    fleet.scan("2-2", "2/2")
    assert fleet.server.announced == []
    assert len(fleet.server.collections) == 3
    fleet.scan("1-2", "1/2")
    current = fleet.models.current().encoder
    assert fleet.server.announced == [current]
    assert set(fleet.server.collections) == {current, "0123456789abcdef"}


def test_new_clusters_reach_what_others_bring_meanwhile(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before they know, while they know, and after the switch without having noticed it."""
    with fleet.opened("1-2", "1/2") as leader, fleet.opened("2-2", "2/2") as follower:
        pair = fleet.next_generation(4)
        leader.open_targets()
        steps = 0

        def between(_points: int) -> bool:
            nonlocal steps
            steps += 1
            if steps == 3:
                _new_pictures(fleet, 10_000)
                _index(follower)  # it gives them a label of g1 alone
            if steps == 5:
                assert follower.targets.are_stale
                follower.open_targets()
                names = _new_pictures(fleet, 20_000)
                _index(follower)
                held = [
                    point.record.cluster
                    for page in fleet.store.scroll()
                    for point in page
                    if point.record.path in names
                ]
                assert [tuple(label[:2] for label in one) for one in held] == [("g1", "g2")] * 4
            if fleet.models.current() == pair and steps % 5 == 0 and steps < 60:
                _new_pictures(fleet, 30_000 + 1000 * steps, 1)
                _index(follower)  # it has not noticed the switch
            return False

        assert leader.role.relabel(between) == pair
        assert fleet.models.current() == pair
        _new_pictures(fleet, 99_000)
        _index(follower)
        assert {label[:2] for label in fleet.store.cluster_sizes()} == {"g1", "g2"}
        assert follower.targets.are_stale
        follower.open_targets()
        assert follower.role.to_relabel > 0
        follower.relabel(lambda: False, lambda _points: None)
        assert follower.role.to_relabel == 0
        assert {label[:2] for label in fleet.store.cluster_sizes()} == {"g2"}
        collection = follower.targets.current.collection
        assert {label[:2] for label in follower.journal.cluster_sizes(collection)} == {"g2"}
        assert follower.journal.arrivals(collection, "g2") is not None
    assert fleet.is_exact("1/2", "2/2")


def test_whoever_follows_never_writes_into_the_models_folder(fleet: Fleet) -> None:
    pair = fleet.next_generation(4)
    before = _contents(fleet.models.root)
    fleet.scan("2-2", "2/2")
    fleet.scan("3-3", "3/3")
    assert _contents(fleet.models.root) == before
    assert fleet.scan("1-2", "1/2").scanned.activated == pair
    fleet.scan("1-2", "1/2")
    before = _contents(fleet.models.root)
    fleet.scan("2-2", "2/2")
    assert _contents(fleet.models.root) == before
    assert {label[:2] for label in fleet.store.cluster_sizes()} == {"g2"}
    assert fleet.is_exact("1/2", "2/2")


class RacingStore(MemoryStore):
    """Another indexer writes points between our reading and our writing of labels."""

    def __init__(self, meanwhile: Callable[[MemoryStore], None]) -> None:
        super().__init__()
        self._meanwhile: Callable[[MemoryStore], None] | None = meanwhile

    def set_labels(self, labels: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile(self)
        super().set_labels(labels)


CENTROIDS = np.eye(512, dtype=np.float32)[:2]
NEW = Clustering("e", "g2", CENTROIDS)


@pytest.mark.parametrize("alone", [False, True])
def test_a_picture_changed_between_reading_and_labelling_gets_the_label_of_its_content(
    alone: bool, fleet: Fleet
) -> None:
    def other(store: MemoryStore) -> None:
        changed = record("b.jpg", "g2/1" if alone else "g1/1")
        store.upsert([dataclasses.replace(changed, sha256="f" * 64)], axis_vector(0, 1)[None])

    store = RacingStore(other)
    store.upsert([record("a.jpg", "g1/0"), record("b.jpg", "g1/0")], np.stack([axis_vector(1)] * 2))
    with fleet.opened("1-2", "1/2") as indexing:
        if alone:
            assert keep_only(store, indexing.journal, "e", NEW, _go_on, shared=True)
        else:
            assert add_labels(store, NEW, _go_on, shared=True)
    held = {point.record.path: point.record.cluster[-1] for point in _points(store)}
    assert held == {"a.jpg": "g2/0", "b.jpg": "g2/1"}


def _go_on(_points: int) -> bool:
    return False


def _points(store: MemoryStore) -> list[StoredImage]:
    return [point for page in store.scroll() for point in page]


@pytest.mark.parametrize("grace_seconds", [0.0, 3600.0])
def test_another_encoder_answers_when_every_part_is_filled(
    grace_seconds: float, fleet: Fleet
) -> None:
    fleet.grace_seconds = grace_seconds
    old, pair = fleet.models.current(), fleet.next_encoder()
    assert fleet.scan("1-2", "1/2").scanned.activated is None
    assert fleet.models.current() == old
    assert 0 < fleet.server.collections[pair.encoder].count() < IMAGES
    fleet.server.announced.clear()
    with fleet.opened("2-2", "2/2") as follower:
        scan(follower)
        assert fleet.server.collections[pair.encoder].count() == IMAGES
        assert fleet.models.current() == old
        paint(fleet.photos / "late.png", 900)
        leader = fleet.scan("1-2", "1/2")
        assert leader.scanned.activated == fleet.models.current() == pair
        kept = {pair.encoder, old.encoder} if grace_seconds else {pair.encoder}
        assert set(fleet.server.collections) == kept
        assert fleet.server.announced[-1] == pair.encoder
        assert follower.targets.are_stale
        _new_pictures(fleet, 50_000, 1)
        scan(follower)  # it notices by itself, also where a collection is gone under its hands
        assert set(follower.journal.collections()) == kept
    assert {store.count() for store in fleet.server.collections.values()} == {IMAGES + 2}
    assert fleet.is_exact("1/2", "2/2")


def test_what_a_follower_wrote_to_the_old_collection_alone_is_made_up_for(fleet: Fleet) -> None:
    with fleet.opened("2-2", "2/2") as follower:
        pair = fleet.next_encoder()
        fleet.scan("1-2", "1/2")
        (name,) = _new_pictures(fleet, 40_000, 1)
        _index(follower)  # it has not noticed that another encoder waits
        old, new = fleet.store, fleet.server.collections[pair.encoder]
        assert len(old.ids()) == IMAGES + 1
        scan(follower)
        follower.open_targets()
        scan(follower)
        assert new.ids() == old.ids()
    fleet.scan("1-2", "1/2")
    assert fleet.models.current() == pair
    assert name in fleet.files()
    assert fleet.is_exact("1/2", "2/2")


def test_the_leader_compares_rarely(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.next_encoder()
    compared = []
    monkeypatch.setattr(
        "indexer.leader.lacks_none", lambda *_: bool(compared.append(1))  # False: always lacking
    )  # fmt: skip
    with fleet.opened("1-2", "1/2") as leader:
        scan(leader)
        for _ in range(5):
            assert leader.activate_next() is None
    assert len(compared) == 1


def test_who_follows_waits_for_a_model_and_says_so(
    tmp_path: Path, fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    settings = fleet.settings("new", "2/2")
    models = Models(tmp_path / "none")
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        if len(waited) == 3:
            home.models = fleet.models  # the leader has trained
        return False

    caplog.set_level("INFO")
    with Home(settings, "indexer watch") as home:
        home.models = models
        assert wait_for_model(home, wait)
        said = home.journal.said()
    assert said is not None
    assert said[1] == "waiting for a model: the indexer of partition 1/2 makes it"
    assert [one.message for one in caplog.records].count(said[1]) == 1
    assert not models.root.exists()


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_comparing_page_by_page_is_comparing_sets(old: set[int], new: set[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("indexer.lacking._BATCH", 3)
        stores = []
        for numbers in (old, new):
            store = MemoryStore()
            records = [record(f"{number}.jpg") for number in sorted(numbers)]
            store.upsert(records, np.stack([axis_vector(1)] * max(1, len(records)))[: len(records)])
            stores.append(store)
        assert lacks_none(*stores, lambda: None) == (old <= new)
