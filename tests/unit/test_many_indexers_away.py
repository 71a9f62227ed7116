"""A server that is away, and what the journal keeps of parts."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from indexer.away import MAX_BACK_OFF_SECONDS, back_off_seconds, wait_for_store
from indexer.database import FORMAT_VERSION, Database
from indexer.home import Home
from indexer.indexing import Indexing
from indexer.journal import Indexed, Journal
from indexer.parts import Adopted, Parts, with_remembered_part
from indexer.roots import Roots
from indexer.space import check_space
from shared.errors import DiskFull, StoreAway, StoreError, StoreRefused
from shared.reading import Signature
from shared.settings import Settings
from tests.indexers import Fleet, scan

SIGN = Signature(10, 1, 2, 3, 4)
SERVER = "http://nobody.asks:6333"


@pytest.fixture
def fleet(
    tmp_path: Path, photos: Path, tiny_tflite: Path, monkeypatch: pytest.MonkeyPatch
) -> Fleet:
    return Fleet(tmp_path, photos, tiny_tflite).install(monkeypatch)


def test_a_store_is_left_alone_for_longer_and_longer_and_for_as_long_as_it_asked() -> None:
    plain = StoreError("broken")
    for failures in range(1, 20):
        longest = min(MAX_BACK_OFF_SECONDS, 2.0**failures)
        assert longest / 2 <= back_off_seconds(failures, plain) <= longest
        assert longest / 2 <= back_off_seconds(failures, StoreAway("away")) <= longest
        assert back_off_seconds(failures, StoreAway("away", 90.0)) == 90.0
    assert back_off_seconds(3, StoreAway("away", 0.1)) >= 4.0


def test_watch_waits_for_a_server_that_is_away_at_the_start(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    fleet.server.away = StoreAway("qdrant at x does not answer", 3.0)
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        if len(waited) == 5:
            fleet.server.away = None
        return False

    with Home(fleet.settings("a", "1/2"), "indexer watch") as home:
        opened = wait_for_store(home, wait)
        said = home.journal.said()
    assert isinstance(opened, Indexing)
    opened.close()
    assert max(waited) <= 1.0  # the heart goes on beating
    assert said is not None
    assert said[1] == "degraded: waiting for the store: qdrant at x does not answer"
    assert sum("waiting for the store" in one.message for one in caplog.records) == 1


def test_the_wait_ends_when_told_and_for_what_only_a_person_can_mend(fleet: Fleet) -> None:
    fleet.server.away = StoreAway("away")
    with Home(fleet.settings("a", None), "indexer watch") as home:
        assert wait_for_store(home, lambda _seconds: True) is None
        fleet.server.away = StoreRefused("wrong key")
        with pytest.raises(StoreRefused):
            wait_for_store(home, lambda _seconds: False)


def test_models_that_could_not_be_opened_whole_are_opened_again(fleet: Fleet) -> None:
    with fleet.opened("a", "1/2") as indexing:
        scan(indexing)
        pair = fleet.next_generation(4)
        before = indexing.targets, indexing.role
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.fakes.SharedHub.announce", _away)
            with pytest.raises(StoreAway):
                indexing.open_targets()
        assert (indexing.targets, indexing.role) == before
        assert indexing.targets.are_stale
        assert scan(indexing).scanned.stopped is False
        assert fleet.models.current() == pair


def _away(*_: object) -> None:
    raise StoreAway("away")


def test_the_disk_of_a_store_elsewhere_is_not_ours_to_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "store").mkdir()

    class Usage:
        def __init__(self, folder: Path) -> None:
            self.free = 0 if folder.name == "store" else 2**40

    monkeypatch.setattr("shutil.disk_usage", Usage)
    check_space(Settings(tmp_path, qdrant_url=SERVER))
    with pytest.raises(DiskFull, match="store has 0 MiB"):
        check_space(Settings(tmp_path))


def test_a_journal_that_knew_no_parts_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    database = Database(path)
    Journal(database).done("e", [(Indexed("r", b"a", "hash", "g1/0"), SIGN)])
    database.close()
    with sqlite3.connect(path) as raw:
        raw.executescript("DROP TABLE parts; PRAGMA user_version=3;")
    raw.close()
    for _ in range(2):
        database = Database(path)
        parts = Parts(database)
        assert Journal(database).count_points("e") == 1
        assert (parts.of("e"), parts.remembered()) == ({}, None)
        database.close()
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (FORMAT_VERSION,)
    raw.close()


def test_what_is_adopted_is_read_again_and_what_is_known_stays(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.sqlite3")
    journal, parts = Journal(database), Parts(database)
    journal.done("e", [(Indexed("r", b"known", "hash", "g1/0"), SIGN)])
    journal.refuse([("r", b"refused", SIGN, "is not an image")])
    journal.owe([("r", b"owed", SIGN)])
    names = (b"known", b"refused", b"owed", b"new")
    points = [Adopted("r", name, "other", "g1/1", 77) for name in names]
    assert parts.adopt("e", points) == 3
    assert parts.adopt("e", points) == 0
    files = {file.path: file for file in journal.files("r")}
    assert {path: file.state for path, file in files.items()} == {
        b"known": "indexed", b"refused": "indexed", b"owed": "owed", b"new": "indexed",
    }  # fmt: skip
    assert (files[b"known"].signature, files[b"known"].sha256) == (SIGN, "hash")
    assert files[b"new"].signature == Signature(77, -1, -1, -1, -1)
    assert files[b"refused"].signature.ctime_ns == -1
    assert journal.known_contents([77]) == {77: ["other"]}
    database.close()


def test_parts_are_remembered_until_root_or_collection_go(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.sqlite3")
    parts = Parts(database)
    parts.settle("e", ["r", "s"], "2/3")
    parts.settle("f", ["r"], "2/3")
    assert parts.remembered() == "2/3"
    settings = Settings(tmp_path, qdrant_url=SERVER)
    assert with_remembered_part(settings).partition == "2/3"
    assert with_remembered_part(Settings(tmp_path)).partition is None
    given = Settings(tmp_path, qdrant_url=SERVER, partition="1/3")
    assert with_remembered_part(given) is given
    Roots(database).drop("r")
    assert (parts.of("e"), parts.of("f")) == ({"s": "2/3"}, {})
    Journal(database).drop_collection("e")
    assert parts.of("e") == {}
    parts.settle("e", ["r"], "1/3")
    parts.settle("e", ["s"], "2/3")
    assert parts.remembered() is None
    database.close()
    settings.journal.write_bytes(b"garbage" * 1000)
    assert with_remembered_part(settings) is settings
