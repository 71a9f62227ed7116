from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from indexer.arrivals import Arrived, Spread
from indexer.database import Database
from indexer.identity import FolderIdentity
from indexer.journal import MAX_CANDIDATES, Indexed, Journal
from indexer.roots import Roots, find_root
from shared.errors import JournalError, RootError
from shared.reading import Signature

SIGN = Signature(10, 1, 2, 3, 4)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "journal.sqlite3")
    yield database
    database.close()


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


def test_a_path_is_owed_until_its_point_is_acknowledged(journal: Journal) -> None:
    journal.owe([("r", b"a", SIGN), ("r", b"b", SIGN)])
    assert [file.path for file in journal.owed_after("", b"", 9)] == [b"a", b"b"]
    journal.done("c", [(Indexed("r", b"a", "hash", "g1/0"), SIGN)])
    assert [file.path for file in journal.owed_after("", b"", 9)] == [b"b"]
    assert journal.counts() == {"owed": 1, "unsettled": 0, "waiting": 0, "indexed": 1, "refused": 0}
    file = journal.file("r", b"a")
    assert file is not None
    assert (file.state, file.sha256, file.signature) == ("indexed", "hash", SIGN)
    assert journal.count_points("c") == 1
    assert journal.cluster_sizes("c") == {"g1/0": 1}


def test_owed_pages_go_on_after_the_last_path_of_any_root(journal: Journal) -> None:
    journal.owe([("r1", b"z", SIGN), ("r2", b"a", SIGN), ("r1", b"a", SIGN)])
    first = journal.owed_after("", b"", 2)
    assert [(file.root, file.path) for file in first] == [("r1", b"a"), ("r1", b"z")]
    rest = journal.owed_after(first[-1].root, first[-1].path, 2)
    assert [(file.root, file.path) for file in rest] == [("r2", b"a")]


def test_owing_again_keeps_the_hash_that_a_rename_is_recognised_by(journal: Journal) -> None:
    journal.done("c", [(Indexed("r", b"a", "hash", "g1/0"), SIGN)])
    journal.owe([("r", b"a", Signature(11, 1, 2, 3, 4))])
    file = journal.file("r", b"a")
    assert file is not None
    assert (file.state, file.sha256, file.signature.size) == ("owed", "hash", 11)


def test_refusing_drops_the_point_and_keeps_the_reason(journal: Journal) -> None:
    journal.done("c", [(Indexed("r", b"a", "hash", "g1/0"), SIGN)])
    journal.refuse([("r", b"a", SIGN, "is empty")])
    assert journal.count_points("c") == 0
    assert [(file.path, file.reason) for file in journal.refused()] == [(b"a", "is empty")]
    assert journal.known_contents({10}) == {}


def test_a_second_collection_lacks_what_it_has_not_acknowledged(journal: Journal) -> None:
    points = [(Indexed("r", path, f"hash {path!r}", "g1/0"), SIGN) for path in (b"a", b"b")]
    journal.done("old", points)
    assert journal.lacking("old", "new") == 2
    assert journal.owe_lacking("new") == 2
    journal.done("new", points[:1])
    assert journal.lacking("old", "new") == 1
    changed = Indexed("r", b"b", "other content", "g1/0")
    journal.done("new", [(changed, SIGN)])
    assert journal.lacking("old", "new") == 1
    journal.drop_collection("old")
    assert journal.collections() == ["new"]


def test_a_lost_point_is_owed_again(journal: Journal) -> None:
    journal.done("c", [(Indexed("r", b"a", "hash", "g1/0"), SIGN)])
    journal.lose("c", [("r", b"a")])
    assert journal.counts()["owed"] == 1
    assert journal.holders("c", ["hash"]) == {}


def test_a_content_is_found_under_any_of_its_names(journal: Journal) -> None:
    points = [Indexed("r", b"a", "one", "g1/0"), Indexed("r", b"b", "two", "g1/1")]
    journal.done("c", [(point, SIGN) for point in points])
    assert journal.holders("c", ["two", "three"]) == {"two": points[1]}
    assert journal.holders("other", ["two"]) == {}
    assert journal.holders("c", []) == {}


def test_candidates_for_a_copy_have_its_size(journal: Journal) -> None:
    for number in range(MAX_CANDIDATES + 5):
        point = Indexed("r", b"%d" % number, f"hash {number}", "g1/0")
        journal.done("c", [(point, SIGN if number else Signature(7, 1, 2, 3, 4))])
    known = journal.known_contents({7, 10, 11})
    assert known[7] == ["hash 0"]
    assert len(known[10]) == MAX_CANDIDATES
    assert 11 not in known


def test_unsettled_files_are_not_owed(journal: Journal) -> None:
    journal.owe([("r", b"a", SIGN)])
    journal.unsettle("r", b"a")
    assert not journal.has_owed()
    assert journal.counts()["unsettled"] == 1


def test_paths_are_bytes_of_any_kind(journal: Journal) -> None:
    path = b"caf\xe9\n\x01"
    journal.done("c", [(Indexed("r", path, "hash", "g1/0"), SIGN)])
    assert [point.path for point in journal.points("c", "r")] == [path]
    journal.remove([("r", path)])
    assert journal.count_points("c") == 0
    assert journal.file("r", path) is None


