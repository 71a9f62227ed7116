"""Disk against journal. The rules of what may be deleted are the contract with the user."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from indexer.database import Database
from indexer.identity import FolderIdentity, folder_identity
from indexer.journal import Indexed, Journal
from indexer.listing import Chooser
from indexer.roots import Root, Roots
from indexer.scan import Reconciled, Scanner
from indexer.settling import Settling, look
from shared.points import point_id
from shared.reading import Signature
from tests.fakes import MemoryStore, record
from tests.unit.test_listing import error, failing


class House:
    """A folder, a journal and a store, and a stand-in for the pipeline between them."""

    def __init__(self, folder: Path, database: Database, settle_seconds: float = 1e-6) -> None:
        self.folder = folder
        folder.mkdir()
        self.journal, self.roots, self.store = Journal(database), Roots(database), MemoryStore()
        self.settling = Settling(settle_seconds)
        self.scanner = Scanner(
            self.journal, self.roots, self.settling, settle_seconds=settle_seconds
        )
        self.roots.remember("r", os.fsencode(folder), [])

    @property
    def root(self) -> Root:
        return self.roots.all()[0]

    def write(self, *names: str) -> None:
        for name in names:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(f"content of {name}")

    def reconcile(self, *excludes: str) -> Reconciled:
        return self.scanner.reconcile(self.root, Chooser(excludes), [self.store])

    def index(self) -> list[str]:
        """Do what is owed, as the pipeline would."""
        owed = self.journal.owed_after("", b"", 10_000)
        vectors = np.eye(512, dtype=np.float32)[[0] * len(owed)]
        self.store.upsert([record(os.fsdecode(file.path), root="r") for file in owed], vectors)
        self.journal.done(
            "c",
            [
                (Indexed("r", file.path, str(file.signature.inode), "g1/0"), file.signature)
                for file in owed
            ],
        )
        return [os.fsdecode(file.path) for file in owed]

    def scan(self) -> Reconciled:
        result = self.reconcile()
        self.index()
        return result

    def holds(self, *names: str) -> bool:
        return self.store.ids() == {point_id("r", os.fsencode(name)) for name in names}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    database = Database(tmp_path / "journal.sqlite3")
    yield House(tmp_path / "photos", database)
    database.close()


def test_new_changed_and_touched_files_are_owed_and_the_rest_is_not(house: House) -> None:
    house.write("a", "b", "c")
    assert house.reconcile().owed == 3
    assert sorted(house.index()) == ["a", "b", "c"]
    assert house.reconcile().owed == 0
    (house.folder / "b").write_text("something else")
    os.utime(house.folder / "c")
    house.reconcile()
    assert sorted(house.index()) == ["b", "c"]


def test_what_is_owed_is_not_watched_for_rest_as_well(house: House) -> None:
    """Its event came first: once it has its outcome it would be owed again, without a change."""
    house.write("a")
    found = look(os.fsencode(house.folder / "a"))
    assert found is not None
    house.settling.watch("r", b"a", found)
    assert house.reconcile().owed == 1
    house.index()
    assert house.settling.rested({"r": os.fsencode(house.folder)}) == []


def test_same_size_and_time_but_other_content_is_owed(house: House) -> None:
    house.write("a")
    house.scan()
    before = (house.folder / "a").stat()
    (house.folder / "a").write_text("CONTENT OF a")
    os.utime(house.folder / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (house.folder / "a").stat().st_size == before.st_size
    assert house.reconcile().owed == 1


def test_what_is_gone_is_deleted(house: House) -> None:
    house.write("a", "b", "c")
    house.scan()
    (house.folder / "b").unlink()
    assert house.reconcile().deleted == 1
    assert house.holds("a", "c")
    assert house.journal.file("r", b"b") is None


def test_half_may_go_and_more_than_half_is_suspended_until_accepted(house: House) -> None:
    house.write("a", "b", "c", "d")
    house.scan()
    (house.folder / "a").unlink()
    (house.folder / "b").unlink()
    assert house.reconcile().deleted == 2
    house.write("e", "f")
    house.scan()
    for name in ("c", "d", "e"):
        (house.folder / name).unlink()
    result = house.reconcile()
    assert (result.deleted, result.suspended) == (0, 3)
    assert house.holds("c", "d", "e", "f")
    assert house.root.suspended == 3
    house.roots.request("r", "accept")
    assert house.reconcile().deleted == 3
    assert house.holds("f")
    assert (house.root.suspended, house.root.accept) == (0, False)


def test_new_files_do_not_make_few_of_what_was_suspended(house: House) -> None:
    house.write("a", "b", "c", "d")
    house.scan()
    for name in ("a", "b", "c"):
        (house.folder / name).unlink()
    assert house.reconcile().suspended == 3
    house.write("e", "f", "g", "h")
    house.scan()
    result = house.reconcile()
    assert (result.deleted, result.suspended) == (0, 3)
    house.write("a", "b", "c")
    house.scan()
    (house.folder / "a").unlink()
    assert house.reconcile().deleted == 1, "all were back, so that trust is as well"


def test_a_missing_root_deletes_nothing_and_says_so(house: House) -> None:
    house.write("a", "b")
    house.scan()
    house.folder.rename(house.folder.with_name("away"))
    result = house.reconcile()
    assert result.problem is not None
    assert "No such file" in result.problem
    assert house.holds("a", "b")
    house.folder.with_name("away").rename(house.folder)
    assert house.reconcile() == Reconciled()
    assert house.root.problem is None


def test_a_root_made_again_is_not_believed_but_its_new_files_are_owed(house: House) -> None:
    house.write("a", "b", "c", "d")
    house.scan()
    keep = house.folder.with_name("keeps the inode taken")
    house.folder.rename(keep)
    house.folder.mkdir()
    house.write("a", "b", "c", "new")
    result = house.reconcile()
    assert (result.owed, result.deleted, result.suspended) == (4, 0, 1)
    house.index()
    house.roots.request("r", "accept")
    assert house.reconcile().deleted == 1
    assert house.holds("a", "b", "c", "new")
    shutil.rmtree(keep)


def test_a_root_moved_whole_is_believed(house: House) -> None:
    house.write("a", "b")
    house.scan()
    copy = house.folder.with_name("copy")
    shutil.copytree(house.folder, copy)
    house.roots.remember("r", os.fsencode(copy), [])
    house.reconcile()
    assert house.root.identity == folder_identity(os.fsencode(copy))
    assert house.root.suspended == 0


def test_a_rename_waits_for_its_new_name_and_does_not_count_as_a_loss(house: House) -> None:
    house.write("a/1", "a/2", "a/3")
    house.scan()
    (house.folder / "a").rename(house.folder / "b")
    first = house.reconcile()
    assert (first.owed, first.held, first.deleted, first.suspended) == (3, 3, 0, 0)
    assert house.holds("a/1", "a/2", "a/3")
    house.index()
    second = house.reconcile()
    assert (second.owed, second.held, second.deleted) == (0, 0, 3)
    assert house.holds("b/1", "b/2", "b/3")


def test_a_file_that_vanished_before_it_was_indexed_goes_whatever_the_rest(house: House) -> None:
    house.write("a", "b")
    house.reconcile()
    (house.folder / "a").unlink()
    (house.folder / "b").unlink()
    result = house.reconcile()
    assert (result.deleted, result.suspended) == (2, 0)
    assert house.journal.counts()["owed"] == 0


def test_a_name_excluded_later_leaves_the_index(house: House) -> None:
    house.write("a.jpg", "b.jpg", "c.png")
    house.scan()
    house.reconcile("*.png")
    assert house.holds("a.jpg", "b.jpg")


def test_below_a_folder_that_cannot_be_listed_nothing_is_deleted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.write("seen/a", "seen/b", "seen/c", "shut/d")
    house.scan()
    (house.folder / "seen/a").unlink()
    (house.folder / "shut/d").unlink()
    scandir = os.scandir

    def refusing(path: bytes) -> object:
        if path.endswith(b"shut"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(
        os, "scandir", refusing
    )  # root may read everything, so mode 000 tells nothing
    result = house.reconcile()
    assert result.deleted == 1
    assert result.problem == (
        "cannot be read, and nothing is deleted there: 'shut': Permission denied"
    )
    assert house.holds("seen/b", "seen/c", "shut/d")
    monkeypatch.undo()
    assert house.reconcile().deleted == 1


def test_a_fresh_file_is_watched_for_rest_first(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.sqlite3")
    house = House(tmp_path / "photos", database, settle_seconds=60)
    house.write("a")
    assert house.reconcile().owed == 0
    assert len(house.settling) == 1
    database.close()


def test_accepted_deletions_stay_accepted_until_they_are_carried_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.write("a", "b", "c")
    house.scan()
    for name in ("a", "b"):
        (house.folder / name).unlink()
    assert house.reconcile().suspended == 2
    house.roots.request("r", "accept")
    with monkeypatch.context() as broken:
        broken.setattr(house.store, "delete", _fail)
        with pytest.raises(OSError, match="gone"):
            house.reconcile()
    assert house.reconcile().deleted == 2
    assert house.holds("c")


def _fail(ids: object) -> None:
    raise OSError("gone")


def test_a_root_whose_deletion_was_seen_suspends_even_a_few_deletions(house: House) -> None:
    house.write("a", "b", "c")
    house.scan()
    house.roots.distrust("r")
    (house.folder / "a").unlink()
    assert (house.reconcile().deleted, house.root.suspended) == (0, 1)
    assert house.holds("a", "b", "c")


def test_nothing_is_owed_for_suspended_files_until_they_are_back(house: House) -> None:
    house.write("a", "b", "c")
    house.scan()
    os.utime(house.folder / "a")
    assert house.reconcile().owed == 1
    house.folder.rename(house.folder.with_name("away"))
    house.folder.mkdir()
    house.journal.unsettle("r", b"a")  # as the pipeline does with what it does not find
    assert house.reconcile().suspended == 3
    assert house.journal.counts()["unsettled"] == 0
    house.folder.rmdir()
    house.folder.with_name("away").rename(house.folder)
    assert house.reconcile().owed == 1
    assert house.index() == ["a"]


@pytest.mark.parametrize("name", ["EIO", "ESTALE", "EACCES", "ETIMEDOUT"])
def test_what_cannot_be_read_now_is_not_deleted(
    house: House, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A folder and a file that fail keep their points; an absent file beside them loses its own."""
    house.write("a/1", "a/2", "b/3", "c", "d", "e")
    house.scan()
    (house.folder / "d").unlink()
    failing(monkeypatch, folders={b"a": error(name)}, names={b"c": error(name)})
    result = house.scan()
    assert house.holds("a/1", "a/2", "b/3", "c", "e")
    assert result.problem is not None
    assert house.root.problem == result.problem
    monkeypatch.undo()
    assert house.scan().problem is None
    assert house.holds("a/1", "a/2", "b/3", "c", "e")


