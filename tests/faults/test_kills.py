"""The daemon killed, at random moments and at chosen ones."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.daemons import DEADLINE_SECONDS, Watch, indexer, searcher
from tests.faults.conftest import oracle
from tests.faults.pictures import draw, on_disk, picture, stored

KILLS = 50


class _Meddler:
    """Makes, changes, renames and deletes files below a folder, as a seed says."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.chance, self.count = folder, random.Random(seed), 0
        folder.mkdir()

    def meddle(self, times: int) -> None:
        for _ in range(times):
            found = sorted(self.folder.iterdir())
            action = self.chance.choice(("make", "make", "change", "rename", "delete"))
            self.count += 1
            path = self.folder / f"{self.count}.png"
            if action == "make" or not found:
                path.write_bytes(picture(self.count, edge=self.chance.choice((8, 200))))
            elif action == "change":
                self.chance.choice(found).write_bytes(picture(self.count))
            elif action == "rename":
                self.chance.choice(found).rename(path)
            else:
                self.chance.choice(found).unlink()


@pytest.mark.case(1)
@pytest.mark.timeout(600)
def test_fifty_kills_at_random_moments_lose_nothing(home: Path, photos: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)  # noqa: T201 - pytest shows it on failure
    chance, meddler = random.Random(seed), _Meddler(photos / "changing", seed)
    for _ in range(KILLS):
        with Watch(home, photos, LOOKALIKE_SETTLE_SECONDS="0.1") as watch:
            end = time.monotonic() + chance.uniform(0.2, 1.5)
            while time.monotonic() < end:
                meddler.meddle(chance.randrange(6))
                time.sleep(chance.uniform(0, 0.1))
            assert watch.process.poll() is None, watch.text()
            watch.stop(signal.SIGKILL)
    with Watch(home, photos) as last:
        found = last.settled(len(on_disk(photos)), refused=[])
        assert found["encoded"] < len(on_disk(photos)) / 2  # the killed ones did work
        assert stored(home).keys() == on_disk(photos)
        oracle(home)


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
from indexer.cli import main
main()
"""


@pytest.mark.case(2)
@pytest.mark.parametrize(
    "step",
    [
        "indexer.pipeline Pipeline _write before 3",
        "shared.store.edge.store EdgeStore upsert after 2",
        "indexer.journal Journal done before 2",
        "indexer.journal Journal done after 2",
        "indexer.journal Journal refuse before 1",
        "shared.store.edge.store EdgeStore delete after 1",
        "indexer.journal Journal remove before 1",
        "indexer.journal Journal owe before 1",
        "shared.store.edge.store EdgeStore flush after 1",
    ],
)
def test_a_kill_at_any_step_is_made_good(home: Path, photos: Path, step: str) -> None:
    draw(photos / "old", range(20))
    (photos / "old/bad.png").write_bytes(b"no picture")
    indexer("scan", photos, "--home", home)
    for path in draw(photos / "new", range(20, 40))[:3]:
        path.rename(photos / path.name)
    for number in range(3):
        (photos / f"old/{number:05}.png").write_bytes(picture(50 + number))
        (photos / f"old/{10 + number:05}.png").unlink()
        (photos / f"old/{15 + number:05}.png").rename(photos / f"moved {number}.png")
    (photos / "red/0.jpg").write_bytes(b"bad from now on")
    (photos / "old/bad.png").write_bytes(picture(60))
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, step, "watch", str(photos), "--home", str(home)],
        env=os.environ | {"LOOKALIKE_BATCH_SIZE": "8", "LOOKALIKE_SETTLE_SECONDS": "0.1"},
        capture_output=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with Watch(home, photos) as watch:
        images = len(on_disk(photos)) - 1
        watch.wait_until(lambda found: found["images"] == images and len(found["refused"]) == 1)
        watch.settled(images)
        found = oracle(home)
        assert [file["path"] for file in found["refused"]] == ["red/0.jpg"]
        assert stored(home).keys() == on_disk(photos) - {"red/0.jpg"}


_ASKER = """
import sys, time
from shared.models import Models
from shared.settings import load_settings
from shared.store.hub import open_store
from shared.store.protocol import Probe

settings = load_settings({"home": sys.argv[1]}, {})
store = open_store(settings, Models(settings.models).current().encoder, role="owner")
vector = next(iter(store.scroll(with_vectors=True)))[0].vector
while True:
    print(len(store.search([Probe(vector, None, 99)])[0]), flush=True)
    time.sleep(0.02)
"""


@contextmanager
def _asking(home: Path) -> Iterator[list[int]]:
    """A long-lived process that searches all the time; the sizes of its answers."""
    answers: list[int] = []
    with subprocess.Popen(
        [sys.executable, "-c", _ASKER, str(home)], stdout=subprocess.PIPE, text=True
    ) as asker:
        assert asker.stdout is not None
        lines = asker.stdout
        reader = threading.Thread(target=lambda: answers.extend(int(line) for line in lines))
        reader.start()
        try:
            yield answers
            assert asker.poll() is None
        finally:
            asker.kill()
            reader.join()


def _wait_for_more(answers: list[int], count: int = 10) -> None:
    wanted, deadline = len(answers) + count, time.monotonic() + DEADLINE_SECONDS
    while len(answers) < wanted:
        assert time.monotonic() < deadline, answers[-5:]
        time.sleep(0.02)


@pytest.mark.case(3)
def test_queries_go_on_when_the_owner_of_the_store_is_killed(
    watch: Watch, home: Path, photos: Path
) -> None:
    with _asking(home) as answers:
        _wait_for_more(answers)
        draw(photos / "new", range(100))
        watch.wait_until(lambda found: found["images"] > 18)
        watch.stop(signal.SIGKILL)
        killed = len(answers)
        _wait_for_more(answers)
        done = searcher("query", photos / "red/0.jpg", "--home", home, "--self", "--paths")
        assert str(photos / "red/0.jpg") in done.stdout.splitlines()
        with Watch(home, photos) as second:  # now a client of the one that took over
            second.settled(118)
            _wait_for_more(answers)
            assert (min(answers), answers[-1]) == (18, 99)
            assert answers[:killed] == sorted(answers[:killed])
            assert oracle(home)["points"] == 118
