"""`indexer recluster`: a new generation of clusters from the stored vectors, without downtime.

The fit is made here, in this command's own process. Once the generation is published as the next
one, whoever holds the indexer's lock relabels: the daemon if one runs, else this process. A kill
before that leaves nothing behind; after it, the next indexer of any kind goes on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.database import Database
from indexer.home import Home
from indexer.indexing import Indexing
from indexer.journal import Journal
from shared.errors import AlreadyRunning, LookalikeError, ModelError, StoreMissing, TrainingError
from shared.lock import holder
from shared.models import Models, Pair
from shared.reading import Limits
from shared.roots import read_roots
from shared.settings import Settings
from shared.store.opening import open_store
from shared.types import EMBEDDING_SIZE, ImageRecord, Progress, absolute_path

if TYPE_CHECKING:
    from indexer.training.clusters import Encoded

POLL_SECONDS = 0.2
COMMAND = "indexer recluster"
_BATCH = 1000


def waiting(models: Models, k: int | None, seed: int) -> Pair | None:
    """The generation that an earlier call with the same options published, if it does not answer
    yet. Raises `ModelError` while a new encoder's collection is being filled, `NoModel`.
    """
    current, following = models.current(), models.next()
    if following is None:
        return None
    if following.encoder != current.encoder:
        raise ModelError(
            f"encoder {following.encoder} is being filled and will bring clusters of its own: "
            "recluster when it answers, see `indexer status`"
        )
    about = models.about_clustering(following)
    is_elbow = about.get("chosen_by") != "given"
    same_k = is_elbow if k is None else not is_elbow and about["k"] == k
    return following if same_k and about.get("seed") == seed else None


def fit_next(settings: Settings, k: int | None, seed: int, progress: Progress) -> Pair:
    """Fit a generation on the stored vectors of the current encoder and make it the next one.

    Needs the `train` extra. Raises `TrainingError` with one line (no points, k too large), and what
    store and models raise.
    """
    from indexer.training.clusters import ClusterConfig, cluster_vectors

    config = ClusterConfig(k=k, seed=seed, workers=settings.workers)
    models = Models(settings.models)
    current = models.current()
    stored = read_vectors(settings, current.encoder, progress)
    limits = Limits(settings.max_pixels, settings.max_file_bytes)
    found = cluster_vectors(
        stored, models.bundle(current.encoder), models, config, progress, limits
    )
    waiting(models, k, seed)  # an encoder that was trained meanwhile must not be pushed aside
    models.set_next(found.pair)
    return found.pair


def read_vectors(settings: Settings, encoder: str, progress: Progress) -> Encoded:
    """Every stored vector of an encoder, as stored, with the path of its picture.

    The store is read as its owner, so that searches are answered meanwhile. Raises `TrainingError`
    if there are none.
    """
    from indexer.training.clusters import Encoded

    roots = read_roots(settings.home)
    paths: list[str] = []
    rows = [np.empty((0, EMBEDDING_SIZE), np.float32)]
    try:
        store = open_store(settings, encoder, role="owner")
    except StoreMissing as error:
        raise TrainingError(_nothing(settings)) from error
    try:
        with progress.stage("Reading vectors", store.count()) as stage:
            for batch in store.scroll(batch_size=_BATCH, with_vectors=True):
                points = [point for point in batch if point.vector is not None]
                rows.append(np.stack([point.vector for point in points]))  # type: ignore[misc]
                paths += [_path(point.record, roots) for point in points]
                stage.advance(len(batch))
    finally:
        store.close()
    if not paths:
        raise TrainingError(_nothing(settings))
    return Encoded(tuple(paths), np.concatenate(rows), ())


def _nothing(settings: Settings) -> str:
    return f"no image is indexed in {settings.home}: run `indexer scan DIR` first"


def _path(record: ImageRecord, roots: dict[str, Path]) -> str:
    """Where the picture lies; a path that does not exist where that is not known."""
    root = roots.get(record.root)
    return absolute_path(root, record) if root else os.path.join(os.devnull, record.path)


def make_answer(
    settings: Settings, pair: Pair, progress: Progress, stop: Callable[[], bool]
) -> bool:
    """Wait until the pair, published as the next one, answers; False if it was stopped.

    Does the work itself whenever no other indexer is at it. Raises `ModelError` if another pair
    took its place, and what `Indexing` raises.
    """
    models, said = Models(settings.models), ""
    while not answers(models, pair):
        if stop():
            return False
        at_work = holder(settings.run)
        if at_work is None:
            try:
                with Home(settings, COMMAND) as home:
                    _relabel(home, progress, stop)
            except AlreadyRunning:
                continue
            continue
        text = f"`{at_work[0]}` (process {at_work[1]}) moves to {pair.generation}"
        if (state := _state(settings, at_work[1])) is not None:
            text += f": {state}"
        if text != said:
            progress.say(text)
            said = text
        time.sleep(POLL_SECONDS)
    return True


def answers(models: Models, pair: Pair) -> bool:
    """Whether the pair is current and no more the next one; raises `ModelError` if it is neither.
    Killed at a certain moment, an indexer leaves it as both."""
    following = models.next()  # read first: it goes away only after `current` has changed
    current = models.current()
    if pair not in (current, following):
        raise ModelError(
            f"clusters {pair.generation} were overtaken: {current.generation} of encoder "
            f"{current.encoder} answers now, see `indexer status`"
        )
    return current == pair != following


def _relabel(home: Home, progress: Progress, stop: Callable[[], bool]) -> None:
    indexing = Indexing(home)
    try:
        if points := indexing.targets.to_relabel:
            with progress.stage("Relabelling", points) as stage:
                indexing.relabel(stop, stage.advance)
            indexing.tidy()
    finally:
        indexing.close()


def _state(settings: Settings, pid: int) -> str | None:
    """What the process at work says of itself, where it says anything that matters here."""
    try:
        database = Database(settings.journal)
    except LookalikeError:
        return None
    try:
        said = Journal(database).said()
    finally:
        database.close()
    if said is None or said[0] != pid or said[1] in ("watching", "starting"):
        return None
    return said[1]


def told(models: Models, pair: Pair) -> dict[str, Any]:
    """What came out, as JSON values."""
    about = models.about_clustering(pair)
    return {
        "encoder": pair.encoder,
        "generation": pair.generation,
        "current": models.current() == pair,
        "k": about["k"],
        "chosen_by": about["chosen_by"],
        "sizes": about["sizes"],
        "images": sum(about["sizes"]),
        "figures": sorted(str(path) for path in models.clustering_path(pair).glob("figures/*")),
    }
