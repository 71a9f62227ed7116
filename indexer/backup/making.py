"""`indexer backup`: everything of a home into one file, beside a running indexer.

The journal is copied first and the points are read after it. So whatever happens between the two
has another file signature on disk than the journal's copy knows, and the first scan after a restore
mends it. The other way round, a point that came late could be in the journal alone, unnoticed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from indexer.backup.journals import copy_journal
from indexer.backup.layout import (
    JOURNAL,
    MODELS,
    POINTS_PER_PART,
    ROOTS,
    SETTINGS,
    Manifest,
    is_part_name,
    part_names,
)
from indexer.backup.points import pack
from indexer.backup.settings import KEYS, without
from indexer.backup.writing import BackupWriter
from indexer.database import Database
from indexer.journal import Journal
from indexer.moving.own import OwnPoints
from shared.errors import LookalikeError
from shared.files import folder_beside, sync_folder
from shared.models import Models
from shared.roots import FILE_NAME
from shared.settings import Settings
from shared.store.hub import Hub, open_hub
from shared.types import Progress, StoredImage

Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Made:
    """A finished backup: its size and what it holds."""

    bytes: int
    manifest: Manifest


def make_backup(
    settings: Settings, file: Path, progress: Progress, stop: Stop, *, force: bool = False
) -> Made | None:
    """Write the backup beside `file`, then rename it; None if stopped, and nothing is left.

    `force`: replace a file that is there. Raises `NoModel`, `JournalError`, `StoreError`, and
    `LookalikeError` for a file that is there or a model that changed meanwhile.
    """
    if not file.parent.is_dir():
        raise LookalikeError(f"folder {file.parent} does not exist: make it first")
    if file.exists() and not force:
        raise LookalikeError(f"{file} is there already: name another file, or --force replaces it")
    with folder_beside(file.parent) as work:
        manifest = _Backup(settings, work, progress, stop).write(work / "backup")
        if manifest is None:
            return None
        size = (work / "backup").stat().st_size
        os.replace(work / "backup", file)
    sync_folder(file.parent)
    return Made(size, manifest)


class _Backup:
    def __init__(self, settings: Settings, work: Path, progress: Progress, stop: Stop) -> None:
        self._settings, self._work = settings, work
        self._progress, self._stop = progress, stop
        self._models = Models(settings.models)

    def write(self, path: Path) -> Manifest | None:
        current, following = pairs = self._models.current(), self._models.next()
        wanted = list(dict.fromkeys([pair.encoder for pair in pairs if pair is not None]))
        with BackupWriter(path) as out, self._journal() as journal:
            self._add_small(out)
            self._add_models(out)
            # As the owner of an embedded store where nobody is: queries go on meanwhile.
            with open_hub(self._settings, long_lived=not self._settings.qdrant_urls) as hub:
                self._require_journal(hub)
                collections = self._add_points(out, hub, journal, wanted)
            if collections is None:
                return None
            if (self._models.current(), self._models.next()) != pairs:
                raise LookalikeError("another model became current meanwhile: back up again")
            if self._settings.journal.exists():
                journal.close()
                out.add_file(JOURNAL, self._work / JOURNAL)
            manifest = Manifest(
                _made_by(), _now(), current, following, collections, dict(out.files)
            )
            out.finish(manifest.to_bytes())
        return manifest

    @contextlib.contextmanager
    def _journal(self) -> Iterator[_Copy]:
        """The copy of the journal; an empty one where there is none."""
        if self._settings.journal.exists():
            copy_journal(self._settings.journal, self._work / JOURNAL)
        copy = _Copy(self._work / JOURNAL)
        try:
            yield copy
        finally:
            copy.close()

    def _require_journal(self, hub: Hub) -> None:
        if hub.is_shared and not self._settings.journal.exists():
            raise LookalikeError(
                f"home {self._settings.home} has no journal, which tells its points from those of "
                "other indexers: back up the home that indexes"
            )

    def _add_small(self, out: BackupWriter) -> None:
        roots, path = self._settings.home / FILE_NAME, self._settings.home / SETTINGS
        if roots.exists():
            out.add(ROOTS, roots.read_bytes())
        if path.exists():
            out.add(SETTINGS, without(path.read_text(encoding="utf-8"), KEYS)[0].encode())

    def _add_models(self, out: BackupWriter) -> None:
        for path in sorted(self._settings.models.rglob("*")):
            name = f"{MODELS}/{path.relative_to(self._settings.models).as_posix()}"
            if is_part_name(name) and path.is_file():
                try:
                    out.add_file(name, path)
                except FileNotFoundError as error:
                    raise LookalikeError(
                        "an old clustering was removed meanwhile: back up again"
                    ) from error

    def _add_points(
        self, out: BackupWriter, hub: Hub, journal: _Copy, wanted: list[str]
    ) -> dict[str, tuple[int, ...]] | None:
        collections = {}
        for name in [name for name in wanted if name in hub.names()]:
            own, counts = OwnPoints(hub, name, journal.journal), []
            with self._progress.stage("reading points", own.count()) as stage:
                for number, points in enumerate(_parts(own)):
                    for part, data in zip(part_names(name, number), pack(points), strict=True):
                        out.add(part, data)
                    counts.append(len(points))
                    stage.advance(len(points))
                    if self._stop():
                        return None
            collections[name] = tuple(counts)
        return collections


class _Copy:
    """The copied journal, open until its file is wanted."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        self.journal = Journal(self._database)

    def close(self) -> None:
        self._database.close()


def _parts(own: OwnPoints) -> Iterator[list[StoredImage]]:
    """This home's points, a part at a time."""
    part: list[StoredImage] = []
    for ids in own.pages():
        found = own.store.get(ids, with_vectors=True)
        part += [found[key] for key in ids if key in found]
        while len(part) >= POINTS_PER_PART:
            yield part[:POINTS_PER_PART]
            del part[:POINTS_PER_PART]
    if part:
        yield part


def _made_by() -> str:
    from importlib.metadata import version

    return f"lookalike {version('lookalike')}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
