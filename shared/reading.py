"""Files from the disk: read whole, once, and only if they are what they seem."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass

from shared.errors import ImageChanged, ImageRefused


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused unseen: more pixels than `max_pixels`, more bytes than `max_file_bytes`.

    A WebP may have half of `max_pixels`, because decoding it takes twice the memory.
    """

    max_pixels: int = 100_000_000
    max_file_bytes: int = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Signature:
    """A file's state as the kernel tells it; any write, replacement or rename changes it."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, found: os.stat_result) -> Signature:
        """The signature in a `stat` result."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


def read_file(path: str | bytes | os.PathLike[str], limits: Limits) -> tuple[bytes, Signature]:
    """A regular file's bytes and its signature, the same before and after reading.

    Does not follow a link at the path's end and never waits on a FIFO. Raises `ImageRefused`
    (missing, unreadable, link, special, empty, too large) or `ImageChanged`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if os.path.islink(path):
            raise ImageRefused("is a symbolic link, and links are not followed") from error
        raise ImageRefused(f"cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL in the path
        raise ImageRefused(f"cannot be read: {error}") from error
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise ImageRefused("is not a regular file")
        if before.st_size == 0:
            raise ImageRefused("is empty")
        if before.st_size > limits.max_file_bytes:
            raise ImageRefused(
                f"has {before.st_size} bytes, more than max_file_bytes={limits.max_file_bytes}"
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(before.st_size + 1)
        signature = Signature.of(before)
        if Signature.of(os.fstat(descriptor)) != signature or len(data) != signature.size:
            raise ImageChanged("changed while it was read")
    except OSError as error:
        raise ImageRefused(f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    return data, signature


def content_hash(data: bytes) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()
