"""What every `VectorStore` promises, run against each adapter."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from shared.errors import StoreError, VectorRefused
from shared.store.protocol import Probe, VectorStore
from shared.types import Embeddings, ImageRecord, record_path
from shared.where import parse_where

Records = Callable[..., list[ImageRecord]]
Vectors = Callable[..., Embeddings]

UNKNOWN = "ffffffff-0000-5000-8000-000000000000"
FLOAT16 = 1e-3
"""Vectors may be kept in half precision."""


def basis(*weights: float) -> Embeddings:
    """One unit row with these first components and the rest of its length in the last one."""
    row = np.zeros((1, 512), np.float32)
    row[0, : len(weights)] = weights
    row[0, -1] = np.sqrt(max(0.0, 1 - float(np.sum(np.square(weights)))))
    return row


def test_a_point_comes_back_as_it_was_written(store: VectorStore, records: Records) -> None:
    [record] = records(1, taken_at="2020-02-02T10:00:00")
    vector = basis(0.6)
    store.upsert([record], vector)
    found = store.get([record.id], with_vectors=True)[record.id]
    assert found.record == record
    assert found.vector is not None
    assert found.vector.dtype == np.float32
    np.testing.assert_allclose(found.vector, vector[0], atol=FLOAT16)
    assert store.get([record.id])[record.id].vector is None


def test_get_passes_over_what_is_not_there(store: VectorStore, records: Records) -> None:
    [record] = records(1)
    store.upsert([record], basis(1.0))
    assert set(store.get([UNKNOWN, record.id, "not an id", record.id])) == {record.id}


@pytest.mark.parametrize(
    "raw",
    [
        b"a/\xff\xfe.jpg",
        "ünï/日本/🐈.png".encode(),
        b"line\nbreak\ttab \"quote\" 'x'.jpg",
        b"." * 200 + b"/x",
    ],
)
def test_every_file_name_survives(store: VectorStore, records: Records, raw: bytes) -> None:
    path, path_raw = record_path(raw)
    [record] = records(1, path=path, path_raw=path_raw)
    store.upsert([record], basis(1.0))
    found = store.get([record.id])[record.id].record
    assert found == record
    assert found.relative() == raw


def test_search_ranks_by_cosine(store: VectorStore, records: Records) -> None:
    weights = [0.9, 0.1, -0.5, 1.0, 0.5]
    store.upsert(records(5), np.concatenate([basis(w) for w in weights]))
    [hits] = store.search([Probe(basis(1.0)[0], None, 5)])
    assert [hit.score for hit in hits] == pytest.approx([1.0, 0.9, 0.5, 0.1, -0.5], abs=FLOAT16)
    assert [hit.record and hit.record.path for hit in hits] == [
        "a/3.jpg",
        "a/0.jpg",
        "a/4.jpg",
        "a/1.jpg",
        "a/2.jpg",
    ]
    assert all(-1 <= hit.score <= 1 for hit in hits)


def test_search_agrees_with_brute_force(
    store: VectorStore, records: Records, vectors: Vectors
) -> None:
    rows = vectors(500)
    items = [
        dataclasses.replace(record, cluster=(f"g1/{n % 3}",))
        for n, record in enumerate(records(500))
    ]
    store.upsert(items, rows)
    store.tidy()
    for query in vectors(5, seed=1):
        [hits] = store.search([Probe(query, "g1/2", 10)], with_records=False)
        expected = sorted(range(2, 500, 3), key=lambda n: -float(rows[n] @ query))[:10]
        overlap = {hit.id for hit in hits} & {items[n].id for n in expected}
        assert len(overlap) >= 9
        assert all(hit.record is None for hit in hits)


def test_several_probes_are_answered_in_order(store: VectorStore, records: Records) -> None:
    first, second = records(1, cluster=("g1/0",)), records(1, start=1, cluster=("g1/1",))
    store.upsert(first + second, np.concatenate([basis(0.8), basis(0.3)]))
    query = basis(1.0)[0]
    answers = store.search(
        [Probe(query, "g1/1", 9), Probe(query, "g1/0", 9), Probe(-query, None, 1)]
    )
    assert [[hit.id for hit in hits] for hits in answers] == [
        [second[0].id],
        [first[0].id],
        [second[0].id],
    ]


def test_equal_scores_are_ordered_by_id(store: VectorStore, records: Records) -> None:
    items = records(8)
    store.upsert(items[::-1], np.repeat(basis(1.0), 8, axis=0))
    [hits] = store.search([Probe(basis(1.0)[0], None, 8)])
    assert [hit.id for hit in hits] == [item.id for item in items]


def test_a_limit_beyond_the_cluster_gives_the_whole_cluster(
    store: VectorStore, records: Records, vectors: Vectors
) -> None:
    store.upsert(records(3), vectors(3))
    store.upsert(records(4, start=3, cluster=("g1/1",)), vectors(4))
    [hits] = store.search([Probe(basis(1.0)[0], "g1/0", 10**6)])
    assert len(hits) == 3


def test_an_unknown_label_is_empty(store: VectorStore, records: Records) -> None:
    store.upsert(records(1), basis(1.0))
    assert store.search([Probe(basis(1.0)[0], "g9/9", 5)]) == [[]]
    assert store.count("g9/9") == 0


def test_a_point_may_be_part_of_two_generations(store: VectorStore, records: Records) -> None:
    store.upsert(records(2, cluster=("g1/3", "g2/5")), np.repeat(basis(1.0), 2, axis=0))
    store.upsert(records(1, start=2, cluster=("g2/5",)), basis(1.0))
    assert store.cluster_sizes() == {"g1/3": 2, "g2/5": 3}
    assert (store.count("g1/3"), store.count("g2/5"), store.count()) == (2, 3, 3)
    answers = store.search([Probe(basis(1.0)[0], label, 9) for label in ("g1/3", "g2/5")])
    assert [len(hits) for hits in answers] == [2, 3]


def test_values_are_counted(store: VectorStore, records: Records) -> None:
    first, second, third = records(3)
    store.upsert(
        [
            dataclasses.replace(first, folders=("x", "x/y")),
            dataclasses.replace(second, folders=("x",)),
            third,
        ],
        np.repeat(basis(1.0), 3, axis=0),
    )
    counts = store.facet("folders")
    assert (counts["x"], counts["x/y"]) == (2, 1)
    assert sum(store.facet("root").values()) == 3
    store.delete([first.id])
    assert "x/y" not in store.facet("folders")


def test_relabelling_moves_a_point(store: VectorStore, records: Records) -> None:
    store.upsert(records(1, cluster=("g1/0",)), basis(1.0))
    assert store.cluster_sizes() == {"g1/0": 1}
    store.upsert(records(1, cluster=("g2/1",)), basis(1.0))
    assert store.cluster_sizes() == {"g2/1": 1}
    assert store.count() == 1


def test_writes_may_be_repeated(store: VectorStore, records: Records, vectors: Vectors) -> None:
    items, rows = records(10), vectors(10)
    for _ in range(2):
        store.upsert(items, rows)
    assert store.count() == 10
    for _ in range(2):
        store.delete([items[0].id, UNKNOWN, "not an id"])
    assert store.ids() == {item.id for item in items[1:]}
    for _ in range(2):
        store.delete_root("/photos")
    assert store.count() == 0


def test_delete_root_leaves_other_roots(
    store: VectorStore, records: Records, vectors: Vectors
) -> None:
    store.upsert(records(3), vectors(3))
    others = records(2, start=3, root="/photos/2")
    store.upsert(others, vectors(2))
    store.delete_root("/photos")
    assert store.ids() == {item.id for item in others}


def test_scroll_visits_every_point_in_order(
    store: VectorStore, records: Records, vectors: Vectors
) -> None:
    items, rows = records(25), vectors(25)
    store.upsert(items[::-1], rows[::-1])
    batches = list(store.scroll(batch_size=10, with_vectors=True))
    assert [len(batch) for batch in batches] == [10, 10, 5]
    images = [image for batch in batches for image in batch]
    assert [image.record for image in images] == items
    np.testing.assert_allclose([image.vector for image in images], rows, atol=FLOAT16)
    assert all(image.vector is None for batch in store.scroll() for image in batch)
    assert [len(batch) for batch in store.scroll(batch_size=25)] == [25]


@pytest.mark.parametrize("bad", ["nan", "infinite", "zero", "not unit", "short", "few rows"])
def test_bad_vectors_are_refused_and_nothing_is_written(
    store: VectorStore, records: Records, vectors: Vectors, bad: str
) -> None:
    rows = vectors(3)
    if bad == "short":
        rows = rows[:, :511]
    elif bad == "few rows":
        rows = rows[:2]
    else:
        rows[2] = {"nan": np.nan, "infinite": np.inf, "zero": 0.0, "not unit": 1.0}[bad]
    with pytest.raises(VectorRefused):
        store.upsert(records(3), rows)
    assert store.count() == 0


def test_bad_probes_are_refused(store: VectorStore) -> None:
    with pytest.raises(VectorRefused, match="length 0"):
        store.search([Probe(np.zeros(512, np.float32), None, 3)])


def test_the_callers_array_is_left_alone(
    store: VectorStore, records: Records, vectors: Vectors
) -> None:
    rows = vectors(2)
    rows.flags.writeable = False
    store.upsert(records(2), rows)
    store.search([Probe(rows[0], None, 1)])


def test_nothing_in_nothing_out(store: VectorStore) -> None:
    store.upsert([], np.empty((0, 512), np.float32))
    store.delete([])
    store.flush()
    store.tidy()
    assert store.search([]) == []
    assert store.get([]) == {}
    assert list(store.scroll()) == []
    assert store.ids() == set()
    assert store.cluster_sizes() == {}
    assert store.count() == 0
    assert store.search([Probe(basis(1.0)[0], None, 3)]) == [[]]


def test_large_batches_and_tidying_keep_all_answers(
    store: VectorStore, records: Records, vectors: Vectors
) -> None:
    rows = vectors(2500)
    items = [
        dataclasses.replace(record, cluster=(f"g1/{n % 4}",))
        for n, record in enumerate(records(2500))
    ]
    store.upsert(items, rows)
    store.delete([item.id for item in items[::5]])
    probes = [Probe(row, f"g1/{n}", 20) for n, row in enumerate(vectors(4, seed=2))]
    before = store.search(probes)
    store.tidy()
    after = store.search(probes)
    assert [[hit.record for hit in hits] for hits in after] == [
        [hit.record for hit in hits] for hits in before
    ]
    assert store.count() == 2000
    assert store.ids() == {item.id for n, item in enumerate(items) if n % 5}
    assert store.cluster_sizes() == {f"g1/{n}": 500 for n in range(4)}
    assert sum(len(batch) for batch in store.scroll()) == 2000


def test_after_close_every_verb_says_so(
    store: VectorStore, records: Records, vectors: Vectors
) -> None:
    store.close()
    store.close()
    for verb in (
        lambda: store.upsert(records(1), vectors(1)),
        lambda: store.delete([UNKNOWN]),
        lambda: store.set_labels([(UNKNOWN, ("g1/0",))]),
        lambda: store.delete_root("/photos"),
        lambda: store.search([Probe(basis(1.0)[0], None, 1)]),
        lambda: store.get([UNKNOWN]),
        lambda: list(store.scroll()),
        store.ids,
        store.count,
        store.cluster_sizes,
        store.flush,
        store.tidy,
    ):
        with pytest.raises(StoreError, match="closed"):
            verb()


@pytest.fixture
def album(store: VectorStore, records: Records, vectors: Vectors) -> Callable[..., set[str]]:
    """Eight pictures that differ in everything that can be filtered; asks which of them match."""
    rows = vectors(8)
    items = [
        dataclasses.replace(
            record,
            root="/photos" if n < 4 else "archive",
            folders=[(), ("2023",), ("2023", "2023/may"), ("2024", "2024/may")][n % 4],
            cluster=(f"g1/{n % 2}",),
            sha256=f"{n:064x}",
            format=["JPEG", "PNG", "WEBP"][n % 3],
            width=100 * n,
            height=50,
            bytes=2**40 + n,
            mtime=1_700_000_000.0 + n / 4,
            taken_at=None if n == 7 else f"2024-0{n + 1}-01T00:00:00",
            indexed_at=f"2026-01-01T0{n}:00:00+00:00",
        )
        for n, record in enumerate(records(8))
    ]
    store.upsert(items, rows)

    def ask(*texts: str, cluster: str | None = None) -> set[str]:
        where = parse_where(texts)
        [hits] = store.search([Probe(rows[0], cluster, 100, where)])
        assert store.count(cluster, where) == len(hits)
        return {hit.record.path[2:-4] for hit in hits if hit.record}

    return ask


FOUND = {
    "folder=2023": "1 2 5 6",
    "folder=2023/may": "2 6",
    "folder=may": "",
    "folder!=2023": "0 3 4 7",
    "folder=2024 folder=2023/may": "2 3 6 7",
    "folder=2023 folder!=2023/may": "1 5",
    "root=archive": "4 5 6 7",
    "root=/photos/": "0 1 2 3",
    "root!=archive path!=a/2.jpg": "0 1 3",
    "path=a/3.jpg path=a/4.jpg": "3 4",
    "format=png": "1 4 7",
    "format!=PNG format!=JPG": "2 5",
    f"sha256={5:064X}": "5",
    "width=300": "3",
    "width!=300": "0 1 2 4 5 6 7",
    "width>=600": "6 7",
    "width>99.5 width<300": "1 2",
    "width<=0": "0",
    "height=50 width>600": "7",
    "height>50": "",
    f"bytes>{2**40 + 5}": "6 7",
    f"bytes={2**40 + 5}": "5",
    "mtime>1700000001.25": "6 7",
    "mtime<=1700000000.25": "0 1",
    "mtime=1700000000.5": "2",
    "mtime>=2023-11-14T22:13:21Z": "4 5 6 7",
    "mtime=2023-11-14T22:13:21Z": "4 5 6 7",
    "mtime=2023-11-14T22:13:20+00:00": "0 1 2 3",
    "taken_at=2024-03": "2",
    "taken_at=2024": "0 1 2 3 4 5 6",
    "taken_at>=2024-06": "5 6",
    "taken_at>2024-06": "6",
    "taken_at<2024-03": "0 1",
    "taken_at<=2024-03": "0 1 2",
    "taken_at>=2024-02-01T00:00 taken_at<2024-03-01T00:00:00": "1",
    "taken_at>2024-02-01T00:00:00": "2 3 4 5 6",
    "indexed_at>=2026-01-01T06:00Z": "6 7",
    "indexed_at<2026-01-01T03:00+02:00": "0",
    "indexed_at=2026-01-01T06:00Z": "6",
    "format=PNG taken_at<=2024-04 folder=2023": "1",
}
"""Which pictures of `album` meet all conditions."""


def test_only_what_meets_all_conditions_is_found(album: Callable[..., set[str]]) -> None:
    assert {texts: " ".join(sorted(album(*texts.split()))) for texts in FOUND} == FOUND


def test_conditions_hold_beside_the_cluster(album: Callable[..., set[str]]) -> None:
    assert album("width>=300", cluster="g1/1") == {"3", "5", "7"}
    assert album("folder=2023", cluster="g1/0") == {"2", "6"}
    assert album("folder!=2023", cluster="g1/1") == {"3", "7"}
    assert album("folder=2023/may", cluster="g1/1") == set()


def test_the_limit_counts_only_what_meets_the_conditions(
    store: VectorStore, records: Records, vectors: Vectors
) -> None:
    rows = vectors(300)
    items = [dataclasses.replace(item, width=n) for n, item in enumerate(records(300))]
    store.upsert(items, rows)
    store.tidy()
    where = parse_where(["width>=250"])
    filtered, plain = store.search(
        [Probe(rows[0], "g1/0", 20, where), Probe(rows[0], "g1/0", 20)], with_records=False
    )
    order = sorted(range(250, 300), key=lambda n: -float(rows[n] @ rows[0]))[:20]
    assert len(filtered) == 20
    assert len({hit.id for hit in filtered} & {items[n].id for n in order}) >= 18
    assert len(plain) == 20
    assert plain[0].id == items[0].id


def test_set_labels_writes_nothing_but_labels(
    store: VectorStore, records: Records, vectors: Vectors
) -> None:
    items, rows = records(2500, taken_at="2020-02-02T10:00:00"), vectors(2500)
    store.upsert(items, rows)
    before = store.get([item.id for item in items[:50]], with_vectors=True)
    wanted = {item.id: ("g1/0", f"g2/{n % 3}") for n, item in enumerate(items[:2000])}
    store.set_labels([(UNKNOWN, ("g2/0",)), ("not an id", ("g2/0",)), *wanted.items()])
    assert store.count() == 2500
    assert store.cluster_sizes() == {"g1/0": 2500, "g2/0": 667, "g2/1": 667, "g2/2": 666}
    after = store.get([item.id for item in items[:50]], with_vectors=True)
    for key, point in after.items():
        assert point.record == dataclasses.replace(before[key].record, cluster=wanted[key])
        np.testing.assert_array_equal(point.vector, before[key].vector)
    [hits] = store.search([Probe(rows[4], "g2/1", 3)])
    assert hits[0].id == items[4].id
    store.set_labels([(key, labels[1:]) for key, labels in wanted.items()])
    store.set_labels([(key, labels[1:]) for key, labels in wanted.items()])
    store.set_labels([])
    store.tidy()
    assert store.cluster_sizes() == {"g1/0": 500, "g2/0": 667, "g2/1": 667, "g2/2": 666}
    [hits] = store.search([Probe(rows[4], "g2/1", 3)])
    assert hits[0].id == items[4].id
    assert store.search([Probe(rows[4], "g1/0", 600)])[0][-1].id != items[4].id


def test_a_cluster_is_counted_anew_after_every_write(store: VectorStore, records: Records) -> None:
    def write(start: int, number: int, cluster: str) -> list[str]:
        made = records(number, start=start, root=cluster, cluster=(cluster,))
        store.upsert(made, np.repeat(basis(1.0), number, axis=0))
        return [one.id for one in made]

    ids = write(0, 4, "g1/0")
    assert (store.count("g1/0"), store.count("g1/1")) == (4, 0)
    write(4, 3, "g1/1")
    assert (store.count("g1/0"), store.count("g1/1")) == (4, 3)
    store.set_labels([(ids[0], ("g1/1",))])
    assert (store.count("g1/0"), store.count("g1/1")) == (3, 4)
    store.delete(ids[1:2])
    assert (store.count("g1/0"), store.count("g1/1")) == (2, 4)
    store.delete_root("g1/1")
    assert (store.count("g1/0"), store.count("g1/1")) == (2, 1)


def test_an_exact_probe_misses_nothing_in_a_cluster(store: VectorStore, records: Records) -> None:
    rows = np.random.default_rng(5).standard_normal((2_000, 512), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    made = [dataclasses.replace(one, cluster=("g1/0",)) for one in records(len(rows))]
    store.upsert(made, rows)
    store.tidy()
    [few, all_of_them] = store.search(
        [Probe(rows[0], "g1/0", number, exact=True) for number in (40, len(rows))],
        with_records=False,
    )
    assert len({one.id for one in all_of_them}) == len(rows)
    assert [one.id for one in few] == [one.id for one in all_of_them[:40]]
