"""Groups of duplicates: neighbours by blocks, sets around middles, and what is said of them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import searcher.duplicates.neighbours
from searcher.duplicates.grouping import around_middles
from searcher.duplicates.groups import Groups, find_groups, read_collection
from searcher.duplicates.neighbours import nearest_pairs
from searcher.duplicates.page import write_groups_page
from searcher.duplicates.report import groups_json, groups_table, size
from searcher.duplicates.tier_rule import TierRule
from searcher.duplicates.union_find import UnionFind
from shared.clustering import Clustering
from shared.errors import StoreMissing
from shared.images import decode
from shared.roots import root_id
from tests.fakes import MemoryStore
from tests.homes import image_record
from tests.pictures import cropped, encoded, scene, stamped

Rows = NDArray[np.float32]


def unit_rows(count: int, seed: int = 0) -> Rows:
    rows = np.random.default_rng(seed).normal(size=(count, 512)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def clustering(rows: Rows) -> Clustering:
    return Clustering("encoder", "g1", rows)


class Place:
    """A folder whose pictures are points of a store, with vectors of a test's own choice."""

    def __init__(self, path: Path) -> None:
        self.path, self.store = path, MemoryStore()
        self.roots = {root_id(path): path}
        self._axis = 0

    def add(self, name: str, data: bytes, like: int | None = None, score: float = 1.0) -> str:
        """A picture whose vector has this cosine with axis `like`, or else an axis of its own."""
        file = self.path / os.fsdecode(name)
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(data)
        record = image_record(self.path, file, decode(data, []), "g1/0", "encoder")
        vector = np.zeros((1, 512), np.float32)
        self._axis += 1
        vector[0, 200 + self._axis if like is None else like] = score
        vector[0, 400 + self._axis // 2] += np.sqrt(1 - score**2) if like is not None else 0
        self.store.upsert([record], vector / np.linalg.norm(vector))
        return record.id

    def groups(self, **options: object) -> Groups:
        return find_groups(
            *read_collection(self.store), clustering(unit_rows(2)), self.roots, **options
        )  # type: ignore[arg-type]

    def names(self, **options: object) -> list[tuple[str, list[str]]]:
        return [
            (group.tier, [member.record.path for member in group.members])
            for group in self.groups(**options).groups
        ]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def fill(place: Place) -> None:
    """Two exact copies and one altered, another picture like them, and two alone."""
    image = scene(1)
    data = encoded(image)
    place.add("a.jpg", data, like=0)
    place.add("copy/a.jpg", data, like=0)
    place.add("a-small.jpg", encoded(stamped(image.resize((120, 90)))), like=0, score=0.9)
    place.add("b.jpg", encoded(scene(2, (200, 150))), like=0, score=0.86)
    place.add("c.jpg", encoded(scene(3)))
    place.add("d.jpg", encoded(scene(4)))


def test_exact_near_and_similar(place: Place) -> None:
    fill(place)
    assert place.names(tier="exact") == [("exact", ["a.jpg", "copy/a.jpg"])]
    assert place.names() == [("near", ["a.jpg", "copy/a.jpg", "a-small.jpg"])]
    assert place.names(tier="similar") == [
        ("similar", ["a.jpg", "copy/a.jpg", "a-small.jpg", "b.jpg"])
    ]
    group = place.groups(tier="similar").groups[0]
    assert [member.tier for member in group.members] == [None, "exact", "near", "similar"]
    assert [round(member.score, 2) for member in group.members] == [1.0, 1.0, 0.9, 0.86]


def test_min_size_counts_every_image(place: Place) -> None:
    fill(place)
    assert len(place.groups(min_size=3).groups) == 1
    assert place.groups(min_size=4).groups == ()
    assert place.groups(tier="exact", min_size=3).groups == ()


def test_the_largest_comes_first_and_the_rest_could_be_saved(place: Place) -> None:
    image = scene(1, (320, 240))
    small, large = encoded(image.resize((80, 60))), encoded(image)
    place.add("1.jpg", small, like=0)
    place.add("2.jpg", large, like=0, score=0.95)
    place.add("3.jpg", encoded(cropped(image)), like=0, score=0.9)
    (group,) = place.groups().groups
    assert group.members[0].record.path == "2.jpg"
    assert group.saving == len(small) + len(encoded(cropped(image)))
    assert place.groups().saving == group.saving


def test_copies_do_not_hide_other_copies(place: Place) -> None:
    data = encoded(scene(1))
    for number in range(30):
        place.add(f"{number:02d}.jpg", data, like=0)
    place.add("cropped.jpg", encoded(cropped(scene(1))), like=0, score=0.8)
    (group,) = place.groups().groups
    assert (group.tier, len(group.members)) == ("near", 31)
    assert [member.tier for member in group.members].count("exact") == 29


def test_points_with_hashes_of_different_versions_are_compared_by_vector_and_pixels(
    place: Place,
) -> None:
    image = scene(1)
    old = place.add("old.jpg", encoded(image), like=0)
    place.add("new.png", encoded(image, "PNG"), like=0, score=0.9)
    stored = place.store.get([old], with_vectors=True)[old]
    # Of version 1, and as far from the other's as can be.
    other = f"{int(stored.record.phash, 16) ^ (2**64 - 1):016x}"
    assert stored.vector is not None
    place.store.upsert([replace(stored.record, phash=other, phash_version=1)], stored.vector[None])
    assert place.names() == [("near", ["old.jpg", "new.png"])]


def test_the_same_pixels_in_another_file_are_exact(place: Place) -> None:
    data = encoded(scene(1), "PNG")
    place.add("a.png", data, like=0)
    place.add("a.bmp", encoded(scene(1), "BMP"), like=0)
    assert place.names(tier="exact") == [("exact", ["a.bmp", "a.png"])]


def test_files_that_are_gone_are_counted(place: Place) -> None:
    fill(place)
    (place.path / "a-small.jpg").unlink()
    found = place.groups()
    assert found.unread == 1
    assert [group.tier for group in found.groups] == ["exact"]
    assert "1 file could not be read as indexed" in groups_table(found)


def test_an_empty_store_says_so(place: Place) -> None:
    with pytest.raises(StoreMissing, match="nothing is indexed"):
        place.groups()


def test_one_image_has_no_group(place: Place) -> None:
    place.add("a.jpg", encoded(scene(1)))
    assert groups_table(place.groups()) == "1 image · no groups\n"


@pytest.mark.parametrize("whole", [0, 10_000])
def test_neighbours_are_those_of_the_whole_matrix(
    whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searcher.duplicates.neighbours, "_ROWS", 7)
    monkeypatch.setattr(searcher.duplicates.neighbours, "_COLUMNS", 11)
    monkeypatch.setattr(searcher.duplicates.neighbours, "WHOLE", whole)
    rows = unit_rows(60)
    # Two clusters, both of them visited by all: the answer is exact either way.
    found = nearest_pairs(rows, clustering(rows[:2]), most=3, least_score=0.02)
    scores = rows @ rows.T
    np.fill_diagonal(scores, -2)
    best = np.argsort(-scores, axis=1)[:, :3]
    wanted = {
        (min(row, int(other)), max(row, int(other)))
        for row in range(60)
        for other in best[row]
        if scores[row, other] >= 0.02
    }
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == wanted
    assert len(found.first) == len(wanted)
    np.testing.assert_allclose(found.scores, scores[found.first, found.second], atol=1e-6)
    for first, second, rank in zip(found.first, found.second, found.rank, strict=True):
        ranks = [
            list(best[a]).index(b) for a, b in ((first, second), (second, first)) if b in best[a]
        ]
        assert rank == min(ranks)


def test_only_the_nearest_clusters_are_visited_in_large_collections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(searcher.duplicates.neighbours, "WHOLE", 0)
    monkeypatch.setattr(searcher.duplicates.neighbours, "VISITED", 1)
    rows = np.eye(4, 512, dtype=np.float32)
    pairs = nearest_pairs(np.concatenate([rows, rows]), clustering(rows), most=8, least_score=-1.0)
    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == [
        *((0, 4), (1, 5), (2, 6), (3, 7)),
    ]


def test_sets_are_gathered_around_middles_and_not_along_chains() -> None:
    numbers = np.arange(6)
    chain = [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert around_middles(numbers, chain).tolist() == [1, 1, 1, 3, 3, 5]
    joined = np.array([0, 1, 1, 3, 4, 5])
    assert around_middles(joined, [(1, 2), (2, 3), (0, 1)]).tolist() == [1, 1, 1, 1, 4, 5]


def test_union_find() -> None:
    sets = UnionFind(5)
    for first, second in ((3, 4), (1, 3), (1, 4)):
        sets.join(first, second)
    assert [sets.find(item) for item in range(5)] == [0, 1, 2, 1, 1]


def test_the_json(place: Place) -> None:
    fill(place)
    value = groups_json(place.groups(tier="similar"))
    assert (value["total"], value["unread"]) == (6, 0)
    (group,) = value["groups"]
    assert (group["tier"], group["saving"]) == ("similar", None)
    assert list(group["images"][0]) == [
        *("root", "path", "id", "score", "tier", "width", "height", "format", "bytes"),
    ]


def test_names_are_escaped(place: Place) -> None:
    data = encoded(scene(1))
    place.add("<b>\x1b[31m.jpg", data, like=0)
    place.add("b.jpg", data, like=0)
    found = place.groups()
    assert "\x1b" not in groups_table(found)
    page = write_groups_page(found, place.roots)
    assert "<b>\\x1b" not in page
    assert "&lt;b&gt;\\x1b[31m.jpg" in page
    assert page.count("data:image/jpeg;base64,") == 2
    assert "default-src 'none'" in page


def test_the_page_says_what_it_leaves_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        for name in "abc":
            place.add(f"{name}{number}.jpg", encoded(scene(number)), like=number)
    monkeypatch.setattr("searcher.duplicates.page.MOST_GROUPS", 2)
    monkeypatch.setattr("searcher.duplicates.page.MOST_PICTURES", 2)
    page = write_groups_page(place.groups(), place.roots)
    assert "Only the first 2 of 3 groups are drawn." in page
    assert page.count("1 more are not drawn.") == 2
    assert page.count("<img") == 4


def test_sizes() -> None:
    assert [size(n) for n in (0, 999, 1_200, 120_000, 5_300_000, 7_000_000_000_000)] == [
        *("0 bytes", "999 bytes", "1.2 kB", "120 kB", "5.3 MB", "7000 GB"),
    ]


def test_similar_needs_the_grouped_score(place: Place) -> None:
    place.add("a.jpg", encoded(scene(1)), like=0)
    place.add("b.jpg", encoded(scene(2)), like=0, score=0.8)
    assert place.names(tier="similar") == []
    assert len(place.names(tier="similar", rule=TierRule(grouped_score=0.7))) == 1
