"""The rooms of a comparison, against numbers worked by hand."""

from __future__ import annotations

import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import indexer.training
from indexer.bakeoff.album import Album, held_out_rows, label_codes, list_pictures, sampled
from indexer.bakeoff.comparison import compare
from indexer.bakeoff.copies import altered
from indexer.bakeoff.entrants import CURRENT, Speed, StoredVectors, bundle_of, in_home, speed
from indexer.bakeoff.fitting import Task, fit
from indexer.bakeoff.intervals import Interval, interval
from indexer.bakeoff.questions import CopyQuestions, LabelQuestions, Scores
from indexer.bakeoff.report import comparison_json, comparison_table
from indexer.bakeoff.results import Measured, Verdict
from indexer.bakeoff.verdict import recommend
from indexer.bakeoff.wanted import Wanted
from shared.errors import TrainingError
from shared.floors import SPEC
from shared.images import decode
from shared.models import Models
from shared.reading import Limits
from shared.settings import Settings
from shared.types import PixelSpec
from tests.homes import add_encoder
from tests.progress import Silent

Rows = NDArray[np.float32]


@pytest.fixture
def album(photos: Path) -> Iterator[Album]:
    """Eighteen pictures, six a colour; blue, green, red in the order of their paths."""
    found = list_pictures(photos, [], Settings(home=photos / "none"), Silent())
    with closing(Album.read(found, Limits(), 1, Silent())) as album:
        yield album


def rows(*angles: float) -> Rows:
    """Unit vectors at these angles, in degrees."""
    turned = np.radians(angles)
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class TestAlbum:
    def test_lists_samples_and_keeps_what_can_be_read(self, photos: Path) -> None:
        (photos / "red/broken.jpg").write_bytes(b"no picture")
        (photos / ".hidden.jpg").write_bytes(b"no picture")
        found = list_pictures(photos, ["green"], Settings(home=photos / "none"), Silent())
        assert len(found) == 13
        some = sampled(found, 5, 1)
        assert some == sampled(found, 5, 1) == sorted(some)
        assert some != sampled(found, 5, 2)
        assert sampled(found, 13, 0) == found
        with closing(Album.read(found, Limits(), 1, Silent())) as album:
            assert len(album) == 12
            assert [path for path, _ in album.refused] == [os.fsencode(photos / "red/broken.jpg")]
            (chunk,) = album.chunks(SPEC)
            wanted = decode((photos / "blue/0.jpg").read_bytes(), [SPEC]).pixels[0]
            assert np.array_equal(chunk[0], wanted)

    def test_a_file_that_vanishes_is_named(self, album: Album, photos: Path) -> None:
        (photos / "green/2.jpg").unlink()
        with pytest.raises(TrainingError, match=r"green/2\.jpg cannot be read any more"):
            list(album.chunks(PixelSpec(size=32)))

    def test_codes_follow_the_labels(self) -> None:
        labels = {b"/a": "hat", b"/c": "bag"}
        assert label_codes(["/a", b"/b", "/c"], labels).tolist() == [1, -1, 0]

    def test_of_every_label_the_same_share_is_held_out(self) -> None:
        codes = np.repeat([2, 0, 1, -1], [40, 20, 10, 30])
        held_out = held_out_rows(codes, 0.2, seed=3)
        assert np.unique(codes[held_out], return_counts=True)[1].tolist() == [6, 4, 2, 8]
        assert np.array_equal(held_out, held_out_rows(codes, 0.2, seed=3))
        assert not np.array_equal(held_out, held_out_rows(codes, 0.2, seed=4))
        assert len(held_out_rows(codes, 0.0, seed=3)) == 0
        assert len(held_out_rows(np.zeros(1, np.int64), 0.9, seed=0)) == 0


