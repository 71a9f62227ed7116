"""`indexer recluster`: a new generation of clusters from the stored vectors, without downtime.

The fit is made in a process of its own, which ends before anything is relabelled. Once the
generation is published as the next one, whoever holds the indexer's lock relabels: the daemon if
one runs, else this process. A kill before that leaves nothing behind; after it, the next indexer of
any kind goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.fit_process import run_fit
from indexer.following import until_done
from indexer.indexing import Indexing
from shared.errors import ModelError, StoreMissing
from shared.models import Models, Pair
from shared.reading import Limits
from shared.roots import read_roots
from shared.settings import Settings
from shared.store.hub import open_store
from shared.types import EMBEDDING_SIZE, ImageRecord, Progress, absolute_path

if TYPE_CHECKING:
    from indexer.training.clusters import Encoded

COMMAND = "indexer recluster"
FIT_MODULE = "indexer.cli.recluster_fit"
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


def fit_next(settings: Settings, k: int | None, seed: int, *, debug: bool = False) -> Pair:
    """Fit a generation on the stored vectors of the current encoder and make it the next one.

    What the fit says goes to standard error, with `debug` the traceback of its error, too. Raises
    `TrainingError` with one line (no points, k too large) and what models raise.
    """
    models = Models(settings.models)
    task = {"home": os.fspath(settings.home), "k": k, "seed": seed, "debug": debug}
    answer = run_fit(FIT_MODULE, task)
    pair = Pair(str(answer["encoder"]), str(answer["generation"]))
    waiting(models, k, seed)  # an encoder that was trained meanwhile must not be pushed aside
    models.set_next(pair)
    return pair


def fit(settings: Settings, k: int | None, seed: int, progress: Progress) -> Pair:
    """Fit a generation on the stored vectors of the current encoder, in this very process.

    Raises `TrainingError` with one line (k too large), `StoreMissing` if there are no points, and
    what store and models raise.
    """
    from indexer.training.clusters import ClusterConfig, cluster_vectors

    config = ClusterConfig(k=k, seed=seed, workers=settings.workers)
    models = Models(settings.models)
    current = models.current()
    stored = read_vectors(settings, current.encoder, progress)
    limits = Limits(settings.max_pixels, settings.max_file_bytes)
    bundle = models.bundle(current.encoder)
    return cluster_vectors(stored, bundle, models, config, progress, limits).pair


def read_vectors(settings: Settings, encoder: str, progress: Progress) -> Encoded:
    """Every stored vector of an encoder, as stored, with the path of its picture.

    The store is read as its owner, so that searches are answered meanwhile. Raises `StoreMissing`
    if there are none.
    """
    from indexer.training.clusters import Encoded

    roots = read_roots(settings.home)
    paths: list[str] = []
    rows = [np.empty((0, EMBEDDING_SIZE), np.float32)]
    try:
        store = open_store(settings, encoder, role="owner")
    except StoreMissing as error:
        raise StoreMissing(_nothing(settings)) from error
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
        raise StoreMissing(_nothing(settings))
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
    models = Models(settings.models)

    def relabel(indexing: Indexing) -> None:
        if points := indexing.role.to_relabel:
            with progress.stage("Relabelling", points) as stage:
                indexing.relabel(stop, stage.advance)
            indexing.tidy()

    return until_done(
        settings,
        COMMAND,
        f"moves to {pair.generation}",
        lambda: answers(models, pair),
        relabel,
        progress,
        stop,
    )


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
