"""Moving to new clusters, killed at every step, while queries are asked and images arrive."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from indexer.database import Database
from indexer.journal import Journal
from indexer.recluster import make_answer, waiting
from shared.errors import ModelError
from shared.models import Models, Pair
from shared.settings import Settings, load_settings
from shared.store.hub import open_store
from shared.store.opening import StoreHub
from shared.types import StoredImage
from tests.daemons import DEADLINE_SECONDS, Watch, indexer
from tests.faults.conftest import oracle
from tests.faults.pictures import draw
from tests.homes import draw_photos, make_home, spread_centroids
from tests.progress import Silent

IMAGES = 38

_KILLED = """
import importlib, os, signal, sys

module, owner, method, moment, count = sys.argv.pop(1).split()
owner = getattr(importlib.import_module(module), owner)
original, calls = getattr(owner, method), []

def wrapped(*arguments, **named):
    calls.append(1)
    if moment == "after":
        answer = original(*arguments, **named)
    if len(calls) == int(count):
        os.kill(os.getpid(), signal.SIGKILL)
    return answer if moment == "after" else original(*arguments, **named)

setattr(owner, method, wrapped)
import indexer.relabel
indexer.relabel._BATCH = 4
from indexer.cli import main
main()
"""


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-eight pictures, eighteen of them in three clear groups."""
    folder = tmp_path_factory.mktemp("album") / "photos"
    draw_photos(folder)
    draw(folder / "noise", range(20))
    return folder


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, album: Path, tiny_tflite: Path) -> Path:
    """A home that has indexed them in three clusters."""
    home = tmp_path_factory.mktemp("indexed") / "home"
    make_home(home, album, tiny_tflite, indexed=False)
    indexer("scan", album, "--home", home)
    return home


@pytest.fixture
def home(indexed: Path, tmp_path: Path) -> Path:
    """A copy of that home."""
    shutil.copytree(indexed, tmp_path / "home", ignore=shutil.ignore_patterns("run"))
    return tmp_path / "home"


def settings_of(home: Path) -> Settings:
    return load_settings({"home": home}, {})


def points(home: Path) -> list[StoredImage]:
    store = open_store(settings_of(home), Models(home / "models").current().encoder)
    try:
        return [point for batch in store.scroll(with_vectors=True) for point in batch]
    finally:
        store.close()


def publish(home: Path, k: int = 5) -> Pair:
    """A second generation, as a fit leaves it when it has ended."""
    models = Models(home / "models")
    current = models.current()
    vectors = np.stack([point.vector for point in points(home) if point.vector is not None])
    centroids = spread_centroids(vectors, k)
    about = {"chosen_by": "given", "seed": 0, "sizes": [len(vectors)], "mean_distance": 0.5}
    made = models.add_clustering(current.encoder, centroids, about)
    pair = Pair(current.encoder, made.generation)
    models.set_next(pair)
    return pair


def missing(home: Path) -> list[str]:
    """Points that lack the label of the clustering that answers, or have a wrong one of it."""
    models = Models(home / "models")
    clustering = models.clustering(models.current())
    wrong = []
    for point in points(home):
        assert point.vector is not None
        wanted = clustering.label(int(clustering.predict(point.vector[None])[0]))
        own = [one for one in point.record.cluster if one.startswith(clustering.generation + "/")]
        if own != [wanted]:
            wrong.append(f"{point.record.path}: {point.record.cluster}, wanted {wanted}")
    return wrong