class TestCopies:
    def test_what_each_alteration_does(self) -> None:
        rng = np.random.default_rng(0)
        smooth = Image.fromarray(rng.integers(40, 160, (6, 8, 3), np.uint8)).resize((400, 300))
        file = png(smooth)
        made = altered(file, np.random.default_rng(5), Limits())
        opened = {name: Image.open(io.BytesIO(data)).convert("RGB") for name, data in made.items()}
        assert list(made) == ["crop", "flip", "brightness", "reencoding"]
        assert 280 <= opened["crop"].width <= 360
        assert 210 <= opened["crop"].height <= 270
        original = np.asarray(smooth, np.float64)
        flipped = np.asarray(opened["flip"], np.float64)[:, ::-1]
        assert np.abs(flipped - original).mean() < 3
        factor = np.asarray(opened["brightness"], np.float64).mean() / original.mean()
        assert 4 / 3 - 0.02 < max(factor, 1 / factor) < 5 / 3 + 0.02
        assert opened["reencoding"].size == (200, 150)
        assert made == altered(file, np.random.default_rng(5), Limits())
        assert made != altered(file, np.random.default_rng(6), Limits())
        one_pixel = png(Image.new("RGB", (1, 1)))
        assert len(altered(one_pixel, np.random.default_rng(0), Limits())) == 4


class TestQuestions:
    def test_labels_with_each_left_out(self, album: Album) -> None:
        codes = np.array([0, 0, 1, 1, 2, -1])
        everything = np.arange(6)
        asked = LabelQuestions(album, codes, everything, everything)
        # The picture of label 2 has no other to find, the last has no label.
        assert asked.counting.tolist() == [0, 1, 2, 3]
        scores = asked.scores(rows(0, 10, 90, 30, 200, 300))
        assert scores["p_at_10"].tolist() == [0.1] * 4
        # First, first, then by angle: 90 finds 30 first; 30 finds 10 and 0 first, then 90.
        assert scores["map_at_100"].tolist() == [1, 1, 1, pytest.approx(1 / 3)]

    def test_labels_with_some_held_out(self, album: Album) -> None:
        codes = np.array([0, 0, 1, 1])
        asked = LabelQuestions(album, codes, np.array([0, 2]), np.array([1, 3]))
        assert asked.counting.tolist() == [1, 3]
        scores = asked.scores(rows(0, 10, 90, 20))
        assert scores["map_at_100"].tolist() == [1, 0.5]
        lonely = LabelQuestions(album, codes, np.array([0, 1]), np.array([2, 3]))
        assert lonely.count == 0

    def test_a_picture_without_a_vector_finds_nothing(self, album: Album) -> None:
        codes = np.zeros(3, np.int64)
        vectors = rows(0, 10, 20)
        vectors[1] = 0
        everything = np.arange(3)
        scores = LabelQuestions(album, codes, everything, everything).scores(vectors)
        assert scores["p_at_10"].tolist() == [0.2, 0, 0.2]

    def test_copies_find_their_originals_or_not(self, album: Album) -> None:
        points = rows(*(20 * place for place in range(18)))
        asked = CopyQuestions(album, np.array([1, 4]), {})
        scores = asked.scores(points, {"crop": rows(21, 95), "flip": rows(29, 81)})
        assert scores["crop"].tolist() == [1, 0]
        assert scores["flip"].tolist() == [1, 1]
        assert list(scores) == ["recall_at_1", "crop", "flip"]
        assert scores["recall_at_1"].tolist() == [1, 0.5]

    def test_an_encoder_that_sees_no_difference_finds_nothing(self, album: Album) -> None:
        asked = CopyQuestions(album, np.array([0, 1]), {})
        scores = asked.scores(rows(*[7] * 18), {"crop": rows(7, 7)})
        assert scores["recall_at_1"].tolist() == [0, 0]

    def test_a_file_of_the_same_bytes_is_as_good_as_the_original(self, photos: Path) -> None:
        shutil.copy(photos / "blue/0.jpg", photos / "blue/copy.jpg")
        found = list_pictures(photos, [], Settings(home=photos / "none"), Silent())
        with closing(Album.read(found, Limits(), 1, Silent())) as album:
            points = rows(*(10 * place for place in range(19)))
            copy = found.index(os.fsencode(photos / "blue/copy.jpg"))
            scores = CopyQuestions(album, np.array([0]), {}).scores(
                points, {"crop": points[copy : copy + 1]}
            )
        assert scores["crop"].tolist() == [1]

    def test_drawing_and_asking(self, album: Album, tiny_tflite: Path, tmp_path: Path) -> None:
        asked = CopyQuestions.draw(album, np.arange(18), seed=1)
        assert (asked.count, asked.pictures) == (18, 18 + 4 * 18)
        again = CopyQuestions.draw(album, np.array([3, 4]), seed=1)
        assert again.copies["crop"] == asked.copies["crop"][3:5]
        bundle = add_encoder(Models(tmp_path / "models"), tiny_tflite)
        scores = asked.ask(StoredVectors.of(bundle))
        assert scores["reencoding"].mean() > 0.8
        assert all(values.shape == (18,) for values in scores.values())


