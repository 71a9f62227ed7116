"""A folder seen through FUSE, with the faults of network and failing disks.

    python -m tests.faults.fuse_mirror FOLDER MOUNT [FLAG ERRNO]

Inode numbers have 64 bits, as those of mergerfs and rclone. While the file FLAG exists, whatever
lies at or below a name that begins with `bad` answers ERRNO, though the parent still lists it, and
a file whose name begins with `worn` cannot be read, though it can be looked at.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mfusepy as fuse

_COPIED = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size")


class Mirror(fuse.Operations):
    """The operations of a read-only mirror of `folder`."""

    use_ns = True

    def __init__(self, folder: str, flag: str, error: int) -> None:
        self._folder, self._flag, self._error = folder, Path(flag) if flag else None, error

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """What lstat tells, with an inode number above 2^63."""
        try:
            found = os.lstat(self._real(path))
        except OSError as error:
            raise fuse.FuseOSError(error.errno) from error
        inode = int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") | 2**63
        times = {f"st_{name}time": getattr(found, f"st_{name}time_ns") for name in "amc"}
        return {name: getattr(found, name) for name in _COPIED} | times | {"st_ino": inode}

    def readdir(self, path: str, fh: int) -> Iterator[tuple[str, dict[str, Any], int]]:
        """The names in a folder with their kinds; those that fail are among them."""
        for entry in os.scandir(self._real(path)):
            found = entry.stat(follow_symlinks=False)
            yield entry.name, {"st_mode": found.st_mode, "st_ino": found.st_ino}, 0

    def open(self, path: str, flags: int) -> int:
        """A descriptor of the mirrored file."""
        self._real(path, "bad", "worn")
        return os.open(self._folder + path, flags)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Bytes of the mirrored file."""
        self._real(path, "bad", "worn")
        return os.pread(fh, size, offset)

    def release(self, path: str, fh: int) -> int:
        """Close the mirrored file."""
        os.close(fh)
        return 0

    def _real(self, path: str, *failing: str) -> str:
        is_bad = any(part.startswith(failing or ("bad",)) for part in path.split("/"))
        if is_bad and self._flag is not None and self._flag.exists():
            raise fuse.FuseOSError(self._error)
        return self._folder + path


def main(folder: str, mount: str, flag: str = "", error: str = "5") -> None:
    """Mirror until it is unmounted."""
    operations = Mirror(folder, flag, int(error))
    options = {"use_ino": True, "attr_timeout": 0, "entry_timeout": 0}
    fuse.FUSE(operations, mount, foreground=True, nothreads=True, **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