numbers = st.integers(0, 2**64 - 1)
times = st.integers(-(10**20), 10**20)
signatures = st.builds(Signature, st.integers(0, 2**63), times, times, numbers, numbers)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(signatures, min_size=1, max_size=5))
@example([Signature(1, 13_569_465_600 * 10**9, -(11_644_473_600 * 10**9), 2**64 - 1, 2**63)])
def test_any_stat_result_is_remembered_exactly(house: House, found: list[Signature]) -> None:
    """Inode numbers of 2^63 and more, files of the years 1601 and 2400."""
    names = [f"{number}".encode() for number in range(len(found))]
    house.journal.owe(("r", name, one) for name, one in zip(names, found, strict=True))
    kept = {file.path: file.signature for file in house.journal.files("r")}
    assert [kept[name] for name in names] == found
    traces = house.journal.owed_traces()
    assert {(one.device, one.inode, one.size, one.mtime_ns) for one in found} <= traces
    identity = FolderIdentity(found[0].device, found[0].inode, 7)
    house.roots.trust(house.root, identity)
    assert house.root.identity == identity


def test_a_file_that_could_not_be_read_is_tried_again_ever_more_seldom(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("indexer.retries.time.monotonic", lambda: clock[0])
    house.write("a", "b")
    house.reconcile()
    house.journal.wait("r", b"a", "cannot be read: Input/output error")
    house.index()
    tried = []
    for seconds in range(0, 400, 10):
        clock[0] = 1000.0 + seconds
        result = house.reconcile()
        if house.journal.has_owed():
            tried.append(seconds)
            house.journal.wait("r", b"a", "cannot be read: Input/output error")
        assert result.retry_seconds is not None
    assert tried == [0, 60, 180]
    (waiting,) = house.journal.waiting()
    assert (waiting.path, waiting.reason) == (b"a", "cannot be read: Input/output error")
    (house.folder / "a").write_text("other content")  # that is news: no need to wait
    assert house.reconcile().owed == 1
    assert house.index() == ["a"]
    assert house.reconcile().retry_seconds is None
