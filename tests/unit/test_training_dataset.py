"""The training loader: shapes, flips, seeds, bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.training.dataset import ImageBatches, scaled, split
from indexer.training.source import PixelSource, check_images
from shared.errors import TrainingError
from shared.images import pixels
from shared.types import PixelSpec
from tests.progress import Silent

SPEC = PixelSpec(size=8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ten noisy PNGs, none of them its own mirror image."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(7)
    paths = [folder / f"{number}.png" for number in range(10)]
    for path in paths:
        Image.fromarray(random.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path)
    return paths


def test_batches_have_the_stated_shape_dtype_and_range(photos: list[Path]) -> None:
    with PixelSource(SPEC) as source:
        batches = ImageBatches(photos, 4, source)
        inputs = [batches[index] for index in range(len(batches))]
    assert [picture.shape for picture, _ in inputs] == [(4, 8, 8, 3), (4, 8, 8, 3), (2, 8, 8, 3)]
    for picture, target in inputs:
        assert picture.dtype == np.float32
        assert picture.min() >= 0
        assert 0.5 < picture.max() <= 1
        np.testing.assert_array_equal(picture, target)
    with pytest.raises(IndexError):
        batches[3]


def test_pixels_are_those_of_the_one_path_from_file_to_network(photos: list[Path]) -> None:
    with PixelSource(SPEC) as source:
        batch, _ = ImageBatches(photos, 10, source, flip=0, shuffle=False)[0]
    wanted = np.stack([pixels(path, SPEC) for path in photos])
    np.testing.assert_array_equal(batch, wanted.astype(np.float32) / 255)


def test_half_of_the_pictures_are_exact_mirror_images(photos: list[Path]) -> None:
    flipped = 0
    with PixelSource(SPEC) as source:
        plain, _ = ImageBatches(photos, 10, source, flip=0, shuffle=False)[0]
        batches = ImageBatches(photos, 10, source, shuffle=False, seed=3)
        for _ in range(100):
            for picture, original in zip(batches[0][0], plain, strict=True):
                if np.array_equal(picture, original[:, ::-1]):
                    flipped += 1
                else:
                    np.testing.assert_array_equal(picture, original)
            batches.on_epoch_end()
    # 1,000 fair coins: five standard deviations are 79.
    assert abs(flipped - 500) < 79


def test_same_seed_same_batches_whatever_the_threads(photos: list[Path]) -> None:
    with PixelSource(SPEC, workers=1) as one, PixelSource(SPEC, workers=4, cache_bytes=0) as four:
        first = ImageBatches(photos, 4, one, seed=5)
        second = ImageBatches(photos, 4, four, seed=5)
        other = ImageBatches(photos, 4, one, seed=6)
        for index in (2, 0, 1):  # batches may be asked for in any order
            np.testing.assert_array_equal(first[index][0], second[index][0])
        assert not np.array_equal(first[0][0], other[0][0])
        before = first[0][0]
        first.on_epoch_end()
        assert not np.array_equal(before, first[0][0])
        second.on_epoch_end()
        np.testing.assert_array_equal(first[0][0], second[0][0])


def test_an_epoch_shows_every_picture_once(photos: list[Path]) -> None:
    with PixelSource(SPEC) as source:
        batches = ImageBatches(photos, 4, source, flip=0, seed=1)
        seen = np.concatenate([batches[index][0] for index in range(len(batches))])
    assert len(np.unique(seen.reshape(10, -1), axis=0)) == 10


def test_a_bad_or_vanished_picture_is_replaced_from_its_batch(
    photos: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "cut.png").write_bytes(photos[0].read_bytes()[:200])
    paths = [photos[0], tmp_path / "cut.png", photos[1], tmp_path / "vanished.png"]
    with PixelSource(SPEC) as source:
        batches = ImageBatches(paths, 4, source, flip=0, shuffle=False)
        batch, _ = batches[0]
    good = [pixels(path, SPEC).astype(np.float32) / 255 for path in photos[:2]]
    np.testing.assert_array_equal(batch[[0, 2]], good)
    assert all(any(np.array_equal(batch[row], picture) for picture in good) for row in (1, 3))
    assert batches.replaced == 2


def test_a_batch_without_any_readable_picture_is_one_clear_line(tmp_path: Path) -> None:
    with PixelSource(SPEC) as source:
        batches = ImageBatches([tmp_path / "gone.png"], 4, source)
        with pytest.raises(TrainingError, match=r"none of 1 pictures .*gone\.png"):
            batches[0]
    assert isinstance(batches.failure, TrainingError)


def test_pixels_in_memory_outlive_their_files(photos: list[Path], tmp_path: Path) -> None:
    paths = [tmp_path / path.name for path in photos[:3]]
    for path, photo in zip(paths, photos, strict=False):
        path.write_bytes(photo.read_bytes())
    room_for_two = 2 * 8 * 8 * 3
    with PixelSource(SPEC, workers=1, cache_bytes=room_for_two) as source:
        checked = check_images(paths, source, Silent())
        for path in paths:
            path.unlink()
        found = source.many(paths)
    assert checked.good == tuple(paths)
    assert [picture is not None for picture in found] == [True, True, False]
    assert found[0] is not None
    assert not found[0].flags.writeable


def test_check_images_tells_good_from_refused(photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    paths = [photos[0], tmp_path / "empty.jpg", bytes(photos[1]), tmp_path / "text.jpg"]
    with PixelSource(SPEC) as source:
        checked = check_images(paths, source, Silent())
    assert checked.good == (photos[0], bytes(photos[1]))
    assert [len(digest) for digest in checked.hashes] == [64, 64]
    assert [path.name for path, _ in checked.refused] == ["empty.jpg", "text.jpg"]
    assert checked.refused[0][1] == "is empty"


@pytest.mark.parametrize(("count", "share", "wanted"), [(100, 0.15, 15), (5, 0.01, 1), (2, 0.5, 1)])
def test_split_is_disjoint_and_whole(count: int, share: float, wanted: int) -> None:
    paths = [f"{number}.jpg" for number in range(count)]
    training, validation = split(paths, share, seed=4)
    assert len(validation) == wanted
    assert sorted(training + validation) == sorted(paths)
    assert split(paths, share, seed=4) == (training, validation)


def test_split_leaves_something_to_train_on() -> None:
    with pytest.raises(ValueError, match="validation share"):
        split(["only.jpg"], 0.5, seed=0)


@pytest.mark.parametrize(("size", "edge"), [(8, 4), (8, 2), (12, 4), (128, 64)])
def test_scaled_is_the_mean_over_squares_to_the_last_bit(size: int, edge: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, size, size, 3), dtype=np.uint8)
    cut = (pictures.astype(np.float32) / np.float32(255)).reshape(
        5, edge, size // edge, edge, size // edge, 3
    )
    np.testing.assert_array_equal(scaled(pictures, edge), cut.mean(axis=(2, 4)))