class TestEntrants:
    def test_what_a_home_holds(self, home: Path, tiny_tflite: Path) -> None:
        models = Models(home / "models")
        (other,) = (add_encoder(models, _other_size(tiny_tflite, home), size=64).id,)
        current = models.current().encoder
        assert in_home(models) == [CURRENT, *({other} - {current})]
        assert bundle_of(models, CURRENT).id == current
        assert in_home(Models(home / "nothing")) == []
        (home / "models/current.json").write_text("{")
        assert in_home(models)[0] == CURRENT

    def test_vectors_are_those_of_the_store(self, home: Path) -> None:
        vectors = StoredVectors.of(bundle_of(Models(home / "models"), CURRENT))
        pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
        found = vectors(pixels)
        assert np.array_equal(found, found.astype(np.float16).astype(np.float32))
        assert found == pytest.approx(vectors.encoder.encode(pixels), abs=1e-3)

    def test_what_the_store_would_refuse_is_zeros(self) -> None:
        class Broken:
            id, spec = "broken", SPEC

            def encode(self, pixels: NDArray[np.uint8]) -> Rows:
                found = np.zeros((len(pixels), 512), np.float32)
                found[0, 0], found[1, 0], found[2, 0] = 1, np.nan, 0.5
                return found

        found = StoredVectors(Broken())(np.zeros((3, 64, 64, 3), np.uint8))
        assert found.any(axis=1).tolist() == [True, False, False]

    def test_speed_is_a_median_of_calls(self) -> None:
        class Slow:
            id, spec = "slow", SPEC

            def encode(self, pixels: NDArray[np.uint8]) -> Rows:
                time.sleep(0.01 + 0.002 * len(pixels))
                return np.zeros((len(pixels), 512), np.float32)

        found = speed(Slow(), np.zeros((5, 64, 64, 3), np.uint8))
        assert 50 < found.images_per_second <= 250
        assert 12 <= found.query_ms < 100


def _other_size(tflite: Path, folder: Path) -> Path:
    """The same graph with a byte more at its end, so that its bundle is another."""
    path = folder / "other.tflite"
    path.write_bytes(tflite.read_bytes() + b"\0")
    return path


class TestIntervals:
    def test_the_interval_of_many_values_is_that_of_the_normal(self) -> None:
        values = np.random.default_rng(0).normal(0.5, 0.2, 400)
        found = interval(values, seed=0)
        width = 1.96 * values.std() / 20
        assert found.mean == pytest.approx(values.mean())
        assert found.low == pytest.approx(values.mean() - width, abs=0.003)
        assert found.high == pytest.approx(values.mean() + width, abs=0.003)
        assert found == interval(values, seed=0)

    def test_zero_at_an_end_is_held(self) -> None:
        assert Interval(0.1, 0.0, 0.2).holds_zero
        assert not Interval(0.1, 0.01, 0.2).holds_zero
        assert not Interval(-0.1, -0.2, -0.01).holds_zero


def measured(name: str, values: NDArray[np.float64], rate: float = 100, **more: object) -> Measured:
    return Measured(
        name=name,
        kind=name,
        bundle="0" * 16,
        scores={"p_at_10": values, "map_at_100": values},
        speed=Speed(rate, 1000 / rate),
        encoder_bytes=2**20,
        training_seconds=125.0,
        **more,  # type: ignore[arg-type]
    )


def noisy(mean: float, seed: int, count: int = 200) -> NDArray[np.float64]:
    found = np.random.default_rng(seed).normal(0, 0.1, count)
    return found - found.mean() + mean


