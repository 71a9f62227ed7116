"""A whole comparison: read the pictures, ask the floors, then train or load and ask each encoder.

Every encoder goes the product's way: `shared.images` decodes, the exported LiteRT file encodes, the
vectors are rounded as the store rounds them, and cosine ranks them exactly, without clusters.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.bakeoff.album import Album, held_out_rows, label_codes, list_pictures, sampled
from indexer.bakeoff.entrants import StoredVectors, bundle_of, in_home, speed
from indexer.bakeoff.fitting import Task, Trained, fit
from indexer.bakeoff.questions import CopyQuestions, LabelQuestions, Questions, Scores
from indexer.bakeoff.results import Comparison, Failed, Measured
from indexer.bakeoff.verdict import recommend
from indexer.bakeoff.wanted import LEARN_FROM_LABELS, TRAINED_BY_DEFAULT, Wanted
from indexer.training import require_tensorflow
from indexer.training.configs import KINDS
from shared.errors import LookalikeError, TrainingError
from shared.floors import SPEC, Features, Rows, fit_floors
from shared.labels import labels_for
from shared.models import ENCODER_FILE, Bundle, Models
from shared.reading import Limits
from shared.settings import Settings
from shared.types import Encoder, Pixels, PixelSpec, Progress, Stage

MOST_FOR_FLOORS = 10_000
"""More pictures get no floors: raw pixels alone would take half a gigabyte."""


def compare(wanted: Wanted, settings: Settings, progress: Progress) -> Comparison:
    """Measure every encoder and the floors on the pictures of `wanted.folder`.

    Raises `RootError` for a bad folder, `TrainingError` for a bad CSV, for fewer than two readable
    pictures, for an encoder that would need the `train` extra, and if none could be measured.
    """
    names = _names(wanted, Models(settings.models), progress)
    paths = list_pictures(wanted.folder, wanted.exclude, settings, progress)
    labels = labels_for(paths, [wanted.folder], wanted.labels) if wanted.by_labels else {}
    paths = sampled(paths, wanted.sample, wanted.seed)
    limits = Limits(settings.max_pixels, settings.max_file_bytes)
    with contextlib.closing(Album.read(paths, limits, settings.workers, progress)) as album:
        if len(album) < 2:
            raise TrainingError(
                f"{wanted.folder} holds {len(album)} readable pictures: name a folder with more"
            )
        codes = label_codes(album.paths, labels)
        return _Bakeoff(wanted, names, settings, progress, album, codes).run()


def _names(wanted: Wanted, home: Models, progress: Progress) -> Sequence[str]:
    """Return the encoders to compare. By default those that cannot be trained here are left out."""
    if not set(wanted.encoders).isdisjoint(KINDS):
        require_tensorflow()
    if wanted.encoders:
        return wanted.encoders
    there = in_home(home)
    try:
        require_tensorflow()
    except TrainingError as error:
        if not there:
            raise
        progress.say(f"only the encoders of the home are compared: {error}")
        return there
    return (*TRAINED_BY_DEFAULT, *there)


class _Bakeoff:
    """One comparison under way."""

    def __init__(
        self,
        wanted: Wanted,
        names: Sequence[str],
        settings: Settings,
        progress: Progress,
        album: Album,
        codes: NDArray[np.int64],
    ) -> None:
        self._wanted, self._names = wanted, names
        self._settings, self._progress = settings, progress
        self._album, self._home = album, Models(settings.models)
        everything = np.arange(len(album))
        held_out = held_out_rows(codes, wanted.share, wanted.seed)
        self._training = np.setdiff1d(everything, held_out)
        asked = held_out if wanted.share else everything
        self._questions, self._protocol = self._ask_with(codes, asked)
        self._labelled = isinstance(self._questions, LabelQuestions)

    def _ask_with(
        self, codes: NDArray[np.int64], asked: NDArray[np.int64]
    ) -> tuple[Questions, str]:
        """What is asked, and in words how."""
        by_labels = LabelQuestions(self._album, codes, self._training, asked)
        share = self._wanted.share
        if by_labels.count:
            how = (
                "held out of the training and asked with"
                if share
                else "asked with, each left out of its own answers"
            )
            return by_labels, f"{by_labels.count:,} {how}"
        if self._wanted.labels is not None:
            raise TrainingError(
                f"{self._wanted.labels} gives no two of the pictures in {self._wanted.folder} "
                "the same label: nothing can be asked for"
            )
        if not len(asked):
            raise TrainingError(
                f"{share} of {len(self._album)} pictures holds none out: raise --held-out"
            )
        copies = CopyQuestions.draw(self._album, asked, self._wanted.seed)
        held_out = "held out and " if share else ""
        return copies, (
            f"{copies.count:,} {held_out}looked for with {len(copies.copies)} altered copies each"
        )

    def run(self) -> Comparison:
        """Raises `TrainingError` if no encoder can be measured."""
        floors = self._floors()
        names = self._names
        asked, failed = list[_Asked](), list[Failed]()
        with self._models() as models:
            for number, name in enumerate(names, 1):
                self._progress.say(f"encoder {number} of {len(names)}: {name}")
                try:
                    asked.append(self._ask(name, models))
                except LookalikeError as error:
                    failed.append(Failed(name, str(error)))
                    self._progress.say(f"{name} failed: {error}")
        if not asked:
            raise TrainingError(
                "no encoder could be measured: "
                + "; ".join(f"{one.name}: {one.reason}" for one in failed)
            )
        # Timed last and one after the other, so that all have met the same machine.
        measured = [self._timed(one) for one in asked]
        return Comparison(
            folder=self._wanted.folder,
            pictures=len(self._album),
            refused=self._album.refused,
            queries=self._questions.count,
            labelled=self._labelled,
            protocol=self._protocol,
            held_out=self._wanted.share,
            seed=self._wanted.seed,
            measured=tuple(measured),
            failed=tuple(failed),
            floors=floors,
            verdict=recommend(measured, floors, self._wanted.seed),
        )

    @contextlib.contextmanager
    def _models(self) -> Iterator[Models]:
        """Where trained bundles go: into the home, or into a folder that is removed at the end."""
        if self._wanted.keep:
            yield self._home
            return
        with tempfile.TemporaryDirectory(prefix="lookalike-bakeoff-") as folder:
            yield Models(Path(folder))

    def _floors(self) -> Mapping[str, Scores] | None:
        if len(self._album) > MOST_FOR_FLOORS:
            self._progress.say(
                f"no floors: {len(self._album):,} pictures, more than {MOST_FOR_FLOORS:,}: "
                f"use --sample {MOST_FOR_FLOORS}"
            )
            return None
        pictures = np.concatenate(list(self._album.chunks(SPEC)))
        floors = fit_floors(pictures[self._training])
        with self._progress.stage("Asking the floors", len(floors)) as stage:
            scores = {}
            for name, features in floors.items():
                scores[name] = self._questions.ask(_Floor(features))
                stage.advance()
        return scores

    def _ask(self, name: str, models: Models) -> _Asked:
        """Train or load an encoder and ask it. Raises `LookalikeError`."""
        trained = self._fit(name, models) if name in KINDS else None
        bundle = models.bundle(trained.bundle) if trained else bundle_of(self._home, name)
        if trained and self._wanted.keep:
            self._progress.say(f"{name} is kept as {bundle.path}")
        vectors = StoredVectors.of(bundle)
        with self._progress.stage(f"Asking {name}", self._questions.pictures) as stage:
            scores = self._questions.ask(_Counted(vectors, stage))
        size = (bundle.path / ENCODER_FILE).stat().st_size
        return _Asked(name, bundle, trained, vectors.encoder, size, scores)

    def _timed(self, asked: _Asked) -> Measured:
        seen, note = self._caution(asked.bundle.kind, loaded=asked.trained is None)
        return Measured(
            name=asked.name,
            kind=asked.bundle.kind,
            bundle=asked.bundle.id,
            scores=asked.scores,
            speed=speed(asked.encoder, next(self._album.chunks(asked.encoder.spec))),
            encoder_bytes=asked.encoder_bytes,
            training_seconds=asked.trained.seconds if asked.trained else None,
            seen=seen,
            note=note,
        )

    def _fit(self, kind: str, models: Models) -> Trained:
        wanted, settings = self._wanted, self._settings
        labels = None if wanted.labels is None else str(wanted.labels.absolute())
        return fit(
            Task(
                kind=kind,
                epochs=wanted.epochs,
                seed=wanted.seed,
                paths=tuple(os.fsdecode(self._album.paths[row]) for row in self._training),
                folder=str(wanted.folder.absolute()),
                labels=labels,
                models=str(models.root),
                workers=settings.workers,
                max_pixels=settings.max_pixels,
                max_file_bytes=settings.max_file_bytes,
                debug=wanted.debug,
            )
        )

    def _caution(self, kind: str, *, loaded: bool) -> tuple[bool, str | None]:
        """Whether an encoder may know the answers, and what to tell the reader of its figures."""
        if self._labelled and kind in LEARN_FROM_LABELS and (loaded or not self._wanted.share):
            return True, "learnt from labels, perhaps from those asked for: no fair comparison"
        if loaded and self._wanted.share:
            return False, "may have been trained on the pictures that were asked with"
        return False, None


@dataclass(frozen=True, slots=True)
class _Asked:
    """An encoder that has answered; its bundle may be gone."""

    name: str
    bundle: Bundle
    trained: Trained | None
    encoder: Encoder
    encoder_bytes: int
    scores: Scores


@dataclass(frozen=True, slots=True)
class _Floor:
    """A floor as `Embed`."""

    features: Features
    spec: PixelSpec = SPEC

    def __call__(self, pixels: Pixels, /) -> Rows:
        return self.features(pixels)


@dataclass(frozen=True, slots=True)
class _Counted:
    """An encoder's vectors, counted for the person who waits."""

    vectors: StoredVectors
    stage: Stage

    @property
    def spec(self) -> PixelSpec:
        return self.vectors.spec

    def __call__(self, pixels: Pixels, /) -> Rows:
        self.stage.advance(len(pixels))
        return self.vectors(pixels)
