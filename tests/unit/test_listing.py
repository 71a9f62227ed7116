from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from indexer.listing import Chooser, Listing, list_root
from shared.errors import RootError


def _names(root: Path, excludes: tuple[str, ...] = (), home: Path | None = None) -> list[str]:
    found = list_root(os.fsencode(root), Chooser(excludes, home))
    return sorted(os.fsdecode(path) for path in found.files)


def _touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_lists_regular_files_of_all_folders_with_their_signatures(tmp_path: Path) -> None:
    _touch(tmp_path, "a.jpg", "deep/er/b.png", "x.jpg/inside.gif")
    found = list_root(os.fsencode(tmp_path), Chooser(()))
    assert sorted(found.files) == [b"a.jpg", b"deep/er/b.png", b"x.jpg/inside.gif"]
    stat = (tmp_path / "a.jpg").stat()
    signature = found.files[b"a.jpg"]
    assert (signature.size, signature.inode) == (1, stat.st_ino)
    assert (signature.mtime_ns, signature.ctime_ns) == (stat.st_mtime_ns, stat.st_ctime_ns)
    root = tmp_path.stat()
    assert found.identity[:2] == (root.st_dev, root.st_ino)


@pytest.mark.parametrize(
    "name",
    [".hidden.jpg", ".git/a.jpg", "a.jpg.part", "a.JPG.CRDOWNLOAD", "a.jpg~", "#a.jpg#", "a.tmp"],
)
def test_passes_over_hidden_and_unfinished_names(tmp_path: Path, name: str) -> None:
    _touch(tmp_path, name, "kept.jpg")
    assert _names(tmp_path) == ["kept.jpg"]
    assert not Chooser(()).takes_path(os.fsencode(tmp_path), os.fsencode(name))


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("raw", ["a.jpg", "b/raw.jpg"]),
        ("raw/", ["a.jpg", "b/raw.jpg"]),
        ("*.jpg", ["raw/c.png"]),
        ("b/*", ["a.jpg", "raw/c.png"]),
    ],
)
def test_excludes_match_names_and_relative_paths(
    tmp_path: Path, pattern: str, kept: list[str]
) -> None:
    _touch(tmp_path, "a.jpg", "b/raw.jpg", "raw/c.png")
    assert _names(tmp_path, (pattern,)) == kept
    chooser = Chooser((pattern,))
    everything = ["a.jpg", "b/raw.jpg", "raw/c.png"]
    taken = [n for n in everything if chooser.takes_path(os.fsencode(tmp_path), os.fsencode(n))]
    assert taken == kept


def test_passes_over_the_home_links_and_special_files(tmp_path: Path) -> None:
    root, home = tmp_path / "root", tmp_path / "root" / "home"
    _touch(root, "a.jpg", "home/models/figure.png")
    _touch(tmp_path, "outside/secret.jpg")
    (root / "link.jpg").symlink_to(root / "a.jpg")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "s.jpg"))
        assert _names(root, home=home) == ["a.jpg"]


def test_names_that_are_not_utf8_are_listed_as_they_are(tmp_path: Path) -> None:
    name = b"caf\xe9\n" + b"n" * 240 + b".jpg"
    with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
        pass
    assert list(list_root(os.fsencode(tmp_path), Chooser(("*.png",))).files) == [name]


def test_an_unreadable_folder_hides_what_is_below_it_and_nothing_else() -> None:
    listing = Listing((1, 2), unknown={b"a/b": "Permission denied"})
    assert listing.hides(b"a/b/c.jpg")
    assert listing.hides(b"a/b/c/d.jpg")
    assert not listing.hides(b"a/bc.jpg")
    assert not listing.hides(b"a/c.jpg")
    assert Listing((1, 2), unknown={b"": "Input/output error"}).hides(b"anything.jpg")


def test_a_missing_root_and_a_file_as_root_are_named(tmp_path: Path) -> None:
    with pytest.raises(RootError, match=r"nowhere.*No such file"):
        list_root(os.fsencode(tmp_path / "nowhere"), Chooser(()))
    _touch(tmp_path, "a.jpg")
    with pytest.raises(RootError, match=r"a\.jpg.*is not a folder"):
        list_root(os.fsencode(tmp_path / "a.jpg"), Chooser(()))


def test_a_root_that_is_replaced_during_the_walk_is_not_believed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "inside").mkdir(parents=True)

    class Replacing(Chooser):
        def takes_folder(self, folder: bytes, relative: bytes) -> bool:
            root.rename(tmp_path / "away")
            root.mkdir()
            return True

    with pytest.raises(RootError, match="was replaced while it was listed"):
        list_root(os.fsencode(root), Replacing([]))


UNKNOWN = ["EIO", "ESTALE", "EACCES", "ENAMETOOLONG", "ETIMEDOUT", "ENODEV", "EOVERFLOW", "ELOOP"]
ABSENT = ["ENOENT", "ENOTDIR"]


def failing(
    monkeypatch: pytest.MonkeyPatch,
    *,
    folders: dict[bytes, Exception],
    names: dict[bytes, Exception],
) -> None:
    """Have `os.scandir` fail for folders, and their entries for names, as a file system would."""
    real: Callable[[bytes], Any] = os.scandir

    class Entry:
        def __init__(self, entry: os.DirEntry[bytes]) -> None:
            self.name, self.path, self._entry = entry.name, entry.path, entry

        def __getattr__(self, attribute: str) -> Any:
            if self.name in names:
                raise names[self.name]
            return getattr(self._entry, attribute)

    @contextmanager
    def scandir(folder: bytes) -> Iterator[Iterator[Entry]]:
        if os.path.basename(folder) in folders:
            raise folders[os.path.basename(folder)]
        with real(folder) as entries:
            yield map(Entry, entries)

    monkeypatch.setattr("indexer.listing.os.scandir", scandir)


def error(name: str) -> OSError:
    number = getattr(errno, name)
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize("name", [*UNKNOWN, *ABSENT])
def test_only_does_not_exist_means_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _touch(tmp_path, "a.jpg", "deep/er/b.jpg", "odd.jpg", "z.jpg")
    failing(monkeypatch, folders={b"er": error(name)}, names={b"odd.jpg": error(name)})
    found = list_root(os.fsencode(tmp_path), Chooser(()))
    assert sorted(found.files) == [b"a.jpg", b"z.jpg"]
    hidden = [found.hides(one) for one in (b"deep/er/b.jpg", b"odd.jpg", b"deep/c.jpg")]
    assert hidden == ([True, True, False] if name in UNKNOWN else [False] * 3)
    if name in UNKNOWN:
        problem = str(found.problem())
        assert f"'deep/er': {error(name).strerror}, 'odd.jpg': {error(name).strerror}" in problem
    else:
        assert found.problem() is None


def test_an_unexpected_exception_for_one_name_costs_only_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _touch(tmp_path, "a.jpg", "odd.jpg", "z.jpg")
    failing(monkeypatch, folders={}, names={b"odd.jpg": RuntimeError("boom")})
    found = list_root(os.fsencode(tmp_path), Chooser(()))
    assert sorted(found.files) == [b"a.jpg", b"z.jpg"]
    assert found.hides(b"odd.jpg")
    assert "internal error: RuntimeError('boom')" in str(found.problem())
    assert "boom" in caplog.text


def test_a_problem_names_some_and_counts_the_rest() -> None:
    listing = Listing((1, 2), unknown={f"{n}".encode(): "Input/output error" for n in range(9)})
    assert str(listing.problem()).endswith("'4': Input/output error and 4 more")
