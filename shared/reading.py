"""Files from the disk: read whole, once, and only if they are what they seem."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass

from shared.errors import ImageChanged, ImageRefused, ImageUnreadable

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# A folder on the way need not be readable, as for a path that the kernel walks.
_WAY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_LINK = "is a symbolic link, and links are not followed"
_NO_NAMES = (b"", b".", b"..")


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


def is_absent(error: OSError) -> bool:
    """Return whether an error means that nothing is at a path.

    Any other error (an input/output error, a stale handle, no permission, a name that is too long)
    says nothing of what is there: it is unknown, and must not be taken for a deletion.
    """
    return error.errno in (errno.ENOENT, errno.ENOTDIR)


def read_file(path: str | bytes | os.PathLike[str], limits: Limits) -> tuple[bytes, Signature]:
    """A regular file's bytes and its signature, the same before and after reading.

    Does not follow a link at the path's end and never waits on a FIFO. Raises `ImageRefused`
    (missing, link, special, empty, too large), `ImageUnreadable` for every error that says nothing
    of the content, or `ImageChanged`.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        if os.path.islink(path):
            raise ImageRefused(_LINK) from error
        raise _unreadable(error) from error
    except ValueError as error:  # a NUL in the path
        raise ImageRefused(f"cannot be read: {error}") from error
    return _read(descriptor, limits)


def read_beneath(
    root: str | bytes | os.PathLike[str], relative: bytes, limits: Limits
) -> tuple[bytes, Signature]:
    """As `read_file`, for a path that is not trusted: it never leads out of the folder `root`.

    `relative` is walked name by name, and no link is followed on the way, also none that is put
    there meanwhile; `root` itself may be reached through links. Raises as `read_file`, and
    `ImageRefused` for a path that is absolute or has an empty name, ``.``, ``..`` or a NUL.
    """
    *folders, name = relative.split(b"/")
    if b"\0" in relative or any(part in _NO_NAMES for part in (*folders, name)):
        raise ImageRefused("has a path that may lead out of its root: empty names, '..' or a NUL")
    try:
        folder = os.open(root, _WAY)
    except OSError as error:
        raise ImageRefused(f"cannot be read: its root: {error.strerror}") from error
    try:
        for part in folders:
            above, folder = folder, _open_beneath(folder, part, _WAY | os.O_NOFOLLOW)
            os.close(above)
        descriptor = _open_beneath(folder, name, _FLAGS)
    finally:
        os.close(folder)
    return _read(descriptor, limits)


def _open_beneath(folder: int, name: bytes, flags: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if _is_link(folder, name):
            raise ImageRefused(_LINK) from error
        raise ImageRefused(f"cannot be read: {error.strerror}") from error


def _is_link(folder: int, name: bytes) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _read(descriptor: int, limits: Limits) -> tuple[bytes, Signature]:
    """The bytes and signature of an open file, which is closed. Raises as `read_file`."""
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
        raise _unreadable(error) from error
    finally:
        os.close(descriptor)
    return data, signature


def _unreadable(error: OSError) -> ImageRefused:
    """What is raised for a file that cannot be read: now, unless there is none."""
    kind = ImageRefused if is_absent(error) else ImageUnreadable
    return kind(f"cannot be read: {error.strerror}")


def content_hash(data: bytes) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()
