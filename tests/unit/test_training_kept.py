"""Decoded pixels that are kept: in memory, in a file, nowhere; what the file leaves behind."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from indexer.training import kept
from indexer.training.dataset import ImageBatches
from indexer.training.kept import KeptPixels
from indexer.training.source import PixelSource, check_images
from shared.types import Pixels, PixelSpec
from tests.homes import draw_photos
from tests.progress import Silent

SIZE = 8
BYTES = SIZE * SIZE * 3


def pictures(count: int) -> list[Pixels]:
    random = np.random.default_rng(0)
    drawn = [random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8) for _ in range(count)]
    for one in drawn:
        one.setflags(write=False)
    return drawn


def room(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    usage = shutil.disk_usage("/")._replace(free=free)
    monkeypatch.setattr(kept.shutil, "disk_usage", lambda _: usage)


def test_what_memory_has_no_room_for_comes_back_from_the_file(tmp_path: Path) -> None:
    drawn = pictures(50)
    store = KeptPixels(SIZE, 3 * BYTES, tmp_path / "not yet there")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(store.keep, map(str, range(50)), drawn))
        found = list(threads.map(store.find, map(str, range(50))))
    for picture, wanted in zip(found, drawn, strict=True):
        assert picture is not None
        np.testing.assert_array_equal(picture, wanted)
        assert picture.shape == wanted.shape
        assert not picture.flags.writeable
    assert sum(store.at_hand(str(number)) is not None for number in range(50)) == 3
    assert list((tmp_path / "not yet there").iterdir()) == []  # the file has no name
    store.close()
    assert sum(store.find(str(number)) is not None for number in range(50)) == 3


def test_closing_gives_the_disk_back(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    store = KeptPixels(SIZE, 0, tmp_path)
    store.keep("a", pictures(1)[0])
    store.close()
    store.close()
    store.keep("b", pictures(1)[0])
    assert store.find("a") is store.find("b") is None
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_the_file_takes_half_of_what_is_free_and_leaves_a_gibibyte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room(monkeypatch, 2**30 + 2 * 5 * BYTES)
    store = KeptPixels(SIZE, 0, tmp_path)
    for number, picture in enumerate(pictures(9)):
        store.keep(str(number), picture)
    assert [store.find(str(number)) is not None for number in range(9)] == [True] * 5 + [False] * 4
    store.close()


@pytest.mark.parametrize("free", [0, 2**30])
def test_a_full_disk_and_no_folder_keep_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    room(monkeypatch, free)
    (tmp_path / "file").touch()
    for folder in (None, tmp_path, tmp_path / "file"):
        store = KeptPixels(SIZE, BYTES, folder)
        for number, picture in enumerate(pictures(2)):
            store.keep(str(number), picture)
        assert store.find("0") is not None
        assert store.find("1") is None
        store.close()


def test_a_disk_that_refuses_costs_only_what_it_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = pictures(3)
    store = KeptPixels(SIZE, 0, tmp_path)
    store.keep("first", first)

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(kept.os, "pwrite", refuse)
        store.keep("second", second)
    store.keep("third", third)
    np.testing.assert_array_equal(store.find("first"), first)
    assert store.find("second") is store.find("third") is None
    with monkeypatch.context() as patched:
        patched.setattr(kept.os, "pread", refuse)
        assert store.find("first") is None
    store.close()


def test_batches_are_the_same_from_memory_file_and_pictures(tmp_path: Path) -> None:
    paths = draw_photos(tmp_path / "photos", 4)
    seen = []
    for cache_bytes, scratch in ((2**20, None), (0, tmp_path), (0, None)):
        with PixelSource(PixelSpec(size=SIZE), cache_bytes=cache_bytes, scratch=scratch) as source:
            assert len(check_images(paths, source, Silent()).good) == len(paths)
            batches = ImageBatches(paths, 5, source, edge=4, seed=3)
            seen.append([batches[number][0] for number in range(len(batches))])
    for batch, from_file, decoded in zip(*seen, strict=True):
        np.testing.assert_array_equal(batch, from_file)
        np.testing.assert_array_equal(batch, decoded)


def test_a_picture_in_the_file_outlives_its_own(tmp_path: Path) -> None:
    paths = draw_photos(tmp_path / "photos", 2)
    with PixelSource(PixelSpec(size=SIZE), cache_bytes=0, scratch=tmp_path) as source:
        check_images(paths, source, Silent())
        for path in paths:
            path.unlink()
        assert all(picture is not None for picture in source.many(paths))
