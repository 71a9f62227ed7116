"""Which point is the query itself, and which labels count."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from searcher.quality.collection import Collection, Labels, first_level
from searcher.quality.folder_queries import FolderQueries, list_files, sampled
from searcher.quality.probing import BatchSearch, Looked, choose_clusters, quality, ways
from searcher.query.options import Request
from searcher.search import Searcher
from shared.clustering import Clustering
from shared.roots import root_id
from tests.fakes import MeanColorEncoder, MemoryStore, axis_vector, record


def filled(*names: str, root: str = "/photos") -> MemoryStore:
    """Points at growing angles from axis 0, in clusters g1/0 and g1/1 by turns."""
    store = MemoryStore()
    angles = np.linspace(0, 1, len(names))
    store.upsert(
        [record(name, f"g1/{place % 2}", root=root) for place, name in enumerate(names)],
        np.stack([axis_vector(np.cos(angle), np.sin(angle)) for angle in angles]),
    )
    return store


def test_the_label_is_the_first_folder() -> None:
    assert first_level(b"cats/2024/a.jpg") == b"cats"
    assert first_level(b"a.jpg") is None


def test_a_file_is_its_own_point_wherever_the_question_begins(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    (root / "cats" / "old").mkdir(parents=True)
    (tmp_path / "link").symlink_to(root)
    names = ("cats/a.jpg", "cats/old/b.jpg", "c.jpg")
    roots = {root_id(root): root}
    collection = Collection.read(filled(*names, root=root_id(root)), roots)

    def own(folder: Path, *paths: bytes) -> list[str | None]:
        rows = collection.own_rows(folder, paths, roots).tolist()
        return [None if row < 0 else os.path.relpath(collection.files[row], root) for row in rows]

    assert own(root, b"cats/a.jpg", b"c.jpg", b"new.jpg") == ["cats/a.jpg", "c.jpg", None]
    assert own(root / "cats", b"old/b.jpg", b"c.jpg") == ["cats/old/b.jpg", None]
    assert own(tmp_path, b"photos/c.jpg", b"photoscats/a.jpg") == ["c.jpg", None]
    assert own(tmp_path / "link", b"c.jpg") == ["c.jpg"]
    assert collection.own_rows(root, [b"c.jpg"], {}).tolist() == [-1]


def test_only_labels_that_another_point_has_count() -> None:
    collection = Collection.read(filled("a/1", "a/2", "b/1", "plain"), {})
    rows = collection.rows
    paths = [b"a/1", b"b/1", b"b/new", b"c/1", b"plain"]
    own = np.array(
        [rows[record(name).id] for name in ("a/1", "b/1")] + [-1, -1, rows[record("plain").id]]
    )
    labels = Labels.of([first_level(path) for path in paths], collection.labels, own)
    assert labels.counts.tolist() == [True, False, True, False, False]
    relevant = [rows[record(name).id] for name in ("a/2", "b/1", "plain")]
    assert labels.relevant(0, relevant).tolist() == [True, False, False]


def test_batches_answer_as_single_questions_would_and_without_the_own_point() -> None:
    names = [f"{'ab'[place % 2]}/{place}" for place in range(80)]
    store = filled(*names)
    collection = Collection.read(store, {})
    rows = np.array([collection.rows[record(name).id] for name in names])
    points = store.get([record(name).id for name in names], with_vectors=True)
    vectors = np.stack([points[record(name).id].vector for name in names])  # type: ignore[misc]
    search = BatchSearch(store, collection, vectors, rows, 3)
    exact = search.answers({"all": [(None,)] * 80})["all"]
    near = rows[[38, 39, 41, 42]].tolist()  # at even angles, two on either side
    assert set(exact[40]) < set(near)
    assert set(exact[40][:2]) == {rows[39], rows[41]}
    assert all(
        row not in answer and len(answer) == 3 for row, answer in zip(rows, exact, strict=True)
    )
    own: list[Looked] = [(f"g1/{place % 2}",) for place in range(80)]
    halves = search.answers({1: own})[1]
    folders = [first_level(name.encode()) for name in names]
    labels = Labels.of(folders, collection.labels, rows)
    found = quality(labels, halves, 3)
    assert found is not None
    assert (found.precision, found.average_precision) == (1, 1)
    together = search.answers({1: own, 2: [("g1/0", "g1/1")] * 80})
    assert together == {1: halves, 2: exact}


def test_clusters_are_searched_nearest_first() -> None:
    clustering = Clustering(
        "e", "g2", np.stack([axis_vector(1), axis_vector(0, 1), axis_vector(-1)])
    )
    searcher = Searcher(MeanColorEncoder(), clustering, MemoryStore())
    vectors = np.stack([axis_vector(0, 1)])
    looked = [
        choose_clusters(searcher, vectors, Request(10, probes)).looked
        for probes in (1, 2, 3, "auto", "all")
    ]
    assert looked == [(("g2/1",),), (("g2/1", "g2/0"),), *[((None,),)] * 3]


def test_ways_to_search_double_up_to_everything() -> None:
    assert ways(1, calibrated=False) == (1, "all")
    assert ways(2, calibrated=True) == (1, "auto", "all")
    assert ways(5, calibrated=True) == (1, 2, 4, "auto", "all")
    assert ways(8, calibrated=False) == (1, 2, 4, "all")


def test_hidden_files_links_and_the_home_are_passed_over(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "a/1.jpg", ".hidden/3.jpg", "b/.4.jpg", "home/models/x"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "b" / "link.jpg").symlink_to(tmp_path / "a" / "1.jpg")
    assert list_files(tmp_path, tmp_path / "home") == ([b"a/1.jpg", b"b/2.jpg"], [])


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    paths = [b"%d" % number for number in range(100)]
    drawn = sampled(paths, 10, 3)
    assert drawn == sampled(paths, 10, 3)
    assert drawn != sampled(paths, 10, 4)
    assert len(set(drawn)) == 10
    assert sampled(paths, 100, 0) == sampled(paths, None, 0) == sampled(paths, 999, 0) == paths


def test_where_a_query_lies() -> None:
    queries = FolderQueries(Path("/p"), [b"a/\xff.jpg"], np.empty((1, 512), np.float32), [])
    assert os.fsencode(queries.file(0)) == b"/p/a/\xff.jpg"