class TestVerdict:
    def test_a_winner(self) -> None:
        found = recommend([measured("b", noisy(0.5, 0)), measured("a", noisy(0.7, 1))], None, 0)
        assert (found.take, found.tied) == ("a", ("a",))
        (sentence,) = found.sentences
        assert sentence.startswith("Take a: P@10 0.700, 0.200 more than the next, b (95 % interv")

    def test_a_tie_is_called_one(self) -> None:
        others = [measured("b", noisy(0.5, 0)), measured("a", noisy(0.501, 1))]
        found = recommend(others, None, 0)
        assert (found.take, found.tied) == ("a", ("a", "b"))
        assert found.sentences[0].startswith("A tie: a (P@10 0.501) and b (0.500; 0.001 less, ")
        assert found.sentences[0].endswith("cannot be told apart on 200 pictures.")
        assert found.sentences[1] == "Take a: none of the others is much faster."

    def test_a_tie_goes_to_the_faster(self) -> None:
        others = [measured("b", noisy(0.5, 0), rate=125), measured("a", noisy(0.501, 1))]
        found = recommend(others, None, 0)
        assert found.take == "b"
        assert found.sentences[1] == "Take b, the faster one: 125 images/s against 100."

    def test_a_tie_does_not_move_the_current_encoder(self) -> None:
        others = [measured("current", noisy(0.5, 0)), measured("a", noisy(0.501, 1), rate=1000)]
        found = recommend(others, None, 0)
        assert found.take == "current"
        assert found.sentences[1].startswith("Stay with the current encoder")

    def test_few_pictures_tell_nothing_apart_and_equal_answers_neither(self) -> None:
        values = np.full(29, 0.5)
        assert recommend([measured("a", values + 0.1), measured("b", values)], None, 0).tied == (
            "a",
            "b",
        )
        values = np.full(30, 0.5)
        assert recommend([measured("a", values + 0.1), measured("b", values)], None, 0).tied == (
            "a",
        )
        assert recommend([measured("a", values), measured("b", values)], None, 0).tied == ("a", "b")

    @pytest.mark.parametrize(
        ("floor", "words"),
        [
            (0.3, "The best floor, colour histogram, has 0.300, 0.400 less (95 % interval 0."),
            (0.701, "has 0.701: a cannot be told apart from it (-0.001, 95 % interval -0."),
            (0.9, "has 0.900, 0.200 more: a has not learnt what these pictures show. Train on"),
        ],
    )
    def test_against_the_best_floor(self, floor: float, words: str) -> None:
        floors: dict[str, Scores] = {
            "raw_pixels": {"p_at_10": noisy(0.1, 3)},
            "color_histogram": {"p_at_10": noisy(floor, 2)},
        }
        found = recommend([measured("a", noisy(0.7, 1))], floors, 0)
        assert found.sentences[0].endswith(
            "Nothing else was measured that it could be compared with."
        )
        assert words in found.sentences[1]

    def test_who_has_seen_the_answers_is_not_recommended(self) -> None:
        seen = measured("current", noisy(0.99, 0), seen=True)
        assert recommend([seen, measured("a", noisy(0.5, 1))], None, 0).take == "a"
        assert recommend([seen], None, 0) == Verdict(
            ("No encoder was measured fairly, so none is recommended.",), None, ()
        )


