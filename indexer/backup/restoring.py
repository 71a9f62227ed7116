"""`indexer restore`: a home from a backup, all of it or nothing.

Everything is built beside and checked, then renamed into place. On a Qdrant server the points are
written first, where nobody asks for them yet, and the home comes after.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from indexer.backup.filling import Filling
from indexer.backup.layout import JOURNAL, MANIFEST, MODELS, ROOTS, SETTINGS, Manifest
from indexer.backup.placing import RESTORED, RESTORING, finish, in_the_way
from indexer.backup.reading import BackupFile
from indexer.backup.settings import PLACES, without
from indexer.database import Database
from shared.errors import DiskFull, LookalikeError, StoreBusy
from shared.files import publish_folder
from shared.lock import HomeLock
from shared.models import Models
from shared.roots import write_roots
from shared.settings import Settings
from shared.store.hub import Hub, open_hub
from shared.store.sharing import StoreLock
from shared.types import Progress

Stop = Callable[[], bool]

ROOM = 4
"""The embedded store takes so many times a backup's size while it is being made (3.4 measured)."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore came to: `left_out` are settings, `aside` folders with what was there."""

    points: int
    left_out: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)


def check_backup(file: Path, progress: Progress, stop: Stop) -> Manifest | None:
    """Compare every part with its hash; None if stopped. Raises `LookalikeError`."""
    with BackupFile(file) as backup, progress.stage("checking", backup.manifest.size) as stage:
        return backup.manifest if backup.verify(stage.advance, stop) else None


def restore(
    settings: Settings, file: Path, progress: Progress, stop: Stop, *, force: bool = False
) -> Restored | None:
    """Make the home; None if stopped. Until the last moment it stays as it was.

    `force`: put aside what the home holds, and replace points that a server has otherwise. Raises
    `LookalikeError` for a home that is not empty or a file that is no whole backup,
    `AlreadyRunning`, `StoreError`, `DiskFull`.
    """
    with (
        BackupFile(file) as backup,
        HomeLock(settings.run, "indexer restore"),
        _store_lock(settings),
    ):
        interrupted = settings.home / RESTORED / MANIFEST
        same = interrupted.is_file() and interrupted.read_bytes() == backup.raw_manifest
        aside = finish(settings)
        if same:
            _announce(settings, backup.manifest)
            return Restored(backup.manifest.points, aside=[str(path) for path in aside or []])
        return _Restoring(settings, backup, progress, stop).run(force)


@contextlib.contextmanager
def _store_lock(settings: Settings) -> Iterator[None]:
    """Nobody may have the home's embedded store open while it comes or goes."""
    lock = StoreLock.acquire(settings.run)
    if lock is None:
        raise StoreBusy(f"store {settings.store} is in use: stop `searcher serve` first")
    try:
        yield
    finally:
        lock.release()


def _announce(settings: Settings, manifest: Manifest) -> None:
    if settings.qdrant_urls and manifest.current.encoder in manifest.collections:
        with open_hub(settings, long_lived=False) as hub:
            hub.announce(manifest.current.encoder)


class _Restoring:
    def __init__(
        self, settings: Settings, backup: BackupFile, progress: Progress, stop: Stop
    ) -> None:
        self._settings, self._backup = settings, backup
        self._progress, self._stop = progress, stop
        self._built = settings.home / RESTORING

    def run(self, force: bool) -> Restored | None:
        manifest, settings = self._backup.manifest, self._settings
        if (there := in_the_way(settings)) and not force:
            names = ", ".join(path.name for path in there)
            raise LookalikeError(
                f"home {settings.home} is not empty ({names}): name another --home, or --force "
                "puts aside what is there"
            )
        self._require_room()
        with self._progress.stage("checking", manifest.size) as stage:
            if not self._backup.verify(stage.advance, self._stop):
                return None
        shutil.rmtree(self._built, ignore_errors=True)
        try:
            self._built.mkdir()
            left_out = self._build_small()
            self._build_models()
            with self._hub() as hub:
                filling = Filling(hub, self._backup, self._progress, self._stop)
                if not filling.run(force):
                    return None
            shutil.rmtree(self._built / "run", ignore_errors=True)
            publish_folder(self._built, settings.home / RESTORED)
        finally:
            shutil.rmtree(self._built, ignore_errors=True)
        aside = finish(settings)
        _announce(settings, manifest)
        return Restored(manifest.points, left_out, [str(path) for path in aside or []])

    def _require_room(self) -> None:
        wanted = self._backup.manifest.size * (1 if self._settings.qdrant_urls else ROOM)
        free = shutil.disk_usage(self._settings.home).free
        if free < wanted + self._settings.min_free_bytes:
            raise DiskFull(
                f"{self._settings.home} has {free >> 20} MiB of free space, to restore "
                f"{(wanted + self._settings.min_free_bytes) >> 20} MiB are needed: make room"
            )

    def _build_small(self) -> list[str]:
        """Journal, roots and settings; the settings that were left out."""
        parts = self._backup.manifest.files
        (self._built / MANIFEST).write_bytes(self._backup.raw_manifest)
        if ROOTS in parts:
            self._backup.copy(ROOTS, self._built / ROOTS)
        else:
            write_roots(self._built, {})
        if JOURNAL in parts:
            self._backup.copy(JOURNAL, self._built / JOURNAL)
        database = Database(self._built / JOURNAL)
        sound = database.is_sound()
        database.close()
        if not sound:
            raise LookalikeError("the journal in the backup is damaged")
        if SETTINGS not in parts or (self._settings.home / SETTINGS).exists():
            return []
        with self._backup.reading(SETTINGS):
            try:
                text, left_out = without(self._backup.read(SETTINGS).decode(), PLACES)
            except ValueError as error:
                raise LookalikeError(f"cannot be read: {error}") from error
        (self._built / SETTINGS).write_text(text, encoding="utf-8")
        return left_out

    def _build_models(self) -> None:
        """The models as they were on disk, those that answer and will answer proven to be whole."""
        manifest = self._backup.manifest
        for name in manifest.files:
            if name.startswith(MODELS + "/"):
                self._backup.copy(name, self._built / name)
        models = Models(self._built / MODELS)
        if (models.current(), models.next()) != (manifest.current, manifest.next):
            raise LookalikeError("the backup contradicts itself about the current model")
        for pair in {manifest.current, manifest.next or manifest.current}:
            models.clustering(pair)
            bundle = models.bundle(pair.encoder)
            for name in bundle.manifest["files"]:
                bundle.read(name)

    def _hub(self) -> Hub:
        """The server that the settings name, or an embedded store beside the home's own."""
        if self._settings.qdrant_urls:
            return open_hub(self._settings, long_lived=False)
        return open_hub(replace(self._settings, home=self._built), long_lived=False)
