"""Writing a backup's file, part by part; size and hash of each are taken on the way."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from indexer.backup.layout import MANIFEST, Part
from shared.errors import LookalikeError

CHUNK_BYTES = 2**20


class BackupWriter:
    """A file under construction, for its owner's eyes only. Leaving the context closes it."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "w+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED)
        self.files: dict[str, Part] = {}

    def add(self, name: str, data: bytes) -> None:
        """A part from memory."""
        self._write(name, len(data), [data])

    def add_file(self, name: str, path: Path) -> None:
        """A part from a file. Raises `LookalikeError` if its size changed meanwhile."""
        with path.open("rb") as file:
            chunks = iter(lambda: file.read(CHUNK_BYTES), b"")
            self._write(name, os.fstat(file.fileno()).st_size, chunks)

    def finish(self, manifest: bytes) -> None:
        """Add the manifest and make everything durable."""
        self._write(MANIFEST, len(manifest), [manifest])
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())

    def _write(self, name: str, size: int, chunks: Iterable[bytes]) -> None:
        info = zipfile.ZipInfo(name)
        info.file_size = size  # tells the archive beforehand whether 4 GiB will do
        digest, written = hashlib.sha256(), 0
        with self._zip.open(info, "w") as part:
            for chunk in chunks:
                part.write(chunk)
                digest.update(chunk)
                written += len(chunk)
        if written != size:
            raise LookalikeError(f"{name} changed while it was read: back up again")
        self.files[name] = Part(size, digest.hexdigest())

    def __enter__(self) -> BackupWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
