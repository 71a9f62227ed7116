"""Copying points between stores, comparing them, and the one line of the settings file."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.moving.copying import copy_differing, is_same, unit_vectors
from indexer.moving.sampling import Sampler, compare_vectors
from indexer.moving.switching import setting_line, switch, with_setting
from shared.errors import StoreError
from shared.settings import load_settings
from shared.types import ImageRecord, StoredImage
from tests.fakes import MemoryStore, axis_vector, record


def _records(count: int) -> list[ImageRecord]:
    return sorted((record(f"{number}.jpg") for number in range(count)), key=lambda one: one.id)


def _filled(records: list[ImageRecord]) -> MemoryStore:
    store = MemoryStore()
    vectors = [axis_vector(np.cos(row), np.sin(row)) for row in range(len(records))]
    store.upsert(records, np.stack(vectors))
    return store


def _pages(store: MemoryStore, size: int = 4) -> list[list[str]]:
    ids = sorted(store.ids())
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def _go_on(_points: int) -> bool:
    return False


def test_a_pass_writes_what_is_missing_and_the_next_one_nothing() -> None:
    source, target = _filled(_records(10)), MemoryStore()
    first = copy_differing(_pages(source), source, target, _go_on)
    assert (first.points, first.written, first.absent, first.stopped) == (10, 10, 0, False)
    assert target.get(sorted(source.ids())) == source.get(sorted(source.ids()))
    assert copy_differing(_pages(source), source, target, _go_on).written == 0


def test_cut_off_anywhere_it_goes_on_and_misses_no_change() -> None:
    records = _records(10)
    source, target = _filled(records), MemoryStore()
    told: list[int] = []
    cut = copy_differing(_pages(source), source, target, lambda n: bool(told.append(n) or 1))
    assert (cut.written, cut.stopped, told) == (4, True, [4])
    source.set_labels([(records[0].id, ("g2/7",))])  # copied already
    changed = dataclasses.replace(records[1], indexed_at="2027-01-01T00:00:00+00:00")
    source.upsert([changed], axis_vector(0, 0, 1)[None])
    source.delete([records[9].id])
    rest = copy_differing(_pages(source), source, target, _go_on)
    assert (rest.points, rest.written) == (9, 7)
    assert target.get([records[0].id])[records[0].id].record.cluster == ("g2/7",)
    vector = target.get([changed.id], with_vectors=True)[changed.id].vector
    assert vector is not None
    np.testing.assert_allclose(vector, axis_vector(0, 0, 1))


def test_ids_that_the_source_lacks_are_counted() -> None:
    source, target = _filled(_records(2)), MemoryStore()
    lost = [record("lost.jpg").id]
    copied = copy_differing([*_pages(source), lost], source, target, _go_on)
    assert (copied.points, copied.written, copied.absent) == (2, 2, 1)


def test_records_differ_by_anything_but_the_last_bit_of_mtime() -> None:
    one = record("a.jpg")
    assert is_same(one, dataclasses.replace(one, mtime=np.nextafter(one.mtime, 0)))
    others = {"mtime": one.mtime + 1e-3, "cluster": ("g1/1",), "path_raw": "YQ==", "width": 5}
    for name, value in others.items():
        assert not is_same(one, dataclasses.replace(one, **{name: value})), name  # type: ignore[arg-type]


def _stored(vector: NDArray[np.float32] | None) -> StoredImage:
    return StoredImage(record("a.jpg"), vector)


def test_vectors_are_of_unit_length_again_after_their_rounding() -> None:
    random = np.random.default_rng(0).normal(size=512).astype(np.float32)
    rounded = (random / np.linalg.norm(random)).astype(np.float16).astype(np.float32)
    assert abs(np.linalg.norm(rounded) - 1) > 1e-7
    (row,) = unit_vectors([_stored(rounded)])
    assert abs(float(np.linalg.norm(row)) - 1) < 1e-6
    assert float(row @ rounded) > 1 - 1e-4


@pytest.mark.parametrize("vector", [None, axis_vector(0), axis_vector(float("nan"))])
def test_a_vector_without_a_direction_is_named(vector: NDArray[np.float32] | None) -> None:
    with pytest.raises(StoreError, match=r"'a\.jpg' .* `indexer doctor --repair`"):
        unit_vectors([_stored(vector)])


def test_a_sample_is_even_and_its_seed_draws_it_again() -> None:
    pages = [[f"{page}-{row}" for row in range(10)] for page in range(10)]
    drawn: dict[str, int] = {}
    for seed in range(300):
        sampler, again = Sampler(seed, 20), Sampler(seed, 20)
        assert list(sampler.watch(pages)) == pages
        list(again.watch(pages))
        assert sampler.ids == again.ids
        assert len(set(sampler.ids)) == 20
        for key in sampler.ids:
            drawn[key] = drawn.get(key, 0) + 1
    assert len(drawn) == 100
    assert min(drawn.values()) > 30  # 60 expected, with a deviation of 7
    assert max(drawn.values()) < 90


def test_vectors_are_compared_and_the_lowest_cosine_is_told() -> None:
    records = _records(3)
    source, target = _filled(records), _filled(records)
    tilted = axis_vector(np.cos(2.02), np.sin(2.02))  # .02 rad off: cosine .9998
    target.upsert([records[2]], tilted[None])
    compared, lowest = compare_vectors([one.id for one in records], source, target)
    assert (compared, lowest) == (3, pytest.approx(np.cos(0.02), abs=1e-6))


def test_a_vector_that_is_another_one_is_found_though_its_record_is_right() -> None:
    records = _records(3)
    source, target = _filled(records), _filled(records)
    target.upsert([records[1]], axis_vector(np.cos(1.1), np.sin(1.1))[None])  # cosine .995
    with pytest.raises(StoreError, match=r"arrived with cosine 0\.9950 to itself"):
        compare_vectors([one.id for one in records], source, target)
    target.delete([records[1].id])
    with pytest.raises(StoreError, match="did not arrive"):
        compare_vectors([one.id for one in records], source, target)


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("", "http://q", 'qdrant_url = "http://q"\n'),
        ("# mine\nurl = 'a'", "b", "# mine\nurl = 'a'\nqdrant_url = \"b\"\n"),
        (" qdrant_url='a' # x\nurl = 'b'\n", "c", "url = 'b'\nqdrant_url = \"c\"\n"),
        ('"qdrant_url" = "a"\n', "b", 'qdrant_url = "b"\n'),
        ("# qdrant_url = 'a'\n", "b", "# qdrant_url = 'a'\nqdrant_url = \"b\"\n"),
        ("url = 'b'\nqdrant_url = 'a'\n", None, "url = 'b'\n"),
        ("url = 'b'\n", None, "url = 'b'\n"),
        # The line is one only for the eye, and one that the setting ends on:
        ("url = '''\nqdrant_url = 1\n'''\n", "a", None),
        ("qdrant_url = '''\na'''\n", "b", None),
        ("[table]\n", "a", None),
    ],
)
def test_one_setting_changes_and_nothing_else(
    before: str, value: str | None, after: str | None
) -> None:
    assert with_setting(before, "qdrant_url", value) == after


def test_a_setting_with_odd_characters_is_read_as_it_was() -> None:
    for value in ('a"b\\c\x7f\u2028é\n', "", 5, 0.25):
        assert with_setting(setting_line("url", value), "gone", None) == setting_line("url", value)


def test_switching_keeps_permissions_and_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    assert switch(tmp_path, "http://q:6333")
    path = tmp_path / "settings.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    assert switch(tmp_path, "http://r:6333")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert load_settings({"home": tmp_path}, {}).qdrant_url == "http://r:6333"
    assert [entry.name for entry in tmp_path.iterdir()] == ["settings.toml"]
    path.write_text("no toml at all")
    assert not switch(tmp_path, "http://q:6333")
    path.unlink()
    path.mkdir()
    assert not switch(tmp_path, "http://q:6333")
