"""Opens what a home answers with: the current encoder and clusters, the roots, the store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from searcher.search import Searcher
from shared.calibration import Calibration
from shared.clustering import Clustering
from shared.models import ENCODER_FILE, Bundle, Models, Pair
from shared.reading import Limits
from shared.roots import known_roots
from shared.settings import Settings
from shared.store.hub import open_store
from shared.types import Embeddings, Encoder, Pixels, PixelSpec


class EncoderOnDemand:
    """A bundle's encoder that is read, checked and loaded when it is first needed.

    A question by point id needs none, and loading one is a fifth of a cold query.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._loaded: Encoder | None = None

    @property
    def id(self) -> str:
        """The bundle's id."""
        return self._bundle.id

    @property
    def spec(self) -> PixelSpec:
        """The geometry of the pixels that `encode` takes."""
        return self._bundle.spec

    def load(self) -> Encoder:
        """The encoder itself, ready for one picture. Raises `ModelError` if its file is damaged."""
        if self._loaded is None:
            from shared.encoder import LiteRTEncoder

            self._loaded = LiteRTEncoder(
                self._bundle.read(ENCODER_FILE), bundle_id=self.id, spec=self.spec, threads=1
            )
        return self._loaded

    def release(self) -> None:
        """Give its memory back; it is loaded again if it is needed again."""
        self._loaded = None

    def encode(self, pixels: Pixels) -> Embeddings:
        """uint8 (n, size, size, 3) to float32 (n, 512) with unit rows."""
        return self.load().encode(pixels)


@dataclass(frozen=True, slots=True)
class Home:
    """What answers in a home; nothing of its store is held until `searching`.

    `roots` tells where each root id lies on this machine.
    """

    settings: Settings
    pair: Pair
    encoder: EncoderOnDemand
    clustering: Clustering
    calibration: Calibration | None
    roots: Mapping[str, Path]

    @property
    def limits(self) -> Limits:
        """Which pictures are refused."""
        return Limits(self.settings.max_pixels, self.settings.max_file_bytes)

    @property
    def is_current(self) -> bool:
        """Whether this pair still answers. Once it does not, its labels are taken off the points:
        what was asked meanwhile must be asked again."""
        return Models(self.settings.models).current() == self.pair

    @contextlib.contextmanager
    def searching(self) -> Iterator[Searcher]:
        """A searcher on the home's store, as a visitor that lets go of it at the end.

        Others may wait for the store meanwhile, so decode, encode and download before. Raises
        `StoreError` (`StoreMissing` before any scan).
        """
        with contextlib.closing(
            open_store(self.settings, self.encoder.id, role="visitor")
        ) as store:
            yield Searcher(self.encoder, self.clustering, store, self.limits, self.calibration)


def open_home(settings: Settings) -> Home:
    """The current encoder and clusters of a home, their manifests and hashes checked.

    Which are current is read once: training or reclustering beside this process changes nothing in
    it. Raises `ModelError` (`NoModel` before any training).
    """
    models = Models(settings.models)
    pair = models.current()
    return Home(
        settings=settings,
        pair=pair,
        encoder=EncoderOnDemand(models.bundle(pair.encoder)),
        clustering=models.clustering(pair),
        calibration=models.calibration(pair),
        roots=known_roots(settings),
    )
