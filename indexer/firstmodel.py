"""A first model for a home that has none: the encoder that ships, and clusters of what is there.

Only the clusters are fitted, in a process of its own, so that this one never carries scikit-learn.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable

from indexer.home import Home
from indexer.listing import list_root
from indexer.starter import MIN_IMAGES
from indexer.telling import Teller
from shared.errors import NoModel, RootError, TrainingError
from shared.heartbeat import beat

LOOK_SECONDS = 1.0

_ENOUGH = 500
"""Files that stand for their folder, even while more are coming."""

_log = logging.getLogger(__name__)


def wait_for_model(home: Home, wait: Callable[[float], bool]) -> bool:
    """Return True once the home has a model, False if `wait` was told to stop.

    `wait` sleeps for some seconds and tells whether to stop. Fitting begins when no more pictures
    came between two looks, so that clusters are those of a whole folder rather than of the first
    files copied into it.
    """
    teller = Teller(home.settings.run, home.journal)
    if not home.partition.leads:
        return _wait_for_leader(home, teller, wait)
    failed_with, said, before = -1, -1, -1
    while not _has_model(home):
        beat(home.settings.run)
        count = _count(home)
        rests = count == before or count >= _ENOUGH
        if count >= MIN_IMAGES and rests and count != failed_with:
            teller.tell(f"training: clusters of {count} files", backlog=count)
            if not _fit(home, wait):
                failed_with = count
        elif count < MIN_IMAGES and count != said:
            said = count
            text = f"waiting for images: {count} of the {MIN_IMAGES} that clusters need"
            _log.info("%s", text)
            teller.tell(text, backlog=count)
        before = count
        if wait(0 if _has_model(home) else LOOK_SECONDS):
            return False
    return True


def make_model(home: Home, wait: Callable[[float], bool]) -> bool:
    """Make a first model of what is in the remembered folders now; True if the home has one.

    `wait` as for `wait_for_model`; False if it was told to stop. Raises `NoModel` where another
    partition's indexer makes it, and `TrainingError` for too few files or a failed fit.
    """
    if _has_model(home):
        return True
    if not home.partition.leads:
        home.models.current()
    count = _count(home)
    if count < MIN_IMAGES:
        raise TrainingError(
            f"no model yet: clusters need at least {MIN_IMAGES} images, found {count}: add some"
        )
    if _fit(home, wait):
        return True
    if wait(0):
        return False
    raise TrainingError("no model yet, and fitting clusters failed: see the lines above")


def _wait_for_leader(home: Home, teller: Teller, wait: Callable[[float], bool]) -> bool:
    """Whoever has the first part trains for all."""
    text = f"waiting for a model: the indexer of partition 1/{home.partition.count} makes it"
    said = False
    while not _has_model(home):
        beat(home.settings.run)
        if not said:
            _log.info("%s", text)
        said = True
        teller.tell(text)
        if wait(LOOK_SECONDS):
            return False
    return True


def _has_model(home: Home) -> bool:
    try:
        home.models.current()
    except NoModel:
        return False
    return True


def _count(home: Home) -> int:
    count = 0
    for root in home.roots.all():
        try:
            count += len(list_root(root.folder, home.chooser(root).whole()).files)
        except RootError as error:
            _log.warning("%s", error)
    return count


def _fit(home: Home, wait: Callable[[float], bool]) -> bool:
    roots = home.roots.all()
    command = [sys.executable, "-m", "indexer", "train", "--starter-only"]
    command += ["--home", str(home.settings.home)]
    for pattern in sorted({pattern for root in roots for pattern in root.excludes}):
        command += ["--exclude", pattern]
    command += ["--", *(os.fsdecode(root.folder) for root in roots)]
    _log.info("no model yet: taking the encoder that ships, fitting clusters")
    # A session of its own, so that Ctrl-C reaches it through us and only once.
    # What it reports is no result of ours: all of it goes to standard error.
    with subprocess.Popen(command, stdout=2, start_new_session=True) as process:
        while process.poll() is None:
            beat(home.settings.run)
            if wait(0.5):
                process.terminate()
                process.wait()
        return process.returncode == 0
