"""Several indexers, each with a home and a journal of its own, over one folder and one store.

Everything is real but the server, which is `tests.fakes.Server`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.checkup import Report, check_up
from indexer.home import Home
from indexer.indexing import Indexing
from indexer.once import Scanned, scan_once
from shared.models import Models, Pair
from shared.points import point_id
from shared.settings import Settings
from tests.fakes import MemoryStore, Server, SharedHub
from tests.homes import make_home, spread_centroids
from tests.progress import Silent


@dataclass(slots=True)
class Worked:
    """What one scan did; `known` are the paths in the journal afterwards."""

    scanned: Scanned
    encoded: int
    reused: int
    known: set[str]


class Fleet:
    """Indexers by name, called with a part (``"1/2"``) or None for all."""

    root = "photos"  # not its path, which is another in every run: parts would be as well

    def __init__(self, base: Path, photos: Path, tflite: Path) -> None:
        self.base, self.photos, self.server = base, photos, Server()
        self.grace_seconds = 0.0
        made = make_home(base / "models-made", photos, tflite, indexed=False)
        self.models = Models(made.models)

    def install(self, patch: pytest.MonkeyPatch) -> Fleet:
        """Have the program find this server."""
        for module in ("indexing", "checkup"):
            patch.setattr(f"indexer.{module}.open_hub", self._hub)
        return self

    def _hub(self, settings: Settings, *, long_lived: bool) -> SharedHub:
        return SharedHub(self.server)

    def settings(self, name: str, part: str | None) -> Settings:
        return Settings(
            self.base / name,
            models_folder=str(self.models.root),
            qdrant_url="http://nobody.asks:6333",
            partition=part,
            decode_workers=1,
            settle_seconds=1e-6,
            min_free_bytes=0,
            upgrade_grace_seconds=self.grace_seconds,
        )

    @contextlib.contextmanager
    def opened(self, name: str, part: str | None) -> Iterator[Indexing]:
        with Home(self.settings(name, part), "indexer scan") as home:
            home.remember([self.photos], excludes=None, name=self.root)
            with contextlib.closing(Indexing(home)) as indexing:
                yield indexing

    def scan(self, name: str, part: str | None) -> Worked:
        with self.opened(name, part) as indexing:
            return scan(indexing)

    def doctor(self, name: str, part: str | None, *, repair: bool = False) -> Report:
        settings = self.settings(name, part)
        return check_up(settings, Silent(), lambda: False, repair=repair)

    def is_exact(self, *parts: str | None) -> bool:
        """Whether the store holds just the folder's pictures, and the doctor of each part, asked at
        the home that is called like it, finds nothing wrong and nothing forgotten."""
        reports = [self.doctor(str(part).replace("/", "-"), part).diagnosis for part in parts]
        ids = self.store.ids()
        assert ids == {point_id(self.root, name.encode()) for name in self.files()}
        assert [report.findings + report.problems for report in reports] == [[]] * len(reports)
        assert all(report.points + report.others == len(ids) for report in reports)
        if parts != (None,) * len(parts):
            assert sum(report.points for report in reports) == len(ids)
        return True

    @property
    def store(self) -> MemoryStore:
        """The collection that answers."""
        return self.server.collections[self.models.current().encoder]

    def files(self) -> set[str]:
        found = (path for path in self.photos.rglob("*") if path.is_file())
        return {str(path.relative_to(self.photos)) for path in found}

    def next_generation(self, k: int) -> Pair:
        """Other clusters of the stored vectors, published as the next ones."""
        encoder = self.models.current().encoder
        vectors = np.stack(
            [one.vector for page in self.store.scroll(with_vectors=True) for one in page]
        )
        sizes = [len(vectors) // k] * k
        about = {"chosen_by": "given", "sizes": sizes, "mean_distance": 0.1, "seed": 0}
        made = self.models.add_clustering(encoder, spread_centroids(vectors, k)[::-1], about)
        pair = Pair(encoder, made.generation)
        self.models.set_next(pair)
        return pair

    def next_encoder(self) -> Pair:
        """The same network under another name, published as the next one."""
        current = self.models.current()
        bundle = self.models.bundle(current.encoder)
        built = self.base / "built"
        built.mkdir()
        for name in bundle.manifest["files"]:
            (built / name).write_bytes(bundle.read(name))
        made = self.models.add_bundle(built, dict(bundle.manifest) | {"data": {"other": True}})
        clustering = self.models.add_clustering(
            made.id, self.models.clustering(current).centroids, {}
        )
        pair = Pair(made.id, clustering.generation)
        self.models.set_next(pair)
        return pair


def scan(indexing: Indexing) -> Worked:
    """What `indexer scan` does."""
    before = indexing.tally.encoded, indexing.tally.reused
    roots = indexing.home.roots.all()
    scanned = scan_once(indexing, [root.id for root in roots], Silent(), lambda: False)
    return Worked(
        scanned,
        indexing.tally.encoded - before[0],
        indexing.tally.reused - before[1],
        {file.path.decode() for root in roots for file in indexing.journal.files(root.id)},
    )


def paint(path: Path, number: int) -> None:
    """A small picture that no other number gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number)
    small = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(np.kron(small, np.ones((4, 4, 1), np.uint8))).save(path)