def killed(home: Path, step: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, step, *arguments, "--home", str(home)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def is_moved(home: Path, pair: Pair) -> None:
    """All points have the one label of that pair, in store and journal; nothing else is wrong."""
    models = Models(home / "models")
    assert (models.current(), models.next()) == (pair, None)
    labels = [point.record.cluster for point in points(home)]
    assert {len(held) for held in labels} == {1}
    assert missing(home) == []
    database = Database(home / "journal.sqlite3")
    journaled = Journal(database).cluster_sizes(pair.encoder)
    database.close()
    assert journaled == Counter(label for (label,) in labels)
    assert journaled.keys() <= set(models.clustering(pair).labels)
    assert len(labels) == IMAGES


STEPS = {
    "shared.store.edge.store EdgeStore set_labels after 1": ("g1", "scan"),
    "shared.store.edge.store EdgeStore set_labels before 7": ("g1", "recluster"),
    "shared.store.edge.store EdgeStore set_labels after 10": ("g1", "watch"),
    "indexer.journal Journal begin_generation after 1": ("g1", "scan"),
    "shared.models Models set_current before 1": ("g1", "recluster"),
    "shared.models Models _set after 1": ("g2", "recluster"),
    "shared.models Models set_current after 1": ("g2", "scan"),
    "shared.store.edge.store EdgeStore set_labels after 13": ("g2", "watch"),
    "indexer.journal Journal set_labels before 1": ("g2", "scan"),
    "indexer.journal Journal set_labels after 10": ("g2", "scan"),
}
"""Where relabelling is killed, which generation answers then, and who goes on."""


@pytest.mark.case(43)
@pytest.mark.parametrize("step", STEPS)
def test_a_killed_relabelling_loses_no_answer_and_goes_on(home: Path, step: str) -> None:
    generation, command = STEPS[step]
    pair = publish(home)
    killed(home, step, "recluster", "--k", "5")
    assert Models(home / "models").current().generation == generation
    assert missing(home) == []
    if command == "watch":
        _watched(home)
    elif command == "scan":
        indexer("scan", "--home", home)
    else:
        assert make_answer(settings_of(home), pair, Silent(), lambda: False)
    is_moved(home, pair)


def _watched(home: Path) -> None:
    with Watch(home) as watch:
        found = watch.settled(IMAGES)
        assert found["encoder"]["generation"] == "g2"
        assert {label[:3] for label in found["clusters"]} == {"g2/"}
        assert watch.stop() == 0


@pytest.mark.case(43)
@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("indexer.fit_process subprocess Popen after 1", []),
        ("shared.models Models set_next before 1", ["g2"]),
    ],
)
def test_a_killed_fit_changes_nothing(home: Path, step: str, left: list[str]) -> None:
    killed(home, step, "recluster", "--k", "4")
    models = Models(home / "models")
    current = models.current()
    assert (current.generation, models.next()) == ("g1", None)
    folder = models.clustering_path(current).parent
    assert sorted(path.name for path in folder.glob("g*")) == ["g1", *left]
    assert {label for point in points(home) for label in point.record.cluster} == {
        "g1/0", "g1/1", "g1/2",
    }  # fmt: skip


@pytest.mark.case(43)
def test_a_running_daemon_moves_while_it_is_asked_and_images_arrive(
    home: Path, album: Path, tmp_path: Path
) -> None:
    own = tmp_path / "album"
    shutil.copytree(album, own)
    indexer("forget", album, "--home", home)
    with Watch(home, own, LOOKALIKE_SETTLE_SECONDS="0.1") as watch:
        watch.settled(IMAGES)
        with subprocess.Popen(
            [sys.executable, "-m", "indexer", "recluster", "--k", "4", "--home", str(home)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as command:
            rounds = 0
            with StoreHub(settings_of(home), long_lived=False) as hub:
                while command.poll() is None or rounds < 20:
                    if rounds < 20:
                        draw(own / "new", [100 + rounds])
                    rounds += 1
                    _answers_are_whole(hub, home)
            out, err = command.communicate()
        assert command.returncode == 0, err
        assert "g2 answers now" in out
        assert "moves to g2" in err
        found = watch.settled(IMAGES + 20)
        assert found["encoder"]["generation"] == "g2"
        assert found["clustering"]["fitted_images"] >= IMAGES
        assert missing(home) == []
        assert {len(point.record.cluster) for point in points(home)} == {1}
        assert watch.stop() == 0
    assert oracle(home, deep=False)["points"] == IMAGES + 20


def _answers_are_whole(hub: StoreHub, home: Path) -> None:
    """The labels of the generation that answers cover all points, unless another answers by now."""
    models = Models(home / "models")
    pair = models.current()
    labels = models.clustering(pair).labels
    store = hub.collection(pair.encoder)
    before = store.count()
    found = sum(store.count(label) for label in labels)
    if models.current() == pair:
        assert found >= before, (pair, found, before)


def test_only_this_generation_and_the_one_before_stay(home: Path) -> None:
    for _ in range(3):
        pair = publish(home)
        assert make_answer(settings_of(home), pair, Silent(), lambda: False)
    folder = Models(home / "models").clustering_path(pair).parent
    assert sorted(path.name for path in folder.iterdir()) == ["g3", "g4"]
    is_moved(home, pair)


def test_a_pair_that_was_overtaken_is_told(home: Path) -> None:
    models = Models(home / "models")
    pair = publish(home)
    models.set_next(models.current())
    with pytest.raises(ModelError, match=r"clusters g2 were overtaken: g1 of encoder .* answers"):
        make_answer(settings_of(home), pair, Silent(), lambda: False)
    assert waiting(models, None, 0) is None


def test_stopping_leaves_the_rest_to_the_next(home: Path) -> None:
    pair = publish(home)
    assert not make_answer(settings_of(home), pair, Silent(), lambda: True)
    models = Models(home / "models")
    assert (models.current().generation, models.next()) == ("g1", pair)
    assert waiting(models, 5, 0) == pair
    assert waiting(models, 4, 0) is waiting(models, None, 0) is waiting(models, 5, 1) is None
    indexer("scan", "--home", home)
    is_moved(home, pair)
