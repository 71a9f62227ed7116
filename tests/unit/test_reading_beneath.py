"""Reading below a folder by a path that is not trusted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.errors import ImageChanged, ImageRefused
from shared.reading import Limits, Signature, read_beneath

LIMITS = Limits()
SECRET = b"not for the world"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A folder with one file, two levels down, beside a secret; no descriptor may stay open."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "c.jpg").write_bytes(SECRET)
    (tmp_path / "root" / "a" / "b").mkdir(parents=True)
    (tmp_path / "root" / "a" / "b" / "c.jpg").write_bytes(b"picture")
    before = open_descriptors()
    yield tmp_path / "root"
    assert open_descriptors() == before


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def refusal(root: Path, relative: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(ImageRefused) as refused:
        read_beneath(root, relative, limits)
    reason = str(refused.value)
    assert "\n" not in reason
    assert str(root) not in reason
    return reason


def test_a_files_bytes_and_signature(root: Path) -> None:
    data, signature = read_beneath(root, b"a/b/c.jpg", LIMITS)
    assert data == b"picture"
    assert signature == Signature.of((root / "a/b/c.jpg").stat())


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "named").symlink_to(root)
    for path in (tmp_path / "named", str(tmp_path / "named"), os.fsencode(tmp_path / "named")):
        assert read_beneath(path, b"a/b/c.jpg", LIMITS)[0] == b"picture"


@pytest.mark.parametrize(
    "relative",
    [
        b"",
        b"/",
        b".",
        b"..",
        b"../secret/c.jpg",
        b"a/../../secret/c.jpg",
        b"a/b/../b/c.jpg",
        b"a/b/..",
        b"a/b/c.jpg/..",
        b"./a/b/c.jpg",
        b"a/./b/c.jpg",
        b"a//b/c.jpg",
        b"a/b/c.jpg/",
        b"//a/b/c.jpg",
        b"a/b/c.jpg\0",
        b"a/b/c.jpg\0.png",
        b"a\0/b/c.jpg",
    ],
)
def test_paths_that_may_lead_out_are_refused_unopened(
    root: Path, relative: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.reading.os.open", pytest.fail)
    assert "may lead out of its root" in refusal(root, relative)


def test_an_absolute_path_is_refused_even_when_it_lies_below(root: Path) -> None:
    inside = os.fsencode(root / "a" / "b" / "c.jpg")
    assert "may lead out of its root" in refusal(root, inside)
    # Windows' ways are names here.
    assert "No such file" in refusal(root, b"a\\..\\..\\secret\\c.jpg")


@pytest.mark.parametrize("level", ["a", "a/b", "a/b/c.jpg"])
@pytest.mark.parametrize("target", ["outside", "inside", "nowhere"])
def test_no_link_is_followed_at_any_level(root: Path, level: str, target: str) -> None:
    place = root / level
    kept = place.with_name("kept")
    place.rename(kept)
    outside = {"a": "../..", "a/b": "secret", "a/b/c.jpg": "secret/c.jpg"}[level]
    targets = {"outside": str(root.parent / outside), "inside": kept.name, "nowhere": "gone"}
    place.symlink_to(targets[target])
    assert "symbolic link" in refusal(root, b"a/b/c.jpg")


def test_a_link_is_swapped_in_on_the_way(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write below the root swaps a folder between two steps of the walk."""
    real, steps = os.open, 0

    def step(path: bytes, flags: int, *, dir_fd: int | None = None) -> int:
        nonlocal steps
        steps += 1
        if steps == 3:  # root and `a` are open
            (root / "a" / "b").rename(root / "kept")
            (root / "a" / "b").symlink_to(root.parent / "secret")
        return real(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr("shared.reading.os.open", step)
    assert "symbolic link" in refusal(root, b"a/b/c.jpg")
    assert steps == 3


def test_what_is_open_stays_what_it_was(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder swapped after it was opened: the file is read from where the walk has come."""
    real, steps = os.open, 0

    def step(path: bytes, flags: int, *, dir_fd: int | None = None) -> int:
        nonlocal steps
        steps += 1
        if steps == 4:  # `b` is open as well
            (root / "a").rename(root / "moved")
            (root / "a").symlink_to(root.parent)
        return real(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr("shared.reading.os.open", step)
    assert read_beneath(root, b"a/b/c.jpg", LIMITS)[0] == b"picture"


def test_a_swap_that_never_rests_never_leads_out(root: Path) -> None:
    """A real second process swaps folder and link as fast as it can."""
    code = """
import os, sys
os.chdir(sys.argv[1])
os.symlink("../../secret", "link")
print("ready", flush=True)
while True:
    os.rename("b", "kept"); os.rename("link", "b"); os.rename("b", "link"); os.rename("kept", "b")
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(root / "a")], stdout=subprocess.PIPE
    ) as swapper:
        try:
            assert swapper.stdout is not None
            swapper.stdout.readline()
            seen = set()
            for _ in range(5000):
                try:
                    seen.add(read_beneath(root, b"a/b/c.jpg", LIMITS)[0])
                except ImageRefused as refused:
                    seen.add(str(refused).encode())
        finally:
            swapper.kill()
    assert b"picture" in seen
    assert SECRET not in seen