class TestFitting:
    def task(self, models: Path, paths: tuple[str, ...], **more: object) -> Task:
        values = {"kind": "autoencoder", "epochs": 1, "seed": 0, "paths": paths, "folder": "/"}
        values |= {"labels": None, "models": str(models), "workers": 1, "max_pixels": 10**6}
        return Task(**(values | {"max_file_bytes": 10**6, "debug": False} | more))  # type: ignore[arg-type]

    def test_the_reason_of_a_failure_comes_back(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match=r"^1 images, at least 50 are needed"):
            fit(self.task(tmp_path, ("/\udcff.jpg",)))

    def test_a_process_that_ends_without_a_word(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("indexer.bakeoff.fitting.MODULE", "keyword")
        with pytest.raises(TrainingError, match=r"ended without an answer \(exit code 0\)"):
            fit(self.task(tmp_path, ()))


class TestComparison:
    def wanted(self, folder: Path, **more: object) -> Wanted:
        return Wanted(folder, **({"encoders": (CURRENT,)} | more))  # type: ignore[arg-type]

    def test_by_folders(self, home: Path, photos: Path) -> None:
        (photos / "red/broken.jpg").write_bytes(b"no picture")
        found = compare(self.wanted(photos), Settings(home=home), Silent())
        value = json.loads(json.dumps(comparison_json(found)))
        assert (value["pictures"], value["queries"], value["refused"]) == (18, 18, 1)
        (row,) = value["encoders"]
        assert (row["encoder"], row["kind"]) == ("current", "random-projection")
        # Five others of its colour among the ten nearest, and all five first.
        assert (row["p_at_10"], row["map_at_100"]) == (0.5, 1.0)
        assert (row["vector_bytes"], row["training_seconds"]) == (1024, None)
        assert set(value["floors"]) == {
            *("raw_pixels", "pca_512", "color_histogram", "gradient_histogram")
        }
        table = comparison_table(found).splitlines()
        assert table[0].endswith("· 18 pictures, 18 asked with, each left out of its own answers")
        assert table[2].split()[:4] == ["P@10", "95", "%", "mAP@100"]
        assert table[3].startswith("current (random-projection)  0.500")
        assert table[-1].startswith(f"  {photos}/red/broken.jpg: is not an image")

    def test_held_out(self, home: Path, photos: Path) -> None:
        found = compare(self.wanted(photos, held_out=0.34), Settings(home=home), Silent())
        assert found.queries == 6
        assert found.measured[0].scores["p_at_10"].mean() == pytest.approx(0.4)
        assert "may have been trained" in str(found.measured[0].note)

    def test_without_labels(self, home: Path, photos: Path) -> None:
        found = compare(self.wanted(photos, by_labels=False), Settings(home=home), Silent())
        assert next(iter(found.measured[0].scores)) == "recall_at_1"
        table = comparison_table(found)
        assert "18 looked for with 4 altered copies each" in table
        assert "re-encoding" in table
        # A folder without folders has no labels, either.
        shallow = compare(self.wanted(photos / "red"), Settings(home=home), Silent())
        assert not shallow.labelled

    def test_one_that_fails_does_not_stop_the_others(self, home: Path, photos: Path) -> None:
        encoders = (CURRENT, "0123456789abcdef", "autoencoder")
        progress = Silent()
        found = compare(self.wanted(photos, encoders=encoders), Settings(home=home), progress)
        assert [one.name for one in found.failed] == ["0123456789abcdef", "autoencoder"]
        assert "at least 50 are needed" in found.failed[1].reason
        assert "autoencoder failed: 18 images, at least 50" in comparison_table(found)
        assert comparison_json(found)["encoders"][1]["error"].startswith("encoder 0123456789abcdef")

    def test_nothing_to_compare(self, home: Path, photos: Path, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(TrainingError, match="holds 0 readable pictures"):
            compare(self.wanted(tmp_path / "empty"), Settings(home=home), Silent())
        none = Settings(home=tmp_path / "nothing")
        with pytest.raises(TrainingError, match="no encoder could be measured: current: no model"):
            compare(self.wanted(photos), none, Silent())
        assert not none.home.exists()

    def test_without_tensorflow_only_the_home_is_compared(
        self, home: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            indexer.training, "find_spec", lambda name: None if name == "keras" else name
        )
        progress = Silent()
        found = compare(self.wanted(photos, encoders=()), Settings(home), progress)
        assert [one.name for one in found.measured] == [CURRENT]
        assert found.failed == ()
        (said,) = [line for line in progress.said if "lookalike[train]" in line]
        assert said.startswith("only the encoders of the home are compared: ")
        for encoders, place in ((("autoencoder", CURRENT), home), ((), tmp_path / "new")):
            wanted = self.wanted(photos, encoders=encoders)
            with pytest.raises(TrainingError, match=r"pip install 'lookalike\[train\]'"):
                compare(wanted, Settings(place), Silent())

    def test_too_many_for_floors(
        self, home: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("indexer.bakeoff.comparison.MOST_FOR_FLOORS", 17)
        progress = Silent()
        found = compare(self.wanted(photos), Settings(home=home), progress)
        assert found.floors is None
        assert "no floors: 18 pictures, more than 17: use --sample 17" in progress.said
        assert comparison_json(found)["floors"] is None
        assert "floor: " not in comparison_table(found)
