"""What was restored takes its place in the home: from a moment on, all of it, whatever happens.

    HOME/.restoring            being built; of no meaning, and removed by the next restore
    HOME/.restored             complete. Renaming it so is that moment
    HOME/.restored/aside       where the things that were there before go
    HOME/.restored/cleared     they are all there

A process that dies in between leaves `.restored`; the next restore finishes it first.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from indexer.backup.layout import JOURNAL, MODELS, ROOTS, SETTINGS
from shared.files import sync_folder, write_atomically
from shared.settings import Settings

RESTORING = ".restoring"
RESTORED = ".restored"
_BEFORE = "before-restore-"
_ASIDE = "aside"
_CLEARED = "cleared"
_STORE = "store"
_OF_THE_DISK = "lost+found"


def places(settings: Settings) -> dict[str, Path]:
    """Where each restored thing goes; the models last, for without them a home does nothing."""
    home = settings.home
    return {
        _STORE: settings.store,
        JOURNAL: settings.journal,
        JOURNAL + "-wal": home / (JOURNAL + "-wal"),
        JOURNAL + "-shm": home / (JOURNAL + "-shm"),
        ROOTS: home / ROOTS,
        SETTINGS: home / SETTINGS,
        MODELS: settings.models,
    }


def in_the_way(settings: Settings) -> list[Path]:
    """What a home holds that restored things would replace. Settings that are there stay."""
    found = [path for name, path in places(settings).items() if name != SETTINGS]
    return [path for path in found if any(_things(path))]


def finish(settings: Settings) -> list[Path] | None:
    """Put into place what `.restored` holds; where old things went, or None if there was nothing.

    May die at any moment and be called again.
    """
    ready = settings.home / RESTORED
    if not ready.is_dir():
        return None
    aside = _aside(settings.home, ready)
    if not (ready / _CLEARED).exists():
        for path in in_the_way(settings):
            aside.mkdir(exist_ok=True)
            _move(path, aside / path.name)
        write_atomically(ready / _CLEARED, b"")
    for name, path in places(settings).items():
        if (ready / name).exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _move(ready / name, path)
            sync_folder(path.parent)
    shutil.rmtree(ready)
    return [aside] if aside.exists() else []


def _aside(home: Path, ready: Path) -> Path:
    """The folder for what was there before: chosen once, whoever comes to use it."""
    noted = ready / _ASIDE
    if not noted.exists():
        number = 1
        while (home / f"{_BEFORE}{number}").exists():
            number += 1
        write_atomically(noted, f"{_BEFORE}{number}".encode())
    return home / noted.read_text()


def _things(path: Path) -> Iterator[Path]:
    """A file, or what a folder holds: an empty one may be a disk's, waiting to be filled."""
    if not path.is_dir() or path.is_symlink():
        if os.path.lexists(path):
            yield path
        return
    yield from (entry for entry in path.iterdir() if entry.name != _OF_THE_DISK)


def _move(source: Path, target: Path) -> None:
    """Rename; into a folder that is there, and from or to another disk, piece by piece."""
    if not (target.is_dir() and source.is_dir()):
        try:
            os.rename(source, target)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EBUSY):
                raise
        else:
            return
    if not source.is_dir():
        beside = target.with_name(f".{target.name}.new")
        shutil.copy2(source, beside)
        os.replace(beside, target)
        source.unlink()
        return
    target.mkdir(exist_ok=True)
    for entry in sorted(_things(source), key=_current_last):
        _move(entry, target / entry.name)
    if not os.path.ismount(source):
        source.rmdir()


def _current_last(entry: Path) -> bool:
    """Which models answer is said when they are all there."""
    return entry.name == "current.json"
