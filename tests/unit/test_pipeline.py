"""Owed files through the real decoders into stores: encoded once, labelled, done, or refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.arrivals import Spread
from indexer.batch import record_of
from indexer.database import Database
from indexer.journal import Journal
from indexer.pipeline import Pipeline, Target
from indexer.settling import look
from shared.clustering import Clustering
from shared.decoding.pool import DecodingPool
from shared.errors import DiskFull, StoreError
from shared.points import point_id
from shared.reading import Limits
from shared.store.protocol import VectorStore
from shared.types import EMBEDDING_SIZE, Embeddings, ImageRecord, Pixels
from tests.fakes import MeanColorEncoder, MemoryStore

CENTROIDS = np.eye(EMBEDDING_SIZE, dtype=np.float32)[:3]  # red, green, blue


class CountingEncoder(MeanColorEncoder):
    """Counts the pictures that really went through it."""

    count = 0

    def encode(self, pixels: Pixels) -> Embeddings:
        self.count += len(pixels)
        return super().encode(pixels)


class Line:
    """One production line over a folder."""

    def __init__(self, folder: Path, store: VectorStore | None = None) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.database = Database(folder.parent / "journal.sqlite3")
        self.journal = Journal(self.database)
        self.encoder, self.store = CountingEncoder(), store or MemoryStore()
        self.target = Target(self.encoder, Clustering("mean-color", "g1", CENTROIDS), self.store)
        self.pool = DecodingPool([self.encoder.spec], Limits(), workers=1, timeout_seconds=20)
        self.space: Exception | None = None
        self.pipeline = self.over([self.target])

    def over(self, targets: list[Target], batch_size: int = 4) -> Pipeline:
        return Pipeline(
            targets, self.journal, self.pool, batch_size=batch_size, before_batch=self.check
        )

    def check(self) -> None:
        if self.space:
            raise self.space

    def draw(self, name: str, color: tuple[int, int, int], edge: int = 8) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (edge, edge), color).save(path, "PNG")
        return path

    def owe(self, *names: str | bytes) -> None:
        raw = [os.fsencode(name) for name in names]
        found = [(name, look(os.fsencode(self.folder) + b"/" + name)) for name in raw]
        self.journal.owe(("r", name, sign) for name, sign in found if sign is not None)

    def run(self, pipeline: Pipeline | None = None) -> None:
        owed = self.journal.owed_after("", b"", 1000)
        (pipeline or self.pipeline).run([owed], {"r": os.fsencode(self.folder)})

    def point(self, name: str) -> ImageRecord:
        key = point_id("r", os.fsencode(name))
        return self.store.get([key])[key].record


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path / "photos")
    yield line
    line.pool.close()
    line.database.close()


def test_a_picture_becomes_a_labelled_point_with_its_facts(line: Line) -> None:
    path = line.draw("holiday/2024/sea.png", (0, 10, 250), edge=20)
    line.owe("holiday/2024/sea.png")
    line.run()
    found = line.point("holiday/2024/sea.png")
    assert (found.root, found.path) == ("r", "holiday/2024/sea.png")
    assert found.folders == ("holiday", "holiday/2024")
    assert found.cluster == ("g1/2",)
    assert (found.width, found.height, found.format) == (20, 20, "PNG")
    assert found.bytes == path.stat().st_size
    assert found.mtime == pytest.approx(path.stat().st_mtime)
    assert found.encoder == "mean-color"
    assert line.journal.counts()["indexed"] == 1
    assert line.journal.cluster_sizes("mean-color") == {"g1/2": 1}


def test_many_pictures_stay_with_their_vectors(line: Line) -> None:
    colors = {"red": (200, 1, 2), "green": (3, 200, 4), "blue": (5, 6, 200)}
    names = [f"{name}{number}.png" for number in range(9) for name in colors]
    for number, name in enumerate(names):
        line.draw(
            name, next(c for key, c in colors.items() if name.startswith(key)), edge=8 + number
        )
    (line.folder / "bad0.png").write_bytes(b"no picture")
    (line.folder / "bad1.png").touch()
    line.owe("bad0.png", *names, "bad1.png")
    line.run()
    for name in names:
        expected = {"r": "g1/0", "g": "g1/1", "b": "g1/2"}[name[0]]
        assert line.point(name).cluster == (expected,), name
    assert line.journal.counts() == {
        "owed": 0,
        "unsettled": 0,
        "waiting": 0,
        "indexed": 27,
        "refused": 2,
    }


def test_one_content_under_two_names_is_encoded_once(line: Line) -> None:
    content = line.draw("a.png", (255, 0, 0)).read_bytes()
    (line.folder / "b.png").write_bytes(content)
    line.owe("a.png", "b.png")
    line.run()
    (line.folder / "c.png").write_bytes(content)
    line.owe("c.png")
    line.run()
    assert line.encoder.count == 1
    assert len({line.point(name).sha256 for name in ("a.png", "b.png", "c.png")}) == 1
    assert line.store.count() == 3
    assert (line.pipeline.tally.encoded, line.pipeline.tally.reused) == (1, 2)


def test_a_touched_file_is_not_encoded_again_but_its_time_is_updated(line: Line) -> None:
    path = line.draw("a.png", (255, 0, 0))
    line.owe("a.png")
    line.run()
    os.utime(path, (1, 1))
    line.owe("a.png")
    line.run()
    assert line.encoder.count == 1
    assert line.point("a.png").mtime == 1


def test_changed_content_replaces_the_point(line: Line) -> None:
    line.draw("a.png", (255, 0, 0))
    line.owe("a.png")
    line.run()
    line.draw("a.png", (0, 255, 0))
    line.owe("a.png")
    line.run()
    assert line.store.count() == 1
    assert line.point("a.png").cluster == ("g1/1",)


def test_a_point_whose_file_went_bad_is_removed(line: Line) -> None:
    path = line.draw("a.png", (255, 0, 0))
    line.owe("a.png")
    line.run()
    path.write_bytes(b"spoilt")
    line.owe("a.png")
    line.run()
    assert line.store.count() == 0
    assert [file.path for file in line.journal.refused()] == [b"a.png"]


def test_a_vector_without_direction_is_refused_not_stored(line: Line) -> None:
    line.draw("black.png", (0, 0, 0))
    line.draw("red.png", (255, 0, 0))
    line.owe("black.png", "red.png")
    line.run()
    assert line.store.count() == 1
    reason = line.journal.refused()[0].reason
    assert reason == "the encoder gives it a vector of length 0, not 1"


def test_a_file_that_vanished_is_looked_at_again_and_makes_no_point(line: Line) -> None:
    line.draw("a.png", (255, 0, 0))
    line.owe("a.png")
    (line.folder / "a.png").unlink()
    line.run()
    assert line.store.count() == 0
    assert line.journal.counts()["unsettled"] == 1


def test_a_stored_vector_that_the_store_lost_is_made_again(line: Line) -> None:
    content = line.draw("a.png", (255, 0, 0)).read_bytes()
    line.owe("a.png")
    line.run()
    line.store.delete([point_id("r", b"a.png")])  # behind the journal's back
    (line.folder / "b.png").write_bytes(content)
    line.owe("b.png")
    line.run()
    assert line.point("b.png").cluster == ("g1/0",)
    assert line.encoder.count == 2


class FailingStore(MemoryStore):
    """Fails the first write after it was done: the acknowledgement is lost."""

    failures = 1

    def upsert(self, records: object, vectors: Embeddings) -> None:
        super().upsert(records, vectors)  # type: ignore[arg-type]
        if self.failures:
            self.failures -= 1
            raise StoreError("connection reset after the write")


def test_nothing_is_done_before_the_store_acknowledged_and_repeating_is_harmless(
    tmp_path: Path,
) -> None:
    line = Line(tmp_path / "photos", FailingStore())
    for number in range(6):
        line.draw(f"{number}.png", (255, number, 0))
    line.owe(*(f"{number}.png" for number in range(6)))
    with pytest.raises(StoreError):
        line.run()
    assert line.journal.counts()["indexed"] == 0
    line.run()
    assert line.journal.counts()["indexed"] == 6
    assert line.store.count() == 6
    line.pool.close()
    line.database.close()


def test_without_space_nothing_is_written(line: Line) -> None:
    line.draw("a.png", (255, 0, 0))
    line.owe("a.png")
    line.space = DiskFull("home has 1 MiB of free space")
    with pytest.raises(DiskFull):
        line.run()
    assert line.store.count() == 0
    assert line.journal.has_owed()
    line.space = None
    line.run()
    assert line.store.count() == 1


def test_a_stop_leaves_the_rest_owed_and_writes_what_was_decoded(line: Line) -> None:
    names = [f"{number}.png" for number in range(40)]
    for number, name in enumerate(names):
        line.draw(name, (255, number, 0))
    line.owe(*names)
    finished: list[int] = []
    pages = [line.journal.owed_after("", b"", 1000)]
    folders = {"r": os.fsencode(line.folder)}
    line.pipeline.run(pages, folders, finished.append, lambda: bool(finished))
    counts = line.journal.counts()
    assert counts["indexed"] == sum(finished) == line.store.count()
    assert 0 < counts["indexed"] < 40
    assert counts["owed"] == 40 - counts["indexed"]
    line.run()
    assert line.store.count() == 40


def test_two_targets_are_filled_from_one_reading(line: Line) -> None:
    line.draw("a.png", (255, 0, 0))
    line.owe("a.png")
    line.run()
    following = CountingEncoder(size=6)
    following.id = "next"
    new = Target(following, Clustering("next", "g1", CENTROIDS[::-1].copy()), MemoryStore())
    line.pool.close()
    line.pool = DecodingPool(
        [line.encoder.spec, following.spec], Limits(), workers=1, timeout_seconds=20
    )
    line.draw("b.png", (0, 0, 255))
    line.owe("b.png")
    assert line.journal.owe_lacking("next") == 1
    line.run(line.over([line.target, new]))
    assert line.journal.lacking("mean-color", "next") == 0
    key = point_id("r", b"b.png")
    assert new.store.get([key])[key].record.cluster == ("g1/0",)
    assert line.point("b.png").cluster == ("g1/2",)
    assert (line.encoder.count, following.count) == (2, 2)


def test_a_file_that_changed_since_it_was_owed_waits_until_it_rests(line: Line) -> None:
    whole = line.draw("growing.png", (255, 0, 0), edge=64).read_bytes()
    line.draw("bad.png", (255, 0, 0))
    line.owe("growing.png", "bad.png")
    (line.folder / "growing.png").write_bytes(whole + b"more")
    (line.folder / "bad.png").write_bytes(whole[:50])
    line.run()
    assert line.store.count() == 0
    assert line.journal.counts() == {
        "owed": 0,
        "unsettled": 2,
        "waiting": 0,
        "indexed": 0,
        "refused": 0,
    }
    line.owe("growing.png", "bad.png")
    line.run()
    assert line.journal.counts() == {
        "owed": 0,
        "unsettled": 0,
        "waiting": 0,
        "indexed": 1,
        "refused": 1,
    }


def test_arrivals_are_measured_once_and_copies_are_none(line: Line) -> None:
    half = Clustering("mean-color", "g4", CENTROIDS / 2)
    line.pipeline.retarget([Target(line.encoder, half, line.store)])
    content = line.draw("red.png", (255, 0, 0)).read_bytes()
    line.draw("green.png", (0, 255, 0))
    line.owe("red.png", "green.png")
    line.run()
    assert line.journal.arrivals("mean-color", "g4") == Spread(2, 0.5)
    assert line.point("green.png").cluster == ("g4/1",)
    (line.folder / "again.png").write_bytes(content)
    line.owe("again.png")
    line.run()
    assert line.store.count() == 3
    assert line.journal.arrivals("mean-color", "g4") == Spread(2, 0.5)


STEPS = ("submit", "sort", "encode", "record", "upsert")


@pytest.mark.parametrize("step", STEPS)
def test_an_unexpected_exception_for_one_file_refuses_only_that_file(
    line: Line, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    names = ["a.png", "b.png", "bad.png", "c.png", "d.png", "e.png"]
    for number, name in enumerate(names):
        line.draw(name, (255, number, 0))
    _break(line, monkeypatch, step)
    line.owe(*names)
    line.run()
    assert line.journal.counts()["indexed"] == 5
    (refused,) = line.journal.refused()
    assert refused.path == b"bad.png"
    if step == "encode":
        assert "vector of length 0" in str(refused.reason)
    else:
        assert refused.reason == "internal error: RuntimeError('boom')"
    assert "Traceback" in caplog.text
    assert line.store.ids() == {
        point_id("r", os.fsencode(one)) for one in names if one != "bad.png"
    }


def _break(line: Line, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Have one step fail for what belongs to bad.png, whose pixels are (255, 2, 0)."""

    def boom(*_: object) -> None:
        raise RuntimeError("boom")

    if step == "submit":
        real_submit = line.pool.submit
        monkeypatch.setattr(
            line.pool,
            "submit",
            lambda key, job: boom() if b"bad" in job.path else real_submit(key, job),
        )
    elif step == "sort":
        real_sort = line.pipeline._sort
        monkeypatch.setattr(
            line.pipeline,
            "_sort",
            lambda file, *rest: boom() if b"bad" in file.path else real_sort(file, *rest),
        )
    elif step == "encode":
        real_encode = line.encoder.encode
        monkeypatch.setattr(
            line.encoder,
            "encode",
            lambda pixels: boom() if (pixels[:, 0, 0, 1] == 2).any() else real_encode(pixels),
        )
    elif step == "record":
        monkeypatch.setattr(
            "indexer.pipeline.record_of",
            lambda read, *rest: boom() if b"bad" in read.file.path else record_of(read, *rest),
        )
    else:
        real_upsert = line.store.upsert
        monkeypatch.setattr(
            line.store,
            "upsert",
            lambda records, rows: (
                boom() if any("bad" in one.path for one in records) else real_upsert(records, rows)
            ),
        )


def test_a_store_that_fails_is_no_fault_of_a_file(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreError("away")

    line.draw("a.png", (255, 0, 0))
    line.owe("a.png")
    monkeypatch.setattr(line.store, "upsert", away)
    with pytest.raises(StoreError):
        line.run()
    assert line.journal.counts() == {
        "owed": 1,
        "unsettled": 0,
        "waiting": 0,
        "indexed": 0,
        "refused": 0,
    }
