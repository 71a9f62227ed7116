"""Reading a backup's file, which nobody vouches for until its hashes have been looked at."""

from __future__ import annotations

import contextlib
import hashlib
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from indexer.backup.layout import (
    MANIFEST,
    MOST_MANIFEST_BYTES,
    MOST_TEXT_BYTES,
    Manifest,
    is_part_name,
)
from indexer.backup.writing import CHUNK_BYTES
from shared.errors import LookalikeError

_ENCRYPTED = 1


class BackupFile:
    """An open backup whose directory has been checked. Parts are known by name, never unpacked by
    it; what they hold is checked when it is read.

    Raises `LookalikeError` for whatever is not a whole backup, on opening as on reading.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with contextlib.ExitStack() as stack, self._errors():
            file = stack.enter_context(path.open("rb"))
            self._zip = stack.enter_context(zipfile.ZipFile(file))
            self._check_directory(path.stat().st_size)
            self.raw_manifest = self._read_manifest()
            self.manifest = Manifest.from_bytes(self.raw_manifest)
            self._check_parts()
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Let go of the file."""
        self._stack.close()

    def __enter__(self) -> BackupFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def verify(self, advance: Callable[[int], None], stop: Callable[[], bool]) -> bool:
        """Compare every part with its hash; False if it was stopped. `advance` is told of bytes."""
        for name in self.manifest.files:
            for chunk in self._chunks(name):
                advance(len(chunk))
            if stop():
                return False
        return True

    def read(self, name: str) -> bytes:
        """A small part as a whole."""
        if self.manifest.files[name].bytes > MOST_TEXT_BYTES:
            raise LookalikeError(f"backup {self._path}: {name} is larger than it may be")
        return b"".join(self._chunks(name))

    def copy(self, name: str, target: Path) -> None:
        """A part as a new file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for chunk in self._chunks(name):
                file.write(chunk)

    @contextlib.contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Errors about the contents of a part name the file and the part."""
        try:
            yield
        except LookalikeError as error:
            raise LookalikeError(f"backup {self._path}: {what} {error}") from error

    def _chunks(self, name: str) -> Iterator[bytes]:
        """The part's bytes; raises at their end if they are not the ones that were backed up."""
        digest = hashlib.sha256()
        with self._errors(), self._zip.open(name) as part:
            while chunk := part.read(CHUNK_BYTES):
                digest.update(chunk)
                yield chunk
        if digest.hexdigest() != self.manifest.files[name].sha256:
            raise LookalikeError(f"backup {self._path} is damaged: {name} has another hash")

    def _check_directory(self, size: int) -> None:
        """Plain files of allowed names only, each once, no larger together than the archive."""
        entries = self._zip.infolist()
        for entry in entries:
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if (
                entry.compress_type != zipfile.ZIP_STORED
                or entry.file_size != entry.compress_size
                or entry.flag_bits & _ENCRYPTED
                or kind not in (0, stat.S_IFREG)
                or not (entry.filename == MANIFEST or is_part_name(entry.filename))
            ):
                raise LookalikeError(f"holds {entry.filename!r}, which no backup holds")
        if len({entry.filename for entry in entries}) != len(entries):
            raise LookalikeError("holds a part twice")
        if sum(entry.file_size for entry in entries) > size:
            raise LookalikeError("holds parts that overlap")

    def _read_manifest(self) -> bytes:
        if MANIFEST not in self._zip.namelist():
            raise LookalikeError(f"holds no {MANIFEST}")
        if self._zip.getinfo(MANIFEST).file_size > MOST_MANIFEST_BYTES:
            raise LookalikeError(f"has a {MANIFEST} that is larger than it may be")
        return self._zip.read(MANIFEST)

    def _check_parts(self) -> None:
        """What the manifest lists is there, in that size, and nothing else is."""
        sizes = {entry.filename: entry.file_size for entry in self._zip.infolist()}
        del sizes[MANIFEST]
        if sizes != {name: part.bytes for name, part in self.manifest.files.items()}:
            raise LookalikeError("does not hold what its manifest lists")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LookalikeError(
                f"backup {self._path} cannot be read: {error.strerror or error}"
            ) from error
        except LookalikeError as error:
            raise LookalikeError(f"backup {self._path} {error}") from error
        except (zipfile.BadZipFile, EOFError, struct.error, ValueError, RuntimeError) as error:
            raise LookalikeError(
                f"backup {self._path} is no backup, or damaged: {error}"
            ) from error
