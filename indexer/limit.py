"""Whether the system's limit of watches is reached, asked of the kernel itself."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

_IN_ATTRIB = 0x00000004
_IN_ONLYDIR = 0x01000000


class LimitProbe:
    """Tries one more watch than there are, and gives it back. Linux only: elsewhere never reached.

    watchdog tells nobody when it could not watch a subfolder.
    """

    def __init__(self) -> None:
        self._file = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._file = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)

    def is_reached(self, folder: bytes) -> bool:
        """Whether no further watch is to be had; any folder that exists will do."""
        if self._file < 0:
            return False
        watch = self._libc.inotify_add_watch(self._file, folder, _IN_ATTRIB | _IN_ONLYDIR)
        if watch < 0:
            return ctypes.get_errno() == errno.ENOSPC
        self._libc.inotify_rm_watch(self._file, watch)
        return False

    def close(self) -> None:
        """Give the probe back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