def test_counts_follow_every_change(journal: Journal) -> None:
    assert journal.counts()["owed"] == 0
    journal.owe([("r", b"a", SIGN)])
    assert journal.counts()["owed"] == 1
    journal.remove([("r", b"a")])
    assert journal.counts()["owed"] == 0


def test_another_connection_sees_what_was_committed(database: Database, tmp_path: Path) -> None:
    Journal(database).owe([("r", b"a", SIGN)])
    other = Database(tmp_path / "journal.sqlite3")
    assert Journal(other).counts()["owed"] == 1
    other.close()


def test_a_failed_transaction_leaves_nothing(journal: Journal, database: Database) -> None:
    def fail_half_way() -> None:
        with database.transaction():
            database.execute_many(
                "INSERT INTO files (root, path, state) VALUES (?, ?, ?)", [("r", b"a", "owed")]
            )
            database.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(JournalError, match="nowhere"):
        fail_half_way()
    assert journal.counts()["owed"] == 0


def test_a_journal_of_the_first_format_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    with sqlite3.connect(path) as raw:
        raw.executescript(
            "CREATE TABLE roots (id TEXT PRIMARY KEY, folder BLOB NOT NULL, device INTEGER, "
            "inode INTEGER, excludes TEXT NOT NULL DEFAULT '[]', suspended INTEGER NOT NULL "
            "DEFAULT 0, problem TEXT, accept INTEGER NOT NULL DEFAULT 0, forgotten INTEGER NOT "
            "NULL DEFAULT 0); INSERT INTO roots (id, folder, device, inode) VALUES "
            "('/photos', x'2f70686f746f73', 5, 6); PRAGMA user_version=1;"
        )
    raw.close()
    for _ in range(2):
        database = Database(path)
        root = Roots(database).all()[0]
        assert (root.folder, root.identity) == (b"/photos", FolderIdentity(5, 6, None))
        database.close()
    assert FolderIdentity(5, 6, 7).is_same(root.identity)


def test_a_journal_that_counted_no_arrivals_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    Database(path).close()
    with sqlite3.connect(path) as raw:
        raw.executescript("DROP TABLE arrivals; PRAGMA user_version=2;")
    raw.close()
    for images in (2, 4):
        database = Database(path)
        journal = Journal(database)
        arrived = Arrived("g1", np.array([0.5, 1.0], np.float32))
        journal.done("e", [], arrived=arrived)
        assert journal.arrivals("e", "g1") == Spread(images, 0.75)
        database.close()


def test_arrivals_add_up_until_another_generation_begins(journal: Journal) -> None:
    def arrive(generation: str, *distances: float) -> None:
        came = Arrived(generation, np.array(distances, np.float32))
        journal.done("e", [], arrived=came)

    assert journal.arrivals("e", "g1") is None
    arrive("g1", 0.5, 0.75)
    arrive("g1")
    arrive("g1", 1.0)
    assert journal.arrivals("e", "g1") == Spread(3, 0.75)
    assert journal.arrivals("e", "g2") is journal.arrivals("f", "g1") is None
    for _ in range(2):  # twice is harmless
        journal.begin_generation("e", "g2", Spread(3, 0.25))
    assert journal.arrivals("e", "g1") is None
    arrive("g2", 1.25)
    assert journal.arrivals("e", "g2") == Spread(4, 0.5)
    journal.begin_generation("e", "g3", None)
    assert journal.arrivals("e", "g3") is None
    arrive("g3", 1.0)
    journal.drop_collection("e")
    assert journal.arrivals("e", "g3") is None


def test_a_journal_of_another_version_or_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version=99")
    raw.close()
    with pytest.raises(JournalError, match="format 99"):
        Database(path)
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 20)
    with pytest.raises(JournalError, match="not a database"):
        Database(path)


def test_roots_are_remembered_with_what_the_user_asked(database: Database) -> None:
    roots = Roots(database)
    roots.remember("/photos", b"/photos", ["raw"])
    roots.note(roots.all()[0], 3, "a folder cannot be listed")
    roots.request("/photos", "accept")
    root = roots.all()[0]
    assert (root.excludes, root.suspended, root.accept) == (("raw",), 3, True)
    assert root.problem == "a folder cannot be listed"
    assert root.identity is None
    roots.trust(root, FolderIdentity(5, 6, 7))
    root = roots.all()[0]
    assert (root.identity, root.accept) == (FolderIdentity(5, 6, 7), False)
    roots.drop("/photos")
    assert roots.all() == []


def test_a_root_is_found_by_folder_or_name_and_a_stranger_is_told_what_there_is(
    database: Database, tmp_path: Path
) -> None:
    roots = Roots(database)
    roots.remember("holiday", bytes(tmp_path), [])
    assert find_root(roots.all(), "holiday").id == "holiday"
    assert find_root(roots.all(), str(tmp_path)).id == "holiday"
    with pytest.raises(RootError, match="remembered are 'holiday'"):
        find_root(roots.all(), "elsewhere")


def test_processes_that_make_the_same_journal_at_once_all_get_it(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from indexer.database import Database; "
        "sys.stdin.readline(); Database(Path(sys.argv[1])).close()"
    )
    for attempt in range(5):
        path = tmp_path / str(attempt) / "journal.sqlite3"
        processes = [
            subprocess.Popen([sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE)
            for _ in range(4)
        ]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.close()
        assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
