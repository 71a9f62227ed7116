"""What lies below a root, passing over what is not the indexer's business."""

from __future__ import annotations

import copy
import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexer.identity import FolderIdentity, folder_identity
from shared.errors import RootError
from shared.reading import Signature

_UNFINISHED = re.compile(
    rb"(\.(part|partial|crdownload|download|tmp|temp|filepart|swp|bak)|~|#)$", re.IGNORECASE
)
"""Names that browsers, copy tools and editors give to files that are not finished."""


@dataclass(slots=True)
class Listing:
    """One walk through a root. Paths are relative, as the file system spells them.

    `identity` is the root's; `unreadable` are folders that could not be listed,
    with the reason, so that what lies below them is unknown rather than gone.
    """

    identity: FolderIdentity
    files: dict[bytes, Signature] = field(default_factory=dict)
    unreadable: dict[bytes, str] = field(default_factory=dict)

    def hides(self, path: bytes) -> bool:
        """Whether the path lies below a folder that could not be listed."""
        return any(not folder or path.startswith(folder + b"/") for folder in self.unreadable)


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

    Raises `RootError` if it is missing, no folder, or replaced by another during the walk.
    """
    listing = Listing(_identity(root))
    pending = [b""]
    while pending:
        folder = pending.pop()
        try:
            for entry, relative in _entries(root, folder):
                if entry.is_dir(follow_symlinks=False):
                    if chooser.takes_folder(entry.path, relative):
                        pending.append(relative)
                elif entry.is_file(follow_symlinks=False) and chooser.takes_file(relative):
                    _add(listing, entry, relative)
        except OSError as error:
            if folder and not os.path.lexists(os.path.join(root, folder)):
                continue
            listing.unreadable[folder] = str(error.strerror)
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


def _add(listing: Listing, entry: os.DirEntry[bytes], relative: bytes) -> None:
    try:
        listing.files[relative] = Signature.of(entry.stat(follow_symlinks=False))
    except FileNotFoundError:
        return  # gone between the listing and the look: the next listing will not have it
