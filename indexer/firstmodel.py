"""A first model for a home that has none: the encoder that ships, and clusters of what is there.

Only the clusters are fitted, in a process of its own, so that this one never carries scikit-learn.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from indexer.home import Home
from indexer.listing import list_root
from indexer.settling import has_rested
from indexer.starter import MIN_IMAGES
from indexer.status_reporter import StatusReporter
from shared.errors import NoModel, RootError, TrainingError
from shared.heartbeat import beat

LOOK_SECONDS = 1.0
REST_SECONDS = 2.0
"""A folder to which nothing was added for so long is fitted on."""
PATIENCE_SECONDS = 60.0
"""How long a folder that goes on growing is waited for; a part of it has to do then."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Look:
    """What the folders hold: files, their bytes, and whether all of them are of some age."""

    files: int
    bytes: int
    is_old: bool


def wait_for_model(home: Home, wait: Callable[[float], bool]) -> bool:
    """Return True once the home has a model, False if `wait` was told to stop.

    `wait` sleeps for some seconds and tells whether to stop. Fitting begins when no more files
    arrive, so that clusters are those of a whole folder rather than of the first files copied into
    it, which would have to be fitted anew at once.
    """
    reporter = StatusReporter(home.settings.run, home.journal)
    if not home.partition.leads:
        return _wait_for_leader(home, reporter, wait)
    failed_with, rest = -1, _Rest()
    logged = ""
    while not _has_model(home):
        beat(home.settings.run)
        found = _look(home)
        rests = rest.has_come(found)
        if found.files < MIN_IMAGES:
            text = f"waiting for images: {found.files} of the {MIN_IMAGES} that clusters need"
        elif found.files == failed_with:
            text = f"waiting for images: no clusters of these {found.files:,}, see the log"
        elif not rests:
            text = f"waiting for images: {found.files:,} so far, more are arriving"
        else:
            text = f"fitting clusters of {found.files:,} images"
            reporter.report(text, pending=found.files)
            failed_with = -1 if _fit(home, wait) else found.files
            continue
        reporter.report(text, pending=found.files)
        if found.files < MIN_IMAGES and text != logged:
            _log.info("%s", text)
            logged = text
        if wait(LOOK_SECONDS):
            return False
    return not wait(0)


def make_model(home: Home, wait: Callable[[float], bool]) -> bool:
    """Make a first model of what is in the remembered folders now; True if the home has one.

    `wait` as for `wait_for_model`; False if it was told to stop. Raises `NoModel` where another
    partition's indexer makes it, and `TrainingError` for too few files or a failed fit.
    """
    if _has_model(home):
        return True
    if not home.partition.leads:
        home.models.current()
    count = _look(home).files
    if count < MIN_IMAGES:
        raise TrainingError(
            f"no model yet: clusters need at least {MIN_IMAGES} images, found {count}: add some"
        )
    reporter = StatusReporter(home.settings.run, home.journal)
    reporter.report(f"fitting clusters of {count:,} images", pending=count)
    if _fit(home, wait):
        return True
    if wait(0):
        return False
    raise TrainingError("no model yet, and fitting clusters failed: see the lines above")


class _Rest:
    """Whether files have ceased to arrive, as one look after the other shows it."""

    def __init__(self) -> None:
        self._bytes: int | None = None
        self._begun = self._changed = 0.0

    def has_come(self, found: _Look) -> bool:
        now = time.monotonic()
        if self._bytes is None and found.is_old:
            self._changed = now - REST_SECONDS  # later, age says nothing: folders are moved in
        elif found.bytes != self._bytes:
            self._changed = now
        if not self._bytes:
            self._begun = now
        self._bytes = found.bytes
        rests = now >= self._changed + REST_SECONDS
        return rests or now >= self._begun + PATIENCE_SECONDS


def _wait_for_leader(home: Home, reporter: StatusReporter, wait: Callable[[float], bool]) -> bool:
    """Whoever has the first part trains for all."""
    text = f"waiting for a model: the indexer of partition 1/{home.partition.count} makes it"
    said = False
    while not _has_model(home):
        beat(home.settings.run)
        if not said:
            _log.info("%s", text)
        said = True
        reporter.report(text)
        if wait(LOOK_SECONDS):
            return False
    return True


def _has_model(home: Home) -> bool:
    try:
        home.models.current()
    except NoModel:
        return False
    return True


def _look(home: Home) -> _Look:
    files, size, is_old = 0, 0, True
    for root in home.roots.all():
        try:
            found = list_root(root.folder, home.chooser(root).whole()).files.values()
        except RootError as error:
            _log.warning("%s", error)
            continue
        files += len(found)
        size += sum(signature.size for signature in found)
        is_old &= all(has_rested(signature, REST_SECONDS) for signature in found)
    return _Look(files, size, is_old)


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
