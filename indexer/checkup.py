"""What `indexer doctor` does with a home: open it, examine it, mend it, examine it again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from indexer.database import Database
from indexer.doctor import Diagnosis, Examination
from indexer.home import Home, choose
from indexer.indexing import Indexing
from indexer.journal import Journal
from indexer.once import scan_once
from indexer.partition import partition_of
from indexer.repair import mend
from indexer.roots import Roots
from shared.errors import JournalError, StoreBusy, StoreError, StoreMissing, StoreRefused
from shared.lock import is_running
from shared.models import ENCODER_FILE, Models
from shared.reading import Limits
from shared.roots import read_roots
from shared.settings import Settings
from shared.store.hub import Hub, open_hub
from shared.store.protocol import VectorStore
from shared.types import Progress

CALM_SECONDS = 120.0
"""How long a repair beside a running indexer waits until that has done what is owed."""


@dataclass(slots=True)
class Report:
    """A diagnosis; after a repair the one from afterwards, and what was done."""

    diagnosis: Diagnosis
    actions: list[str] = field(default_factory=list)
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class _Opened:
    """What an examination needs, of a home that may be in use by a running indexer."""

    settings: Settings
    journal: Journal
    roots: Roots
    store: VectorStore
    shared: bool
    note: str | None

    def examine(self, deep: bool) -> Examination:
        models, roots = Models(self.settings.models), self.roots.all()
        partition = partition_of(self.settings)
        limits = Limits(self.settings.max_pixels, self.settings.max_file_bytes)
        examination = Examination(
            self.journal,
            roots,
            lambda root: choose(root, self.settings.home, partition),
            models.clustering(models.current()),
            self.store,
            deep=limits if deep else None,
            shared=self.shared,
        )
        examination.run()
        if self.note:
            examination.found.notes.append(self.note)
        return examination


def check_up(
    settings: Settings,
    progress: Progress,
    stop: Callable[[], bool],
    *,
    repair: bool = False,
    deep: bool = False,
) -> Report:
    """Examine a home and mend it if wanted. Works beside a running indexer.

    Raises `NoModel` or `ModelError` (only training again helps), `StoreBusy`, and without `repair`
    also `JournalError` and `StoreError` for what cannot be opened at all.
    """
    models = Models(settings.models)
    models.bundle(models.current().encoder).read(ENCODER_FILE)
    if is_running(settings.run):
        return _beside(settings, repair, deep)
    return _alone(settings, progress, stop, repair, deep)


def _beside(settings: Settings, repair: bool, deep: bool) -> Report:
    with _opened(settings) as opened:
        examination = _twice(opened, deep)
        report = Report(examination.found)
        if not repair or (examination.found.is_well and not examination.found.waiting):
            return report
        report.actions += _mend(opened, examination)
        report.repaired = True
        deadline = time.monotonic() + CALM_SECONDS
        while opened.journal.has_owed() and time.monotonic() < deadline:
            time.sleep(0.2)
        report.diagnosis = _twice(opened, deep).found
        return report


def _twice(opened: _Opened, deep: bool) -> Examination:
    """Examine, and if something is found examine again after files on their way have arrived."""
    first = opened.examine(deep)
    if first.found.is_well:
        return first
    time.sleep(2 * opened.settings.settle_seconds + 1)
    second = opened.examine(deep)
    second.found = second.found.also_in(first.found)
    return second


def _alone(
    settings: Settings, progress: Progress, stop: Callable[[], bool], repair: bool, deep: bool
) -> Report:
    actions: list[str] = []
    if repair:
        actions += _replace_journal(settings)
    with Home(settings, "indexer doctor") as home:
        if repair:
            actions += _replace_store(home)
            if actions and settings.qdrant_urls:
                _scan(home, progress, stop)  # takes over what a new journal does not know
        with _opened(settings, home) as opened:
            examination = opened.examine(deep)
            report = Report(examination.found, actions)
            found = examination.found
            if not repair or (found.is_well and not found.waiting and not actions):
                return report
            actions += _mend(opened, examination)
        _scan(home, progress, stop)
        with _opened(settings, home) as opened:
            report.diagnosis = opened.examine(deep).found
        report.repaired = True
        return report


def _mend(opened: _Opened, examination: Examination) -> list[str]:
    collection = Models(opened.settings.models).current().encoder
    findings, waiting = examination.found.findings, examination.found.waiting
    opened.journal.owe((file.root, file.path, file.signature) for file in waiting)
    done = mend(findings, opened.journal, collection, opened.store, examination.signature)
    actions = []
    if done.deleted:
        actions.append(f"deleted {done.deleted:,} points that were orphaned or stale")
    if waiting:
        actions.append(f"tried {len(waiting):,} files again that could not be read")
    if done.owed:
        actions.append(f"indexed {done.owed:,} files again")
    return actions


def _scan(home: Home, progress: Progress, stop: Callable[[], bool]) -> None:
    indexing = Indexing(home)
    try:
        scan_once(indexing, [root.id for root in home.roots.all()], progress, stop)
    finally:
        indexing.close()


def _replace_journal(settings: Settings) -> list[str]:
    """Put a journal that cannot be read aside; its roots are known from `roots.json`."""
    if not settings.journal.exists():
        return []
    try:
        database = Database(settings.journal)
    except JournalError:
        aside = _set_aside(settings.journal)
    else:
        sound = database.is_sound()
        database.close()
        if sound:
            return []
        aside = _set_aside(settings.journal)
    with Home(settings, "indexer doctor") as home:
        for root, folder in read_roots(settings.home).items():
            if folder.is_dir():
                home.remember([folder], excludes=None, name=root)
    return [f"started a new journal, the damaged one is {aside}; excludes must be given again"]


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for companion in ("-wal", "-shm"):
        path.with_name(path.name + companion).unlink(missing_ok=True)
    return aside


def _replace_store(home: Home) -> list[str]:
    """Drop a collection that cannot be opened; a scan fills it again from the images.

    Only the embedded store is dropped: on a server, a collection that is gone is made again.
    """
    name = home.models.current().encoder
    with open_hub(home.settings, long_lived=not home.settings.qdrant_urls) as hub:
        try:
            hub.collection(name).count()
        except StoreBusy:
            raise
        except StoreMissing:
            actions = ["made a new store"]
        except StoreError as error:
            if hub.is_shared:  # others' points are in it as well
                raise
            actions = [f"dropped the store, which could not be opened: {error}"]
            hub.drop(name)
        else:
            return []
        hub.collection(name, create=True)
    home.journal.drop_collection(name)
    return actions


@contextlib.contextmanager
def _opened(settings: Settings, home: Home | None = None) -> Iterator[_Opened]:
    """Journal and store; an embedded one is owned, so that queries go on meanwhile."""
    with contextlib.ExitStack() as stack:
        if home is not None:
            journal, roots = home.journal, home.roots
        else:
            database = Database(settings.journal)
            stack.callback(database.close)
            journal, roots = Journal(database), Roots(database)
        hub = stack.enter_context(open_hub(settings, long_lived=not settings.qdrant_urls))
        name = Models(settings.models).current().encoder
        store = hub.collection(name)
        yield _Opened(settings, journal, roots, store, hub.is_shared, _of_the_alias(hub, name))


def _of_the_alias(hub: Hub, answering: str) -> str | None:
    """What is wrong with what others were told of a shared store. Our own commands go by the
    models, so that nothing of theirs is wrong with it."""
    if not hub.is_shared:
        return None
    try:
        announced = hub.announced()
    except StoreRefused as error:
        return str(error)
    if announced == answering:
        return None
    return (
        f"the alias points to {announced or 'no collection'}, and {answering} answers: the indexer "
        "that leads puts it right when it starts"
    )
