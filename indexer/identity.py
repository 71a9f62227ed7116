"""Which folder stands at a path: the same as before, or another that took its place."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import stat
from typing import NamedTuple

_GET_GENERATION = 0x80087601
"""Linux' `FS_IOC_GETVERSION`, `_IOR('v', 1, long)`; ioctl_iflags(2) lists who answers it."""


class FolderIdentity(NamedTuple):
    """Device and inode of a folder, and how often the inode was given away, where that is known.

    Without the generation a folder that is deleted and made again looks the same on ext4, which
    gives it the inode that just became free.
    """

    device: int
    inode: int
    generation: int | None = None

    def is_same(self, other: FolderIdentity | None) -> bool:
        """Whether nothing tells the two apart."""
        return (
            other is not None
            and self[:2] == other[:2]
            and (None in (self.generation, other.generation) or self.generation == other.generation)
        )


def folder_identity(folder: bytes) -> FolderIdentity:
    """The identity of what stands at a path.

    Raises `OSError`; `NotADirectoryError` for anything but a folder.
    """
    found = os.stat(folder)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(folder)
    return FolderIdentity(found.st_dev, found.st_ino, _generation(folder))


def _generation(folder: bytes) -> int | None:
    with contextlib.suppress(OSError):  # not readable, or a file system that does not count
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            answer = array.array("q", [0])
            fcntl.ioctl(handle, _GET_GENERATION, answer)
        finally:
            os.close(handle)
        return answer[0] & 0xFFFFFFFF
    return None