def test_a_file_that_changes_while_it_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, looks = os.fstat, 0

    def look(descriptor: int) -> os.stat_result:
        nonlocal looks
        found, looks = real(descriptor), looks + 1
        if looks == 1:
            with (root / "a" / "b" / "c.jpg").open("ab") as file:
                file.write(b"more")
        return found

    monkeypatch.setattr("shared.reading.os.fstat", look)
    with pytest.raises(ImageChanged):
        read_beneath(root, b"a/b/c.jpg", LIMITS)


def make_link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.mkdir, "is not a regular file"),
        (os.mkfifo, "is not a regular file"),
        (Path.touch, "is empty"),
        (make_link_to_device, "symbolic link"),
    ],
)
def test_what_is_no_file_with_bytes(root: Path, make: Callable[[Path], None], reason: str) -> None:
    make(root / "x.jpg")
    assert reason in refusal(root, b"x.jpg")


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch])
def test_what_is_no_folder_on_the_way(root: Path, make: Callable[[Path], None]) -> None:
    make(root / "x")
    assert refusal(root, b"x/c.jpg") == "cannot be read: Not a directory"


def test_devices_are_refused_unread() -> None:
    before = open_descriptors()
    assert refusal(Path("/dev"), b"zero") == "is not a regular file"
    assert open_descriptors() == before


def test_roots_that_cannot_be_used(root: Path) -> None:
    assert "its root: No such file" in refusal(root / "gone", b"c.jpg")
    assert "its root: Not a directory" in refusal(root / "a/b/c.jpg", b"c.jpg")
    os.mkfifo(root / "fifo")
    assert "its root: Not a directory" in refusal(root / "fifo", b"c.jpg")


def test_more_bytes_than_allowed(root: Path) -> None:
    assert "max_file_bytes=6" in refusal(root, b"a/b/c.jpg", Limits(max_file_bytes=6))


@pytest.mark.parametrize("name", [b"\xff\xfe\n.jpg", b"x" * 255, b"-", b"...", b"..x", b"~"])
def test_odd_names(root: Path, name: bytes) -> None:
    folder = os.fsencode(root) + b"/" + name
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with open(folder + b"/" + name, "wb") as file:
        file.write(b"odd")
    assert read_beneath(root, name + b"/" + name, LIMITS)[0] == b"odd"


def test_a_name_that_is_too_long(root: Path) -> None:
    assert refusal(root, b"a/" + b"x" * 256) == "cannot be read: File name too long"


def test_a_path_longer_than_the_kernel_takes_at_once(root: Path) -> None:
    """Walked name by name, so that depth is no limit."""
    way = [b"d" * 250] * 20
    folder = os.open(root, os.O_RDONLY)
    for name in way:
        os.mkdir(name, dir_fd=folder)
        above, folder = folder, os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(above)
    with open("c.jpg", "wb", opener=lambda n, f: os.open(n, f, dir_fd=folder)) as file:
        file.write(b"deep")
    os.close(folder)
    assert read_beneath(root, b"/".join([*way, b"c.jpg"]), LIMITS)[0] == b"deep"
    shutil.rmtree(root)


def test_folders_that_may_be_passed_but_not_listed(tmp_path: Path) -> None:
    """As a user who is not root: what the kernel's own walk allows is allowed here."""
    code = """
import os, sys
from shared.reading import Limits, read_beneath
os.chdir(sys.argv[1])
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
print(read_beneath(".", b"a/c.jpg", Limits())[0])
"""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "c.jpg").write_bytes(b"picture")
    for folder in (tmp_path / "a", tmp_path):
        folder.chmod(0o711 if os.geteuid() == 0 else 0o111)
    command = [sys.executable, "-c", code, str(tmp_path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    finally:
        for folder in (tmp_path, tmp_path / "a"):
            folder.chmod(0o755)
    assert done.stdout == "b'picture'\n", done.stderr
