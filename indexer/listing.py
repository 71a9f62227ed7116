"""Listing of the files below a root."""

from __future__ import annotations

import contextlib
import copy
import fnmatch
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexer.identity import FolderIdentity, folder_identity
from shared.errors import RootError
from shared.reading import Signature, is_absent

_NAMED = 5
"""Unknown paths that a problem names."""

_log = logging.getLogger(__name__)

_UNFINISHED = re.compile(
    rb"(\.(part|partial|crdownload|download|tmp|temp|filepart|swp|bak)|~|#)$", re.IGNORECASE
)
"""Names that browsers, copy tools and editors give to files that are not finished."""


@dataclass(slots=True)
class Listing:
    """One walk through a root. Paths are relative, as the file system spells them.

    `identity` is the root's. `unknown`: folders that could not be listed and names that could not
    be looked at, with the reason; what is at or below them is unknown rather than absent.
    """

    identity: FolderIdentity
    files: dict[bytes, Signature] = field(default_factory=dict)
    unknown: dict[bytes, str] = field(default_factory=dict)

    def hides(self, path: bytes) -> bool:
        """Return whether it is unknown what is at a path."""
        return any(not one or path == one or path.startswith(one + b"/") for one in self.unknown)

    def problem(self) -> str | None:
        """Return one line that names the first unknown paths with their reasons; None if there are
        none."""
        if not self.unknown:
            return None
        named = [
            f"{os.fsdecode(path) or '.'!r}: {reason}"
            for path, reason in sorted(self.unknown.items())[:_NAMED]
        ]
        more = len(self.unknown) - _NAMED
        rest = f" and {more:,} more" if more > 0 else ""
        return f"cannot be read, and nothing is deleted there: {', '.join(named)}{rest}"


class Chooser:
    """Which names below a root count: not hidden, not unfinished, not excluded, not the home.

    `part`: which files are ours where indexers share a root; those of others are passed over.
    """

    def __init__(
        self,
        excludes: Sequence[str],
        home: Path | None = None,
        part: Callable[[bytes], bool] | None = None,
    ) -> None:
        patterns = [fnmatch.translate(pattern.rstrip("/")) for pattern in excludes]
        self._excluded = re.compile("|".join(patterns)) if patterns else None
        self._home = os.fsencode(os.path.realpath(home)) if home else None
        self._part = part

    @property
    def is_whole(self) -> bool:
        """Whether no other indexer has files here."""
        return self._part is None

    def whole(self) -> Chooser:
        """The same for all indexers' files together."""
        chooser = copy.copy(self)
        chooser._part = None
        return chooser

    def is_ours(self, relative: bytes) -> bool:
        """Whether a file is this indexer's business, whatever its name."""
        return self._part is None or self._part(relative)

    def takes_folder(self, folder: bytes, relative: bytes) -> bool:
        """Whether to look into a folder; `folder` is its full path."""
        return self._counts(relative) and folder != self._home

    def takes_file(self, relative: bytes) -> bool:
        """Whether a regular file of that name counts."""
        return (
            self._counts(relative) and not _UNFINISHED.search(relative) and self.is_ours(relative)
        )

    def takes_path(self, root: bytes, relative: bytes) -> bool:
        """Whether a path counts, all its folders included."""
        parts = relative.split(b"/")
        folders = (b"/".join(parts[: n + 1]) for n in range(len(parts) - 1))
        return self.takes_file(relative) and all(
            self.takes_folder(root + b"/" + folder, folder) for folder in folders
        )

    def _counts(self, relative: bytes) -> bool:
        name = relative.rsplit(b"/", 1)[-1]
        if name.startswith(b"."):
            return False
        if self._excluded is None:
            return True
        return not (
            self._excluded.match(os.fsdecode(relative)) or self._excluded.match(os.fsdecode(name))
        )


def list_root(root: bytes, chooser: Chooser) -> Listing:
    """Walk a root without following links.

    A name that cannot be looked at costs only itself. Raises `RootError` if the root is missing, no
    folder, or replaced by another during the walk.
    """
    listing = Listing(_identity(root))
    pending = [b""]
    while pending:
        folder = pending.pop()
        try:
            for entry, relative in _entries(root, folder):
                with _contained(listing, relative):
                    if entry.is_dir(follow_symlinks=False):
                        if chooser.takes_folder(entry.path, relative):
                            pending.append(relative)
                    elif entry.is_file(follow_symlinks=False) and chooser.takes_file(relative):
                        listing.files[relative] = Signature.of(entry.stat(follow_symlinks=False))
        except OSError as error:
            if not folder or not is_absent(error):
                listing.unknown[folder] = _reason(error)
    if not listing.identity.is_same(_identity(root)):
        raise RootError(f"folder {os.fsdecode(root)!r} was replaced while it was listed")
    return listing


def _identity(root: bytes) -> FolderIdentity:
    try:
        return folder_identity(root)
    except NotADirectoryError as error:
        raise RootError(
            f"{os.fsdecode(root)!r} is not a folder: name the folder it lies in"
        ) from error
    except OSError as error:
        raise RootError(f"folder {os.fsdecode(root)!r}: {error.strerror}") from error


def _entries(root: bytes, folder: bytes) -> Iterator[tuple[os.DirEntry[bytes], bytes]]:
    with os.scandir(os.path.join(root, folder) if folder else root) as entries:
        for entry in entries:
            yield entry, (folder + b"/" + entry.name if folder else entry.name)


@contextlib.contextmanager
def _contained(listing: Listing, relative: bytes) -> Iterator[None]:
    """Keep what goes wrong with one name to that name."""
    try:
        yield
    except OSError as error:
        if not is_absent(error):  # else it vanished while it was listed
            listing.unknown[relative] = _reason(error)
    except Exception as error:  # noqa: BLE001 - one name must not end the listing of a root
        _log.exception("listing %r failed", relative)
        listing.unknown[relative] = f"internal error: {error!r}"


def _reason(error: OSError) -> str:
    return error.strerror or repr(error)
