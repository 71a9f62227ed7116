"""Several indexers on one store: what each keeps true, and what changes hands between them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from indexer.home import choose
from indexer.partition import Partition
from shared.points import point_id
from tests.fakes import axis_vector, record
from tests.indexers import Fleet, paint, scan

IMAGES = 90


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("album")
    for number in range(IMAGES):
        paint(folder / f"{number % 3}/{number}.png", number)
    return folder


@pytest.fixture
def fleet(tmp_path: Path, album: Path, tiny_tflite: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    photos = tmp_path / "photos"
    shutil.copytree(album, photos)
    return Fleet(tmp_path, photos, tiny_tflite).install(monkeypatch)


def test_from_two_parts_to_three_only_a_third_moves_and_nothing_is_orphaned(fleet: Fleet) -> None:
    photos = fleet.photos
    one, two = fleet.scan("a", "1/2"), fleet.scan("b", "2/2")
    assert one.known | two.known == fleet.files()
    assert not one.known & two.known
    before = {"1/2": one.known, "2/2": two.known}
    moving = {name for name in fleet.files() if Partition(3, 3).has(fleet.root, name.encode())}
    # Deleted, changed and added while nobody looks: some of what moves, and some of what stays.
    staying = sorted(fleet.files() - moving)
    going = sorted(moving)
    for name in (*going[:4], *staying[:4]):
        (photos / name).unlink()
    for number, name in enumerate((*going[4:8], *staying[4:8])):
        paint(photos / name, 1000 + number)
    paint(photos / "new/0.png", 2000)

    ids = fleet.store.ids()
    with fleet.opened("a", "1/3"):  # it gives up at once, and deletes nothing
        assert fleet.store.ids() == ids
    later = {part: fleet.scan(home, part) for home, part in
             (("c", "3/3"), ("a", "1/3"), ("b", "2/3"))}  # fmt: skip
    for number, name in enumerate((*going[8:10], *staying[8:10])):
        (photos / name).unlink()
        paint(photos / f"newer/{number}.png", 3000 + number)
    last = {part: fleet.scan(home, part) for home, part in
            (("a", "1/3"), ("b", "2/3"), ("c", "3/3"))}  # fmt: skip

    for home, part in (("a", "1-3"), ("b", "2-3"), ("c", "3-3")):
        (fleet.base / home).rename(fleet.base / part)
    assert fleet.is_exact("1/3", "2/3", "3/3")
    kept = {name for names in before.values() for name in names} & fleet.files()
    moved = {name for name in kept if name not in last["1/3"].known | last["2/3"].known}
    assert moved == moving & kept
    assert 0.2 < len(moved) / len(kept) < 0.47
    assert last["1/3"].known <= before["1/2"] | fleet.files() - kept
    # Of what moved, only the changed contents went through the network again.
    assert later["3/3"].reused >= len(moving) - 8
    assert later["3/3"].encoded <= 4 + 1


def test_what_is_given_up_keeps_its_point_and_comes_back_with_it(fleet: Fleet) -> None:
    fleet.scan("a", None)
    ids = fleet.store.ids()
    half = fleet.scan("a", "1/2")
    assert fleet.store.ids() == ids
    assert half.known < fleet.files()
    assert half.encoded == half.reused == 0
    whole = fleet.scan("a", None)
    assert (whole.known, whole.encoded) == (fleet.files(), 0)
    assert fleet.store.ids() == ids
    (fleet.base / "a").rename(fleet.base / "None")
    assert fleet.is_exact(None)


def test_a_listing_deletes_nothing_of_another_part_whatever_the_journal_says(fleet: Fleet) -> None:
    with fleet.opened("a", None) as indexing:
        scan(indexing)
        (root,) = indexing.home.roots.all()
        theirs = choose(root, fleet.base / "a", Partition(2, 2))
        gone = next(name for name in fleet.files() if not theirs.is_ours(name.encode()))
        (fleet.photos / gone).unlink()
        assert indexing.scanner.reconcile(root, theirs, [fleet.store]).deleted == 0
    assert len(fleet.store.ids()) == IMAGES


def test_what_is_taken_over_is_not_believed_gone_when_most_of_it_is(fleet: Fleet) -> None:
    fleet.scan("a", "1/2")
    fleet.scan("b", "2/2")
    for name in fleet.files():
        (fleet.photos / name).unlink()
    new = fleet.scan("c", "3/3")
    assert new.scanned.deleted == 0
    assert new.scanned.suspended == len(new.known) > 10
    assert len(fleet.store.ids()) == IMAGES
    found = fleet.doctor("c", "3/3").diagnosis
    assert found.is_well
    assert len(found.suspended) == new.scanned.suspended


def test_a_file_renamed_into_anothers_part_is_no_loss(fleet: Fleet) -> None:
    for part in ("1/3", "2/3", "3/3"):
        fleet.scan(part.replace("/", "-"), part)
    (fleet.photos / "0").rename(fleet.photos / "moved-0")
    (fleet.photos / "1").rename(fleet.photos / "moved-1")
    (fleet.photos / "2").rename(fleet.photos / "moved-2")
    for part in ("1/3", "2/3", "3/3"):
        assert fleet.scan(part.replace("/", "-"), part).scanned.suspended == 0
    assert fleet.is_exact("1/3", "2/3", "3/3")


def test_two_that_see_the_same_files_do_no_harm(fleet: Fleet) -> None:
    names = sorted(fleet.files())
    assert fleet.scan("a", None).encoded == IMAGES
    assert fleet.scan("b", None).encoded == 0  # it takes over what is there
    with fleet.opened("a", None) as a, fleet.opened("b", None) as b:
        paint(fleet.photos / "both.png", 5000)
        (fleet.photos / names[0]).unlink()
        roots = b.home.roots.all()
        b.reconcile(roots[0])  # b owes the new file and deletes the old point
        scan(a)  # a does both as well
        scan(b)
        (fleet.photos / "both.png").unlink()
        a.reconcile(a.home.roots.all()[0])
        paint(fleet.photos / names[1], 5001)
        paint(fleet.photos / "late.png", 5002)
        b.reconcile(roots[0])
        (fleet.photos / "late.png").unlink()
        assert len(scan(a).known) == IMAGES - 1
        assert len(scan(b).known) == IMAGES - 1  # the row of the other went the same way
    (fleet.base / "a").rename(fleet.base / "None")
    assert fleet.is_exact(None)
    (fleet.base / "None").rename(fleet.base / "a")
    (fleet.base / "b").rename(fleet.base / "None")
    assert fleet.is_exact(None)


def test_at_the_start_nothing_of_others_is_deleted_and_what_was_lost_is_owed(
    fleet: Fleet,
) -> None:
    fleet.scan("1-2", "1/2")
    others = fleet.scan("2-2", "2/2").known
    stranger = record("x.jpg", root="/elsewhere")
    fleet.store.upsert([stranger], axis_vector(1)[None])
    lost = sorted(fleet.files() - others)[:5]
    fleet.store.delete([point_id(fleet.root, name.encode()) for name in lost])
    again = fleet.scan("1-2", "1/2")
    assert (again.encoded, again.reused) == (5, 0)
    assert len(fleet.store.ids()) == IMAGES + 1
    assert fleet.doctor("1-2", "1/2").diagnosis.is_well
    fleet.store.delete([stranger.id])
    assert fleet.is_exact("1/2", "2/2")


def test_an_orphan_is_found_by_the_doctor_of_its_part_and_no_other(fleet: Fleet) -> None:
    fleet.scan("1-2", "1/2")
    fleet.scan("2-2", "2/2")
    root = fleet.root
    orphan = next(
        name for name in map("ghost-{}.jpg".format, range(99))
        if Partition(2, 2).has(root, name.encode())
    )  # fmt: skip
    fleet.store.upsert([record(orphan, root=root)], axis_vector(1)[None])
    assert fleet.doctor("1-2", "1/2").diagnosis.is_well
    assert fleet.doctor("1-2", "1/2", repair=True).diagnosis.is_well
    assert len(fleet.store.ids()) == IMAGES + 1
    (found,) = fleet.doctor("2-2", "2/2").diagnosis.findings
    assert (found.kind, found.path) == ("orphaned", orphan.encode())
    assert fleet.doctor("2-2", "2/2", repair=True).diagnosis.is_well
    assert fleet.is_exact("1/2", "2/2")


def test_a_lost_journal_takes_over_what_the_store_has(fleet: Fleet) -> None:
    fleet.scan("1-2", "1/2")
    fleet.scan("2-2", "2/2")
    (fleet.base / "2-2/journal.sqlite3").write_bytes(b"garbage" * 1000)
    repaired = fleet.doctor("2-2", "2/2", repair=True)
    assert repaired.diagnosis.is_well
    assert not any("deleted" in action for action in repaired.actions)
    assert fleet.is_exact("1/2", "2/2")


@pytest.mark.parametrize("part", ["1/2", None])
def test_forgetting_takes_only_what_is_ours(fleet: Fleet, part: str | None) -> None:
    ours = fleet.scan("a", part).known
    fleet.scan("b", "2/2")
    with fleet.opened("a", part) as indexing:
        indexing.forget(indexing.home.roots.all()[0])
        assert indexing.home.parts.of(indexing.targets.current.collection) == {}
    assert len(fleet.store.ids()) == (IMAGES - len(ours) if part else 0)
    assert fleet.scan("a", part).known == ours  # remembered again, it is indexed again
    if part:
        assert fleet.scan("b", "2/2").encoded == 0  # its own were not touched
